//! Hints of webhooks: kept durably before the webhook is answered, then looked into, many at once.
//!
//! Promises: a hint that was answered for is looked into, over restarts too; somebody who waits to be looked at waits
//! once, however many webhooks tell of them. Who is said to have opted out waits behind nobody else's news. A flood takes
//! no more than half of the time, one of opt-outs as much, and its calls stand behind none but those of opt-outs' own; runs go on beside it.

use super::App;
use super::control::Done;
use crate::domain::hint::{Hinted, Says};
use crate::journal::ledger::JournalError;
use crate::journal::store::Batch;
use crate::journal::{Journal, hints};
use crate::serve::webhooks::Whom;
use crate::sync::hinted;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// What comes together is looked into together.
const GATHER: Duration = Duration::from_millis(250);
/// People looked at in one go.
const AT_ONCE: usize = 500;
/// After a look that failed.
const AGAIN: Duration = Duration::from_secs(20);

/// Hints in the order in which they came.
#[derive(Default)]
struct Queue {
    hints: VecDeque<(u64, Vec<Hinted>)>,
    /// Everybody in them.
    people: BTreeMap<Hinted, u32>,
}

#[derive(Default)]
struct Waiting {
    last: u64,
    opt_outs: Queue,
    others: Queue,
}

impl Waiting {
    fn queue(&mut self, says: Says) -> &mut Queue {
        match says {
            Says::OptedOut => &mut self.opt_outs,
            Says::Changed => &mut self.others,
        }
    }
}

/// Hints that wait to be looked into.
#[derive(Default)]
pub struct Hints {
    waiting: Mutex<Waiting>,
    of_opt_outs: Notify,
    of_others: Notify,
}

impl Hints {
    /// Those that an earlier process left.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub(super) fn left(journal: &Journal) -> Result<Hints, JournalError> {
        let left = Hints::default();
        for says in Says::ALL {
            for (number, hint) in hints::all(journal, says)? {
                left.add(number, says, hint);
            }
        }
        Ok(left)
    }

    fn held(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many people wait to be looked at; twice, who changed and was then said to have opted out.
    pub fn waiting(&self) -> usize {
        let waiting = self.held();
        waiting.opt_outs.people.len() + waiting.others.people.len()
    }

    fn waits(&self, says: Says) -> bool {
        !self.held().queue(says).people.is_empty()
    }

    fn told(&self, says: Says) -> &Notify {
        match says {
            Says::OptedOut => &self.of_opt_outs,
            Says::Changed => &self.of_others,
        }
    }

    fn next_number(&self) -> u64 {
        let mut waiting = self.held();
        waiting.last += 1;
        waiting.last
    }

    fn add(&self, number: u64, says: Says, people: Vec<Hinted>) {
        let mut waiting = self.held();
        waiting.last = waiting.last.max(number);
        let queue = waiting.queue(says);
        for person in &people {
            *queue.people.entry(*person).or_default() += 1;
        }
        queue.hints.push_back((number, people));
        drop(waiting);
        self.told(says).notify_one();
    }

    /// Whoever of these does not wait yet, or not where opt-outs do.
    fn new_among(&self, people: BTreeSet<Hinted>, says: Says) -> Vec<Hinted> {
        let waiting = self.held();
        let waits = |person: &Hinted| {
            waiting.opt_outs.people.contains_key(person)
                || (says == Says::Changed && waiting.others.people.contains_key(person))
        };
        people.into_iter().filter(|person| !waits(person)).collect()
    }

    /// Takes hints out, of so many people.
    fn take(&self, says: Says) -> Vec<(u64, Vec<Hinted>)> {
        let mut waiting = self.held();
        let queue = waiting.queue(says);
        let (mut taken, mut people) = (Vec::new(), 0);
        while people < AT_ONCE {
            let Some(hint) = queue.hints.pop_front() else { break };
            people += hint.1.len();
            for person in &hint.1 {
                if let Some(times) = queue.people.get_mut(person) {
                    *times -= 1;
                    if *times == 0 {
                        queue.people.remove(person);
                    }
                }
            }
            taken.push(hint);
        }
        taken
    }
}

impl App {
    /// Keeps whom a webhook is about; durable when this returns. A member that hsmc does not know the next scan finds.
    ///
    /// # Errors
    /// The journal cannot be read or written.
    pub async fn hear_of(&self, whom: Vec<Whom>, says: Says) -> Done<u64> {
        let journal = &self.workspace.shared.journal;
        let mut people = BTreeSet::new();
        for one in whom {
            people.extend(match one {
                Whom::Record(record) => {
                    let person = journal.person_by_record(record)?;
                    Some(person.map_or(Hinted::Record(record), Hinted::Person))
                }
                Whom::Member(hash) => journal.person_by_hash(hash)?.map(Hinted::Person),
            });
        }
        let people = self.hints.new_among(people, says);
        let new = people.len() as u64;
        if new > 0 {
            let number = self.hints.next_number();
            let mut batch = Batch::new();
            let now = self.workspace.shared.clock.now();
            hints::put(journal, &mut batch, (number, says), &people, now)?;
            journal.commit(batch).await?;
            self.hints.add(number, says, people);
        }
        Ok(new)
    }

    /// Looks into what waits now, of those of whom webhooks say this.
    ///
    /// # Errors
    /// In words; the hints wait again.
    pub async fn look_into_hints(&self, says: Says) -> Result<(), String> {
        let taken = self.hints.take(says);
        let whom: BTreeSet<Hinted> = taken.iter().flat_map(|(_, people)| people).copied().collect();
        if whom.is_empty() {
            return Ok(());
        }
        if let Err(problem) = hinted::look_at(&self.workspace, &whom).await {
            for (number, people) in taken {
                self.hints.add(number, says, people);
            }
            return Err(problem.to_string());
        }
        let journal = &self.workspace.shared.journal;
        let mut batch = Batch::new();
        for (number, _) in taken {
            hints::delete(journal, &mut batch, number, says);
        }
        journal.commit(batch).await.map(|_| ()).map_err(|problem| problem.to_string())
    }
}

/// Looks into hints until the app stops: one look after another at those who are said to have opted out, and beside these
/// at the others.
pub async fn keep_looking(app: Arc<App>) {
    tokio::join!(keep_looking_at(&app, Says::OptedOut), keep_looking_at(&app, Says::Changed));
}

async fn keep_looking_at(app: &App, says: Says) {
    let clock = Arc::clone(&app.workspace.shared.clock);
    let mut stop = app.workspace.stop.clone();
    loop {
        let wait = async {
            if !app.hints.waits(says) {
                app.hints.told(says).notified().await;
            }
            clock.sleep(GATHER).await;
        };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = wait => {}
        }
        let began = clock.now();
        let rest = match app.look_into_hints(says).await {
            // As long as it took: with hints coming without end, half of the time is everybody else's.
            Ok(()) => clock.now().since(began),
            Err(problem) => {
                tracing::warn!(%problem, "people of whom webhooks told could not be looked at; they wait");
                AGAIN
            }
        };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = clock.sleep(rest) => {}
        }
    }
}
