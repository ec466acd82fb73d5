//! R15–R19 and what follows a handover.

use crate::support::{Stage, ann, tag};
use hsmc::domain::id::ListId;
use hsmc::domain::member::MemberStatus;
use hsmc::domain::moves::{MemoryChange, MoveKind};
use hsmc::domain::person::PersonState;
use hsmc::domain::rules::Question;
use hsmc::domain::step::Before;

const SINGLE_OFF: &str = "clear tag \"General Single\"";
const EXIT_OFF: &str = "clear tag \"General Single Finished\"";
const ARCHIVE: &str = "archive the member";

fn finished() -> Stage {
    ann().in_lists(&[987]).subscribed(&["General Single", "General Single Finished", "Foreign"])
}

#[test]
fn r15_who_bears_an_exit_tag_is_moved_and_archived_last() {
    let stage = finished();
    stage.is_due(
        MoveKind::HandOver,
        &["join list 946", "set import_list = \"List 987\"", SINGLE_OFF, EXIT_OFF, ARCHIVE],
    );
    assert_eq!(
        stage.decision().due.unwrap().then,
        vec![
            MemoryChange::HandedOver {
                exit_tag: tag("General Single Finished"),
                still_in: vec![ListId(987)]
            },
            MemoryChange::NotEnrolled,
            MemoryChange::ArchivedByUs { status_before: MemberStatus::Subscribed },
        ]
    );
    stage.next().rests(PersonState::HandedOver);
}

#[test]
fn r15_static_source_and_further_lists_are_left() {
    let stage = ann()
        .in_lists(&[719, 987])
        .statically(987, true)
        .subscribed(&["General Multi", "General Multi Finished"])
        .enrolled("General Multi", 719);
    stage.is_due(
        MoveKind::HandOver,
        &[
            "join list 946",
            "leave list 987",
            "leave list 719",
            "set import_list = \"List 719\"",
            "clear tag \"General Multi\"",
            "clear tag \"General Multi Finished\"",
            ARCHIVE,
        ],
    );
}

#[test]
fn r15_what_holds_already_is_not_done_again_save_where_a_search_may_show_what_was_undone() {
    let stage = finished().in_lists(&[946]).property("import_list", "List 987");
    let again = "set import_list = \"List 987\"";
    stage.is_due(MoveKind::HandOver, &[again, SINGLE_OFF, EXIT_OFF, ARCHIVE]);
}

#[test]
fn r15_the_archive_is_left_out_where_the_config_or_the_status_says_so() {
    let stays = finished().rules(|rules| rules.handovers[0].archive = false);
    stays.is_due(
        MoveKind::HandOver,
        &["join list 946", "set import_list = \"List 987\"", SINGLE_OFF, EXIT_OFF],
    );
    stays.next().rests(PersonState::HandedOver);
}

#[test]
fn r15_a_read_only_property_is_left_alone_and_said_so() {
    let mut stage = finished();
    stage.world.read_only.insert("import_list".to_owned());
    stage.is_due(MoveKind::HandOver, &["join list 946", SINGLE_OFF, EXIT_OFF, ARCHIVE]);
    assert_eq!(stage.decision().notes.len(), 1);
}

#[test]
fn r15_the_before_image_keeps_the_property_as_it_was() {
    let due = finished().property("import_list", "Older").decision().due.unwrap();
    assert!(due.steps.iter().any(|step| step.before == Before::Property(Some("Older".to_owned()))));
}

#[test]
fn r16_a_handed_over_person_still_in_a_dynamic_list_is_not_enrolled_again() {
    let handed_over = || ann().in_lists(&[987]).handed_over("General Single Finished", &[987]);
    handed_over().rests(PersonState::HandedOver);
    handed_over()
        .member(MemberStatus::Archived, &[])
        .archived_by_us(MemberStatus::Subscribed)
        .rests(PersonState::HandedOver);
}

#[test]
fn r16_who_left_the_list_and_came_back_is_enrolled_again() {
    let away = ann()
        .in_lists(&[987])
        .handed_over("General Single Finished", &[987])
        .member(MemberStatus::Archived, &[])
        .archived_by_us(MemberStatus::Subscribed)
        .next()
        .leaves(987);
    away.rests(PersonState::HandedOver);
    let back = away.next().in_lists(&[987]);
    assert_eq!(back.decision().due.unwrap().kind, MoveKind::Restore);
    let enrolled = back.next();
    enrolled.rests(PersonState::Enrolled);
    assert_eq!(enrolled.next().memory.handed_over, None);
}

#[test]
fn r16_an_incomplete_list_does_not_count_as_left() {
    let away = ann().handed_over("General Single Finished", &[987]).incomplete(987);
    let memory = away.decision().memory;
    assert_eq!(memory.handed_over.unwrap().still_in, vec![ListId(987)]);
}

#[test]
fn r16_another_source_list_entered_since_takes_them() {
    let stage = ann().in_lists(&[987, 1032]).handed_over("General Single Finished", &[987]);
    assert_eq!(stage.decision().due.unwrap().kind, MoveKind::Enroll);
}

