use super::{Client, hash};
use crate::sandbox::mailchimp::Status;
use crate::sandbox::scenario::Builder;
use crate::sandbox::{Act, What};
use serde_json::{Value, json};
use std::time::Duration;

const ANN: &str = "ann@example.com";

/// Ann is subscribed and bears `Red`.
fn client() -> Client {
    let mut builder = Builder::default();
    builder.member(ANN, Status::Subscribed).tag(ANN, "Red").field(ANN, "FNAME", "Ann");
    Client::of(builder)
}

fn path(email: &str) -> String {
    format!("/members/{}", hash(email))
}

#[test]
fn a_second_archive_is_405() {
    let mut client = client();
    assert_eq!(client.chimp("DELETE", &path(ANN), None).0, 204);
    assert_eq!(client.chimp("DELETE", &path(ANN), None).0, 405);
    assert_eq!(client.chimp("DELETE", &path("nobody@example.com"), None).0, 404);
}

#[test]
fn cleaned_and_pending_members_cannot_be_archived() {
    for status in [Status::Cleaned, Status::Pending] {
        let mut builder = Builder::default();
        builder.member(ANN, status);
        assert_eq!(Client::of(builder).chimp("DELETE", &path(ANN), None).0, 405);
    }
}

#[test]
fn tags_and_fields_are_kept_through_archiving() {
    let mut client = client();
    client.chimp("DELETE", &path(ANN), None);
    let back = json!({ "email_address": ANN, "status": "subscribed" });
    let (status, member) = client.chimp("PUT", &path(ANN), back);
    assert_eq!((status, &member["status"]), (200, &json!("subscribed")));
    assert_eq!(member["tags"][0]["name"], "Red");
    assert_eq!(member["merge_fields"]["FNAME"], "Ann");
    assert_eq!(client.sandbox.mailchimp.journeys(ANN, "Red"), 0);
}

#[test]
fn the_status_is_hidden_while_archived_and_still_enforced() {
    let mut builder = Builder::default();
    builder.member(ANN, Status::Unsubscribed).archived(ANN);
    let mut client = Client::of(builder);
    let member = client.chimp("GET", &path(ANN), None).1;
    assert_eq!(member["status"], "archived");
    assert!(member.get("unsubscribe_reason").is_none());
    let (status, body) =
        client.chimp("PUT", &path(ANN), json!({ "email_address": ANN, "status": "subscribed" }));
    assert_eq!((status, &body["title"]), (400, &json!("Member In Compliance State")));
    assert_eq!(client.broken_rules(), ["resubscribe"]);
}

#[test]
fn an_unsubscribe_by_api_may_be_lifted_by_api_which_is_written_down() {
    let mut client = client();
    client.chimp("PATCH", &path(ANN), json!({ "status": "unsubscribed" }));
    client.chimp("DELETE", &path(ANN), None);
    assert_eq!(client.chimp("PATCH", &path(ANN), json!({ "status": "subscribed" })).0, 200);
    assert_eq!(client.broken_rules(), ["resubscribe"]);
}

#[test]
fn who_opted_out_or_bounced_cannot_be_subscribed() {
    for status in [Status::Unsubscribed, Status::Cleaned] {
        let mut builder = Builder::default();
        builder.member(ANN, status);
        let mut client = Client::of(builder);
        assert_eq!(client.chimp("PATCH", &path(ANN), json!({ "status": "subscribed" })).0, 400);
        let batch = json!({ "update_existing": true,
            "members": [{ "email_address": ANN, "status": "subscribed" }] });
        let (status, body) = client.chimp("POST", "", batch);
        assert_eq!((status, &body["error_count"]), (200, &json!(1)));
        assert!(body["errors"][0]["error"].as_str().unwrap().contains("compliance"));
    }
}

