//! How long a run bears with a service, and calls that it needs before and beside its scan: a moment's trouble does
//! not end it, and a service that stays away does so once, not phase by phase.
//!
//! One deadline for each service over the whole run: a service that has been asked for [`SILENCE`] without an answer
//! is given up, and so is one whose steps got no further for as long while its reads were answered; one that asks to
//! be left alone for longer than that, at once. From then on nothing of the run waits for it, and whatever does not
//! need it goes on. Moves under way keep trying by themselves; an answer makes good again.
//!
//! Never: a write that is not safe to repeat, or waiting for a service that asks for longer than a run should hang.

use super::error::RunError;
use super::scan::{ScanError, Stop};
use super::workspace::Workspace;
use crate::domain::failure::{CallFailure, FailureClass, RefusalCode, Service};
use crate::domain::port::CallResult;
use crate::domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// A service that was asked for so long without an answer is given up for the rest of the run; longer than the
/// longest call, and than the 130 s rule.
pub const SILENCE: Duration = Duration::from_secs(200);
/// Tries of one call.
const TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// A service that asks for more than this is not waited for.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// How often a wait looks at the silence.
const LOOK: Duration = Duration::from_secs(2);

/// What the present run has borne with.
#[derive(Debug, Default)]
pub struct Patience(Mutex<Borne>);

#[derive(Debug, Default)]
struct Borne {
    began: Option<Timestamp>,
    stalled: BTreeSet<Service>,
    /// Why, of those that were given up by name.
    given_up: BTreeMap<Service, GivenUp>,
}

impl Patience {
    /// A run begins: what was before does not count.
    pub fn begin(&self, now: Timestamp) {
        *self.borne() = Borne { began: Some(now), ..Borne::default() };
    }

    /// Steps on these services got no further for as long as patience lasts.
    pub fn stalled(&self, services: BTreeSet<Service>) {
        self.borne().stalled.extend(services);
    }

    /// The run waits no longer for these services.
    pub fn gave_up(&self, services: &BTreeMap<Service, GivenUp>) {
        self.stalled(services.keys().copied().collect());
        self.borne().given_up.extend(services.iter().map(|(service, why)| (*service, *why)));
    }

    /// What the run has given up to wait for, in words; none while there is nothing.
    pub fn in_words(&self) -> Option<String> {
        let borne = self.borne();
        let words: Vec<String> = borne
            .stalled
            .iter()
            .map(|service| match borne.given_up.get(service) {
                Some(GivenUp::UsedUp { until }) => {
                    format!("{service} takes no more calls: its daily quota is used up until {until}")
                }
                Some(GivenUp::LeftAlone { until }) => {
                    format!("{service} asked to be left alone until {until}")
                }
                Some(GivenUp::Refused) => format!("{service} refuses the credentials"),
                Some(GivenUp::Silent { .. }) | None => format!("{service} does not answer"),
            })
            .collect();
        (!words.is_empty()).then(|| words.join(", and "))
    }

    /// Whether a service itself has said when it can be asked again: nobody else knows better what is waited for.
    pub fn knows_until_when(&self) -> bool {
        let told = |why: &GivenUp| matches!(why, GivenUp::UsedUp { .. } | GivenUp::LeftAlone { .. });
        self.borne().given_up.values().any(told)
    }

    /// Whether steps on this service have stood still before.
    pub fn has_stalled(&self, service: Service) -> bool {
        self.borne().stalled.contains(&service)
    }

    fn borne(&self) -> std::sync::MutexGuard<'_, Borne> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workspace {
    /// Why the run waits for this service no longer: it has had no answer for too long, or has been told to ask again
    /// much later. None, while it has patience.
    pub async fn given_up(&self, service: Service) -> Option<GivenUp> {
        let now = self.shared.clock.now();
        let gate = self.gate(service);
        let account = gate.overview().await?;
        if let Some(until) = account.used_up_until {
            return Some(GivenUp::UsedUp { until });
        }
        if let Some(until) = account.left_alone_until.filter(|until| until.since(now) > SILENCE) {
            return Some(GivenUp::LeftAlone { until });
        }
        let since = gate.silent_since().await?;
        let began = self.patience.borne().began;
        let silent = now.since(began.map_or(since, |began| since.max(began)));
        let why = if account.is_refused() { GivenUp::Refused } else { GivenUp::Silent { silent } };
        (silent > SILENCE).then_some(why)
    }

    /// Until when the service takes no more calls, because its daily quota is used up or it asked to be left alone.
    pub async fn away_until(&self, service: Service) -> Option<Timestamp> {
        let account = self.gate(service).overview().await?;
        account.used_up_until.or(account.left_alone_until)
    }

