//! Every form as text, what answers mean, and that nobody is in any of it.

use super::*;
use crate::domain::alert::{Alert, Audience, Event, RunFailure, Said, Severity, Standing, Withheld};
use crate::domain::failure::Service;
use crate::domain::id::RunId;
use proptest::prelude::*;
use std::collections::BTreeMap;

const AT: Timestamp = Timestamp(1_795_442_400_000);

fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    of.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
}

fn approval() -> Alert {
    Alert::NeedsApproval {
        run: RunId(12),
        gate: "the plan touches 52 people; the audience has 100 subscribed members and max_changed_share is 0.25"
            .to_owned(),
        planned: counts(&[("enroll", 40), ("hand-over", 12)]),
        audience: Audience { subscribed: 100, after: 140, cap: Some(5000) },
    }
}

fn told(alert: Alert, times: u64, said: Said) -> Message {
    let mut standing = Standing::new(17, alert.clone(), AT);
    for again in 1..times {
        standing.see(alert.clone(), AT.plus(Duration::from_secs(3600 * again)), Duration::from_secs(3600));
    }
    if matches!(said, Said::Over(_)) {
        standing.resolve(AT.plus(Duration::from_secs(7200)));
    }
    Message::of(&standing, said, "webhook", "agency & <sons>")
}

#[test]
fn an_alert_is_raised_to_whoever_never_heard_of_it_and_again_to_whoever_did() {
    let mut standing = Standing::new(17, approval(), AT);
    standing.see(approval(), AT.plus(Duration::from_secs(3600)), Duration::from_secs(3600));
    let wants = standing.wants();
    assert_eq!(wants, Said::Raised(2));
    standing.deliveries.entry("teams".to_owned()).or_default().told = Some((Said::Raised(1), AT));
    assert_eq!(Message::of(&standing, wants, "teams", "agency").event, Event::Again);
    assert_eq!(Message::of(&standing, wants, "slack", "agency").event, Event::Raised);
}

#[test]
fn each_target_gets_its_own_form() {
    let message = told(approval(), 1, Said::Raised(1));
    for form in [Form::Teams, Form::Slack, Form::Webhook] {
        insta::with_settings!({snapshot_path => "../../../tests/notify", prepend_module_to_snapshot => false}, {
            insta::assert_json_snapshot!(form.name(), body(form, &message));
        });
    }
    let over = told(Alert::CredentialsRefused { service: Service::HubSpot }, 3, Said::Over(3));
    insta::with_settings!({snapshot_path => "../../../tests/notify", prepend_module_to_snapshot => false}, {
        insta::assert_json_snapshot!("teams-resolved", body(Form::Teams, &over));
        insta::assert_json_snapshot!("slack-resolved", body(Form::Slack, &over));
        insta::assert_json_snapshot!("webhook-resolved", body(Form::Webhook, &over));
    });
}

#[test]
fn the_same_message_has_the_same_id_and_another_edition_another() {
    let once = told(approval(), 1, Said::Raised(1));
    assert_eq!(once.id, told(approval(), 1, Said::Raised(1)).id);
    assert_ne!(once.id, told(approval(), 2, Said::Raised(2)).id);
    assert_ne!(once.id, told(approval(), 1, Said::Over(1)).id);
}

#[test]
fn a_signature_is_that_of_the_standard_webhooks_specification() {
    // The example of the specification's own libraries.
    let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let signed =
        webhook::sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#);
    assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    let plain = SecretString::from("whsec_this is no base64");
    assert!(webhook::sign(&plain, "id", "1", "{}").is_some());
}

#[test]
fn what_an_answer_means() {
    let minute = Some(Duration::from_secs(60));
    for (status, retry_after, expected) in [
        (200, None, "taken"),
        (202, None, "taken"),
        (429, minute, "later"),
        (503, minute, "later"),
        (503, None, "away"),
        (500, None, "away"),
        (408, None, "away"),
        (302, None, "refused"),
        (400, None, "refused"),
        (404, None, "refused"),
        (413, None, "refused"),
    ] {
        let found = match answered(status, retry_after) {
            Answered::Taken => "taken",
            Answered::Later(wait) => {
                assert_eq!(wait, minute);
                "later"
            }
            Answered::Away(_) => "away",
            Answered::Refused(_) => "refused",
        };
        assert_eq!(found, expected, "{status}");
    }
}