#[test]
fn a_put_without_status_never_touches_consent() {
    let mut builder = Builder::default();
    builder.member(ANN, Status::Unsubscribed);
    builder.member("ben@example.com", Status::Subscribed).archived("ben@example.com");
    let mut client = Client::of(builder);
    for email in [ANN, "ben@example.com"] {
        let body = json!({ "email_address": email, "status_if_new": "subscribed", "merge_fields": { "FNAME": "X" } });
        let before = client.chimp("GET", &path(email), None).1["status"].clone();
        let (status, member) = client.chimp("PUT", &path(email), body);
        assert_eq!((status, &member["status"]), (200, &before));
        assert_eq!(member["merge_fields"]["FNAME"], "X");
    }
    assert!(client.broken_rules().is_empty());
}

#[test]
fn addresses_that_mailchimp_dislikes_are_refused() {
    let mut client = client();
    let act = Act::Forget { email: ANN.into() };
    assert!(client.sandbox.act(&act));
    for (email, words) in [
        ("fake.person@example.com", "looks fake or invalid"),
        ("ann@example.invalid", "looks fake or invalid"),
        ("busy.person@example.com", "signed up to a lot of lists"),
        (ANN, "permanently deleted"),
    ] {
        let body = json!({ "email_address": email, "status_if_new": "subscribed" });
        let (status, answer) = client.chimp("PUT", &path(email), body);
        assert_eq!(status, 400);
        assert!(answer["detail"].as_str().unwrap().contains(words), "{words}");
    }
}

#[test]
fn a_batch_subscribe_answers_200_with_errors_inside() {
    let mut client = client();
    let member = |email: &str| json!({ "email_address": email, "status": "subscribed", "tags": ["Blue"] });
    let batch = json!({ "members": [member(ANN), member("ben@example.com"), member("fake@example.com")] });
    let (status, body) = client.chimp("POST", "", batch);
    assert_eq!((status, &body["total_created"], &body["error_count"]), (200, &json!(1), &json!(2)));
    assert_eq!(body["errors"][0]["error_code"], "ERROR_CONTACT_EXISTS");
    assert_eq!(body["errors"][1]["error_code"], "ERROR_GENERIC");
    assert!(client.sandbox.mailchimp.bears("ben@example.com", "Blue"));
    assert_eq!(client.sandbox.mailchimp.journeys("ben@example.com", "Blue"), 1);
    assert!(!client.sandbox.mailchimp.bears(ANN, "Blue"));
}

#[test]
fn overwriting_consent_and_replacing_tags_are_written_down() {
    let mut client = client();
    let batch = json!({ "update_existing": true, "sync_tags": true,
        "members": [{ "email_address": ANN, "status": "subscribed", "tags": [] }] });
    client.chimp("POST", "", batch);
    assert!(!client.sandbox.mailchimp.bears(ANN, "Red"));
    assert_eq!(client.broken_rules(), ["sync-tags", "consent-overwritten"]);
    let out =
        json!({ "update_existing": true, "members": [{ "email_address": ANN, "status": "unsubscribed" }] });
    assert_eq!(client.chimp("POST", "", out).1["total_updated"], 1);
    assert_eq!(client.broken_rules().len(), 2);
}

#[test]
fn more_than_500_are_refused() {
    let mut client = client();
    let many: Vec<Value> = (0..501).map(|n| json!(format!("p{n}@example.com"))).collect();
    let tag = client.chimp("GET", "/segments?type=static&count=1000", None).1["segments"][0]["id"].clone();
    let (status, _) = client.chimp("POST", &format!("/segments/{tag}"), json!({ "members_to_add": many }));
    assert_eq!(status, 400);
    assert_eq!(client.chimp("POST", "", json!({ "members": many })).0, 400);
    assert_eq!(client.broken_rules(), ["batch-over-limit", "batch-over-limit"]);
}

