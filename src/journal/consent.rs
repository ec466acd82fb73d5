//! The consent ledger (R23): an append-only chain of links, each holding the hash of the one before, so that
//! nothing in it can be changed, taken out or put in between without showing.
//!
//! Promises: a link becomes durable in the same commit as what it tells of; places are handed out in one place,
//! one commit at a time, so that the chain never forks, and whoever comes while one is being made shares the next
//! one; a link names a person by number and an address by a
//! salted commitment only. Never: changing or deleting a link. Who may rewrite every file of the state
//! directory can make a new chain; against that, note the head's hash somewhere else now and then.

use super::codec::{self, DecodeError, Record};
use super::key::{Key, PersonMoment};
use super::ledger::{Journal, JournalError, JournalResult, in_table, key_in};
use super::store::{Batch, Entry, Sequence, StoreError, Table};
use crate::domain::consent::{Commitment, ConsentEntry, ConsentFact, Evidence, Link, LinkHash};
use crate::domain::email::Email;
use crate::domain::id::PersonId;
use crate::domain::port::Entropy;
use crate::domain::time::Timestamp;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Mutex, oneshot};

/// The name under which the chain's head is kept.
const HEAD: &str = "consent-head";
/// The name under which it is noted that evidence of format 1 is in the chain.
const TAKEN_OVER: &str = "consent-taken-over";
/// Before the bytes of a link, so that its hash is nothing else's.
const DOMAIN: &[u8] = b"hsmc consent link\0";
const HASH: usize = 32;
/// Links read at once.
const PAGE: usize = 500;
/// Batches made durable by one commit at most.
const TOGETHER: usize = 256;
/// Pieces of old evidence taken into the chain at once.
const CHUNK: usize = 500;

/// The last link of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its place; 0 while there is none.
    pub place: u64,
    /// Its hash.
    pub hash: LinkHash,
}

impl Head {
    const NONE: Head = Head { place: 0, hash: LinkHash::NONE };
}

/// Where a piece of evidence stands in the chain: what the table by person holds since format 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidencePlace(pub u64);

impl Record for EvidencePlace {
    const KIND: &'static str = "place of evidence";
    /// Version 1 of this table was the evidence itself.
    const VERSION: u8 = 2;
}

impl Record for Link {
    const KIND: &'static str = "consent link";
}

/// What commitments of one person are salted with. Never printed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salt(pub [u8; 32]);

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(hidden)")
    }
}

impl Record for Salt {
    const KIND: &'static str = "salt";
}

/// A place in the chain.
struct Place(u64);

impl Key for Place {
    fn to_key(&self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }
    fn from_key(bytes: &[u8]) -> Option<Place> {
        Some(Place(u64::from_be_bytes(bytes.try_into().ok()?)))
    }
}

/// A link as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptLink {
    /// What it holds.
    pub link: Link,
    /// Its hash.
    pub hash: LinkHash,
}

/// The first place at which a chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// Which place.
    pub place: u64,
    /// What is wrong there.
    pub what: String,
}

/// What walking the chain found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainCheck {
    /// Links that hold, from the first on.
    pub links: u64,
    /// The first link's moment.
    pub first: Option<Timestamp>,
    /// The last link's moment.
    pub last: Option<Timestamp>,
    /// The hash of the last link that holds.
    pub head: Option<LinkHash>,
    /// The first place that does not hold.
    pub broken: Option<Break>,
}

/// The ledger. Cheap to clone; all who append must share one, for it hands out the places.
#[derive(Clone)]
pub struct ConsentLedger {
    journal: Journal,
    entropy: Arc<dyn Entropy>,
    /// Held from reading the head to the commit that moves it.
    chain: Arc<Mutex<()>>,
    /// Who waits for the chain.
    waiting: Arc<std::sync::Mutex<Vec<Waiting>>>,
}

/// A batch and the links that tell of it, to be made durable together.
struct Waiting {
    batch: Batch,
    entries: Vec<ConsentEntry>,
    answer: oneshot::Sender<JournalResult<Sequence>>,
}

impl ConsentLedger {
    /// Over a journal. Sends and writes nothing yet.
    pub fn new(journal: Journal, entropy: Arc<dyn Entropy>) -> ConsentLedger {
        ConsentLedger { journal, entropy, chain: Arc::default(), waiting: Arc::default() }
    }

