//! What a scan tells while it reads, and how it is told to stop.

use crate::domain::id::{ListId, SegmentId};
use std::fmt;
use tokio::sync::watch;

/// One thing that is read, page by page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// What HubSpot says of the lists.
    Lists,
    /// Members of one list.
    List(ListId),
    /// Contacts by their date of change.
    Modified,
    /// Opted-out contacts.
    OptedOut,
    /// Contacts by record.
    Contacts,
    /// The audience's tags.
    Tags,
    /// All members but archived ones.
    Members,
    /// The same once more, when the first reading was short.
    MembersAgain,
    /// Archived members.
    Archived,
    /// The same once more.
    ArchivedAgain,
    /// Changed members.
    Changed,
    /// Changed archived members.
    ChangedArchived,
    /// Members that unsubscribed lately.
    Unsubscribed,
    /// Bearers of one tag.
    Bearers(SegmentId),
    /// Contacts by address.
    LookUp,
    /// Lists by contact.
    Memberships,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Lists => f.write_str("HubSpot lists"),
            Source::List(list) => write!(f, "HubSpot list {list}"),
            Source::Modified => f.write_str("changed contacts"),
            Source::OptedOut => f.write_str("opted-out contacts"),
            Source::Contacts => f.write_str("contacts"),
            Source::Tags => f.write_str("tags"),
            Source::Members => f.write_str("members"),
            Source::MembersAgain => f.write_str("members, again"),
            Source::Archived => f.write_str("archived members"),
            Source::ArchivedAgain => f.write_str("archived members, again"),
            Source::Changed => f.write_str("changed members"),
            Source::ChangedArchived => f.write_str("changed archived members"),
            Source::Unsubscribed => f.write_str("unsubscribed members"),
            Source::Bearers(segment) => write!(f, "bearers of tag {segment}"),
            Source::LookUp => f.write_str("contacts by address"),
            Source::Memberships => f.write_str("lists by contact"),
        }
    }
}

impl Source {
    /// The name of its page log.
    pub(super) fn file_name(self) -> String {
        let words = self.to_string().to_lowercase().replace([' ', ','], "-");
        format!("work-{words}.pages")
    }
}

/// Hears how a scan goes on. Called between calls: it must not block.
pub trait Progress: Send + Sync {
    /// So much of a source has been read; after a resume the pages on disk count too.
    fn read(&self, source: Source, pages: u64, rows: u64, total: Option<u64>);
    /// A source has been read to its end.
    fn ended(&self, source: Source);
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn read(&self, _: Source, _: u64, _: u64, _: Option<u64>) {}
    fn ended(&self, _: Source) {}
}

/// Tells a scan to stop, from the outside.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Stops when the value becomes true.
    pub fn when(signal: watch::Receiver<bool>) -> Stop {
        Stop(signal)
    }

    /// Never stops.
    pub fn never() -> Stop {
        Stop(watch::channel(false).1)
    }

    /// Whether it was told to stop.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once it was told to stop; never, when nobody can tell it any more.
    pub(super) async fn wait(&self) {
        let mut signal = self.0.clone();
        if signal.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
