//! The store's interface: the one place where durability is spoken of.
//!
//! A store is a few tables of byte keys and byte values. A commit is a batch of changes that is
//! applied whole or not at all; when `commit` returns, the batch is durable: it survives `kill -9`
//! and a power cut. Reads see every commit acknowledged before them.

pub mod drive;
pub mod faulty;
pub mod live;
pub mod memory;

use crate::domain::code::Code;
use async_trait::async_trait;

/// The tables. The number is persisted: never reused, never renumbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Single values: counters, pauses, the format's version. Key: text.
    Meta = 1,
    /// Runs. Key: run (8 bytes, big-endian). Value: the run as last written.
    Runs = 2,
    /// Moves. Key: run, number. Value: the move's events, appended one after another.
    Moves = 3,
    /// Open moves. Key: run, number. Value: empty. Exactly the moves without an `Ended`.
    OpenMoves = 4,
    /// Moves of a person. Key: person, run, number. Value: empty.
    PersonMoves = 5,
    /// People. Key: person. Value: the person's record.
    People = 6,
    /// Person by subscriber hash. Key: 16 bytes. Value: person.
    PeopleByHash = 7,
    /// Person by HubSpot record. Key: record. Value: person.
    PeopleByRecord = 8,
    /// Consent evidence by person. Key: person, moment, number. Value: the place of the link that tells of it;
    /// in format 1, the evidence itself.
    Evidence = 9,
    /// Watermarks of scans. Key: text.
    Watermarks = 10,
    /// The consent ledger. Key: place in the chain (8 bytes). Value: a link of the chain.
    Consent = 11,
    /// Notifications not delivered yet. Key: number (8 bytes).
    Outbox = 12,
    /// Who was forgotten and may not come back. Key: a keyed hash (32 bytes).
    Forgotten = 13,
    /// Names a list has had. Key: list (8 bytes), moment. Value: the renaming.
    ListNames = 14,
    /// States a person has left. Key: person, moment, number. Value: the state.
    History = 15,
    /// What is left of moves whose details were given up. Key: person, run, number. Value: one line.
    Audit = 16,
    /// What the commitments to a person's addresses are salted with. Key: person. Value: the salt; without it,
    /// nobody can tell whose address a link was about.
    Salts = 17,
}

impl Table {
    /// All tables.
    pub const ALL: [Table; 17] = [
        Table::Meta,
        Table::Runs,
        Table::Moves,
        Table::OpenMoves,
        Table::PersonMoves,
        Table::People,
        Table::PeopleByHash,
        Table::PeopleByRecord,
        Table::Evidence,
        Table::Watermarks,
        Table::Consent,
        Table::Outbox,
        Table::Forgotten,
        Table::ListNames,
        Table::History,
        Table::Audit,
        Table::Salts,
    ];

    /// The table with a number.
    pub fn numbered(number: u8) -> Option<Table> {
        Table::ALL.into_iter().find(|table| *table as u8 == number)
    }

    /// A stable word, for people and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Table::Meta => "settings",
            Table::Runs => "runs",
            Table::Moves => "moves",
            Table::OpenMoves => "open-moves",
            Table::PersonMoves => "moves-by-person",
            Table::People => "people",
            Table::PeopleByHash => "people-by-address",
            Table::PeopleByRecord => "people-by-record",
            Table::Evidence => "evidence",
            Table::Watermarks => "watermarks",
            Table::Consent => "consent",
            Table::Outbox => "outbox",
            Table::Forgotten => "forgotten",
            Table::ListNames => "list-names",
            Table::History => "history",
            Table::Audit => "audit",
            Table::Salts => "salts",
        }
    }
}

/// One change to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The key has this value.
    Put {
        /// Where.
        table: Table,
        /// Key.
        key: Vec<u8>,
        /// Value.
        value: Vec<u8>,
    },
    /// These bytes are added at the end of the key's value (made when missing).
    Append {
        /// Where.
        table: Table,
        /// Key.
        key: Vec<u8>,
        /// What is added.
        value: Vec<u8>,
    },
    /// The key is gone.
    Delete {
        /// Where.
        table: Table,
        /// Key.
        key: Vec<u8>,
    },
}

