//! What the roll promises: nobody missed, nobody doubled, whatever changes, however time passes, wherever it is cut.

use super::beside::{Seen, Whose, take_over};
use super::kept::{self, KeptSegment};
use super::mirrored::Mirrored;
use super::one::Known;
use super::roll::Roll;
use crate::domain::email::Email;
use crate::domain::id::{ListId, RecordId, RunId};
use crate::domain::object::{ObjectRecord, ObjectType};
use crate::domain::segment::{Fields, Rule, Segment, SegmentName, Standing};
use crate::domain::tag::TagName;
use crate::domain::time::Timestamp;
use crate::mirror::shelf::{Memory, Shelf, ShelfError};
use crate::mirror::{Gone, Identity, Mirror, unseal};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const HOUR: i64 = 3_600_000;

fn segments(which: u8) -> Vec<Segment> {
    let all = [
        ("chainge", "company contains chainge"),
        ("engaged", "lastmodifieddate within 5h"),
        ("cold", "lastmodifieddate not within 9h"),
        ("fresh", "lastmodifieddate within 3h and not lastmodifieddate within 1h and company is_set"),
        ("vip", "has tag VIP and not in list 5"),
        // Another rule under a name of above.
        ("chainge", "company is_empty"),
    ];
    let chosen = all.iter().enumerate().filter(|(at, _)| which & (1 << at) != 0);
    let mut by_name: BTreeMap<&str, &str> = BTreeMap::new();
    by_name.extend(chosen.map(|(_, one)| *one));
    let read = |(name, rule): (&str, &str)| Segment {
        name: SegmentName::new(name).unwrap(),
        rule: Rule::read(rule, &Fields::standard()).unwrap(),
        feeds: None,
        fills: None,
        list: None,
    };
    by_name.into_iter().map(read).collect()
}

/// How a scan shows somebody.
#[derive(Clone, Copy, Debug)]
enum Shown {
    InTheList,
    InNoList,
    /// As a member only: their contact is in no list that was read.
    WithoutContact,
}

fn email(id: u64) -> String {
    format!("p{id}@example.com")
}

/// What can befall a portal, and whoever keeps the roll.
#[derive(Clone, Debug)]
enum Event {
    Change { id: u64, company: Option<bool>, modified: i64 },
    Delete { id: u64 },
    Scan { members: BTreeMap<u64, (Shown, bool)> },
    Pass { time: i64 },
    CatchUp,
    Config { which: u8 },
    Anew,
}

fn shown() -> impl Strategy<Value = Shown> {
    prop_oneof![Just(Shown::InTheList), Just(Shown::InNoList), Just(Shown::WithoutContact)]
}

fn event() -> impl Strategy<Value = Event> {
    let id = || 1u64..8;
    prop_oneof![
        4 => (id(), prop::option::of(any::<bool>()), 0..15i64)
            .prop_map(|(id, company, modified)| Event::Change { id, company, modified }),
        1 => id().prop_map(|id| Event::Delete { id }),
        1 => prop::collection::btree_map(id(), (shown(), any::<bool>()), 0..5)
            .prop_map(|members| Event::Scan { members }),
        4 => (0..4 * HOUR).prop_map(|time| Event::Pass { time }),
        3 => Just(Event::CatchUp),
        1 => (0u8..64).prop_map(|which| Event::Config { which }),
        1 => Just(Event::Anew),
    ]
}

/// A portal and its mirror.
struct Town {
    shelf: Arc<Memory>,
    mirror: Mirror,
    now: Timestamp,
    which: u8,
    runs: u64,
}

impl Town {
    fn on(shelf: Memory) -> Town {
        let shelf = Arc::new(shelf);
        let mirror = Mirror::on(Arc::clone(&shelf) as Arc<dyn Shelf>);
        Town { shelf, mirror, now: Timestamp(1_000 * HOUR), which: 0b1_1111, runs: 0 }
    }

    fn begin(&self) {
        self.mirror.identify(Identity { portal: 1, generation: self.now }).unwrap();
    }

