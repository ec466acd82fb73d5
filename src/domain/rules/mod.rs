//! The rules of the sync (R1–R30, docs/rules.md) as one pure function from (rules, world, person) to
//! a verdict. No clock, no chance, no I/O, no map whose order could change: the same input gives the
//! same bytes (design §3.9).
//!
//! A verdict is either settled, or a question that only a read can answer (`Verdict::Ask`): whether a
//! person unknown so far is in HubSpot, or whether somebody missing from a scan is really gone. The
//! caller asks in batches and calls again with the answer.

mod barring;
mod consent;
mod decide;
mod enroll;
mod exclude;
mod feed;
mod fingerprint;
mod given;
mod handover;
mod identity;
mod merge_fields;
mod place;
mod protect;
mod restore;
mod sight;
mod tagging;

pub use barring::Barring;
pub use decide::decide;
pub(crate) use fingerprint::Digest;
pub use fingerprint::fields_fingerprint;
pub use given::taken_as_given;
pub use protect::{Protection, protected_tag};
pub use tagging::known_tags;

use super::contact::{Contact, ListInfo};
use super::id::ListId;
use super::member::{Member, MergeField};
use super::moves::Move;
use super::person::{Person, PersonState};
use super::segment::Segment;
use super::step::OptOutScope;
use super::tag::TagName;
use super::time::Timestamp;
use super::window::EnrollWindow;
use std::collections::{BTreeMap, BTreeSet};

/// Which of several source lists wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precedence {
    /// The first tag stays (R3).
    First,
    /// The list that ranks first now decides.
    Latest,
}

/// Where a source list's entry tag comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagSource {
    /// A fixed name.
    Name(TagName),
    /// The list's name in HubSpot (R11).
    ListName,
}

/// How a property is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equals,
    /// `!=`
    Differs,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `in [a, b]`
    In,
    /// `contains`
    Contains,
    /// `is_set`
    IsSet,
    /// `is_empty`
    IsEmpty,
}

/// A property compared with a value: `branches > 1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Internal name of the contact property.
    pub property: String,
    /// How.
    pub operator: Operator,
    /// With what; several for `in`, none for `is_set` and `is_empty`.
    pub values: Vec<String>,
}

/// Another tag when a condition holds; the first that holds counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagOverride {
    /// When.
    pub when: Condition,
    /// The tag then.
    pub tag: TagName,
}

/// A list whose members are marketed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceList {
    /// Which list.
    pub list: ListId,
    /// Its entry tag.
    pub tag: TagSource,
    /// Overrides, in order.
    pub overrides: Vec<TagOverride>,
    /// Additional tags (R2).
    pub also: Vec<TagName>,
}

/// Source lists with one set of exclusion lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Exclusion lists.
    pub exclude: Vec<ListId>,
    /// First or latest (R3).
    pub precedence: Precedence,
    /// In order.
    pub lists: Vec<SourceList>,
}

/// What an exit tag leads to (R15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The tag.
    pub exit_tag: TagName,
    /// Destination list.
    pub to: Option<ListId>,
    /// Source list to leave.
    pub from: Option<ListId>,
    /// Further lists to leave.
    pub also_leave: Vec<ListId>,
    /// Whether to archive.
    pub archive: bool,
    /// Bearers of these are skipped.
    pub exempt: Vec<TagName>,
    /// Create people HubSpot does not know (R18), else park.
    pub create_missing: bool,
}

/// A list that only adds a tag to people who are synced anyway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supplemental {
    /// Which list.
    pub list: ListId,
    /// The tag.
    pub tag: TagName,
}

