//! Protected bearers (design §3.6): never archived, never untagged by anything but an opt-out or a
//! critical exclusion, skipped by handover.

use super::RuleSet;
use super::sight::Sight;
use super::tagging::same;
use crate::domain::member::Member;
use crate::domain::tag::TagName;

/// Whether the tag protects whoever bears it. Such a tag is never taken off, even where the config
/// also sets it (a tag can be both additional and protected).
pub(super) fn protects(rules: &RuleSet, tag: &TagName) -> bool {
    rules.protected_tags.iter().any(|protected| same(protected, tag))
        || rules.protected_patterns.iter().any(|pattern| pattern.is_match(tag.as_str()))
}

/// The protected tag a member bears, the first by name.
pub fn protected_tag<'a>(rules: &RuleSet, member: &'a Member) -> Option<&'a TagName> {
    member.tags.iter().filter(|tag| protects(rules, tag)).min()
}

/// The protected tag the member in view bears.
pub(super) fn protected_by<'a>(sight: &Sight<'a>) -> Option<&'a TagName> {
    protected_tag(sight.rules, sight.view.member?)
}
