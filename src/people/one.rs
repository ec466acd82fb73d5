//! One person as they are asked about: the contact, joined with what hsmc knows beside it.

use crate::domain::id::{ListId, RecordId};
use crate::domain::member::MemberStatus;
use crate::domain::person::PersonState;
use crate::domain::segment::{ConsentState, Facts, Reading};
use crate::domain::tag::TagName;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct One {
    /// The contact's record id.
    pub record: RecordId,
    /// Properties that were read, with their values; what is not here is unread.
    pub properties: BTreeMap<String, Option<String>>,
    /// What hsmc knows beside; none while it has read nothing else.
    pub known: Option<Known>,
    /// The lists whose members were read.
    pub lists_read: Arc<BTreeSet<ListId>>,
}

/// What hsmc knows of a person beside the contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The lists the contact is in, of those that were read.
    pub lists: BTreeSet<ListId>,
    /// Tags the member bears; none without a member.
    pub tags: Vec<TagName>,
    /// The member's status; none without a member.
    pub member: Option<MemberStatus>,
    /// Whether either side says that they opted out.
    pub opted_out: bool,
    /// The state hsmc has them in; none for whom it has not judged.
    pub state: Option<PersonState>,
}

impl Known {
    /// Somebody who is in no list that was read, and no member.
    pub fn nothing() -> Known {
        Known { lists: BTreeSet::new(), tags: Vec::new(), member: None, opted_out: false, state: None }
    }
}

impl One {
    /// What both sides say of their consent. The contact itself may say that they opted out too, and later; before
    /// anything else is known, that alone.
    pub fn consent_known(&self) -> Option<ConsentState> {
        let opted_out = matches!(self.property("hs_email_optout"), Reading::Value("true"));
        match &self.known {
            Some(known) => Some(ConsentState::of(known.opted_out || opted_out, known.member.as_ref())),
            None => opted_out.then_some(ConsentState::OptedOut),
        }
    }
}

impl Facts for One {
    fn property(&self, name: &str) -> Reading<'_> {
        match self.properties.get(name) {
            None => Reading::Unread,
            Some(None) => Reading::Empty,
            Some(Some(value)) => Reading::Value(value),
        }
    }

    fn in_list(&self, list: ListId) -> Option<bool> {
        let known = self.known.as_ref()?;
        self.lists_read.contains(&list).then(|| known.lists.contains(&list))
    }

    fn has_tag(&self, tag: &TagName) -> Option<bool> {
        self.known.as_ref().map(|known| known.tags.contains(tag))
    }

    fn consent(&self) -> Option<ConsentState> {
        self.consent_known()
    }

    fn sync_state(&self) -> Option<PersonState> {
        self.known.as_ref()?.state
    }
}