    fn play(&mut self, event: &Event) -> Result<(), ShelfError> {
        let contacts = ObjectType::contacts();
        match event {
            Event::Change { id, company, modified } => {
                let modified = Timestamp(self.now.0 - modified * HOUR);
                let company = company.map(|ours| if ours { "Chainge" } else { "Acme" }.to_owned());
                let row = ObjectRecord {
                    id: RecordId(*id),
                    properties: BTreeMap::from([
                        ("company".to_owned(), company),
                        ("email".to_owned(), Some(email(*id))),
                    ]),
                    created: None,
                    modified: Some(modified),
                    archived: false,
                    archived_at: None,
                };
                let mut draft = self.mirror.draft(self.now);
                draft.take(&contacts, &row, true)?;
                draft.commit()
            }
            Event::Delete { id } => {
                let mut draft = self.mirror.draft(self.now);
                draft.bury(&contacts, RecordId(*id), Gone::Deleted)?;
                draft.commit()
            }
            Event::Scan { members } => {
                self.runs += 1;
                let seen = Seen { run: RunId(self.runs), at: self.now, lists: BTreeSet::from([ListId(5)]) };
                let people = members.iter().map(|(id, (shown, is_vip))| {
                    let in_list = matches!(shown, Shown::InTheList);
                    let lists = in_list.then_some(ListId(5)).into_iter().collect();
                    let tags = is_vip.then(|| TagName::new("VIP")).into_iter().collect();
                    let whose = match shown {
                        Shown::WithoutContact => Whose::Address(Email::parse(&email(*id)).unwrap()),
                        Shown::InTheList | Shown::InNoList => Whose::Contact(RecordId(*id)),
                    };
                    Ok::<_, ShelfError>((whose, Known { lists, tags, ..Known::nothing() }))
                });
                take_over(&self.mirror, &seen, people)
            }
            Event::Pass { time } => {
                self.now = Timestamp(self.now.0 + time);
                Ok(())
            }
            Event::CatchUp => self.catch_up(),
            Event::Config { which } => {
                self.which = *which;
                Ok(())
            }
            // The mirror lost its records, and the next pull read them anew.
            Event::Anew => {
                let generation = Timestamp(self.now.0 + 1);
                self.mirror.identify(Identity { portal: 1, generation })
            }
        }
    }

    fn catch_up(&self) -> Result<(), ShelfError> {
        Roll::over(&self.mirror)?.catch_up(&segments(self.which), self.now).map(drop)
    }

    /// Holds the roll against every rule asked of everybody.
    fn check(&self) {
        let roll = Roll::over(&self.mirror).unwrap();
        let people = Mirrored::over(&self.mirror).unwrap().some(None, 1000).unwrap();
        let sizes = roll.sizes().unwrap();
        let segments = segments(self.which);
        assert_eq!(sizes.len(), segments.len());
        let mut due = 0;
        for (segment, size) in segments.iter().zip(&sizes) {
            let looks: Vec<_> =
                people.iter().map(|one| (one.record, segment.rule.look(one, self.now))).collect();
            let fit: Vec<RecordId> =
                looks.iter().filter(|(_, look)| look.is_member()).map(|(record, _)| *record).collect();
            let members: Vec<RecordId> = roll
                .members(&segment.name, None, 1000)
                .unwrap()
                .into_iter()
                .map(|(record, _)| record)
                .collect();
            assert_eq!(members, fit, "{}", segment.rule);
            assert_eq!(size.size, fit.len() as u64, "{}", segment.rule);
            assert_eq!(size.entered - size.left, size.size);
            due += looks.iter().filter(|(_, look)| look.until.is_some()).count();
        }
        let kept = self.shelf.scan(kept::DUE, None, 1000).unwrap();
        assert_eq!(kept.len(), due, "each next look is noted once");
        assert!(kept.iter().all(|(key, _)| kept::due_of(key).unwrap().0 > self.now));
        assert!(self.shelf.scan(kept::NEWS, None, 1).unwrap().is_empty());
    }
}

