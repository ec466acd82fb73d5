//! Opt-outs that a scan has shown and that nobody carries over now: by a plan that is only shown, under `never`, or in a
//! run that is about somebody else. Whoever archives the member before the next run takes the only sign of it away.
//!
//! Promises: they are remembered as not delivered, with a link of evidence, and go with the next run that may. Never:
//! anything else of a plan that is not carried out, or somebody whose memory a move under way is about to write.

use super::writing::Writer;
use super::{Part, Planning, blocking};
use crate::domain::id::RunId;
use crate::domain::member::MemberStatus;
use crate::domain::person::Person;
use crate::domain::rules::Verdict;
use crate::sync::error::RunError;
use crate::sync::recognising::recognised;
use crate::sync::snapshot::PersonRow;

impl Planning {
    /// Makes them durable, of everybody whom this plan is not about, too.
    ///
    /// # Errors
    /// When the snapshot or the journal cannot be read or written.
    pub async fn remember_opt_outs(self) -> Result<Planning, RunError> {
        let (planning, (), ()) = blocking(self, move |planning, waits| {
            let narrowing = std::mem::take(&mut planning.narrowing);
            let damaged = planning.journal.damaged_people();
            let mut writer = Writer::new(planning, waits, RunId(0), Part::OptOuts, planning.now);
            for recognised in recognised(&planning.journal, planning.snapshot.people()?) {
                let (row, person) = recognised?;
                let Some(person) = person.filter(|person| {
                    person.opt_out.is_none()
                        && !planning.held.contains_key(&person.id)
                        && !damaged.contains(&person.id)
                        && planning.shows_opt_out(&row, person)
                }) else {
                    continue;
                };
                let Some(seen) = planning.judged(row, person)?.filter(|seen| !seen.is_to_be_forgotten) else {
                    continue;
                };
                let Verdict::Settled(decision) = seen.verdict else { continue };
                if decision.memory.opt_out.is_some() {
                    let memory = Person { opt_out: decision.memory.opt_out, ..seen.person.clone() };
                    writer.person(&seen.person, memory, false)?;
                    writer.flush_when_full()?;
                }
            }
            writer.flush()?;
            planning.narrowing = narrowing;
            Ok(((), ()))
        })
        .await?;
        Ok(planning)
    }

    fn shows_opt_out(&self, row: &PersonRow, person: &Person) -> bool {
        let there =
            self.member_of(row, person).is_some_and(|member| member.status == MemberStatus::Unsubscribed);
        there || row.contacts.iter().any(|(contact, _)| contact.opted_out)
    }
}
