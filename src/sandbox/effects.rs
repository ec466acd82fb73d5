//! The journal of effects: every real change in either account and every call a careful client would
//! not have made, in order. Reads leave no trace here (they are counted in `calls`), nor does a
//! write that changed nothing.

use crate::domain::failure::Service;
use crate::domain::time::Timestamp;
use serde::Serialize;

/// Who changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// An API call.
    Api,
    /// A person, in the service's own pages or by a link in a mail.
    Person,
    /// The service itself: a dynamic list that follows its rule, a journey that starts.
    Service,
}

/// One change or violation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// When.
    pub at: Timestamp,
    /// When that was asked for: earlier, where a call is carried out later than it came.
    pub asked: Timestamp,
    /// Where.
    pub service: Service,
    /// Who.
    pub by: Actor,
    /// What.
    pub what: What,
}

/// What changed. Addresses are as stored, contacts and lists are numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // The fields are the nouns of the variant's sentence.
pub enum What {
    /// A contact was made.
    ContactCreated { contact: u64 },
    /// A contact was deleted.
    ContactDeleted { contact: u64 },
    /// A contact was deleted for good.
    ContactForgotten { contact: u64 },
    /// A contact was merged into another.
    ContactMerged { contact: u64, into: u64 },
    /// A property's value changed; empty = cleared.
    PropertySet { contact: u64, property: String, value: String },
    /// A property was defined.
    PropertyCreated { property: String },
    /// A contact joined a list.
    ListJoined { list: u64, contact: u64 },
    /// A contact left a list.
    ListLeft { list: u64, contact: u64 },
    /// A list has another name.
    ListRenamed { list: u64, name: String },
    /// A list is gone.
    ListDeleted { list: u64 },
    /// An address is opted out: of everything, or of one subscription type.
    OptedOut { email: String, subscription: Option<u64> },
    /// An address is opted in again.
    OptedIn { email: String, subscription: Option<u64> },
    /// A member was made.
    MemberCreated { email: String, status: &'static str },
    /// A member's status changed (a return from the archive too).
    StatusChanged { email: String, from: &'static str, to: &'static str },
    /// A member was archived; `from` is what nobody can see any more.
    Archived { email: String, from: &'static str },
    /// A member has another address.
    MemberRenamed { from: String, to: String },
    /// A member was deleted for good.
    MemberForgotten { email: String },
    /// A merge field's value changed.
    FieldSet { email: String, field: String, value: String },
    /// A merge field was defined.
    FieldCreated { field: String },
    /// A member bears a tag.
    TagSet { email: String, tag: String, loud: bool },
    /// A member no longer bears a tag.
    TagCleared { email: String, tag: String, loud: bool },
    /// A tag was made.
    TagCreated { tag: String },
    /// A tag has another name.
    TagRenamed { from: String, to: String },
    /// A loud tag started a journey: mail leaves.
    JourneyStarted { email: String, tag: String },
    /// A webhook was made.
    WebhookCreated { url: String },
    /// A webhook is gone.
    WebhookDeleted { url: String },
    /// An asynchronous batch was taken.
    BatchSubmitted { batch: String, operations: usize },
    /// A call that a careful client does not make. `rule` is a stable word, such as `dynamic-list`; `whose` is the
    /// address it is about, where it is about one person.
    Violation { rule: &'static str, whose: Option<String>, detail: String },
}

/// The journal.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    list: Vec<Effect>,
}

impl Effects {
    /// Appends one.
    pub fn record(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    /// All, in order.
    pub fn all(&self) -> &[Effect] {
        &self.list
    }

    /// Those from a position on, to see what one run did.
    pub fn since(&self, position: usize) -> &[Effect] {
        self.list.get(position..).unwrap_or_default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The violations alone, as (rule, detail).
    pub fn violations(&self) -> Vec<(&'static str, &str)> {
        self.list
            .iter()
            .filter_map(|effect| match &effect.what {
                What::Violation { rule, detail, .. } => Some((*rule, detail.as_str())),
                _ => None,
            })
            .collect()
    }

    /// Forgets everything: the building of a scenario is no history.
    pub fn clear(&mut self) {
        self.list.clear();
    }
}