fn due_and_segments(shelf: &Memory) -> (Vec<Standing>, Vec<KeptSegment>) {
    let standings = shelf.scan(b"M", None, 1000).unwrap();
    let segments = shelf.scan(kept::SEGMENTS, None, 1000).unwrap();
    (
        standings.iter().map(|(_, value)| unseal(value).unwrap()).collect(),
        segments.iter().map(|(_, value)| unseal(value).unwrap()).collect(),
    )
}

#[test]
fn somebody_turns_cold_by_time_alone_and_it_is_counted_at_its_moment() {
    let mut town = Town::on(Memory::default());
    town.begin();
    town.which = 0b100;
    town.play(&Event::Change { id: 1, company: None, modified: 0 }).unwrap();
    let changed = town.now;
    town.catch_up().unwrap();
    let due = Timestamp(changed.0 + 9 * HOUR);
    assert_eq!(Roll::over(&town.mirror).unwrap().next_due().unwrap(), Some(due));
    // Looked at days too late: they have been cold since their moment.
    town.now = Timestamp(changed.0 + 100 * HOUR);
    town.catch_up().unwrap();
    let roll = Roll::over(&town.mirror).unwrap();
    let cold = SegmentName::new("cold").unwrap();
    assert_eq!(roll.members(&cold, None, 10).unwrap(), [(RecordId(1), due)]);
    assert_eq!(roll.next_due().unwrap(), None);
}

#[test]
fn who_came_and_went_between_two_looks_is_counted_both_ways() {
    let mut town = Town::on(Memory::default());
    town.begin();
    town.which = 0b1000;
    town.play(&Event::Change { id: 1, company: Some(true), modified: 0 }).unwrap();
    town.catch_up().unwrap();
    town.now = Timestamp(town.now.0 + 50 * HOUR);
    town.catch_up().unwrap();
    let size = Roll::over(&town.mirror).unwrap().sizes().unwrap().remove(0);
    assert_eq!((size.size, size.entered, size.left), (0, 1, 1));
}

#[test]
fn catching_up_with_nothing_new_looks_at_nobody_and_writes_nothing() {
    let mut town = Town::on(Memory::default());
    town.begin();
    for id in 1..8 {
        town.play(&Event::Change { id, company: Some(id % 2 == 0), modified: 2 }).unwrap();
    }
    town.catch_up().unwrap();
    let before = town.shelf.puts().0.len();
    town.now = Timestamp(town.now.0 + HOUR / 2);
    let caught = Roll::over(&town.mirror).unwrap().catch_up(&segments(town.which), town.now).unwrap();
    assert_eq!((caught.looks, town.shelf.puts().0.len()), (0, before));
    // One change: one look for each segment.
    town.play(&Event::Change { id: 3, company: Some(true), modified: 2 }).unwrap();
    let caught = Roll::over(&town.mirror).unwrap().catch_up(&segments(town.which), town.now).unwrap();
    assert_eq!((caught.looks, caught.entered), (5, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn exactly_those_are_members_for_whom_the_rule_holds(events in prop::collection::vec(event(), 0..40)) {
        let mut town = Town::on(Memory::default());
        town.begin();
        for event in &events {
            town.play(event).unwrap();
            if matches!(event, Event::CatchUp) {
                town.check();
            }
        }
        town.catch_up().unwrap();
        town.check();
    }

    #[test]
    fn a_power_cut_at_any_put_changes_nothing_of_it(
        events in prop::collection::vec(event(), 1..25),
        share in 0.0..1.0f64,
    ) {
        let mut town = Town::on(Memory::default());
        town.begin();
        for event in &events {
            town.play(event).unwrap();
        }
        let before = town.shelf.puts().0.len();
        town.catch_up().unwrap();
        let puts = town.shelf.puts().0;
        let cut = before + ((puts.len() - before) as f64 * share) as usize;
        let mut again = Town::on(Memory::cut(&puts[..cut]));
        (again.now, again.which, again.runs) = (town.now, town.which, town.runs);
        again.catch_up().unwrap();
        again.check();
        prop_assert_eq!(due_and_segments(&again.shelf), due_and_segments(&town.shelf));
    }
}
