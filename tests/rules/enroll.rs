//! R1–R9: enrolling and keeping.

use crate::support::{Stage, ann, tag};
use hsmc::domain::event::MoveEnd;
use hsmc::domain::failure::{Refusal, RefusalCode, Service};
use hsmc::domain::id::ListId;
use hsmc::domain::member::{MemberStatus, MergeField};
use hsmc::domain::memory::{Archive, Release, by_their_clock, release, remember};
use hsmc::domain::moves::{MemoryChange, MoveKind};
use hsmc::domain::person::PersonState;
use hsmc::domain::rules::{Operator, Precedence, TagSource};
use hsmc::domain::step::{Before, Delivery, Step};
use hsmc::domain::time::Timestamp;
use std::time::Duration;

const UPSERT: &str = "create or update the member";

#[test]
fn r01_the_first_group_that_takes_them_and_does_not_exclude_them_counts() {
    // (lists the person is in, the entry tag they get)
    let cases: [(&[u64], Option<&str>); 7] = [
        (&[987], Some("General Single")),
        (&[987, 969], Some("Sanctioned")),
        (&[1032, 720], Some("Competition")),
        (&[987, 717], None),
        (&[987, 784, 717], Some("General Single")),
        (&[1032], Some("General Single Long Term")),
        (&[784, 762], None),
    ];
    for (lists, wanted) in cases {
        let stage = ann().in_lists(lists).proven().rules(|rules| {
            // Told apart from general marketing's list by its own tag.
            rules.groups[1].lists[0].also.clear();
        });
        let tags: Vec<String> = stage.decision().due.map_or(Vec::new(), |due| {
            due.steps
                .iter()
                .filter_map(|planned| match &planned.step {
                    Step::SetTag { tag, .. } => Some(tag.to_string()),
                    _ => None,
                })
                .collect()
        });
        assert_eq!(tags.last().map(String::as_str), wanted, "{lists:?}");
    }
}

#[test]
fn r01_whom_one_group_excludes_the_next_may_take() {
    let stage = ann().in_lists(&[987, 717, 784]);
    assert_eq!(
        stage.decision().due.unwrap().then,
        vec![MemoryChange::Enrolled { tag: tag("General Single"), list: ListId(784) }]
    );
}

#[test]
fn r02_additional_and_supplemental_tags_come_beside_the_one_entry_tag() {
    ann().in_lists(&[1032, 555]).is_due(
        MoveKind::Enroll,
        &[UPSERT, "set tag \"Slow\"", "set tag \"Newsletter\"", "set tag \"General Single Long Term\""],
    );
}

#[test]
fn r02_of_two_entry_tags_the_remembered_one_stays() {
    ann()
        .in_lists(&[987])
        .subscribed(&["Competition", "General Single"])
        .enrolled("General Single", 987)
        .is_due(MoveKind::Retag, &["clear tag \"Competition\""]);
}

#[test]
fn r02_of_two_entry_tags_nobody_remembers_the_first_in_the_config_stays() {
    ann()
        .in_lists(&[987])
        .subscribed(&["General Single", "Competition"])
        .is_due(MoveKind::Retag, &["clear tag \"General Single\""]);
}

#[test]
fn r02_of_two_entry_tags_of_one_list_its_own_stays_and_not_that_of_an_override() {
    ann()
        .in_lists(&[719])
        .subscribed(&["General Multi", "Recruitment"])
        .is_due(MoveKind::Retag, &["clear tag \"General Multi\""]);
}

#[test]
fn r02_a_missing_tag_beside_the_entry_tag_is_added() {
    ann()
        .in_lists(&[987, 555])
        .subscribed(&["General Single"])
        .is_due(MoveKind::Retag, &["set tag \"Newsletter\""]);
}