    /// Returns once one of these services is given up.
    pub async fn patience_ends(&self, services: &[Service]) -> CallFailure {
        loop {
            for service in services {
                if let Some(away) = self.given_up(*service).await {
                    return away.failure(*service, self.shared.clock.now());
                }
            }
            self.shared.clock.sleep(LOOK).await;
        }
    }
}

/// Why a service is waited for no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// It was asked, and did not answer.
    Silent {
        /// For so long.
        silent: Duration,
    },
    /// It takes no more calls today.
    UsedUp {
        /// Until its day ends.
        until: Timestamp,
    },
    /// It asked for a pause longer than a run should hang.
    LeftAlone {
        /// Until then.
        until: Timestamp,
    },
    /// It has answered nothing but that it refuses the credentials.
    Refused,
}

impl GivenUp {
    fn failure(self, service: Service, now: Timestamp) -> CallFailure {
        let (what, message) = match self {
            GivenUp::Silent { silent } => {
                ("stays away", format!("no answer for {} s; the next run goes on", silent.as_secs()))
            }
            GivenUp::UsedUp { until } => {
                ("takes no more calls", format!("its daily quota is used up until {until}"))
            }
            GivenUp::LeftAlone { until } => {
                ("takes no calls", format!("it asked to be left alone until {until}"))
            }
            GivenUp::Refused => ("takes no calls", "the credentials are refused".to_owned()),
        };
        let class = match self {
            GivenUp::Silent { .. } => FailureClass::Transient,
            GivenUp::UsedUp { until } | GivenUp::LeftAlone { until } => {
                FailureClass::RateLimited { retry_after: Some(until.since(now)) }
            }
            GivenUp::Refused => FailureClass::Unauthorized,
        };
        let what = what.to_owned();
        CallFailure { service, class, refusal: RefusalCode::Other, status: None, what, message, trace: None }
    }
}

/// Does work that reads both services call by call, and stops it once the run's patience with either ends.
///
/// # Errors
/// The work's own; or which service stayed away.
pub async fn while_answered<T, Fut: Future<Output = Result<T, RunError>>>(
    workspace: &Workspace,
    work: impl FnOnce(Stop) -> Fut,
) -> Result<T, RunError> {
    let (enough, stopped) = watch::channel(false);
    let mut work = std::pin::pin!(work(Stop::when(stopped)));
    let mut stop = workspace.stop.clone();
    let services = [Service::HubSpot, Service::Mailchimp];
    let why = tokio::select! {
        biased;
        done = &mut work => return done,
        _ = stop.wait_for(|stop| *stop) => None,
        failure = workspace.patience_ends(&services) => Some(failure),
    };
    // Told, not dropped: its work on files comes to an end before anybody else works on them.
    enough.send_replace(true);
    match (work.await, why) {
        (Err(RunError::Stopped | RunError::Scan(ScanError::Stopped)), Some(failure)) => Err(failure.into()),
        (done, _) => done,
    }
}

/// Asks until there is an answer, a refusal, too many failures, or the run's patience with the service ends.
///
/// # Errors
/// The last failure, or that hsmc was asked to stop.
pub async fn patiently<T, Fut: Future<Output = CallResult<T>>>(
    workspace: &Workspace,
    service: Service,
    call: impl Fn() -> Fut,
) -> Result<T, RunError> {
    let (mut pause, services) = (FIRST_PAUSE, [service]);
    for tried in 1.. {
        if workspace.is_stopping() {
            return Err(RunError::Stopped);
        }
        let mut stop = workspace.stop.clone();
        let answer = tokio::select! {
            biased;
            answer = call() => answer,
            // What is asked for here is looked at anew by the next run: nobody who is asked to stop waits for it.
            _ = stop.wait_for(|stop| *stop) => return Err(RunError::Stopped),
            failure = workspace.patience_ends(&services) => return Err(failure.into()),
        };
        let failure = match answer {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let wait = match failure.class {
            FailureClass::Transient | FailureClass::InDoubt => pause,
            FailureClass::RateLimited { retry_after } => retry_after.unwrap_or(pause),
            _ => return Err(failure.into()),
        };
        if tried >= TRIES || wait > LONGEST_PAUSE || workspace.patience.has_stalled(service) {
            return Err(failure.into());
        }
        match tried {
            1 => tracing::warn!(problem = %failure, "asking again, for some two minutes at most"),
            _ => tracing::debug!(what = %failure.what, class = ?failure.class, "asking again"),
        }
        pause *= 2;
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => {}
            failure = workspace.patience_ends(&services) => return Err(failure.into()),
            () = workspace.shared.clock.sleep(wait) => {}
        }
    }
    Err(RunError::Stopped)
}
