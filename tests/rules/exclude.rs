//! R12, R13 and protection.

use crate::support::{Side, Stage, ann};
use hsmc::domain::member::MemberStatus;
use hsmc::domain::moves::{MemoryChange, MoveKind};
use hsmc::domain::person::PersonState;
use hsmc::domain::rules::Question;

const SINGLE_OFF: &str = "clear tag \"General Single\"";
const ARCHIVE: &str = "archive the member";

#[test]
fn r12_who_enters_an_exclusion_list_is_untagged_archived_and_leaves_static_lists() {
    let stage = ann().in_lists(&[719, 987, 717]).subscribed(&["General Single"]).proven();
    stage.is_due(MoveKind::Exclude, &[SINGLE_OFF, ARCHIVE, "leave list 719"]);
    assert_eq!(
        stage.decision().due.unwrap().then,
        vec![
            MemoryChange::NotEnrolled,
            MemoryChange::ArchivedByUs { status_before: MemberStatus::Subscribed }
        ]
    );
    assert_eq!(stage.state(), PersonState::Excluded);
    stage.next().rests(PersonState::Excluded);
}

#[test]
fn r12_a_critical_exclusion_needs_no_proof_and_any_other_needs_that_no_group_takes_them() {
    let stage = ann().in_lists(&[987, 717]).subscribed(&["General Single"]);
    assert_eq!(stage.asks(), Some(Question::Prove), "manual-override may have been missed");
    ann()
        .in_lists(&[987, 762])
        .subscribed(&["General Single"])
        .is_due(MoveKind::Exclude, &[SINGLE_OFF, ARCHIVE]);
}

#[test]
fn r12_nobody_is_excluded_while_a_list_that_may_take_them_is_incomplete() {
    let stage = ann().in_lists(&[987, 717]).subscribed(&["General Single"]).proven().incomplete(784);
    stage.clone().rests(PersonState::Excluded);
    assert_eq!(
        stage.decision().notes,
        ["HubSpot is rebuilding list 784: left as they are until it is complete"]
    );
}

#[test]
fn r12_whom_another_group_takes_is_not_excluded() {
    ann()
        .in_lists(&[987, 784, 717])
        .subscribed(&["General Single"])
        .is_due(MoveKind::Retag, &["set tag \"Manual Inclusion\""]);
}

#[test]
fn r12_out_of_all_source_lists_the_entry_tag_names_the_group() {
    ann()
        .in_lists(&[717])
        .subscribed(&["Competition"])
        .proven()
        .is_due(MoveKind::Exclude, &["clear tag \"Competition\"", ARCHIVE]);
}

#[test]
fn r12_who_is_no_member_only_leaves_static_lists_and_nobody_else_is_touched() {
    ann().in_lists(&[719, 762]).is_due(MoveKind::Exclude, &["leave list 719"]);
    ann().in_lists(&[719, 762]).subscribed(&["Foreign"]).is_due(MoveKind::Exclude, &["leave list 719"]);
    ann().in_lists(&[987, 762]).subscribed(&["Foreign"]).rests(PersonState::Excluded);
}

#[test]
fn r12_who_cannot_be_archived_is_untagged_only() {
    ann()
        .in_lists(&[987, 762])
        .member(MemberStatus::Pending, &["General Single"])
        .is_due(MoveKind::Exclude, &[SINGLE_OFF]);
}

#[test]
fn r13_an_orphan_is_proven_then_untagged_then_archived() {
    let stage = ann().subscribed(&["General Single", "Newsletter", "Foreign"]);
    assert_eq!(stage.asks(), Some(Question::Prove));
    let proven = stage.proven();
    proven.is_due(MoveKind::Orphan, &[SINGLE_OFF, "clear tag \"Newsletter\"", ARCHIVE]);
    proven.next().rests(PersonState::Foreign);
}

#[test]
fn r13_an_orphan_unknown_in_hubspot_is_looked_up_first() {
    assert_eq!(ann().not_looked_up().subscribed(&["General Single"]).asks(), Some(Question::LookUp));
    ann().not_in_hubspot().subscribed(&["General Single"]).is_due(MoveKind::Orphan, &[SINGLE_OFF, ARCHIVE]);
}

#[test]
fn r13_who_has_only_tags_beside_is_an_orphan_only_when_hsmc_enrolled_them() {
    ann().subscribed(&["Slow"]).proven().rests(PersonState::Foreign);
    ann()
        .subscribed(&["Slow"])
        .enrolled("General Single Long Term", 1032)
        .proven()
        .is_due(MoveKind::Orphan, &["clear tag \"Slow\"", ARCHIVE]);
}

#[test]
fn r13_protected_bearers_are_spared() {
    for protecting in ["VIP", "team_red", "Team_Red", "donotarchive"] {
        let stage = ann().subscribed(&["General Single", protecting]).proven();
        if protecting == "team_red" {
            assert_eq!(stage.state(), PersonState::Foreign, "patterns mind the case, names do not");
        } else {
            stage.rests(PersonState::Protected);
        }
    }
}

#[test]
fn protection_outranks_exclusion_and_handover_but_not_a_critical_exclusion() {
    ann().in_lists(&[987, 717]).subscribed(&["General Single", "VIP"]).rests(PersonState::Protected);
    ann()
        .in_lists(&[987])
        .subscribed(&["General Single", "General Single Finished", "VIP"])
        .rests(PersonState::Protected);
    let critical = ann().in_lists(&[987, 762]).subscribed(&["General Single", "VIP"]);
    critical.is_due(MoveKind::Exclude, &[SINGLE_OFF]);
    assert_eq!(critical.state(), PersonState::Protected);
    critical.next().rests(PersonState::Protected);
}

#[test]
fn a_tag_both_additional_and_protected_is_never_taken_off() {
    let stage = ann().in_lists(&[784, 762]).subscribed(&["General Single", "Manual Inclusion"]);
    stage.is_due(MoveKind::Exclude, &[SINGLE_OFF, "leave list 784"]);
}

#[test]
fn a_protected_member_is_still_enrolled_and_refreshed() {
    ann().in_lists(&[987]).subscribed(&["VIP"]).is_due(MoveKind::Enroll, &["set tag \"General Single\""]);
    let refreshed = ann().subscribed(&["VIP", "General Single"]).property("firstname", "Anna");
    refreshed.is_due(MoveKind::Refresh, &["refresh merge fields"]);
    assert_eq!(refreshed.state(), PersonState::Protected);
}

#[test]
fn r10_a_record_that_no_longer_shows_the_address_is_traced_before_anybody_is_an_orphan() {
    let mut stage = ann().subscribed(&["General Single"]);
    stage.side = Side::NotInHubSpot;
    assert_eq!(stage.asks(), Some(Question::Trace));
    stage.side = Side::Elsewhere;
    stage.clone().rests(PersonState::Parked);
    stage.side = Side::Gone;
    stage.clone().is_due(MoveKind::Orphan, &[SINGLE_OFF, ARCHIVE]);
    assert_eq!(stage.decision().memory.record, None, "nobody asks for it again");
}

#[test]
fn nobody_is_taken_for_gone_while_a_source_list_is_incomplete() {
    let gone = |stage: Stage| stage.subscribed(&["General Single"]).incomplete(1032);
    gone(ann().proven()).rests(PersonState::Enrolled);
    gone(ann().not_in_hubspot()).rests(PersonState::Enrolled);
    let notes = gone(ann().proven()).decision().notes;
    assert_eq!(notes, ["HubSpot is rebuilding list 1032: left as they are until it is complete"]);
}