#[test]
fn r03_the_first_tag_stays_while_they_remain_in_any_source_list() {
    ann().in_lists(&[969, 987]).subscribed(&["General Single"]).rests(PersonState::Enrolled);
    ann().in_lists(&[969]).subscribed(&["General Single"]).rests(PersonState::Enrolled);
    ann()
        .in_lists(&[987])
        .property("branches", "3")
        .subscribed(&["General Single"])
        .rests(PersonState::Enrolled);
}

#[test]
fn r03_latest_lets_the_list_that_ranks_first_now_decide() {
    let latest = |stage: Stage| stage.rules(|rules| rules.groups[0].precedence = Precedence::Latest);
    latest(ann().in_lists(&[969, 987]).subscribed(&["General Single"]))
        .is_due(MoveKind::Retag, &["clear tag \"General Single\"", "set tag \"Sanctioned\""]);
}

#[test]
fn r03_latest_never_switches_on_an_absence_nobody_has_proven() {
    let stage = ann()
        .in_lists(&[987])
        .subscribed(&["Sanctioned"])
        .enrolled("Sanctioned", 969)
        .rules(|rules| rules.groups[0].precedence = Precedence::Latest);
    assert_eq!(stage.asks(), Some(hsmc::domain::rules::Question::Prove));
    stage.proven().is_due(MoveKind::Retag, &["clear tag \"Sanctioned\"", "set tag \"General Single\""]);
}

#[test]
fn r03_an_existing_bearer_is_taken_as_enrolled_without_a_call() {
    let decision = ann().in_lists(&[987]).subscribed(&["general single"]).decision();
    assert_eq!(decision.due, None);
    let enrolled = decision.memory.enrolled.unwrap();
    assert_eq!((enrolled.tag, enrolled.list), (tag("General Single"), ListId(987)));
}

#[test]
fn r04_new_people_are_created_and_the_entry_tag_comes_last_and_loud() {
    let stage = ann().in_lists(&[987]);
    stage.is_due(MoveKind::Enroll, &[UPSERT, "set tag \"General Single\""]);
    let due = stage.decision().due.unwrap();
    assert_eq!(due.steps[0].before, Before::NotHeld);
    assert_eq!(due.steps[1].step, Step::SetTag { tag: tag("General Single"), delivery: Delivery::Loud });
}

#[test]
fn r04_with_double_opt_in_tags_wait_for_the_confirmation() {
    let stage = ann().in_lists(&[987]).rules(|rules| rules.double_opt_in = true);
    stage.is_due(MoveKind::Pending, &["create the member as pending"]);
    let asked = stage.next();
    asked.rests(PersonState::Pending);
    asked.subscribed(&[]).is_due(MoveKind::Enroll, &["set tag \"General Single\""]);
}

#[test]
fn r04_a_subscribed_member_without_a_tag_is_enrolled_without_touching_the_status() {
    let stage = ann().in_lists(&[987]).subscribed(&[]).property("firstname", "Anna");
    stage.is_due(MoveKind::Enroll, &[UPSERT, "set tag \"General Single\""]);
    let due = stage.decision().due.unwrap();
    assert_eq!(due.steps[0].before, Before::Status(MemberStatus::Subscribed), "undo must not archive them");
}

