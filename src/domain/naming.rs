//! Names of lists, and the tags that follow them (R11). With `tag = "list-name"` a source list's entry tag has
//! the list's name: when the list is renamed in HubSpot, the tag is renamed in Mailchimp, in one call, with its
//! bearers.
//!
//! Pure. Which tag belongs to a list is remembered by the tag's own number, so a renaming cut short anywhere
//! is found as it is: the tag has the name it shall have, or it has not.

use super::contact::ListInfo;
use super::id::{ListId, SegmentId};
use super::member::TagInfo;
use super::rules::{RuleSet, SourceList, TagSource};
use super::tag::TagName;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A name a list has had, and the tag that follows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListNaming {
    /// The name, as HubSpot has it.
    pub name: String,
    /// The tag that follows the name; none where none does, or none exists yet.
    pub tag: Option<SegmentId>,
    /// When the name was first seen.
    pub at: Timestamp,
}

/// A tag that is to have another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRenaming {
    /// With which list.
    pub list: ListId,
    /// Which tag.
    pub tag: SegmentId,
    /// Its name now.
    pub from: TagName,
    /// The name it shall have.
    pub to: TagName,
}

/// What the names of all lists come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The entry tag of each list that gives its name, as it will be when the renamings are made.
    pub tags: BTreeMap<ListId, TagName>,
    /// Tags to be renamed, in order.
    pub renamings: Vec<TagRenaming>,
    /// Why a tag keeps its name although its list has another.
    pub notes: Vec<String>,
    /// What is new, to be remembered.
    pub news: Vec<(ListId, ListNaming)>,
}

impl Names {
    /// The names that tags will have, by those they were seen with.
    pub fn renamed(&self) -> BTreeMap<TagName, TagName> {
        let mut seen: BTreeMap<SegmentId, TagName> = BTreeMap::new();
        let mut renamed = BTreeMap::new();
        for renaming in &self.renamings {
            let from = seen.entry(renaming.tag).or_insert_with(|| renaming.from.clone());
            renamed.insert(from.clone(), renaming.to.clone());
        }
        renamed
    }

    /// The same without one renaming that Mailchimp refuses: the list's tag stays what it is.
    #[must_use]
    pub fn without(mut self, refused: &TagRenaming, why: &str) -> Names {
        self.renamings.retain(|renaming| renaming != refused);
        self.tags.insert(refused.list, refused.from.clone());
        self.notes.push(kept(refused.list, &refused.from, &refused.to, why));
        self
    }

    /// The same with every tag left as it is, for a run that is about some people only: a tag's name is
    /// everybody's.
    #[must_use]
    pub fn as_they_are(mut self) -> Names {
        for renaming in self.renamings.drain(..).rev() {
            self.tags.insert(renaming.list, renaming.from);
        }
        self
    }

    /// The renamings in words, for a plan.
    pub fn lines(&self) -> Vec<String> {
        let line = |one: &TagRenaming| {
            format!("R11: tag \"{}\" is renamed \"{}\", as list {} is", one.from, one.to, one.list)
        };
        self.renamings.iter().map(line).chain(self.notes.iter().cloned()).collect()
    }
}

fn kept(list: ListId, from: &TagName, to: &TagName, why: &str) -> String {
    format!("R11: list {list} is named \"{to}\", and its tag stays \"{from}\": {why}")
}

/// What follows from the lists and tags as they were seen, and from the names remembered last.
pub fn names(
    rules: &RuleSet,
    lists: &BTreeMap<ListId, ListInfo>,
    tags: &[TagInfo],
    last: &BTreeMap<ListId, ListNaming>,
    seen: Timestamp,
) -> Names {
    let sources = rules.groups.iter().flat_map(|group| &group.lists);
    let follow: BTreeSet<ListId> =
        sources.filter(|source| source.tag == TagSource::ListName).map(|source| source.list).collect();
    let mut names = Names::default();
    let mut wanted: Vec<TagRenaming> = Vec::new();
    for (list, info) in lists {
        let name = info.name.trim();
        let before = last.get(list);
        let mut tag = before.and_then(|before| before.tag);
        if follow.contains(list) && !name.is_empty() {
            let to = TagName::new(name);
            let bound = tag.and_then(|tag| tags.iter().find(|known| known.segment == tag));
            let named = |name: &TagName| tags.iter().find(|known| known.name == *name);
            // A tag made since its list was last seen is known by the name the list had then. One that has the new name
            // already may be anybody's.
            let old =
                before.filter(|before| !before.name.is_empty()).map(|before| TagName::new(&before.name));
            let old = old.filter(|old| stands_for(rules, *list, old).is_none());
            let own = bound.or_else(|| old.as_ref().and_then(named));
            if let Some(why) = stands_for(rules, *list, &to) {
                // Whoever may rename lists in HubSpot hands nobody over by that, and protects nobody.
                tag = own.map(|known| known.segment);
                match own.map(|known| known.name.clone()).or(old) {
                    Some(from) => {
                        names.notes.push(kept(*list, &from, &to, why));
                        names.tags.insert(*list, from);
                    }
                    None => names
                        .notes
                        .push(format!("R11: list {list} is named \"{to}\", and gives no entry tag: {why}")),
                }
                // Without a tag that is bound to it, the list is still known by the name before.
                if own.is_some() {
                    remember(&mut names, *list, before, name, tag, seen);
                }
                continue;
            }
            match own.or_else(|| named(&to)) {
                Some(known) => {
                    tag = Some(known.segment);
                    if known.name.as_str() != to.as_str() {
                        let (tag, from) = (known.segment, known.name.clone());
                        wanted.push(TagRenaming { list: *list, tag, from, to: to.clone() });
                    }
                }
                // The first who is tagged makes it.
                None => tag = None,
            }
            names.tags.insert(*list, to);
        }
        remember(&mut names, *list, before, name, tag, seen);
    }
    order(&mut names, wanted, tags);
    names
}

