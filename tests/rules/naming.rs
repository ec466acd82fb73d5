//! R11: with `tag = "list-name"` a tag follows its list's name.

use crate::support::{NOW, agency, ann, tag, world};
use hsmc::domain::id::{ListId, SegmentId};
use hsmc::domain::member::TagInfo;
use hsmc::domain::naming::{ListNaming, Names, names};
use hsmc::domain::person::PersonState;
use hsmc::domain::rules::{RuleSet, TagSource};
use hsmc::domain::time::Timestamp;
use std::collections::BTreeMap;

/// Lists 969 and 719 give their names.
fn rules() -> RuleSet {
    let mut rules = agency();
    rules.groups[0].lists[0].tag = TagSource::ListName;
    rules.groups[0].lists[1].tag = TagSource::ListName;
    rules
}

fn a_tag(segment: u64, name: &str) -> TagInfo {
    TagInfo { segment: SegmentId(segment), name: tag(name), member_count: 3 }
}

/// Of lists with these names now, tags, and names remembered with their tags.
fn seen(now: [&str; 2], tags: &[TagInfo], before: [(&str, Option<u64>); 2]) -> Names {
    let rules = rules();
    let mut lists = world(&rules).lists;
    lists.get_mut(&ListId(969)).unwrap().name = now[0].to_owned();
    lists.get_mut(&ListId(719)).unwrap().name = now[1].to_owned();
    let remembered = |(name, tag): (&str, Option<u64>)| ListNaming {
        name: name.to_owned(),
        tag: tag.map(SegmentId),
        at: Timestamp(1),
    };
    let last = BTreeMap::from([(ListId(969), remembered(before[0])), (ListId(719), remembered(before[1]))]);
    names(&rules, &lists, tags, &last, NOW)
}

fn renamings(names: &Names) -> Vec<(u64, String, String)> {
    let all = names.renamings.iter();
    all.map(|one| (one.tag.0, one.from.to_string(), one.to.to_string())).collect()
}

#[test]
fn r11_a_list_renamed_in_hubspot_renames_its_tag() {
    let names =
        seen(["New", "Other"], &[a_tag(1, "Old"), a_tag(2, "Other")], [("Old", Some(1)), ("Other", Some(2))]);
    assert_eq!(renamings(&names), [(1, "Old".to_owned(), "New".to_owned())]);
    assert_eq!(names.tags[&ListId(969)], tag("New"));
    let news: Vec<_> = names.news.iter().filter(|(list, _)| *list == ListId(969)).collect();
    assert_eq!(news[0].1, ListNaming { name: "New".to_owned(), tag: Some(SegmentId(1)), at: NOW });
    assert_eq!(names.renamed().get(&tag("Old")), Some(&tag("New")));
}

#[test]
fn r11_nothing_renamed_is_nothing_to_do_and_nothing_new() {
    let tags = [a_tag(1, "Old"), a_tag(2, "Other")];
    let names = seen(["Old", "Other"], &tags, [("Old", Some(1)), ("Other", Some(2))]);
    assert_eq!(renamings(&names), []);
    assert!(
        names.news.iter().all(|(list, _)| ![ListId(969), ListId(719)].contains(list)),
        "{:?}",
        names.news
    );
}

#[test]
fn r11_a_renaming_cut_short_is_found_as_it_is() {
    // Mailchimp has it, the journal does not: the tag is known by its number.
    let names = seen(["New", "Other"], &[a_tag(1, "New")], [("Old", Some(1)), ("Other", None)]);
    assert_eq!(renamings(&names), []);
    assert_eq!(names.tags[&ListId(969)], tag("New"));
    assert_eq!(names.tags[&ListId(719)], tag("Other"), "nobody bears it yet");
}

#[test]
fn r11_a_tag_made_since_its_list_was_seen_is_known_by_the_name_of_then() {
    let names = seen(["New", "Other"], &[a_tag(1, "Old")], [("Old", None), ("Other", None)]);
    assert_eq!(renamings(&names), [(1, "Old".to_owned(), "New".to_owned())]);
}

#[test]
fn r11_a_name_that_another_tag_has_is_not_taken_from_it() {
    let tags = [a_tag(1, "Old"), a_tag(9, "New"), a_tag(2, "Other")];
    let names = seen(["New", "Other"], &tags, [("Old", Some(1)), ("Other", Some(2))]);
    assert_eq!(renamings(&names), []);
    assert_eq!(names.tags[&ListId(969)], tag("Old"), "the tag keeps its name, and its bearers");
    assert!(names.notes[0].contains("another tag has that name"), "{:?}", names.notes);
}