#[test]
fn r04_overrides_choose_the_tag_by_a_property() {
    // (operator, values, the property's value, whether the override holds)
    let cases: [(Operator, &[&str], Option<&str>, bool); 19] = [
        (Operator::Greater, &["1"], Some("2"), true),
        (Operator::Greater, &["1"], Some("1"), false),
        (Operator::Greater, &["9"], Some("10"), true),
        (Operator::Greater, &["1"], None, false),
        (Operator::Greater, &["1"], Some("many"), false),
        (Operator::AtLeast, &["2"], Some("2.0"), true),
        (Operator::Less, &["2026-01-01"], Some("2025-12-31"), true),
        (Operator::Less, &["1"], None, false),
        (Operator::AtMost, &["1"], Some("1"), true),
        (Operator::Equals, &["yes"], Some("Yes"), true),
        (Operator::Equals, &["2"], Some("2.0"), true),
        (Operator::Equals, &["yes"], None, false),
        (Operator::Differs, &["yes"], Some("no"), true),
        (Operator::Differs, &["yes"], None, true),
        (Operator::In, &["red", "blue"], Some("blue"), true),
        (Operator::In, &["red", "blue"], Some("green"), false),
        (Operator::Contains, &["agent"], Some("New Agents;Old"), true),
        (Operator::IsSet, &[], Some(" "), false),
        (Operator::IsEmpty, &[], None, true),
    ];
    for (operator, values, value, holds) in cases {
        let mut stage = ann().in_lists(&[987]).rules(|rules| {
            let when = &mut rules.groups[0].lists[3].overrides[0].when;
            when.operator = operator;
            when.values = values.iter().map(|value| (*value).to_owned()).collect();
        });
        if let Some(value) = value {
            stage = stage.property("branches", value);
        }
        let wanted = if holds { "set tag \"General Multi\"" } else { "set tag \"General Single\"" };
        stage.is_due(MoveKind::Enroll, &[UPSERT, wanted]);
    }
}

#[test]
fn r04_fittings_are_reported_with_the_move_that_writes_them() {
    let long = "x".repeat(300);
    let stage = ann().in_lists(&[987]).property("firstname", &long);
    let decision = stage.decision();
    assert_eq!(decision.notes, ["FNAME cut to 255 bytes"]);
    assert_eq!(decision.memory.fields["FNAME"].len(), 255);
    assert_eq!(stage.next().decision().notes, Vec::<String>::new(), "said once");
}

#[test]
fn r04_a_value_of_another_type_is_left_out_and_the_rest_is_written() {
    let mut stage = ann().in_lists(&[987]).property("lastname", "not a number");
    stage.world.merge_fields.insert(
        "LNAME".to_owned(),
        MergeField {
            tag: "LNAME".to_owned(),
            kind: "number".to_owned(),
            format: None,
            choices: Vec::new(),
            required: false,
        },
    );
    let decision = stage.decision();
    assert_eq!(decision.notes, ["LNAME left out: not a number"]);
    assert!(!decision.memory.fields.contains_key("LNAME"));
    assert_eq!(decision.memory.fields["FNAME"], "Ann");
}

#[test]
fn r04_members_without_consent_are_not_enrolled() {
    let stage = ann().in_lists(&[987]).member(MemberStatus::Transactional, &[]);
    stage.rests(PersonState::Foreign);
    assert_eq!(stage.decision().notes.len(), 1);
    ann().in_lists(&[987]).member(MemberStatus::Pending, &[]).rests(PersonState::Pending);
    ann().in_lists(&[987]).member(MemberStatus::Other("paused".to_owned()), &[]).rests(PersonState::Foreign);
}

#[test]
fn r04_whom_hsmc_made_just_now_is_not_made_again_although_no_listing_shows_them_yet() {
    let stage = ann().in_lists(&[987]);
    let mut made = stage.next();
    made.member = None;
    made.memory.enrolled.as_mut().unwrap().at = made.world.seen.minus(Duration::from_secs(60));
    made.rests(PersonState::Enrolled);
    made.memory.enrolled.as_mut().unwrap().at = made.world.seen.minus(Duration::from_secs(601));
    assert_eq!(made.decision().due.unwrap().kind, MoveKind::Enroll);
}

#[test]
fn r05_unsubscribed_and_cleaned_members_only_get_their_merge_fields_refreshed() {
    for status in [MemberStatus::Unsubscribed, MemberStatus::Cleaned] {
        let stage = ann()
            .in_lists(&[987])
            .member(status, &[])
            .opted_out_in_hubspot()
            .property("mailchimp_bounced", "true")
            .property("firstname", "Anna");
        stage.is_due(MoveKind::Refresh, &["refresh merge fields"]);
        assert_eq!(stage.state(), PersonState::OptedOut);
        stage.next().rests(PersonState::OptedOut);
        stage.rules(|rules| rules.refresh_unsubscribed = false).rests(PersonState::OptedOut);
    }
}