    /// Makes a batch durable, and links that tell of it with it.
    ///
    /// # Errors
    /// As [`Journal::commit`]; the head cannot be read.
    pub async fn commit(&self, batch: Batch, entries: Vec<ConsentEntry>) -> JournalResult<Sequence> {
        if entries.is_empty() {
            return self.journal.commit(batch).await;
        }
        let (answer, mut answered) = oneshot::channel();
        self.queue().push(Waiting { batch, entries, answer });
        loop {
            let held = Arc::clone(&self.chain).lock_owned().await;
            // Whoever held the chain before may have taken this along.
            match answered.try_recv() {
                Ok(answer) => return answer,
                Err(TryRecvError::Closed) => return Err(StoreError::Closed.into()),
                Err(TryRecvError::Empty) => {}
            }
            let ledger = self.clone();
            // A task of its own: who waits no longer must not cut short what others wait for.
            let task = tokio::spawn(async move {
                ledger.commit_waiting().await;
                drop(held);
            });
            drop(task.await);
        }
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes everything that waits durable by one commit, in the order in which it came. The caller holds the chain.
    async fn commit_waiting(&self) {
        let mut waiting = std::mem::take(&mut *self.queue());
        let rest = waiting.split_off(waiting.len().min(TOGETHER));
        self.queue().splice(0..0, rest);
        let (mut batch, mut entries, mut answers) = (Batch::new(), Vec::new(), Vec::new());
        for one in waiting {
            batch.changes.extend(one.batch.changes);
            entries.extend(one.entries);
            answers.push(one.answer);
        }
        let done = match self.take_over().await {
            Ok(()) => self.append(batch, entries).await,
            Err(error) => Err(error),
        };
        for answer in answers {
            // Whoever does not wait any more reads the journal.
            drop(answer.send(done.clone()));
        }
    }

    /// Takes evidence of format 1 into the chain, once, the oldest first. Cut short, it goes on with what is
    /// left: each piece leaves its old place in the commit that links it.
    ///
    /// # Errors
    /// The journal cannot be read or written.
    pub async fn ready(&self) -> JournalResult<()> {
        let _held = self.chain.lock().await;
        self.take_over().await
    }

    /// Everything the chain holds of a person, oldest first.
    ///
    /// # Errors
    /// The journal, or a link, cannot be read.
    pub fn of_person(&self, person: PersonId) -> JournalResult<Vec<KeptLink>> {
        let found = self.journal.store().scan(Table::Evidence, &person.to_key(), None, usize::MAX)?;
        let mut links = Vec::with_capacity(found.len());
        for (_, value) in found.iter().filter(|(_, value)| value.first() == Some(&EvidencePlace::VERSION)) {
            let EvidencePlace(place) = in_table(Table::Evidence, codec::decode(value))?;
            let bytes = self.journal.store().get(Table::Consent, &Place(place).to_key())?;
            let bytes = bytes.ok_or(DecodeError::Malformed { kind: Link::KIND });
            let (link, _) = in_table(Table::Consent, bytes.and_then(|bytes| unseal(&bytes)))?;
            links.push(link);
        }
        Ok(links)
    }

    /// Whether the chain holds anything of a person.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn knows(&self, person: PersonId) -> JournalResult<bool> {
        Ok(!self.journal.store().scan(Table::Evidence, &person.to_key(), None, 1)?.is_empty())
    }