#[test]
fn a_segment_batch_is_loud_and_names_who_is_no_member() {
    let mut client = client();
    let (status, tag) = client.chimp("POST", "/segments", json!({ "name": "Blue", "static_segment": [] }));
    assert_eq!(status, 200);
    let body = json!({ "members_to_add": [ANN, "nobody@example.com"] });
    let answer = client.chimp("POST", &format!("/segments/{}", tag["id"]), body).1;
    assert_eq!(answer["total_added"], 1);
    assert_eq!(answer["errors"][0]["email_addresses"], json!(["nobody@example.com"]));
    assert_eq!(client.sandbox.mailchimp.journeys(ANN, "blue"), 1);
    assert_eq!(client.broken_rules(), ["tag-without-member"]);
}

#[test]
fn a_silent_tag_starts_no_journey_and_a_loud_one_starts_one_each_time_it_is_set_anew() {
    let mut client = client();
    let set = |status: &str, silent: bool| json!({ "tags": [{ "name": "Entry", "status": status }], "is_syncing": silent });
    let tags = format!("{}/tags", path(ANN));
    assert_eq!(client.chimp("POST", &tags, set("active", true)).0, 204);
    client.chimp("POST", &tags, set("active", false));
    assert_eq!(client.sandbox.mailchimp.journeys(ANN, "Entry"), 0);
    client.chimp("POST", &tags, set("inactive", true));
    client.chimp("POST", &tags, set("active", false));
    client.chimp("POST", &tags, set("inactive", false));
    client.chimp("POST", &tags, set("active", false));
    assert_eq!(client.sandbox.mailchimp.journeys(ANN, "Entry"), 2);
    let body = client.chimp("GET", &tags, None).1;
    assert_eq!(body["total_items"], 2);
}

#[test]
fn a_renamed_tag_keeps_its_bearers() {
    let mut client = client();
    let id = client.chimp("GET", "/tag-search?name=re", None).1["tags"][0]["id"].clone();
    assert_eq!(client.chimp("PATCH", &format!("/segments/{id}"), json!({ "name": "Crimson" })).0, 200);
    assert!(client.sandbox.mailchimp.bears(ANN, "Crimson"));
    let page = client.chimp("GET", &format!("/segments/{id}/members?count=1000"), None).1;
    assert_eq!(page["members"][0]["email_address"], ANN);
}

#[test]
fn bearers_who_are_not_subscribed_come_only_when_asked_for() {
    let mut client = client();
    client.sandbox.act(&Act::Unsubscribe { email: ANN.into() });
    let id = client.chimp("GET", "/tag-search", None).1["tags"][0]["id"].clone();
    let total = |client: &mut Client, flags: &str| {
        client.chimp("GET", &format!("/segments/{id}/members?count=1000{flags}"), None).1["total_items"]
            .clone()
    };
    assert_eq!(total(&mut client, ""), 0);
    assert_eq!(total(&mut client, "&include_unsubscribed=true"), 1);
}