/// The config, as far as rules need it: checked, in final types. The default names nobody and nothing.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// Groups, in order of precedence.
    pub groups: Vec<Group>,
    /// Exclusion lists that apply to every group.
    pub critical: Vec<ListId>,
    /// Handovers, in config order.
    pub handovers: Vec<Handover>,
    /// Supplemental lists.
    pub supplemental: Vec<Supplemental>,
    /// Protected tags.
    pub protected_tags: Vec<TagName>,
    /// Protected tag patterns.
    pub protected_patterns: Vec<regex::Regex>,
    /// Segments, by name; some feed a tag or a list, or fill a merge field.
    pub segments: Vec<Segment>,
    /// Merge field → contact property.
    pub merge_fields: BTreeMap<String, String>,
    /// Property that gets the name of the list a person came from, at handover (R9).
    pub import_list: Option<String>,
    /// Property that gets the ids of all source lists, at enrolment (R9).
    pub ori_lists: Option<String>,
    /// What an opt-out covers in HubSpot (R20).
    pub opt_out_scopes: Vec<OptOutScope>,
    /// Property set on a hard bounce (R22).
    pub bounce_property: Option<String>,
    /// New members are created pending.
    pub double_opt_in: bool,
    /// R7.
    pub audience_cap: Option<u64>,
    /// R13, R25.
    pub max_archives_per_run: Option<u64>,
    /// The gate: the share of the audience a plan may touch without asking.
    pub max_changed_share: Option<f64>,
    /// When mail may be started (R10a); always without one.
    pub enroll_between: Option<EnrollWindow>,
    /// R5: refresh merge fields of unsubscribed and cleaned members.
    pub refresh_unsubscribed: bool,
}

impl RuleSet {
    /// Every list the rules look at, each once, ascending: these are scanned.
    pub fn all_lists(&self) -> BTreeSet<ListId> {
        let mut lists: BTreeSet<ListId> = self.critical.iter().copied().collect();
        for group in &self.groups {
            lists.extend(group.exclude.iter().copied());
            lists.extend(group.lists.iter().map(|source| source.list));
        }
        for handover in &self.handovers {
            lists.extend(handover.to);
            lists.extend(handover.from);
            lists.extend(handover.also_leave.iter().copied());
        }
        lists.extend(self.supplemental.iter().map(|extra| extra.list));
        lists.extend(self.segments.iter().flat_map(|segment| segment.rule.lists()));
        lists.extend(self.segments.iter().filter_map(|segment| segment.list));
        lists
    }

    /// Every list that people are put into, with the key that names it: these must be static.
    pub fn joined_lists(&self) -> impl Iterator<Item = (ListId, String)> {
        let handovers = self.handovers.iter().enumerate();
        let destinations =
            handovers.filter_map(|(at, handover)| Some((handover.to?, format!("handover[{at}].to"))));
        let segments = self.segments.iter();
        let fed = segments
            .filter_map(|segment| Some((segment.list?, format!("segments.{}.feeds.list", segment.name))));
        destinations.chain(fed)
    }

    /// Every tag the config names, each once: a scan follows these. With `tag = "list-name"` the list's
    /// own name is one more, which only the lists themselves tell.
    pub fn named_tags(&self) -> BTreeSet<TagName> {
        let mut tags: BTreeSet<TagName> =
            self.handovers.iter().map(|handover| handover.exit_tag.clone()).collect();
        for list in self.groups.iter().flat_map(|group| &group.lists) {
            if let TagSource::Name(tag) = &list.tag {
                tags.insert(tag.clone());
            }
            tags.extend(list.overrides.iter().map(|over| over.tag.clone()));
            tags.extend(list.also.iter().cloned());
        }
        tags.extend(self.supplemental.iter().map(|extra| extra.tag.clone()));
        tags.extend(feed::feeding(&self.segments).map(|(_, feeds)| feeds.tag.clone()));
        tags
    }

    /// Every merge field that is written, each once.
    pub fn merge_tags(&self) -> BTreeSet<&str> {
        let filled = self.segments.iter().filter_map(|segment| segment.fills.as_deref());
        self.merge_fields.keys().map(String::as_str).chain(filled).collect()
    }

    /// Every contact property the rules read or write, each once.
    pub fn all_properties(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = self.merge_fields.values().cloned().collect();
        for group in &self.groups {
            for list in &group.lists {
                names.extend(list.overrides.iter().map(|over| over.when.property.clone()));
            }
        }
        for segment in self.segments.iter().filter(|segment| segment.feeds_something()) {
            names.extend(segment.rule.properties().into_iter().map(str::to_owned));
        }
        names.extend(self.import_list.clone());
        names.extend(self.ori_lists.clone());
        names.extend(self.bounce_property.clone());
        names
    }
}