    /// Whether a link's commitment is to this address; none when the salt is gone, or there is none to check.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn commits_to(&self, link: &Link, email: &Email) -> JournalResult<Option<bool>> {
        let salt: Option<Salt> = self.journal.read(Table::Salts, &link.person)?;
        let (Some(salt), Some(commitment)) = (salt, link.commitment) else { return Ok(None) };
        Ok(Some(commitment_to(salt, email) == commitment))
    }

    /// Who has evidence under this address, whatever they are called now: the last of them. Looks at every link.
    ///
    /// # Errors
    /// The journal, or a link, cannot be read.
    pub fn of_address(&self, email: &Email) -> JournalResult<Option<PersonId>> {
        let (mut found, mut after): (Option<PersonId>, Option<Vec<u8>>) = (None, None);
        loop {
            let page = self.journal.store().scan(Table::Consent, &[], after.as_deref(), PAGE)?;
            let Some((last, _)) = page.last() else { return Ok(found) };
            after = Some(last.clone());
            for (_, bytes) in &page {
                // One that is damaged leads to nobody; `verify` tells of it.
                let Ok((KeptLink { link, .. }, _)) = unseal(bytes) else { continue };
                if self.commits_to(&link, email)? == Some(true) {
                    found = Some(link.person);
                }
            }
        }
    }

    /// Deletes a person's salt: their links stay, and nobody can tell any more whose address they were about.
    pub fn forget_salt(&self, batch: &mut Batch, person: PersonId) {
        batch.delete(Table::Salts, person.to_key());
    }

    /// Walks the chain from its first link to its head, as it is now, and says where it first does not hold.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn verify(&self) -> JournalResult<ChainCheck> {
        let head = self.head()?;
        let mut check = ChainCheck::default();
        let mut previous = LinkHash::NONE;
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self.journal.store().scan(Table::Consent, &[], after.as_deref(), PAGE)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (key, bytes) in &page {
                let Place(place) = key_in(Table::Consent, key)?;
                // Links made since are another walk's business.
                if place > head.place {
                    break;
                }
                let expected = check.links + 1;
                match holds(expected, place, bytes, previous) {
                    Ok((at, hash)) => {
                        check.links = expected;
                        check.first = check.first.or(Some(at));
                        check.last = Some(at);
                        check.head = Some(hash);
                        previous = hash;
                    }
                    Err(what) => {
                        check.broken = Some(Break { place: expected.min(place), what });
                        return Ok(check);
                    }
                }
            }
        }
        if check.links != head.place {
            let what = format!("the chain ends here, but its head is link {}", head.place);
            check.broken = Some(Break { place: check.links + 1, what });
        } else if check.links > 0 && previous != head.hash {
            let what = "the head names another hash than this link has".to_owned();
            check.broken = Some(Break { place: head.place, what });
        } else if self.journal.store().get(Table::Consent, &Place(head.place + 1).to_key())?.is_some()
            && self.head()? == head
        {
            let what = format!("a link follows the head, which is link {}", head.place);
            check.broken = Some(Break { place: head.place + 1, what });
        }
        Ok(check)
    }

    fn head(&self) -> JournalResult<Head> {
        Ok(self.journal.meta_get(HEAD)?.unwrap_or(Head::NONE))
    }

    /// What the next link follows. Without a head although there are links, the chain goes on behind the last
    /// one, and shows for ever that something was lost there: no opt-out waits for that to be settled.
    fn to_follow(&self) -> JournalResult<Head> {
        if let Some(head) = self.journal.meta_get(HEAD)? {
            return Ok(head);
        }
        let (mut last, mut after): (u64, Option<Vec<u8>>) = (0, None);
        loop {
            let page = self.journal.store().scan(Table::Consent, &[], after.as_deref(), PAGE)?;
            let Some((key, _)) = page.last() else { break };
            let Place(place) = key_in(Table::Consent, key)?;
            last = place;
            after = Some(key.clone());
        }
        if last == 0 {
            return Ok(Head::NONE);
        }
        tracing::error!(
            links = last,
            "the head of the consent chain is gone: `hsmc consent verify` shows where"
        );
        Ok(Head { place: last, hash: LinkHash::LOST })
    }

    /// The caller holds the chain.
    async fn append(&self, mut batch: Batch, entries: Vec<ConsentEntry>) -> JournalResult<Sequence> {
        let mut head = self.to_follow()?;
        let mut salts = BTreeMap::new();
        for ConsentEntry { person, email, fact } in entries {
            let key = self.journal.next_of_moment(&batch, Table::Evidence, person, fact.at)?;
            self.link(&mut batch, &mut head, &mut salts, &key, email.as_ref(), fact)?;
        }
        self.journal.meta_put(&mut batch, HEAD, &head)?;
        self.journal.commit(batch).await
    }

    fn link(
        &self,
        batch: &mut Batch,
        head: &mut Head,
        salts: &mut BTreeMap<PersonId, Salt>,
        key: &PersonMoment,
        email: Option<&Email>,
        fact: ConsentFact,
    ) -> JournalResult<()> {
        let person = key.person;
        let commitment = match email {
            Some(email) => Some(commitment_to(self.salt(batch, salts, person)?, email)),
            None => None,
        };
        let place = head.place.saturating_add(1);
        let link = Link { place, person, commitment, fact, previous: head.hash };
        let (bytes, hash) = in_table(Table::Consent, seal(&link))?;
        batch.put(Table::Consent, Place(place).to_key(), bytes);
        Journal::put(batch, Table::Evidence, key, &EvidencePlace(place))?;
        *head = Head { place, hash };
        Ok(())
    }

    fn salt(
        &self,
        batch: &mut Batch,
        salts: &mut BTreeMap<PersonId, Salt>,
        person: PersonId,
    ) -> JournalResult<Salt> {
        if let Some(salt) = salts.get(&person) {
            return Ok(*salt);
        }
        let salt = match self.journal.read(Table::Salts, &person)? {
            Some(salt) => salt,
            None => {
                let salt = Salt(self.entropy.secret());
                Journal::put(batch, Table::Salts, &person, &salt)?;
                salt
            }
        };
        salts.insert(person, salt);
        Ok(salt)
    }

    /// The caller holds the chain.
    async fn take_over(&self) -> JournalResult<()> {
        if self.journal.meta_get(TAKEN_OVER)?.unwrap_or(false) {
            return Ok(());
        }
        let old = self.old_evidence()?;
        for chunk in old.chunks(CHUNK) {
            let (mut batch, mut head, mut salts) = (Batch::new(), self.to_follow()?, BTreeMap::new());
            for key in chunk {
                let evidence: JournalResult<Option<Evidence>> = self.journal.read(Table::Evidence, key);
                let evidence = match evidence {
                    Ok(Some(evidence)) => evidence,
                    Ok(None) => continue,
                    // It stays where it is, as it is: it may be read by hand.
                    Err(JournalError::Record { why, .. }) => {
                        tracing::error!(person.id = %key.person, %why, "old evidence cannot be taken into the chain");
                        continue;
                    }
                    Err(other) => return Err(other),
                };
                let email = self.journal.person(key.person)?.and_then(|person| person.email);
                self.link(&mut batch, &mut head, &mut salts, key, email.as_ref(), evidence.into())?;
            }
            self.journal.meta_put(&mut batch, HEAD, &head)?;
            self.journal.commit(batch).await?;
        }
        let mut batch = Batch::new();
        self.journal.meta_put(&mut batch, TAKEN_OVER, &true)?;
        self.journal.commit(batch).await?;
        Ok(())
    }

    /// Where evidence of format 1 lies, the oldest first.
    fn old_evidence(&self) -> JournalResult<Vec<PersonMoment>> {
        let mut old: Vec<PersonMoment> = Vec::new();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page: Vec<Entry> = self.journal.store().scan(Table::Evidence, &[], after.as_deref(), PAGE)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (key, _) in page.iter().filter(|(_, value)| value.first() == Some(&Evidence::VERSION)) {
                old.push(key_in(Table::Evidence, key)?);
            }
        }
        old.sort_by_key(|key| (key.at, key.person, key.number));
        Ok(old)
    }
}

