//! What goes wrong around a process: on the wire, with its clock, on its drive, and when it dies.

use super::chance::Chance;
use super::fuse::{Death, Place};
use super::orders::{self, Order};
use crate::domain::failure::Service;
use crate::domain::rules::RuleSet;
use crate::domain::time::Timestamp;
use crate::journal::store::drive::Turn;
use crate::sandbox::{Fault, FaultKind, Matches, Sandbox};
use std::time::Duration;

/// Parts of paths that faults are about.
const PARTS: [&str; 12] = [
    "/memberships",
    "/search",
    "/contacts/batch",
    "/contacts",
    "/communication-preferences",
    "/members",
    "/tags",
    "/segments",
    "/batches",
    "/lists",
    "/properties",
    "",
];

/// What kind of process it is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// One command.
    Once(Order),
    /// Runs on schedule, for so long.
    Daemon(Duration),
}

/// What befalls one process.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    pub(super) kind: Kind,
    pub(super) death: Option<Death>,
    /// The drive refuses this turn, the how-manyth time.
    pub(super) refusal: Option<(Turn, u64)>,
    /// How wrong hsmc's clock is, in milliseconds.
    pub(super) wrong_by: i64,
    /// After so many calls, it jumps by so much.
    pub(super) jump: Option<(u64, i64)>,
    /// What operators ask for while it is at work, each so long after the one before.
    pub(super) meanwhile: Vec<(Duration, Order)>,
    /// Time until the next process.
    pub(super) pause: Duration,
}

impl Fate {
    /// One command that nothing befalls.
    pub(super) fn calm(order: Order, pause: Duration) -> Fate {
        let (kind, meanwhile) = (Kind::Once(order), Vec::new());
        Fate { kind, death: None, refusal: None, wrong_by: 0, jump: None, meanwhile, pause }
    }
}

/// Draws what befalls a process.
pub(super) fn fate(chance: &mut Chance, sandbox: &Sandbox, rules: &RuleSet) -> Fate {
    let kind = match chance.number(1, 100) {
        1..=25 => Kind::Daemon(chance.time(600_000, 60_000_000)),
        26..=40 => Kind::Once(orders::order(chance, sandbox, rules)),
        _ => Kind::Once(orders::run(chance, sandbox, rules)),
    };
    let asked = if chance.percent(70) { 0 } else { chance.number(1, 4) };
    let meanwhile =
        (0..asked).map(|_| (chance.time(0, 20_000), orders::order(chance, sandbox, rules))).collect();
    let death = chance.percent(60).then(|| {
        let place = chance.one_of(&Place::ALL).copied().unwrap_or(Place::CallDone);
        let most = if chance.percent(50) { 12 } else { 90 };
        let turns = if chance.percent(50) { 0 } else { u32::try_from(chance.number(1, 40)).unwrap_or(1) };
        Death { place, nth: chance.number(1, most), turns }
    });
    let turns = [Turn::Write, Turn::Sync];
    let refusal = chance
        .percent(10)
        .then(|| (chance.one_of(&turns).copied().unwrap_or(Turn::Write), chance.number(1, 60)));
    let wrong = |chance: &mut Chance| i64::try_from(chance.number(0, 1_200_000)).unwrap_or(0) - 600_000;
    let wrong_by = if chance.percent(15) { wrong(chance) } else { 0 };
    let jump = chance.percent(10).then(|| (chance.number(1, 60), wrong(chance)));
    let pause = match chance.number(1, 3) {
        1 => chance.time(0, 5_000),
        2 => chance.time(0, 300_000),
        _ => chance.time(0, 36_000_000),
    };
    Fate { kind, death, refusal, wrong_by, jump, meanwhile, pause }
}

/// Draws what goes wrong on the wire from now on.
pub(super) fn faults(chance: &mut Chance, now: Timestamp) -> Vec<Fault> {
    let number = if chance.percent(30) { 0 } else { chance.number(1, 5) };
    let mut drawn: Vec<Fault> = (0..number).map(|_| fault(chance, now)).collect();
    if chance.percent(40) {
        drawn.extend(aimed(chance));
    }
    drawn
}