#[test]
fn listings_that_lag_show_members_as_they_were_and_single_reads_as_they_are() {
    let mut client = client();
    let tag = client.chimp("GET", "/tag-search", None).1["tags"][0]["id"].clone();
    client.sandbox.settings.listing_lag = Duration::from_secs(30);
    let member = path(ANN);
    client.chimp("DELETE", &member, None);
    client.chimp("POST", "/members", json!({ "email_address": "new@example.com", "status": "subscribed" }));
    let listed = |client: &mut Client, status: &str| {
        let page = client.chimp("GET", &format!("/members?count=1000&status={status}"), None).1;
        let emails = page["members"].as_array().unwrap().iter();
        emails.map(|member| member["email_address"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let bearers = |client: &mut Client| {
        client.chimp("GET", &format!("/segments/{tag}/members?count=1000"), None).1["total_items"].clone()
    };
    client.wait(29);
    assert_eq!(client.chimp("GET", &member, None).1["status"], "archived");
    assert_eq!(listed(&mut client, "archived"), Vec::<String>::new());
    assert!(listed(&mut client, "subscribed").contains(&ANN.to_owned()));
    assert!(!listed(&mut client, "subscribed").contains(&"new@example.com".to_owned()));
    assert_eq!(bearers(&mut client), 1);
    client.wait(1);
    assert_eq!(listed(&mut client, "archived"), [ANN]);
    assert!(listed(&mut client, "subscribed").contains(&"new@example.com".to_owned()));
    assert_eq!(bearers(&mut client), 0);
}

#[test]
fn listings_default_to_ten_take_a_thousand_and_leave_archived_ones_out() {
    let mut builder = Builder::default();
    for number in 0..15 {
        builder.member(&format!("p{number}@example.com"), Status::Subscribed);
    }
    builder.archived("p0@example.com").member("p1@example.com", Status::Unsubscribed);
    let mut client = Client::of(builder);
    let all = client.chimp("GET", "/members", None).1;
    assert_eq!((all["members"].as_array().unwrap().len(), &all["total_items"]), (10, &json!(14)));
    let rest = client.chimp("GET", "/members?count=1000&offset=10&fields=members.status,total_items", None).1;
    assert_eq!(rest["members"].as_array().unwrap().len(), 4);
    assert_eq!(rest["members"][0], json!({ "status": "subscribed" }));
    assert_eq!(client.chimp("GET", "/members?status=archived", None).1["total_items"], 1);
    assert_eq!(client.chimp("GET", "/members?count=1001", None).0, 400);
    assert_eq!(client.chimp("GET", "/members?unsubscribed_since=2026-01-01T00:00:00Z", None).0, 400);
}

#[test]
fn a_listing_of_changes_shows_fields_and_opt_outs_but_no_tags_set_by_hand() {
    let mut builder = Builder::default();
    for name in ["ann", "ben", "cat", "dan"] {
        builder.member(&format!("{name}@example.com"), Status::Subscribed);
    }
    let mut client = Client::of(builder);
    let since = client.now.iso().replace('+', "%2B");
    client.wait(60);
    client.sandbox.settle(client.now);
    client.sandbox.act(&Act::Unsubscribe { email: "ben@example.com".into() });
    client.sandbox.act(&Act::SetTag { email: ANN.into(), tag: "Red".into() });
    let set = Act::SetField { email: "cat@example.com".into(), field: "FNAME".into(), value: "Cat".into() };
    client.sandbox.act(&set);
    let page = client.chimp("GET", &format!("/members?since_last_changed={since}"), None).1;
    let emails: Vec<&str> =
        page["members"].as_array().unwrap().iter().map(|m| m["email_address"].as_str().unwrap()).collect();
    assert_eq!(emails, ["ben@example.com", "cat@example.com"]);
    let page =
        client.chimp("GET", &format!("/members?status=unsubscribed&unsubscribed_since={since}"), None).1;
    assert_eq!(page["total_items"], 1);
}

#[test]
fn a_changed_address_moves_the_member() {
    let mut client = client();
    let (status, member) = client.chimp("PATCH", &path(ANN), json!({ "email_address": "anna@example.com" }));
    assert_eq!((status, &member["id"]), (200, &json!(hash("anna@example.com"))));
    assert_eq!(client.chimp("GET", &path(ANN), None).0, 404);
    assert!(client.sandbox.mailchimp.bears("anna@example.com", "Red"));
}

#[test]
fn a_long_text_is_cut_and_a_repeated_merge_field_refused() {
    let mut client = client();
    let long = "ü".repeat(200);
    let member =
        client.chimp("PATCH", &path(ANN), json!({ "merge_fields": { "FNAME": long, "NOPE": "x" } })).1;
    assert_eq!(member["merge_fields"]["FNAME"].as_str().unwrap().len(), 254);
    assert!(member["merge_fields"].get("NOPE").is_none());
    let field = json!({ "tag": "BRANCHES", "name": "Branches", "type": "number" });
    assert_eq!(client.chimp("POST", "/merge-fields", field.clone()).0, 200);
    assert_eq!(client.chimp("POST", "/merge-fields", field).0, 400);
    assert_eq!(client.chimp("PATCH", &path(ANN), json!({ "merge_fields": { "BRANCHES": "many" } })).0, 400);
    assert_eq!(client.chimp("GET", "/merge-fields?count=1000", None).1["total_items"], 4);
}

#[test]
fn protected_bearers_lose_nothing_unseen() {
    let mut builder = Builder::default();
    builder.member(ANN, Status::Subscribed).tag(ANN, "VIP").tag(ANN, "Manual_x");
    builder.settings().protected_tags = vec!["VIP".into()];
    builder.settings().protected_prefixes = vec!["Manual_".into()];
    let mut client = Client::of(builder);
    let body = json!({ "tags": [{ "name": "Manual_x", "status": "inactive" }], "is_syncing": true });
    client.chimp("POST", &format!("{}/tags", path(ANN)), body);
    client.chimp("DELETE", &path(ANN), None);
    assert_eq!(client.broken_rules(), ["protected-tag-cleared", "protected-bearer-archived"]);
}

#[test]
fn a_batch_finishes_later_and_its_results_are_an_archive_behind_a_link() {
    use std::io::Read;
    let mut client = client();
    let operations = json!({ "operations": [
        { "method": "DELETE", "path": format!("/lists/aud0000001{}", path(ANN)), "operation_id": "a" },
        { "method": "DELETE", "path": "/lists/aud0000001/members/nobody@example.com", "operation_id": "b" },
    ] });
    let call = |client: &mut Client, method: &str, path: &str, body: Option<&Value>| {
        client.send(crate::domain::failure::Service::Mailchimp, method, path, body).response.value()
    };
    let batch = call(&mut client, "POST", "/3.0/batches", Some(&operations));
    let path = format!("/3.0/batches/{}", batch["id"].as_str().unwrap());
    assert_eq!(call(&mut client, "GET", &path, None)["status"], "started");
    assert_eq!(client.sandbox.mailchimp.member(ANN).unwrap().status, Status::Subscribed);
    client.wait(2);
    let batch = call(&mut client, "GET", &path, None);
    assert_eq!((&batch["status"], &batch["errored_operations"]), (&json!("finished"), &json!(1)));
    assert_eq!(call(&mut client, "GET", "/3.0/batches", None)["total_items"], 1);
    let link = batch["response_body_url"].as_str().unwrap().to_owned();
    let place = link.split_once("/mailchimp").unwrap().1;
    let request = crate::sandbox::WireRequest::new(crate::domain::failure::Service::Mailchimp, "GET", place);
    let body = client.sandbox.handle(client.now, &request).response.body;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(body.as_slice()));
    let mut text = String::new();
    archive.entries().unwrap().next().unwrap().unwrap().read_to_string(&mut text).unwrap();
    let results: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(results[0]["operation_id"], "a");
    assert_eq!((&results[0]["status_code"], &results[1]["status_code"]), (&json!(204), &json!(404)));
    assert!(results[1]["response"].as_str().unwrap().contains("Resource Not Found"));
    call(&mut client, "GET", place, None);
    assert_eq!(client.broken_rules(), ["credentials-leaked"]);
}

#[test]
fn an_archive_is_written_down_with_the_status_that_is_hidden_from_now_on() {
    let mut client = client();
    client.chimp("DELETE", &path(ANN), None);
    let what = &client.sandbox.effects.all().last().unwrap().what;
    assert_eq!(what, &What::Archived { email: ANN.into(), from: "subscribed" });
}

#[test]
fn who_is_deleted_for_good_is_gone_and_cannot_be_brought_back_by_a_call() {
    let mut client = client();
    let erase = format!("{}/actions/delete-permanent", path(ANN));
    client.chimp("PATCH", &path(ANN), json!({ "status": "unsubscribed" }));
    assert_eq!(client.chimp("POST", &erase, None).0, 204);
    assert_eq!(client.chimp("GET", &path(ANN), None).0, 404);
    assert_eq!(client.chimp("POST", &erase, None).0, 404);
    let back = json!({ "email_address": ANN, "status_if_new": "subscribed" });
    let (status, body) = client.chimp("PUT", &path(ANN), back);
    assert_eq!((status, &body["title"]), (400, &json!("Forgotten Email Not Subscribed")));
    assert!(client.broken_rules().is_empty());
}

#[test]
fn to_delete_for_good_who_still_gets_mail_is_careless() {
    let mut client = client();
    client.chimp("POST", &format!("{}/actions/delete-permanent", path(ANN)), None);
    assert_eq!(client.broken_rules(), ["erased-without-opt-out"]);
}

#[test]
fn an_audience_can_be_filled_by_calls_that_hsmc_never_makes() {
    let mut client = client();
    let (_, tag) = client.chimp("POST", "/segments", json!({ "name": "Blue", "static_segment": [] }));
    let tag = tag["id"].as_u64().unwrap();
    let member = json!({ "email_address": ANN });
    assert_eq!(client.chimp("POST", &format!("/segments/{tag}/members"), member).0, 200);
    assert!(client.sandbox.mailchimp.bears(ANN, "Blue"));
    assert_eq!(client.chimp("DELETE", &format!("/segments/{tag}/members/{}", hash(ANN)), None).0, 204);
    assert!(!client.sandbox.mailchimp.bears(ANN, "Blue"));
    assert_eq!(client.chimp("DELETE", &format!("/segments/{tag}"), None).0, 204);
    assert_eq!(client.chimp("GET", &format!("/segments/{tag}"), None).0, 404);
    let ask = |client: &mut Client, target: &str| {
        client.send(crate::domain::failure::Service::Mailchimp, "GET", target, None).response.value()
    };
    assert_eq!(ask(&mut client, "/3.0/lists")["lists"][0]["id"], "aud0000001");
    let found = ask(&mut client, "/3.0/search-members?query=ann%40example.com");
    assert_eq!(found["exact_matches"]["members"][0]["email_address"], ANN);
    assert_eq!(client.broken_rules(), Vec::<&str>::new());
}

#[test]
fn the_activity_of_a_member_tells_of_opt_outs_of_their_own_alone() {
    let mut client = client();
    let activity = format!("{}/activity", path(ANN));
    assert_eq!(client.chimp("GET", &activity, None).1["activity"], json!([]));
    let unsubscribe = json!({ "status": "unsubscribed" });
    client.chimp("PATCH", &path(ANN), unsubscribe);
    assert_eq!(client.chimp("GET", &activity, None).1["activity"], json!([]), "not the person's doing");
    assert!(client.sandbox.act(&Act::Resubscribe { email: ANN.into() }));
    assert!(client.sandbox.act(&Act::Unsubscribe { email: ANN.into() }));
    let once = client.chimp("GET", &activity, None).1;
    let at = client.sandbox.now().iso();
    assert_eq!(once["activity"], json!([{ "action": "unsub", "timestamp": at }]));
    client.wait(60);
    client.chimp("GET", &activity, None);
    assert!(client.sandbox.act(&Act::Resubscribe { email: ANN.into() }));
    assert!(client.sandbox.act(&Act::Unsubscribe { email: ANN.into() }));
    client.chimp("DELETE", &path(ANN), None);
    let twice = client.chimp("GET", &activity, None).1;
    assert_eq!((&twice["total_items"], &twice["activity"][1]), (&json!(2), &once["activity"][0]));
    assert_ne!(twice["activity"][0], twice["activity"][1], "the newest first, in the archive too");
    assert_eq!(client.chimp("GET", &format!("{}/activity", path("nobody@example.com")), None).0, 404);
}