/// What holds for everybody while a plan is made.
#[derive(Clone, Debug)]
pub struct World {
    /// The lists as HubSpot describes them.
    pub lists: BTreeMap<ListId, ListInfo>,
    /// The entry tags of lists that give their name (R11).
    pub list_tags: BTreeMap<ListId, TagName>,
    /// Tags that are about to have another name, with it: members bear them under the old one still.
    pub renamed_tags: BTreeMap<TagName, TagName>,
    /// Contact properties that cannot be written.
    pub read_only: BTreeSet<String>,
    /// The audience's merge fields, by tag.
    pub merge_fields: BTreeMap<String, MergeField>,
    /// Subscribed members, counted from the snapshot.
    pub subscribed: u64,
    /// The moment the snapshot was taken: the only "now" a rule may use.
    pub seen: Timestamp,
}

/// What is known of the HubSpot side of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactView<'a> {
    /// In none of the lists scanned, and nobody has asked HubSpot for the address yet.
    NotLookedUp,
    /// HubSpot was asked for the address and has nobody.
    NotInHubSpot,
    /// Nor is there any more the record this person was known by: deleted.
    Gone,
    /// The record this person was known by lives on under an address that is somebody else's here (R10).
    Elsewhere,
    /// Exactly one contact.
    Known(&'a Contact),
    /// Several contacts share the address (design §8).
    Twins(&'a [Contact]),
}

/// What the address that a person stands under is to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressView {
    /// Theirs, on both sides.
    #[default]
    Own,
    /// In HubSpot only: the member they were has somebody else's address now (R10).
    MemberAway,
    /// In Mailchimp only: their contact's own address is another, which has a member of its own (R10).
    Second,
}

/// What HubSpot says of the address that a person's member stands under, when that is not their contact's own. HubSpot
/// keeps opt-outs by address, and a contact shows the one of its own address only (HubSpot contract §12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressConsent {
    /// Nobody has asked.
    #[default]
    NotAsked,
    /// It has opted out.
    OptedOut,
    /// It has not.
    NotOptedOut,
}

/// Everything known of one person while the plan is made.
#[derive(Clone, Debug)]
pub struct PersonView<'a> {
    /// HubSpot's side.
    pub contact: ContactView<'a>,
    /// The scanned lists the contact is in, with the moment of joining when known.
    pub lists: &'a BTreeMap<ListId, Option<Timestamp>>,
    /// Whether `lists` comes from a probe (`memberships_of`) rather than from the scan only: without
    /// it nobody may be taken for gone (design §3.3).
    pub proven: bool,
    /// Mailchimp's side.
    pub member: Option<&'a Member>,
    /// What their address is to them.
    pub address: AddressView,
    /// Whether the member's own address has opted out in HubSpot, whatever the contact shows.
    pub address_consent: AddressConsent,
    /// What hsmc remembers; new people come with a fresh record.
    pub memory: &'a Person,
}

/// A question that only a read can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Is there a contact with this address?
    LookUp,
    /// Which lists is the contact really in?
    Prove,
    /// What became of the record the person was known by?
    Trace,
    /// Has the address opted out that the member stands under, and the contact no longer does?
    Consent,
}

/// What the rules say of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The person's one state.
    pub state: PersonState,
    /// Why, without personal data.
    pub why: String,
    /// The move that is due, if any. At most one: the next plan sees the rest. An opt-out comes
    /// first.
    pub due: Option<Move>,
    /// The person's memory as it shall be stored now (state, links, merge-field values wanted, opt-out
    /// seen, `still_in` shortened, parked cleared when the input changed); equal to the old one when
    /// nothing changed.
    pub memory: Person,
    /// Things for the report: `two exit tags`, `FNAME cut to 255 bytes`, …
    pub notes: Vec<String>,
}

/// Settled, or a question first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Decided.
    Settled(Box<Decision>),
    /// Ask this, then decide again.
    Ask(Question),
}