/// Notes what is new about a list's name or its tag.
fn remember(
    names: &mut Names,
    list: ListId,
    before: Option<&ListNaming>,
    name: &str,
    tag: Option<SegmentId>,
    seen: Timestamp,
) {
    if !name.is_empty() && before.is_none_or(|before| before.name != name || before.tag != tag) {
        let same_name = before.filter(|before| before.name == name);
        let at = same_name.map_or(seen, |before| before.at);
        names.news.push((list, ListNaming { name: name.to_owned(), tag, at }));
    }
}

/// What a tag stands for in the config, other than the list's own entry tags: written there as an entry tag, the same is
/// refused (HSMC1107).
fn stands_for(rules: &RuleSet, list: ListId, tag: &TagName) -> Option<&'static str> {
    if rules.handovers.iter().any(|handover| handover.exit_tag == *tag) {
        return Some("that is an exit tag");
    }
    if rules.protection().holds(tag) {
        return Some("that tag protects whoever bears it");
    }
    let others = || rules.groups.iter().flat_map(|group| &group.lists).filter(|source| source.list != list);
    let entry = |source: &SourceList| {
        matches!(&source.tag, TagSource::Name(name) if name == tag)
            || source.overrides.iter().any(|over| over.tag == *tag)
    };
    let beside = rules.groups.iter().flat_map(|group| &group.lists).any(|source| source.also.contains(tag))
        || rules.supplemental.iter().any(|extra| extra.tag == *tag)
        || rules.handovers.iter().any(|handover| handover.exempt.contains(tag))
        || rules.segments.iter().any(|segment| segment.feeds.as_ref().is_some_and(|feeds| feeds.tag == *tag));
    (beside || others().any(entry)).then_some("the config has that tag for something else")
}

/// Puts renamings in an order in which each finds its name free: a name held by a tag that is renamed itself
/// is waited for, and where they wait for each other, one steps aside first. A name that another tag has is not
/// taken from it.
fn order(names: &mut Names, wanted: Vec<TagRenaming>, tags: &[TagInfo]) {
    let mut held: BTreeMap<TagName, SegmentId> =
        tags.iter().map(|tag| (tag.name.clone(), tag.segment)).collect();
    let mut left = wanted;
    while !left.is_empty() {
        let holder = |one: &TagRenaming| held.get(&one.to).copied().filter(|tag| *tag != one.tag);
        let free = left.iter().position(|one| holder(one).is_none());
        let taken = left
            .iter()
            .position(|one| holder(one).is_some_and(|tag| left.iter().all(|other| other.tag != tag)));
        if let Some(at) = free {
            let one = left.remove(at);
            held.remove(&one.from);
            held.insert(one.to.clone(), one.tag);
            names.renamings.push(one);
        } else if let Some(at) = taken {
            let one = left.remove(at);
            names.tags.insert(one.list, one.from.clone());
            names.notes.push(kept(one.list, &one.from, &one.to, "another tag has that name"));
        } else {
            // They wait for each other in a ring. The first steps aside, and comes last.
            let mut one = left.remove(0);
            let aside = TagName::new(&format!("{} (hsmc renames it)", one.to));
            held.remove(&one.from);
            held.insert(aside.clone(), one.tag);
            names.renamings.push(TagRenaming { to: aside.clone(), ..one.clone() });
            one.from = aside;
            left.push(one);
        }
    }
}
