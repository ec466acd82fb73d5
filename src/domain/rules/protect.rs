//! Protected bearers (design §3.6): never archived, never untagged by anything but an opt-out or a
//! critical exclusion, skipped by handover.

use super::RuleSet;
use super::sight::Sight;
use super::tagging::same;
use crate::domain::member::Member;
use crate::domain::tag::TagName;

/// The tags that protect whoever bears one.
#[derive(Clone, Debug, Default)]
pub struct Protection {
    tags: Vec<TagName>,
    patterns: Vec<regex::Regex>,
}

impl Protection {
    /// Whether nothing is protected.
    pub fn is_none(&self) -> bool {
        self.tags.is_empty() && self.patterns.is_empty()
    }

    /// Whether the tag protects whoever bears it.
    pub fn holds(&self, tag: &TagName) -> bool {
        is_among(&self.tags, &self.patterns, tag)
    }
}

impl RuleSet {
    /// The tags that protect, for whoever looks at members after the plan.
    pub fn protection(&self) -> Protection {
        Protection { tags: self.protected_tags.clone(), patterns: self.protected_patterns.clone() }
    }
}

fn is_among(tags: &[TagName], patterns: &[regex::Regex], tag: &TagName) -> bool {
    tags.iter().any(|protected| same(protected, tag))
        || patterns.iter().any(|pattern| pattern.is_match(tag.as_str()))
}

/// Whether the tag protects whoever bears it. Such a tag is never taken off, even where the config
/// also sets it (a tag can be both additional and protected).
pub(super) fn protects(rules: &RuleSet, tag: &TagName) -> bool {
    is_among(&rules.protected_tags, &rules.protected_patterns, tag)
}

/// The protected tag a member bears, the first by name.
pub fn protected_tag<'a>(rules: &RuleSet, member: &'a Member) -> Option<&'a TagName> {
    member.tags.iter().filter(|tag| protects(rules, tag)).min()
}

/// The protected tag the member in view bears.
pub(super) fn protected_by<'a>(sight: &Sight<'a>) -> Option<&'a TagName> {
    protected_tag(sight.rules, sight.view.member?)
}