/// A link as bytes, followed by their hash.
fn seal(link: &Link) -> Result<(Vec<u8>, LinkHash), DecodeError> {
    let mut bytes = codec::encode(link)?;
    let hash = hash_of(&bytes);
    bytes.extend_from_slice(&hash.0);
    Ok((bytes, hash))
}

/// A link from its bytes, and the hash that these bytes have, whatever the one beside them says.
fn unseal(bytes: &[u8]) -> Result<(KeptLink, LinkHash), DecodeError> {
    let malformed = DecodeError::Malformed { kind: Link::KIND };
    let body = bytes.len().checked_sub(HASH).ok_or(malformed.clone())?;
    let (body, hash) = bytes.split_at_checked(body).ok_or(malformed.clone())?;
    let hash = LinkHash(hash.try_into().map_err(|_| malformed)?);
    Ok((KeptLink { link: codec::decode(body)?, hash }, hash_of(body)))
}

/// Whether the link at a place is the one expected there, unchanged, and follows the one before.
fn holds(
    expected: u64,
    place: u64,
    bytes: &[u8],
    previous: LinkHash,
) -> Result<(Timestamp, LinkHash), String> {
    if place != expected {
        return Err(format!("the link is missing; the next one is link {place}"));
    }
    let (KeptLink { link, hash }, actual) = unseal(bytes).map_err(|why| why.to_string())?;
    if hash != actual {
        return Err("what it holds is not what was written: its hash does not hold".to_owned());
    }
    if link.place != place {
        return Err(format!("it was written as link {}", link.place));
    }
    if link.previous != previous {
        return Err("it follows another link than the one before it".to_owned());
    }
    Ok((link.fact.at, hash))
}

fn hash_of(bytes: &[u8]) -> LinkHash {
    LinkHash(Sha256::new().chain_update(DOMAIN).chain_update(bytes).finalize().into())
}

fn commitment_to(salt: Salt, email: &Email) -> Commitment {
    Commitment(keyed_hash(&salt.0, email))
}

/// HMAC-SHA256 of an address.
pub(super) fn keyed_hash(key: &[u8; 32], email: &Email) -> [u8; 32] {
    // HMAC fills a shorter key up with zeros; a whole block needs no constructor that can fail.
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = Hmac::<Sha256>::new(&block);
    mac.update(email.as_str().as_bytes());
    mac.finalize().into_bytes().into()
}
