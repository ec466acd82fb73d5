//! An alert in words: one line on what is so, counts beside it, and the way out.

use super::{Alert, Audience, RunFailure, Withheld};
use crate::domain::failure::Service;
use std::collections::BTreeMap;
use std::time::Duration;

impl Alert {
    /// What is so, in one line.
    pub fn text(&self) -> String {
        match self {
            Alert::RunFailed { run, cause } => format!("run {run} failed: {}", failure(cause)),
            Alert::RunStuck { moves, first, .. } => {
                let count: u64 = moves.values().sum();
                format!("{} stuck; first refusal: {first}", moves_are(count))
            }
            Alert::NeedsApproval { run, gate, .. } => format!("run {run} waits for approval: {gate}"),
            Alert::AudienceCap { audience, left_out: 0 } => {
                format!("the audience is close to its cap: {}", size(audience))
            }
            Alert::AudienceCap { audience, left_out } => {
                format!("the audience is at its cap ({}): {left_out} left out", size(audience))
            }
            Alert::CredentialsRefused { service } => {
                format!("{service} refuses the credentials; that side stops and is tried once a minute")
            }
            Alert::OptOutsLate { withheld, count, oldest, within } => {
                let within = span(*within);
                let why = match withheld {
                    Withheld::ByConfig => "`apply = \"never\"` keeps them back",
                    Withheld::ByService => "the other side has not taken them",
                };
                format!(
                    "{} not delivered within {within}, the oldest since {oldest}: {why}",
                    opt_outs(*count)
                )
            }
            Alert::ManyOptOuts { run, count, threshold } => {
                format!("{} in run {run}; from {threshold} on that is unusual", opt_outs(*count))
            }
            Alert::Contested { count } => {
                format!(
                    "another tool or hand keeps taking back what hsmc does: {} contested",
                    people_are(*count)
                )
            }
            Alert::FailsAgain { what, times, since, people: count, others, .. } => {
                let whom = if *count == 0 { String::new() } else { format!(", {}", people(*count)) };
                let more = if *others == 0 { String::new() } else { format!("; and {others} more like it") };
                format!("the same failure {times} times since {since}: {what}{whom}{more}")
            }
            Alert::NoProgress { runs, since, .. } => {
                format!("{runs} runs in a row since {since} planned moves and got none of them done")
            }
            Alert::Damaged { records } => format!(
                "{records} damaged journal {} found; whoever they are about is held, the rest goes on",
                if *records == 1 { "record was" } else { "records were" }
            ),
            Alert::QuotaUsedUp { service } => {
                format!("{service} takes no more calls today: its daily quota is used up")
            }
            Alert::RunOverdue { since, every } => {
                format!("no run has begun since {since}, though one is due every {}", span(*every))
            }
            Alert::Stopped => "hsmc has stopped: its journal cannot be read or written".to_owned(),
            Alert::RunSummary { run, end, ended, took, .. } => {
                let done = match ended.is_empty() {
                    true if end == "done" => "nothing to do".to_owned(),
                    true => "nothing was done".to_owned(),
                    false => counts(ended),
                };
                format!("run {run} {end} in {}: {done}", span(*took))
            }
        }
    }