/// Changes that become durable together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// In order.
    pub changes: Vec<Change>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Batch {
        Batch::default()
    }
    /// Adds a `Put`.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Batch {
        self.changes.push(Change::Put { table, key: key.into(), value: value.into() });
        self
    }
    /// Adds an `Append`.
    pub fn append(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Batch {
        self.changes.push(Change::Append { table, key: key.into(), value: value.into() });
        self
    }
    /// Adds a `Delete`.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) -> &mut Batch {
        self.changes.push(Change::Delete { table, key: key.into() });
        self
    }
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// The number of a commit; counts up by one.
pub type Sequence = u64;

/// What can be wrong with a store. Each message names the place and the way out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another process has the state directory.
    #[error("the state directory {path} is in use by another hsmc process")]
    Locked {
        /// The directory.
        path: String,
    },
    /// Written by a newer hsmc.
    #[error(
        "the state directory {path} was written by a newer hsmc (format {found}, this one reads up to {known}); use that version"
    )]
    Newer {
        /// The directory.
        path: String,
        /// Its format.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// What is on disk is less than what was acknowledged, or cannot be read.
    #[error(
        "the journal in {path} is damaged: {what}; restore a backup of the state directory, or move it aside to start anew with a full pass"
    )]
    Damaged {
        /// The directory.
        path: String,
        /// What was found, and where.
        what: String,
    },
    /// The disk refused a write; nothing after this point was acknowledged.
    #[error(
        "the journal in {path} cannot be written: {what}; free space or mend the disk, then start again: nothing acknowledged is lost"
    )]
    Write {
        /// The directory.
        path: String,
        /// The system's word.
        what: String,
    },
    /// A file could not be read or made.
    #[error("{path}: {what}")]
    Io {
        /// The file.
        path: String,
        /// The system's word.
        what: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// How a disk says that it takes no more. sled tells of it in the system's words only.
const REFUSED_BY_DISK: [&str; 4] =
    ["No space left", "File too large", "Disk quota exceeded", "Read-only file system"];

impl StoreError {
    /// The code whose page says what to do about it.
    pub fn code(&self) -> Code {
        match self {
            StoreError::Locked { .. } => Code::StateInUse,
            StoreError::Newer { .. } => Code::StateNewer,
            StoreError::Damaged { .. } => Code::StateDamaged,
            StoreError::Write { .. } => Code::DiskRefuses,
            StoreError::Io { what, .. } if REFUSED_BY_DISK.iter().any(|words| what.contains(words)) => {
                Code::DiskRefuses
            }
            StoreError::Io { .. } => Code::StateUnusable,
            StoreError::Closed => Code::StoreClosed,
        }
    }
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// The store.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Makes the batch durable, all of it or nothing. When this returns `Ok`, it survives a power cut.
    ///
    /// # Errors
    /// `Write` when the disk refuses: the batch may or may not be there after a restart, and the store
    /// takes no further commits until it is opened again.
    async fn commit(&self, batch: Batch) -> Result<Sequence, StoreError>;

    /// The value of a key.
    ///
    /// # Errors
    /// When the index cannot be read.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Up to `limit` entries whose key starts with `prefix` and sorts after `after` (exclusive), in
    /// key order.
    ///
    /// # Errors
    /// When the index cannot be read.
    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Lets go of every byte of what was deleted. A store without files holds none.
    ///
    /// # Errors
    /// A file cannot be written; nothing is lost then.
    async fn compact(&self) -> Result<(), StoreError>;

    /// Keys found damaged at open: their records could not be read whole. Nothing else is missing.
    fn damaged(&self) -> Vec<(Table, Vec<u8>)>;
}
