//! The scenarios of real life that one decision can show.

use crate::support::{NOW, Stage, ann, tag};
use hsmc::domain::failure::{Refusal, RefusalCode, Service};
use hsmc::domain::id::ListId;
use hsmc::domain::member::MemberStatus;
use hsmc::domain::moves::MoveKind;
use hsmc::domain::person::{Parked, PersonState};
use hsmc::domain::rules::{Question, known_tags, taken_as_given};
use hsmc::domain::step::Fingerprint;
use hsmc::domain::time::Timestamp;
use std::time::Duration;

pub fn parked(input: Fingerprint) -> Parked {
    let refusal = Refusal { code: RefusalCode::FakeAddress, message: "looks fake or invalid".to_owned() };
    Parked { service: Service::Mailchimp, refusal, input, at: Timestamp(9) }
}

/// The stage after its due move was refused for good.
fn refused(mut stage: Stage, code: RefusalCode) -> Stage {
    let decision = stage.decision();
    let mut parked = parked(decision.due.unwrap().input);
    parked.refusal.code = code;
    parked.at = NOW;
    stage.memory = decision.memory;
    stage.memory.parked = Some(parked);
    stage
}

/// What a plan that meets the stage for the first time takes as given of them.
fn given(stage: &Stage) -> Option<String> {
    taken_as_given(&stage.memory, &stage.decision())
}

#[test]
fn r28a_what_was_so_before_hsmc_came_is_taken_as_given_and_said_once() {
    let enrolled = ann().in_lists(&[987]).subscribed(&["General Single"]);
    assert_eq!(given(&enrolled).unwrap(), "enrolled by tag \"General Single\"");
    assert_eq!(given(&enrolled.next()), None, "remembered by then");
    let done = ann().in_lists(&[987, 946]);
    assert_eq!(given(&done).unwrap(), "R16: in destination list 946: not enrolled again");
    assert_eq!(given(&done.next()), None);
    let archived = ann().in_lists(&[987]).member(MemberStatus::Archived, &[]);
    assert_eq!(given(&archived).unwrap(), "archived by others: stay so until `hsmc adopt`");
    // What hsmc does, or leaves alone, is not given.
    assert_eq!(given(&ann().in_lists(&[987])), None);
    assert_eq!(given(&ann().in_lists(&[987]).handed_over("General Single Finished", &[987])), None);
    assert_eq!(given(&ann().subscribed(&["Somebody's"])), None);
}

#[test]
fn new_person() {
    let decision = ann().in_lists(&[987]).decision();
    assert_eq!(decision.state, PersonState::Enrolled);
    assert_eq!(decision.due.unwrap().since, Timestamp(100 + 987), "since they joined the list");
}

#[test]
fn a_fake_looking_address_is_parked_and_tried_again_only_when_something_changed() {
    let stage = refused(ann().in_lists(&[987]), RefusalCode::FakeAddress);
    stage.rests(PersonState::Parked);
    let settled = stage.next();
    assert_eq!(settled.decision().memory, settled.memory);
    let mended = settled.address("ann.real@example.com");
    assert_eq!(mended.decision().due.unwrap().kind, MoveKind::Enroll);
    assert_eq!(mended.decision().memory.parked, None);
}

#[test]
fn too_many_signups_passes_with_time_and_so_does_what_may_be_about_the_account() {
    for code in [RefusalCode::TooManySignups, RefusalCode::Other] {
        let mut stage = refused(ann().in_lists(&[987]), code);
        stage.rests(PersonState::Parked);
        stage.world.seen = Timestamp(NOW.0 + 25 * 3_600_000);
        assert_eq!(stage.decision().due.unwrap().kind, MoveKind::Enroll, "{code:?}");
    }
    let mut stage = refused(ann().in_lists(&[987]), RefusalCode::FakeAddress);
    stage.world.seen = Timestamp(NOW.0 + 25 * 3_600_000);
    stage.rests(PersonState::Parked);
}

#[test]
fn r28_what_the_first_look_after_an_undo_shows_is_what_the_person_is_parked_with() {
    let mut stage = refused(ann().in_lists(&[987]), RefusalCode::Undone);
    stage.memory.parked.as_mut().unwrap().input = Fingerprint::NOT_SEEN;
    stage.rests(PersonState::Parked);
    // Dynamic lists follow a little later: that is the undo's own doing.
    stage.memory = stage.decision().memory;
    stage.world.seen = NOW.plus(Duration::from_secs(10 * 60));
    stage = stage.in_lists(&[987, 945]);
    stage.rests(PersonState::Parked);
    stage.memory = stage.decision().memory;
    stage.world.seen = NOW.plus(Duration::from_secs(60 * 60));
    stage.rests(PersonState::Parked);
    assert_eq!(stage.decision().memory, stage.memory, "and costs nothing");
    let changed = stage.property("firstname", "Anna");
    assert_eq!(changed.decision().due.unwrap().kind, MoveKind::Enroll);
}

#[test]
fn r28_however_late_the_first_look_after_an_undo_comes_it_is_the_first() {
    let mut stage = refused(ann().in_lists(&[987]), RefusalCode::Undone);
    stage.memory.parked.as_mut().unwrap().input = Fingerprint::NOT_SEEN;
    stage.world.seen = NOW.plus(Duration::from_secs(9 * 3600));
    stage.rests(PersonState::Parked);
    // What was read before the undo says nothing of after it.
    stage.world.seen = Timestamp(NOW.0 - 1);
    assert_eq!(stage.decision().memory.parked.unwrap().input, Fingerprint::NOT_SEEN);
}