    /// Figures beside the text, with what they count.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Alert::RunStuck { moves, .. } => vec![("stuck", counts(moves))],
            Alert::NeedsApproval { planned, audience, .. } => {
                vec![("it would", counts(planned)), ("audience", size(audience))]
            }
            Alert::NoProgress { planned, .. } => vec![("planned", counts(planned))],
            Alert::RunSummary { left_out, .. } if !left_out.is_empty() => {
                vec![("left out", counts(left_out))]
            }
            _ => Vec::new(),
        }
    }

    /// The same figures by name, for programs.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let mut found = match self {
            Alert::RunStuck { moves: counts, .. }
            | Alert::NeedsApproval { planned: counts, .. }
            | Alert::NoProgress { planned: counts, .. }
            | Alert::RunSummary { ended: counts, .. } => counts.clone(),
            _ => BTreeMap::new(),
        };
        let mut one = |name: &str, count: u64| {
            found.insert(name.to_owned(), count);
        };
        match self {
            Alert::NeedsApproval { audience, .. } => audience_counts(audience, &mut one),
            Alert::AudienceCap { audience, left_out } => {
                audience_counts(audience, &mut one);
                one("left-out", *left_out);
            }
            Alert::OptOutsLate { count, .. } => one("opt-outs", *count),
            Alert::ManyOptOuts { count, threshold, .. } => {
                one("opt-outs", *count);
                one("threshold", *threshold);
            }
            Alert::Contested { count } => one("contested", *count),
            Alert::FailsAgain { times, people, others, .. } => {
                one("times", *times);
                one("people", *people);
                one("others", *others);
            }
            Alert::NoProgress { runs, .. } => one("runs", *runs),
            Alert::Damaged { records } => one("records", *records),
            Alert::RunFailed { cause: RunFailure::Waiting { moves, .. }, .. } => one("moves", *moves),
            Alert::RunFailed { .. }
            | Alert::RunStuck { .. }
            | Alert::CredentialsRefused { .. }
            | Alert::QuotaUsedUp { .. }
            | Alert::RunOverdue { .. }
            | Alert::Stopped
            | Alert::RunSummary { .. } => {}
        }
        found
    }

    /// What to do; empty when there is nothing to do.
    pub fn way_out(&self) -> String {
        match self {
            Alert::RunFailed { run, cause } => match cause {
                RunFailure::Unfit { .. } => "`hsmc check` says what is wrong there and what to do".to_owned(),
                RunFailure::Waiting { .. } => {
                    "the next run goes on with them; `hsmc status` shows what they wait for".to_owned()
                }
                RunFailure::Call { service: service @ Service::HubSpot, status: Some(403), .. } => format!(
                    "give {service}'s token the right that `hsmc runs show {run}` names; `hsmc check` tries it"
                ),
                RunFailure::Call { service, .. } => format!(
                    "it is tried again; if it stays so, look at {service}'s status page and at `hsmc runs show {run}`"
                ),
                RunFailure::Inside => format!("`hsmc runs show {run}` and the log say more"),
            },
            Alert::RunStuck { .. } => {
                "`hsmc status` lists them; `hsmc status MOVE` tells why, and whether to retry, skip or roll back"
                    .to_owned()
            }
            Alert::NeedsApproval { run, .. } => {
                format!(
                    "`hsmc approve {run} --dry-run` shows it, `hsmc approve {run}` does it, `hsmc reject {run}` says no"
                )
            }
            Alert::AudienceCap { .. } => {
                "raise `mailchimp.audience_cap`, or archive members: nobody new is added beyond it".to_owned()
            }
            Alert::CredentialsRefused { service } => {
                format!("replace the token or key of {service} and restart hsmc; nothing is lost meanwhile")
            }
            Alert::OptOutsLate { withheld: Withheld::ByConfig, .. } => {
                "set `apply` to \"ask\" or \"always\": both deliver opt-outs at once".to_owned()
            }
            Alert::OptOutsLate { withheld: Withheld::ByService, .. } => {
                "`hsmc status` shows what they wait for; deliver them by hand if it lasts".to_owned()
            }
            Alert::ManyOptOuts { run, .. } => format!(
                "see what was sent last; `hsmc pause --all` holds everything but opt-outs; `hsmc runs show {run}` counts them"
            ),
            Alert::Contested { .. } => {
                "find the other tool or workflow; `hsmc release` lets hsmc try these people again".to_owned()
            }
            Alert::FailsAgain { run, .. } => {
                format!("`hsmc runs show {run}` names each under *again*; mend the cause")
            }
            Alert::NoProgress { .. } => "`hsmc runs` and `hsmc status` say what holds them up".to_owned(),
            Alert::Damaged { .. } => {
                "restore a backup of the state directory, or settle the moves `hsmc status` names".to_owned()
            }
            Alert::QuotaUsedUp { .. } => {
                "see which app uses it up; hsmc goes on when the service counts anew".to_owned()
            }
            Alert::RunOverdue { .. } => {
                "`hsmc status` shows what holds the run up; restarting hsmc is safe".to_owned()
            }
            Alert::Stopped => "look at the disk's free space and the log, then start hsmc again".to_owned(),
            Alert::RunSummary { .. } => String::new(),
        }
    }
}

fn failure(cause: &RunFailure) -> String {
    match cause {
        RunFailure::Unfit { place } => format!("the accounts are not as {place} says; no plan was made"),
        RunFailure::Call { service, status: Some(401), .. } => format!("{service} refuses the credentials"),
        RunFailure::Call { service, status: Some(429 | 477), .. } => {
            format!("{service} asked to be left alone for a while")
        }
        RunFailure::Call { service, call, status: Some(status) } => {
            format!("{service} answered {status} to: {call}")
        }
        RunFailure::Call { service, call, status: None } => format!("{service} did not answer: {call}"),
        RunFailure::Waiting { moves, service } => {
            let whom = service.map_or_else(|| "a service".to_owned(), |service| service.to_string());
            format!(
                "{} for {whom}",
                if *moves == 1 { "1 move waits".to_owned() } else { format!("{moves} moves wait") }
            )
        }
        RunFailure::Inside => "something in hsmc's own files".to_owned(),
    }
}

fn audience_counts(audience: &Audience, one: &mut impl FnMut(&str, u64)) {
    one("audience-before", audience.subscribed);
    one("audience-after", audience.after);
    if let Some(cap) = audience.cap {
        one("audience-cap", cap);
    }
}

/// `4800 subscribed, 4840 after this, cap 5000`
fn size(audience: &Audience) -> String {
    let Audience { subscribed, after, cap } = audience;
    let cap = cap.map_or_else(String::new, |cap| format!(", cap {cap}"));
    format!("{subscribed} subscribed, {after} after this{cap}")
}

/// `enroll 40 · hand-over 12`
fn counts(of: &BTreeMap<String, u64>) -> String {
    let words: Vec<String> = of.iter().map(|(word, count)| format!("{word} {count}")).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(" · ") }
}

fn span(of: Duration) -> String {
    humantime::format_duration(Duration::from_secs(of.as_secs())).to_string()
}

fn moves_are(count: u64) -> String {
    if count == 1 { "1 move is".to_owned() } else { format!("{count} moves are") }
}

fn opt_outs(count: u64) -> String {
    if count == 1 { "1 opt-out".to_owned() } else { format!("{count} opt-outs") }
}

fn people(count: u64) -> String {
    if count == 1 { "1 person".to_owned() } else { format!("{count} people") }
}

fn people_are(count: u64) -> String {
    format!("{} {}", people(count), if count == 1 { "is" } else { "are" })
}