#[test]
fn r05_whose_opt_out_was_delivered_after_they_were_seen_is_refreshed_in_the_same_run() {
    let mut stage = ann()
        .in_lists(&[987])
        .subscribed(&[])
        .opted_out_in_hubspot()
        .opt_out_known(Service::HubSpot, true)
        .property("firstname", "Anna");
    stage.rests(PersonState::OptedOut);
    stage.world.seen = stage.memory.opt_out.as_ref().unwrap().delivered.unwrap();
    stage.is_due(MoveKind::Refresh, &["refresh merge fields"]);
}

#[test]
fn r06_whom_hsmc_archived_while_subscribed_comes_back_with_old_tags_cleared_first() {
    ann()
        .in_lists(&[1032])
        .member(MemberStatus::Archived, &["General Single", "Foreign"])
        .archived_by_us(MemberStatus::Subscribed)
        .is_due(
            MoveKind::Restore,
            &[
                "clear tag \"General Single\"",
                "subscribe the archived member again",
                "set tag \"Slow\"",
                "set tag \"General Single Long Term\"",
            ],
        );
}

#[test]
fn r06_the_same_tag_is_cleared_and_set_again() {
    ann()
        .in_lists(&[987])
        .member(MemberStatus::Archived, &["General Single"])
        .archived_by_us(MemberStatus::Subscribed)
        .is_due(
            MoveKind::Restore,
            &[
                "clear tag \"General Single\"",
                "subscribe the archived member again",
                "set tag \"General Single\"",
            ],
        );
}

#[test]
fn r06_what_was_settled_of_one_member_is_not_settled_of_another_at_the_same_address() {
    let mut stage = ann().in_lists(&[987]).member(MemberStatus::Archived, &[]);
    stage.member.as_mut().unwrap().contact_id = "new".to_owned();
    stage.memory.contact_id = Some("old".to_owned());
    stage.clone().archived_by_us(MemberStatus::Subscribed).rests(PersonState::ArchivedByOthers);
    stage.memory.adopted = true;
    stage.rests(PersonState::ArchivedByOthers);
}

/// Moments of an archive are kept as Mailchimp's clock shows them: this machine's may have been hours off.
#[test]
fn r06_whom_somebody_else_archived_again_is_told_by_mailchimps_own_clock() {
    let archived = || ann().in_lists(&[987]).member(MemberStatus::Archived, &[]);
    let stage = archived().archived_by_us(MemberStatus::Subscribed);
    let (ours, theirs) = (Timestamp(60), Timestamp(600_000));
    let kept = by_their_clock(stage.memory.clone(), ours, theirs);
    assert_eq!(kept.archived.as_ref().unwrap().at, theirs);
    assert_eq!(by_their_clock(kept.clone(), ours, Timestamp(7)), kept, "another moment is left alone");
    for (changed, state) in [(29_000, PersonState::Enrolled), (31_000, PersonState::ArchivedByOthers)] {
        let mut stage = Stage { memory: kept.clone(), ..stage.clone() };
        stage.member.as_mut().unwrap().changed = Some(Timestamp(theirs.0 + changed));
        assert_eq!(stage.decision().state, state, "{changed} ms later");
    }
}

/// It was hsmc's own hand that changed them: a restore that was refused, and given up.
#[test]
fn r06_whose_restore_was_refused_may_return_once_released() {
    let stage =
        ann().in_lists(&[987]).member(MemberStatus::Archived, &[]).archived_by_us(MemberStatus::Subscribed);
    let due = stage.decision().due.unwrap();
    assert_eq!(due.kind, MoveKind::Restore);
    let because = Refusal { code: RefusalCode::InvalidValue, message: String::new() };
    let end = MoveEnd::Unwound { left_theirs: Vec::new(), because };
    let at = Timestamp(900_000);
    let mut refused = stage.clone();
    refused.memory = remember(&stage.memory, &due, &end, Some(Service::Mailchimp), Archive::Watched, at);
    refused.member.as_mut().unwrap().changed = Some(Timestamp(at.0 - 1_000));
    refused.rests(PersonState::Parked);
    let (released, _) = release(&refused.memory, Release::Parked, at).unwrap();
    refused.memory = released;
    assert_eq!(refused.decision().due.unwrap().kind, MoveKind::Restore);
}