/// Every kind of alert, with a text wherever one can come from outside.
fn alerts(text: &str, count: u64) -> Vec<Alert> {
    let audience = Audience { subscribed: count, after: count, cap: Some(count) };
    let run = RunId(count);
    let some = counts(&[(text, count)]);
    let failed = |cause| Alert::RunFailed { run, cause };
    vec![
        failed(RunFailure::Unfit { place: text.to_owned() }),
        failed(RunFailure::Call { service: Service::HubSpot, call: text.to_owned(), status: Some(503) }),
        failed(RunFailure::Call { service: Service::HubSpot, call: text.to_owned(), status: None }),
        failed(RunFailure::Waiting { moves: count, service: None }),
        failed(RunFailure::Inside),
        Alert::RunStuck { run, moves: some.clone(), first: text.to_owned() },
        Alert::NeedsApproval { run, gate: text.to_owned(), planned: some.clone(), audience },
        Alert::AudienceCap { audience, left_out: count },
        Alert::CredentialsRefused { service: Service::Mailchimp },
        Alert::OptOutsLate {
            withheld: Withheld::ByConfig,
            count,
            oldest: AT,
            within: Duration::from_secs(3600),
        },
        Alert::ManyOptOuts { run, count, threshold: count },
        Alert::Contested { count },
        Alert::FailsAgain {
            run,
            what: text.to_owned(),
            times: count,
            since: AT,
            people: count,
            others: count,
        },
        Alert::NoProgress { runs: count, since: AT, planned: some.clone() },
        Alert::Damaged { records: count },
        Alert::QuotaUsedUp { service: Service::HubSpot },
        Alert::RunOverdue { since: AT, every: Duration::from_secs(3600) },
        Alert::Stopped,
        Alert::RunSummary {
            run,
            end: text.to_owned(),
            ended: some.clone(),
            left_out: some,
            took: Duration::from_secs(63),
        },
    ]
}

proptest! {
    #[test]
    fn no_message_holds_an_address_a_hash_or_a_token_and_all_fit_their_target(
        before in "\\PC{0,200}", after in "\\PC{0,200}", count: u64
    ) {
        for secret in [
            "ann.lee@example.com",
            "62eeb292278cc15f5817cb78f7790b08",
            "0123456789abcdef0123456789abcdef-us21",
            "pat-eu1-12345678-aaaa-bbbb-cccc-1234567890ab",
        ] {
            for alert in alerts(&format!("{before} {secret} {after}"), count) {
                let message = Message::of(&Standing::new(1, alert, AT), Said::Raised(1), "webhook", secret);
                for form in [Form::Teams, Form::Slack, Form::Webhook] {
                    let text = body(form, &message).to_string();
                    prop_assert!(!text.contains(secret), "{}", text);
                    prop_assert!(text.len() < 28 * 1024, "{} bytes", text.len());
                }
            }
        }
    }
}

#[test]
fn every_alert_says_what_is_so_and_what_to_do_in_one_line_that_is_not_cut() {
    for alert in alerts("audience_cap", 123_456) {
        let (text, way_out) = (alert.text(), alert.way_out());
        assert!(!text.is_empty() && !text.contains('\n'), "{text}");
        assert_eq!(scrub(&text), text, "nothing in it looks like a person, and it is short enough");
        assert_eq!(scrub(&way_out), way_out);
        assert!(!way_out.is_empty() || alert.severity() == Severity::Note, "{text}");
        let message = Message::of(&Standing::new(1, alert.clone(), AT), Said::Raised(1), "webhook", "agency");
        match alert.code() {
            None => assert_eq!(alert.severity(), Severity::Note, "{text}"),
            Some(code) => {
                assert!(message.heading().contains(&format!("[{code}]")), "{}", message.heading());
                assert!(
                    message.advice().is_some_and(|advice| advice.contains(&format!("hsmc explain {code}")))
                );
            }
        }
    }
}
