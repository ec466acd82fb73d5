//! Tags that follow the names of lists (R11): remembers every name a list has had, and renames the tags of
//! those that were renamed, once the plan may be applied.
//!
//! A renaming is safe to repeat, and needs no intent: which tag is meant is known by its number, and what it is
//! called is read with every scan.

use super::error::RunError;
use super::patience::patiently;
use super::snapshot::Header;
use super::workspace::Workspace;
use crate::domain::failure::{FailureClass, Service};
use crate::domain::naming::{Names, names};
use crate::domain::port::Priority;
use crate::domain::rules::RuleSet;
use crate::journal::ledger::{Journal, JournalResult};
use crate::journal::naming;
use crate::journal::store::Batch;

/// What the names of the lists come to under this snapshot.
///
/// # Errors
/// The journal cannot be read.
pub fn names_under(journal: &Journal, rules: &RuleSet, header: &Header) -> JournalResult<Names> {
    Ok(names(rules, &header.lists, &header.tags, &naming::last(journal)?, header.seen))
}

/// Keeps what is new about the lists' names.
///
/// # Errors
/// The journal cannot be written.
pub async fn remember(journal: &Journal, names: &Names) -> JournalResult<()> {
    let mut batch = Batch::new();
    for (list, naming) in &names.news {
        naming::put(&mut batch, *list, naming)?;
    }
    if !batch.is_empty() {
        journal.commit(batch).await?;
    }
    Ok(())
}

/// Renames the tags. One that Mailchimp refuses keeps its name, and the answer says so: what was planned
/// with the new one has to be planned anew.
///
/// # Errors
/// A call that failed for another reason; what was renamed by then is found so by the next run.
pub async fn rename(workspace: &Workspace, names: &Names) -> Result<Names, RunError> {
    let shared = &workspace.shared;
    let mut made = names.clone();
    for renaming in &names.renamings {
        let call = || shared.audience.rename_tag(Priority::HandOver, renaming.tag, &renaming.to);
        match patiently(workspace, Service::Mailchimp, call).await {
            Ok(()) => shared.tags.renamed(renaming.tag, &renaming.to),
            Err(RunError::Call(failure)) if failure.class == FailureClass::Permanent => {
                tracing::warn!(list.id = %renaming.list, %failure, "a tag cannot be renamed as its list was");
                made = made.without(renaming, &failure.message);
            }
            Err(problem) => return Err(problem),
        }
    }
    Ok(made)
}