#[test]
fn r06_everyone_else_who_is_archived_stays_so() {
    let archived = || ann().in_lists(&[987]).member(MemberStatus::Archived, &[]);
    archived().rests(PersonState::ArchivedByOthers);
    archived().archived_by_us(MemberStatus::Transactional).rests(PersonState::ArchivedByOthers);
    archived().archived_by_us(MemberStatus::Pending).rests(PersonState::ArchivedByOthers);
    archived().archived_by_us(MemberStatus::Unsubscribed).rests(PersonState::OptedOut);
    archived().archived_by_us(MemberStatus::Subscribed).opted_out_in_hubspot().rests(PersonState::OptedOut);
}

#[test]
fn r06_an_operator_can_adopt_them_but_never_past_an_opt_out() {
    let adopted = |mut stage: Stage| {
        stage.memory.adopted = true;
        stage
    };
    let archived = || ann().in_lists(&[987]).member(MemberStatus::Archived, &[]);
    let stage = adopted(archived());
    assert_eq!(stage.decision().due.unwrap().kind, MoveKind::Restore);
    assert!(!stage.next().decision().memory.adopted, "an adoption counts once");
    adopted(archived().opted_out_in_hubspot()).rests(PersonState::OptedOut);
    adopted(archived().archived_by_us(MemberStatus::Unsubscribed)).rests(PersonState::OptedOut);
}

#[test]
fn r08_changed_properties_refresh_and_unchanged_ones_cost_nothing() {
    let stage = ann().in_lists(&[987]).subscribed(&["General Single"]);
    stage.rests(PersonState::Enrolled);
    let changed = stage.property("firstname", "Anna");
    changed.is_due(MoveKind::Refresh, &["refresh merge fields"]);
    assert_eq!(changed.decision().memory.fields["FNAME"], "Anna");
    changed.next().rests(PersonState::Enrolled);
}

#[test]
fn r08_changed_properties_go_with_whatever_else_is_due_so_that_one_run_is_enough() {
    let retagged = ann()
        .in_lists(&[987])
        .subscribed(&["General Single", "Competition"])
        .enrolled("General Single", 987)
        .property("firstname", "Anna");
    retagged.is_due(MoveKind::Retag, &[UPSERT, "clear tag \"Competition\""]);
    retagged.next().rests(PersonState::Enrolled);
    let bounced = ann()
        .in_lists(&[987])
        .member(MemberStatus::Cleaned, &["General Single"])
        .property("firstname", "Anna");
    bounced.is_due(
        MoveKind::Bounce,
        &["clear tag \"General Single\"", "set mailchimp_bounced = \"true\"", "refresh merge fields"],
    );
    bounced.next().rests(PersonState::OptedOut);
}

#[test]
fn r08_a_value_cut_by_us_does_not_look_changed() {
    let mut stage =
        ann().in_lists(&[987]).subscribed(&["General Single"]).property("firstname", &"ü".repeat(200));
    stage.member.as_mut().unwrap().fields.insert("FNAME".to_owned(), "ü".repeat(127));
    stage.rests(PersonState::Enrolled);
}

#[test]
fn r08_a_run_in_which_nothing_changed_leaves_memory_equal() {
    let settled = ann().in_lists(&[987]).subscribed(&["General Single"]).next();
    assert_eq!(settled.decision().memory, settled.memory);
}