/// Whether a fault refuses something for good, which may park whom it is about.
pub(super) fn refuses(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Status { code: 400, .. })
}

/// Calls that change something, by what tells each from the others; twice what carries much and is made seldom.
const CHANGES: [(Service, &str, &str); 12] = [
    (Service::HubSpot, "PUT", "/memberships"),
    (Service::HubSpot, "PUT", "/memberships"),
    (Service::HubSpot, "POST", "/contacts/batch/update"),
    (Service::HubSpot, "POST", "/communication-preferences"),
    (Service::Mailchimp, "POST", "/lists"),
    (Service::Mailchimp, "POST", "/segments/"),
    (Service::Mailchimp, "POST", "/tags"),
    (Service::Mailchimp, "PUT", "/members"),
    (Service::Mailchimp, "PATCH", "/members"),
    (Service::Mailchimp, "DELETE", "/members"),
    (Service::Mailchimp, "POST", "/batches"),
    (Service::Mailchimp, "POST", "/batches"),
];

/// One kind of change is refused for good, or its answer is lost; or one after the other: a lost call that may have its
/// effect long after the move has turned back is the worst that can happen to it.
fn aimed(chance: &mut Chance) -> Vec<Fault> {
    let (service, method, part) =
        chance.one_of(&CHANGES).copied().unwrap_or((Service::Mailchimp, "DELETE", "/members"));
    let first = chance.number(1, 3);
    let hit = |nth, times| Matches {
        mutating: true,
        times: Some(times),
        ..Matches::call(service, method, part).nth(nth)
    };
    let late = FaultKind::LostThenDoneLater(chance.time(20_000, 110_000));
    let refused = FaultKind::Status { code: 400, body: None };
    let fault = |matches, kind| Fault { matches, kind };
    match chance.number(1, 100) {
        1..=20 => vec![fault(hit(first, chance.number(1, 2)), FaultKind::LostBefore)],
        21..=30 => vec![fault(hit(first, 1), late)],
        31..=65 => {
            vec![fault(hit(first, 1), late), fault(hit(first + 1, chance.number(1, 6)), refused)]
        }
        _ => vec![fault(hit(first, chance.number(1, 6)), refused)],
    }
}

fn fault(chance: &mut Chance, now: Timestamp) -> Fault {
    let service = if chance.percent(50) { Service::HubSpot } else { Service::Mailchimp };
    let part = chance.one_of(&PARTS).copied().unwrap_or_default();
    let latest = if chance.percent(60) { 4 } else { 25 };
    let most = if chance.percent(70) { 2 } else { 8 };
    let matches = Matches {
        path_contains: Some(part.to_owned()),
        mutating: chance.percent(60),
        nth: Some(chance.number(1, latest)),
        times: Some(chance.number(1, most)),
        ..Matches::all(service)
    };
    let kind = match chance.number(1, 100) {
        1..=15 => {
            let code = chance.one_of(&[500, 502, 503, 504]).copied().unwrap_or(500);
            FaultKind::Status { code, body: None }
        }
        16..=27 => {
            let retry_after = chance.percent(50).then(|| chance.number(0, 30));
            FaultKind::Http429 { retry_after }
        }
        28..=38 => FaultKind::LostBefore,
        39..=57 => FaultKind::LostAfter,
        58..=70 => FaultKind::LostThenDoneLater(chance.time(0, 110_000)),
        71..=77 => FaultKind::Slow(chance.time(1_000, 180_000)),
        78..=84 => FaultKind::Html,
        85..=91 => FaultKind::Reset,
        92..=97 => {
            let from = now.plus(chance.time(0, 20_000));
            FaultKind::Down { from, until: from.plus(chance.time(1_000, 900_000)) }
        }
        _ => FaultKind::Unauthorized,
    };
    Fault { matches, kind }
}
