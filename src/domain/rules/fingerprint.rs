//! Stable fingerprints: the same values give the same number on every machine and in every version.
//! Not for secrets; nothing can be read back from them.

use super::{PersonView, RuleSet};
use crate::domain::contact::Contact;
use crate::domain::member::{Member, MemberStatus};
use crate::domain::person::Person;
use crate::domain::step::Fingerprint;
use std::collections::BTreeMap;

/// FNV-1a over 64 bits, each part with its length in front, so that `ab`+`c` is not `a`+`bc`.
pub(crate) struct Digest(u64);

impl Digest {
    pub(crate) fn new() -> Digest {
        Digest(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Digest {
        self.bytes(&number.to_be_bytes());
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Digest {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
        self
    }

    pub(crate) fn finish(&self) -> Fingerprint {
        Fingerprint(self.0)
    }
}

/// The fingerprint of merge-field values, as steps carry it.
pub fn fields_fingerprint(fields: &BTreeMap<String, String>) -> Fingerprint {
    let mut digest = Digest::new();
    for (tag, value) in fields {
        digest.text(tag).text(value);
    }
    digest.finish()
}

/// The fingerprint of everything a decision is made from, save memory. A person not looked up and
/// one that HubSpot does not have give the same: else whoever is parked as not found would be looked
/// up in every run (R18).
pub(super) fn input_of(
    rules: &RuleSet,
    view: &PersonView<'_>,
    contacts: &[Contact],
    wanted: &BTreeMap<String, String>,
) -> Fingerprint {
    let mut digest = Digest::new();
    digest.number(contacts.len() as u64);
    for contact in contacts {
        digest.number(contact.record.0).text(contact.address.trim()).number(u64::from(contact.opted_out));
        for over in rules.groups.iter().flat_map(|group| &group.lists).flat_map(|list| &list.overrides) {
            digest.text(contact.properties.get(&over.when.property).map_or("", |value| value.trim()));
        }
    }
    digest.number(view.lists.len() as u64);
    for list in view.lists.keys() {
        digest.number(list.0);
    }
    digest.number(fields_fingerprint(wanted).0);
    if let Some(member) = view.member.filter(|member| !is_taken_back(view.memory, member)) {
        digest.text(member.email.as_str()).text(member.status.wire());
        let mut tags: Vec<String> = member.tags.iter().map(|tag| tag.folded()).collect();
        tags.sort();
        for tag in &tags {
            digest.text(tag);
        }
        // What a handover would do now: a changed setting lets the parked be tried again.
        for handover in rules.handovers.iter().filter(|handover| member.bears(&handover.exit_tag)) {
            digest.number(handover.to.map_or(0, |list| list.0)).number(u64::from(handover.create_missing));
        }
    }
    digest.finish()
}

/// Whether the member is one that hsmc made and archived again with the very move that parked the person: they are as
/// far as before it, and nothing has changed that would be worth another try.
fn is_taken_back(memory: &Person, member: &Member) -> bool {
    let (parked, archived) = (memory.parked.as_ref(), memory.archived.as_ref());
    member.status == MemberStatus::Archived
        && parked.zip(archived).is_some_and(|(parked, archived)| parked.at == archived.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_of_fields_is_the_same_for_ever() {
        let fields = BTreeMap::from([("FNAME".to_owned(), "Ann".to_owned())]);
        assert_eq!(fields_fingerprint(&fields), Fingerprint(0x91ca_b08f_c251_139d));
    }

    #[test]
    fn where_one_value_ends_and_the_next_begins_matters() {
        let one = Digest::new().text("ab").text("c").finish();
        let other = Digest::new().text("a").text("bc").finish();
        assert_ne!(one, other);
    }
}
