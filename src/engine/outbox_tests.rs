//! What is told, when, and in which order; each promise by the clock of the test.

use super::*;
use crate::domain::alert::Alert;
use crate::domain::failure::Service;
use crate::domain::id::RunId;
use proptest::prelude::*;
use std::collections::BTreeMap;

const HOUR: Duration = Duration::from_secs(3600);
const QUIET: Duration = Duration::from_secs(12 * 3600);
const START: Timestamp = Timestamp(1_000_000);

fn refused(service: Service) -> Alert {
    Alert::CredentialsRefused { service }
}

fn stuck(count: u64) -> Alert {
    let moves = BTreeMap::from([("exclude".to_owned(), count)]);
    Alert::RunStuck { run: RunId(1), moves, first: "not-removable".to_owned() }
}

/// Tries to tell everything that is due now, and gets this answer each time.
fn tell(standing: &mut [Standing], now: Timestamp, answered: &Answered) -> Vec<(u64, Said)> {
    let mut told = Vec::new();
    while let Some(what) = due(standing, "teams", Severity::Note, now) {
        let one = standing.iter_mut().find(|one| one.number == what.number).unwrap();
        let delivery = one.deliveries.entry("teams".to_owned()).or_default();
        settle(delivery, what, answered.clone(), now, 1.0);
        told.push((what.number, what.said));
        assert!(told.len() < 100, "it never ends: {told:?}");
    }
    told
}

#[test]
fn equal_alerts_are_told_once_and_again_when_the_quiet_window_is_over() {
    let mut all = [Standing::new(1, refused(Service::HubSpot), START)];
    assert_eq!(tell(&mut all, START, &Answered::Taken), [(1, Said::Raised(1))]);
    for hour in 1..12 {
        all[0].see(refused(Service::HubSpot), START.plus(HOUR * hour), QUIET);
        assert_eq!(tell(&mut all, START.plus(HOUR * hour), &Answered::Taken), []);
    }
    all[0].see(refused(Service::HubSpot), START.plus(QUIET), QUIET);
    assert_eq!(tell(&mut all, START.plus(QUIET), &Answered::Taken), [(1, Said::Raised(2))]);
    assert_eq!((all[0].times, all[0].first, all[0].last), (13, START, START.plus(QUIET)));
}

#[test]
fn what_got_worse_is_told_at_once_but_not_twice_within_minutes() {
    let mut all = [Standing::new(1, stuck(2), START)];
    tell(&mut all, START, &Answered::Taken);
    all[0].see(stuck(2), START.plus(HOUR), QUIET);
    all[0].see(stuck(1), START.plus(HOUR), QUIET);
    assert_eq!(tell(&mut all, START.plus(HOUR), &Answered::Taken), [], "no worse than what was told");
    all[0].see(stuck(3), START.plus(HOUR), QUIET);
    assert_eq!(tell(&mut all, START.plus(HOUR), &Answered::Taken), [(1, Said::Raised(2))]);
    let soon = START.plus(HOUR + Duration::from_secs(60));
    all[0].see(stuck(4), soon, QUIET);
    assert_eq!(tell(&mut all, soon, &Answered::Taken), []);
    assert_eq!(tell(&mut all, soon.plus(HOUR), &Answered::Taken), [(1, Said::Raised(3))]);
}

#[test]
fn when_the_cause_ends_one_message_says_so_and_only_to_whom_it_was_told() {
    let mut all = [Standing::new(1, stuck(2), START), Standing::new(2, refused(Service::HubSpot), START)];
    all[1].resolve(START);
    assert_eq!(tell(&mut all, START, &Answered::Taken), [(1, Said::Raised(1))], "2 was over before");
    all[0].resolve(START.plus(HOUR));
    assert_eq!(tell(&mut all, START.plus(HOUR), &Answered::Taken), [(1, Said::Over(1))]);
    assert_eq!(tell(&mut all, START.plus(HOUR * 2), &Answered::Taken), []);
    assert!(all.iter().all(|one| one.is_over(&["teams"], START.plus(HOUR * 2), QUIET)));
}

#[test]
fn what_comes_back_after_it_was_over_is_told_again_and_flickering_makes_no_noise() {
    let mut all = [Standing::new(1, refused(Service::HubSpot), START)];
    let mut told = tell(&mut all, START, &Answered::Taken).len();
    for second in 0..3600 {
        let now = START.plus(Duration::from_secs(second));
        match second % 2 {
            0 => all[0].resolve(now),
            _ => all[0].see(refused(Service::HubSpot), now, QUIET),
        }
        told += tell(&mut all, now, &Answered::Taken).len();
    }
    assert!(told <= 10, "{told} messages in an hour");
    let later = START.plus(HOUR * 2);
    all[0].see(refused(Service::HubSpot), later, QUIET);
    tell(&mut all, later, &Answered::Taken);
    assert!(matches!(all[0].deliveries["teams"].told, Some((Said::Raised(_), _))));
}