#[test]
fn partial_data_enrolls_with_what_there_is() {
    let decision = ann().in_lists(&[987]).decision();
    assert_eq!(decision.memory.fields["FNAME"], "Ann");
    assert_eq!(decision.memory.fields["LNAME"], "");
    assert_eq!(decision.notes, Vec::<String>::new());
}

#[test]
fn status_resurrection_is_refused() {
    for status in [MemberStatus::Unsubscribed, MemberStatus::Cleaned] {
        let stage = ann().in_lists(&[987]).member(status, &[]);
        assert_eq!(stage.state(), PersonState::OptedOut);
        stage.next().rests(PersonState::OptedOut);
    }
}

#[test]
fn already_tagged() {
    ann().in_lists(&[987]).subscribed(&["General Single"]).rests(PersonState::Enrolled);
}

#[test]
fn added_to_a_second_list() {
    let enrolled = ann().in_lists(&[987]).next();
    enrolled.clone().in_lists(&[969]).rests(PersonState::Enrolled);
}

#[test]
fn removed_from_the_tagged_list_but_still_in_another() {
    let enrolled = ann().in_lists(&[987, 1032]).next();
    enrolled.leaves(987).rests(PersonState::Enrolled);
}

#[test]
fn moved_between_lists_in_one_cycle() {
    let enrolled = ann().in_lists(&[987]).next();
    enrolled.leaves(987).in_lists(&[720]).rests(PersonState::Enrolled);
}

#[test]
fn removed_from_all_lists() {
    let gone = ann().in_lists(&[987]).next().leaves(987);
    assert_eq!(gone.asks(), Some(Question::Prove));
    assert_eq!(gone.proven().decision().due.unwrap().kind, MoveKind::Orphan);
}

#[test]
fn archived_and_back_in_another_list() {
    let archived = ann().in_lists(&[987]).next().leaves(987).proven().next();
    let back = archived.in_lists(&[1032]);
    assert_eq!(back.decision().due.unwrap().kind, MoveKind::Restore);
    back.next().rests(PersonState::Enrolled);
}

#[test]
fn a_lists_page_failing_midway_does_not_look_like_removals() {
    let half_seen = ann().in_lists(&[987]).next().leaves(987).incomplete(987);
    half_seen.clone().rests(PersonState::Enrolled);
    half_seen.proven().rests(PersonState::Enrolled);
}

#[test]
fn nobody_is_enrolled_past_an_exclusion_list_seen_in_part() {
    ann().in_lists(&[987]).incomplete(717).rests(PersonState::LeftOut);
    ann().in_lists(&[987]).incomplete(946).rests(PersonState::LeftOut);
    ann()
        .in_lists(&[987])
        .incomplete(720)
        .is_due(MoveKind::Enroll, &["create or update the member", "set tag \"General Single\""]);
}

#[test]
fn a_contact_deleted_in_hubspot_is_an_orphan_only_once_proven() {
    let mut stage = ann().in_lists(&[987]).next().leaves(987);
    stage.side = crate::support::Side::NotInHubSpot;
    assert_eq!(stage.asks(), Some(Question::Trace));
    stage.side = crate::support::Side::Gone;
    assert_eq!(stage.decision().due.unwrap().kind, MoveKind::Orphan);
}

#[test]
fn a_member_restored_by_hand_is_no_longer_archived_by_us() {
    let mut stage = ann().subscribed(&[]).archived_by_us(MemberStatus::Subscribed);
    stage.member.as_mut().unwrap().changed = Some(Timestamp(61));
    assert_eq!(stage.decision().memory.archived, None);
    stage.member.as_mut().unwrap().changed = Some(Timestamp(59));
    assert!(stage.decision().memory.archived.is_some(), "a listing may lag behind our own archive");
}

#[test]
fn a_permanently_deleted_member_is_parked_by_mailchimps_refusal() {
    refused(ann().in_lists(&[987]), RefusalCode::Forgotten).rests(PersonState::Parked);
}

#[test]
fn a_tag_renamed_in_the_config_leaves_the_first_tag_in_place() {
    let renamed = ann().in_lists(&[987]).next().rules(|rules| {
        rules.groups[0].lists[3].tag = hsmc::domain::rules::TagSource::Name(tag("General One"));
        rules.groups[1].lists[0].tag = hsmc::domain::rules::TagSource::Name(tag("General One"));
    });
    renamed.rests(PersonState::Enrolled);
}

#[test]
fn a_list_added_to_the_config_ranks_without_moving_anybody() {
    let enrolled = ann().in_lists(&[1032]).next();
    enrolled.in_lists(&[969]).rests(PersonState::Enrolled);
}

#[test]
fn a_list_removed_from_the_config_makes_orphans_that_are_proven_first() {
    let removed = ann().in_lists(&[987]).next().rules(|rules| {
        rules.groups[0].lists.remove(3);
    });
    assert_eq!(removed.asks(), Some(Question::Prove));
}

#[test]
fn a_clock_set_back_changes_no_decision() {
    let mut stage = ann().in_lists(&[987]).subscribed(&["General Single"]).property("firstname", "Anna");
    let before = stage.decision();
    stage.world.seen = Timestamp(0);
    assert_eq!(stage.decision().due, before.due);
}

#[test]
fn r28b_every_known_tag_is_named_so_that_its_count_can_be_compared() {
    let stage = ann();
    let tags = known_tags(&stage.rules, &stage.world);
    for name in ["General Multi", "General Single Finished", "Newsletter", "Slow", "Sanctioned"] {
        assert!(tags.contains(&tag(name)), "{name}");
    }
    assert!(!tags.contains(&tag("Manual Inclusion")), "protected tags are nobody's to count");
    assert!(stage.rules.all_lists().contains(&ListId(555)));
}