/// Also where nobody bore the list's tag yet when its list was seen last.
#[test]
fn r11_a_tag_that_has_the_new_name_already_is_nobody_elses() {
    let tags = [a_tag(1, "Old"), a_tag(9, "Foreign")];
    let names = seen(["Foreign", "Other"], &tags, [("Old", None), ("Other", None)]);
    assert_eq!((renamings(&names), &names.tags[&ListId(969)]), (Vec::new(), &tag("Old")));
    assert!(names.notes[0].contains("another tag has that name"), "{:?}", names.notes);
}

/// Anybody may rename a list in HubSpot: nobody is handed over, or protected, by a name.
#[test]
fn r11_a_name_that_stands_for_something_else_in_the_config_is_not_taken() {
    let all = rules();
    let exit = all.handovers[0].exit_tag.to_string();
    let entry = all.groups.iter().flat_map(|group| &group.lists).find_map(|source| match &source.tag {
        TagSource::Name(name) => Some(name.to_string()),
        TagSource::ListName => None,
    });
    for name in [exit.as_str(), "VIP", "vip", "Team_Berlin", &entry.unwrap()] {
        for bound in [Some(1), None] {
            let tags = [a_tag(1, "Old"), a_tag(2, "Other")];
            let names = seen([name, "Other"], &tags, [("Old", bound), ("Other", Some(2))]);
            assert_eq!((renamings(&names), &names.tags[&ListId(969)]), (Vec::new(), &tag("Old")), "{name}");
            assert!(names.notes[0].contains("its tag stays \"Old\""), "{:?}", names.notes);
            // The next run knows the tag still.
            let news = names.news.iter().find(|(list, _)| *list == ListId(969)).map(|(_, naming)| naming);
            assert_eq!(news.and_then(|naming| naming.tag), Some(SegmentId(1)));
            let again = seen([name, "Other"], &tags, [(name, Some(1)), ("Other", Some(2))]);
            assert_eq!(again.tags[&ListId(969)], tag("Old"));
        }
        // Nobody is enrolled by it where there is no other.
        let first = seen([name, "Other"], &[], [("", None), ("Other", None)]);
        assert_eq!(first.tags.get(&ListId(969)), None, "{name}");
        assert!(first.notes[0].contains("gives no entry tag"), "{:?}", first.notes);
    }
}

#[test]
fn r11_two_lists_renamed_at_once_wait_for_each_other_and_step_aside() {
    let tags = [a_tag(1, "A"), a_tag(2, "B")];
    let known = [("A", Some(1)), ("B", Some(2))];
    let chain = seen(["B", "C"], &tags, known);
    let words = |names: &Names| -> Vec<String> {
        renamings(names).iter().map(|(tag, from, to)| format!("{tag}: {from} > {to}")).collect()
    };
    assert_eq!(words(&chain), ["2: B > C", "1: A > B"]);
    let swapped = seen(["B", "A"], &tags, known);
    assert_eq!(words(&swapped), ["2: B > A (hsmc renames it)", "1: A > B", "2: A (hsmc renames it) > A"]);
    let renamed = swapped.renamed();
    assert_eq!((&renamed[&tag("A")], &renamed[&tag("B")]), (&tag("B"), &tag("A")));
    // Cut short after the first, the rest goes on from there.
    let aside = [a_tag(1, "A"), a_tag(2, "A (hsmc renames it)")];
    assert_eq!(words(&seen(["B", "A"], &aside, known)), ["1: A > B", "2: A (hsmc renames it) > A"]);
}

#[test]
fn r11_a_refused_renaming_leaves_the_old_name_in_use() {
    let names = seen(["New", "Other"], &[a_tag(1, "Old")], [("Old", Some(1)), ("Other", None)]);
    let refused = names.renamings[0].clone();
    let names = names.without(&refused, "no");
    assert_eq!((renamings(&names), &names.tags[&ListId(969)]), (Vec::new(), &tag("Old")));
    assert!(names.renamed().is_empty());
    let mut stage = ann().in_lists(&[969]).subscribed(&["Old"]).rules(|all| *all = rules());
    stage.world.list_tags = names.tags;
    stage.rests(PersonState::Enrolled);
}

#[test]
fn r11_a_run_about_some_people_renames_nobodys_tag() {
    let swapped = seen(["B", "A"], &[a_tag(1, "A"), a_tag(2, "B")], [("A", Some(1)), ("B", Some(2))]);
    let kept = swapped.as_they_are();
    assert_eq!((&kept.tags[&ListId(969)], &kept.tags[&ListId(719)]), (&tag("A"), &tag("B")));
    assert!(kept.renamings.is_empty());
}