#[test]
fn r09_the_ids_of_all_source_lists_are_written_at_enrolment_where_configured() {
    let stage = ann().in_lists(&[987, 719]).rules(|rules| rules.ori_lists = Some("ORI_LISTS".to_owned()));
    stage.is_due(MoveKind::Enroll, &[UPSERT, "set ORI_LISTS = \"719;987\"", "set tag \"Recruitment\""]);
    let mut read_only = stage;
    read_only.world.read_only.insert("ORI_LISTS".to_owned());
    read_only.is_due(MoveKind::Enroll, &[UPSERT, "set tag \"Recruitment\""]);
}

#[test]
fn r11_a_list_gives_its_name_as_the_tag_and_a_bearer_of_the_old_name_is_not_enrolled_twice() {
    let by_name = |mut stage: Stage| {
        stage.world.list_tags.insert(ListId(987), tag("List 987"));
        stage.rules(|rules| rules.groups[0].lists[3].tag = TagSource::ListName)
    };
    by_name(ann().in_lists(&[987])).is_due(MoveKind::Enroll, &[UPSERT, "set tag \"List 987\""]);
    // The rename of the tag was refused: the old name is still the first tag.
    by_name(ann().in_lists(&[987]).subscribed(&["Old Name"]).enrolled("Old Name", 987))
        .rests(PersonState::Enrolled);
}

#[test]
fn r14_members_without_a_known_tag_are_not_our_business() {
    ann().subscribed(&["Foreign"]).rests(PersonState::Foreign);
    ann().subscribed(&["Slow"]).rests(PersonState::Foreign);
    ann().not_looked_up().subscribed(&[]).rests(PersonState::Foreign);
    let renamed = ann().subscribed(&["Foreign"]).address("anna@example.com");
    renamed.rests(PersonState::Foreign);
}

#[test]
fn r06_whom_others_archived_while_they_were_enrolled_is_not_taken_for_archived_by_hsmc() {
    let stage = ann().in_lists(&[987]);
    let due = stage.decision().due.unwrap();
    for (code, by_hsmc) in [(RefusalCode::Archived, false), (RefusalCode::Other, true)] {
        let because = Refusal { code, message: String::new() };
        let end = MoveEnd::Unwound { left_theirs: Vec::new(), because };
        let after = remember(&stage.memory, &due, &end, None, Archive::Watched, Timestamp(9));
        assert_eq!(after.archived.is_some(), by_hsmc, "{code:?}");
    }
}

#[test]
fn r06_whom_others_archived_while_they_were_restored_is_not_restored_again() {
    let archived = ann().in_lists(&[987]).member(MemberStatus::Archived, &[]);
    let mut adopted = archived.clone();
    adopted.memory.adopted = true;
    for mut stage in [archived.archived_by_us(MemberStatus::Subscribed), adopted] {
        let due = stage.decision().due.unwrap();
        assert_eq!(due.kind, MoveKind::Restore);
        let because = Refusal { code: RefusalCode::Archived, message: String::new() };
        let end = MoveEnd::Unwound { left_theirs: Vec::new(), because };
        stage.memory = remember(&stage.memory, &due, &end, None, Archive::Watched, Timestamp(9));
        stage.rests(PersonState::ArchivedByOthers);
    }
}

/// Renamed or deleted in Mailchimp, or taken off: its journey starts anew, which nobody should learn from the mail.
#[test]
fn r04_who_gets_an_entry_tag_again_that_hsmc_had_set_is_told_of() {
    let notes = |stage: Stage| stage.decision().notes.len();
    let entry = |stage: &Stage| match stage.due() {
        Some((MoveKind::Enroll, steps)) => steps.last().cloned(),
        other => panic!("{other:?}"),
    };
    let fresh = ann().in_lists(&[987]).subscribed(&[]);
    let step = entry(&fresh).unwrap();
    let name = step.split('"').nth(1).unwrap().to_owned();
    let again = ann().in_lists(&[987]).subscribed(&[]).enrolled(&name, 987);
    assert_eq!(entry(&again), Some(step));
    assert_eq!((notes(fresh), notes(again)), (0, 1));
}