#[test]
fn a_target_that_is_away_is_asked_less_and_less_often_and_given_up_by_name_after_a_day() {
    let mut all = [Standing::new(1, stuck(1), START), Standing::new(2, refused(Service::HubSpot), START)];
    let away = Answered::Away("503".to_owned());
    let (mut tries, mut given_up) = (Vec::new(), Vec::new());
    for second in 0..(25 * 3600) {
        let now = START.plus(Duration::from_secs(second));
        while let Some(what) = due(&all, "teams", Severity::Note, now) {
            tries.push(second);
            let one = all.iter_mut().find(|one| one.number == what.number).unwrap();
            let delivery = one.deliveries.entry("teams".to_owned()).or_default();
            given_up.extend(settle(delivery, what, away.clone(), now, 1.0).map(|why| (what.number, why)));
        }
    }
    assert_eq!(tries[..4], [0, 5, 15, 35], "the wait doubles");
    let longest = tries.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert_eq!(longest, 900);
    assert!(tries.len() < 120, "{} tries in a day", tries.len());
    let why = Hindrance::Away("503".to_owned());
    assert_eq!(given_up, [(1, why.clone()), (2, why)], "each by name, the older one first");
    assert_eq!(due(&all, "teams", Severity::Note, START.plus(HOUR * 48)), None);
}

#[test]
fn a_target_that_was_away_gets_its_messages_in_order() {
    let mut all =
        [Standing::new(1, stuck(1), START), Standing::new(2, refused(Service::HubSpot), START.plus(HOUR))];
    assert_eq!(tell(&mut all, START.plus(HOUR), &Answered::Away("no answer".to_owned())).len(), 1);
    assert_eq!(due(&all, "teams", Severity::Note, START.plus(HOUR)), None, "one at a time while it is away");
    let told = tell(&mut all, START.plus(HOUR * 2), &Answered::Taken);
    assert_eq!(told, [(1, Said::Raised(1)), (2, Said::Raised(1))]);
}

#[test]
fn a_message_that_is_refused_lets_the_others_pass() {
    let mut all = [Standing::new(1, stuck(1), START), Standing::new(2, refused(Service::HubSpot), START)];
    let first = due(&all, "teams", Severity::Note, START).unwrap();
    let delivery = all[0].deliveries.entry("teams".to_owned()).or_default();
    settle(delivery, first, Answered::Refused("400".to_owned()), START, 1.0);
    assert_eq!(tell(&mut all, START, &Answered::Taken), [(2, Said::Raised(1))]);
    assert_eq!(tell(&mut all, START.plus(HOUR), &Answered::Taken), [(1, Said::Raised(1))]);
}

#[test]
fn a_target_is_left_alone_for_as_long_as_it_asks_and_that_costs_no_attempt() {
    let mut all = [Standing::new(1, stuck(1), START)];
    tell(&mut all, START, &Answered::Later(Some(Duration::from_secs(90))));
    assert_eq!(due(&all, "teams", Severity::Note, START.plus(Duration::from_secs(89))), None);
    assert!(due(&all, "teams", Severity::Note, START.plus(Duration::from_secs(90))).is_some());
    assert_eq!(all[0].deliveries["teams"].trying.as_ref().unwrap().attempts, 0);
    let mut delivery = Delivery::default();
    let what = Due { number: 1, said: Said::Raised(1), since: START };
    settle(&mut delivery, what, Answered::Later(Some(HOUR * 24 * 30)), START, 1.0);
    assert_eq!(delivery.trying.unwrap().next_try, START.plus(HOUR), "a month is a mistake");
}

#[test]
fn one_target_waits_for_no_other_and_hears_nothing_below_its_severity() {
    let mut all = [Standing::new(1, stuck(1), START)];
    tell(&mut all, START, &Answered::Away("no answer".to_owned()));
    assert!(due(&all, "slack", Severity::Note, START).is_some());
    let gone = Alert::Contested { count: 1 };
    let warning = [Standing::new(1, gone, START)];
    assert_eq!(due(&warning, "slack", Severity::Error, START), None);
    assert_eq!(backlog(&warning, "slack", Severity::Error), 0);
    assert_eq!(backlog(&warning, "slack", Severity::Warning), 1);
}

/// What can happen to an alert and its target, in any order.
#[derive(Clone, Debug)]
enum Happens {
    Seen(u64),
    Over,
    Passes(u64),
    Told(bool),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        (0..4u64).prop_map(Happens::Seen),
        Just(Happens::Over),
        (1..90_000u64).prop_map(Happens::Passes),
        any::<bool>().prop_map(Happens::Told),
    ]
}

proptest! {
    /// A target that answers again ends up knowing what is so.
    #[test]
    fn whatever_happens_a_target_that_answers_in_the_end_knows_what_is_so(
        story in prop::collection::vec(happens(), 0..60)
    ) {
        let mut now = START;
        let mut all = [Standing::new(1, stuck(1), START)];
        for event in story {
            match event {
                Happens::Seen(count) => all[0].see(stuck(count), now, QUIET),
                Happens::Over => all[0].resolve(now),
                Happens::Passes(seconds) => now = now.plus(Duration::from_secs(seconds)),
                Happens::Told(taken) => {
                    let answered = if taken { Answered::Taken } else { Answered::Away("no".to_owned()) };
                    tell(&mut all, now, &answered);
                }
            }
        }
        // News that were given up stay so; the next ones are told.
        now = now.plus(HOUR * 24);
        if all[0].resolved.is_none() {
            all[0].see(stuck(1), now, QUIET);
        }
        tell(&mut all, now, &Answered::Taken);
        let told = all[0].deliveries.get("teams").and_then(|delivery| delivery.told).map(|(said, _)| said);
        let wants = all[0].wants();
        match wants {
            Said::Raised(_) => prop_assert_eq!(told, Some(wants)),
            Said::Over(_) => {
                let gave_up = all[0].deliveries.get("teams").is_some_and(|delivery| delivery.given_up.is_some());
                prop_assert!(gave_up || !matches!(told, Some(Said::Raised(_))), "{:?}", told);
            }
        }
    }
}