#[test]
fn r16_a_list_never_left_stays_closed_even_to_whom_another_list_enrolled_since() {
    let stage = ann()
        .in_lists(&[969, 720])
        .handed_over("General Single Finished", &[969])
        .rules(|rules| rules.groups[0].precedence = hsmc::domain::rules::Precedence::Latest);
    let enrolled = stage.next().next();
    enrolled.rests(PersonState::Enrolled);
    assert_eq!(enrolled.memory.enrolled.as_ref().unwrap().list, ListId(720));
    enrolled.leaves(720).rests(PersonState::Enrolled);
}

#[test]
fn r16_destination_lists_exclude_by_themselves() {
    ann().in_lists(&[987, 946]).rests(PersonState::HandedOver);
    let bearer = ann().in_lists(&[987, 946]).subscribed(&["General Single"]);
    bearer.rests(PersonState::Enrolled);
    assert_eq!(bearer.decision().notes.len(), 1);
}

#[test]
fn r16_released_people_are_enrolled_again() {
    let mut stage = ann().in_lists(&[987]).handed_over("General Single Finished", &[987]);
    stage.memory.handed_over = None;
    assert_eq!(stage.decision().due.unwrap().kind, MoveKind::Enroll);
}

#[test]
fn r17_without_a_destination_only_mailchimps_side_is_changed_and_nobody_is_looked_up() {
    let steps =
        ["clear tag \"General Single Long Term\"", "clear tag \"Long Term Single Finished\"", ARCHIVE];
    let tags = ["General Single Long Term", "Long Term Single Finished"];
    ann().in_lists(&[1032]).subscribed(&tags).is_due(MoveKind::HandOver, &steps);
    ann().not_looked_up().subscribed(&tags).is_due(MoveKind::HandOver, &steps);
    let leaving = ann().in_lists(&[1032]).statically(1032, true).subscribed(&tags);
    assert_eq!(leaving.due().unwrap().1[0], "leave list 1032", "a list the config says to leave is left");
}

#[test]
fn r18_not_in_hubspot_is_created_where_configured() {
    let stage =
        finished().leaves(987).not_in_hubspot().rules(|rules| rules.handovers[0].create_missing = true);
    stage.is_due(
        MoveKind::HandOver,
        &[
            "create the contact",
            "join list 946",
            "set import_list = \"List 987\"",
            SINGLE_OFF,
            EXIT_OFF,
            ARCHIVE,
        ],
    );
}

#[test]
fn r18_else_parked_with_the_reason_and_not_looked_up_again() {
    let unknown = finished().leaves(987).not_looked_up();
    assert_eq!(unknown.asks(), Some(Question::LookUp));
    let mut missing = finished().leaves(987).not_in_hubspot();
    missing.rests(PersonState::Parked);
    missing.memory = missing.decision().memory;
    let again = missing.clone().not_looked_up();
    again.rests(PersonState::Parked);
    assert_eq!(again.decision().memory, missing.memory, "and costs nothing");
    let allowed = again.rules(|rules| rules.handovers[0].create_missing = true);
    assert_eq!(allowed.asks(), Some(Question::LookUp), "a changed setting lets them be tried again");
}

#[test]
fn r18_nobody_is_created_twice_because_their_address_changed() {
    let mut stage = finished().leaves(987).rules(|rules| rules.handovers[0].create_missing = true);
    stage.side = crate::support::Side::NotInHubSpot;
    assert_eq!(stage.asks(), Some(Question::Trace), "the record of old may only have another address");
    stage.side = crate::support::Side::Elsewhere;
    stage.clone().rests(PersonState::Parked);
    stage.side = crate::support::Side::Gone;
    let (_, steps) = stage.due().unwrap();
    assert_eq!(steps[0], "create the contact");
}

#[test]
fn r19_of_two_exit_tags_the_one_that_fits_the_entry_tag_counts() {
    let both = |entry: &str| {
        let tags = [entry, "General Single Finished", "General Multi Finished", "Recruitment Finished"];
        ann().in_lists(&[987]).subscribed(&tags).decision()
    };
    for (entry, chosen) in [
        ("General Multi", "General Multi Finished"),
        ("General Single", "General Single Finished"),
        ("Recruitment", "Recruitment Finished"),
        ("Sanctioned", "General Single Finished"),
    ] {
        let decision = both(entry);
        let due = decision.due.unwrap();
        assert_eq!(due.reason.text, format!("bears exit tag \"{chosen}\""));
        assert_eq!(decision.notes.len(), 1, "and the report says so");
        assert_eq!(due.steps.iter().filter(|step| step.step.to_string().contains("Finished")).count(), 3);
    }
}

#[test]
fn r19_of_two_exit_tags_without_an_entry_tag_the_first_in_the_config_counts() {
    let due = ann()
        .in_lists(&[719])
        .subscribed(&["Recruitment Finished", "General Single Finished"])
        .decision()
        .due
        .unwrap();
    assert_eq!(due.reason.text, "bears exit tag \"General Single Finished\"");
}

#[test]
fn exempt_bearers_are_skipped_by_handover() {
    let stage = finished().rules(|rules| {
        rules.handovers[0].exempt = vec![tag("Foreign")];
    });
    stage.rests(PersonState::Enrolled);
}

#[test]
fn exclusion_comes_before_handover() {
    let stage = finished().in_lists(&[762]);
    assert_eq!(stage.decision().due.unwrap().kind, MoveKind::Exclude);
}
