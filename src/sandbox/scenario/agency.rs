//! The lists, tags and properties of one agency's workspace, which all scenarios share.

use super::builder::Builder;
use crate::domain::time::Timestamp;
use crate::sandbox::hubspot::Rule;

/// A source list: id, name, what the dynamic ones ask for, entry tag with one branch and with more.
pub struct Source {
    /// List id.
    pub list: u64,
    /// List name.
    pub name: &'static str,
    /// Whether HubSpot decides who is in it.
    pub dynamic: bool,
    /// Entry tag.
    pub tag: &'static str,
    /// Entry tag of people with more than one branch.
    pub tag_many: &'static str,
    /// Exit tag of its journey.
    pub exit: &'static str,
    /// Share of the people, in parts of all shares.
    pub share: u32,
}

const fn source(
    list: u64,
    name: &'static str,
    dynamic: bool,
    tag: &'static str,
    tag_many: &'static str,
    exit: &'static str,
    share: u32,
) -> Source {
    Source { list, name, dynamic, tag, tag_many, exit, share }
}

/// The source lists in config order. 784 adds the tag `Manual Inclusion`.
pub const SOURCES: [Source; 8] = [
    source(969, "Sanctioned agents", true, "Sanctioned", "Sanctioned", "Sanctioned Finished", 4),
    source(719, "Recruitment agencies", true, "Recruitment", "General Multi", "Recruitment Finished", 20),
    source(720, "Competition entrants", false, "Competition", "Competition", "Competition Finished", 10),
    source(1050, "Sub agents", false, "Sub Agents", "Sub Agents", "Sub Agents Finished", 10),
    source(945, "New agents", true, "New Agents", "New Agents", "New Agents Finished", 10),
    source(987, "General marketing", false, "General Single", "General Multi", "General Single Finished", 30),
    source(784, "Manual inclusion", false, "General Single", "General Multi", "General Single Finished", 4),
    source(
        1032,
        "Long term marketing",
        true,
        "General Single Long Term",
        "General Multi Long Term",
        "Long Term Single Finished",
        12,
    ),
];

/// A list for a segment to feed: static, and the config uses it for nothing else.
pub const FED: u64 = 1100;

/// Where the finished go, and lists that are left on the way: all static.
pub const FURTHER: [(u64, &str); 11] = [
    (717, "Active deals"),
    (946, "General finished"),
    (947, "Recruitment finished"),
    (948, "Competition finished"),
    (949, "New agents finished"),
    (1005, "Sub agents finished"),
    (1006, "Sanctioned finished"),
    (900, "Sub agents wave one"),
    (971, "Sub agents wave two"),
    (972, "Sub agents wave three"),
    (FED, "Fed by a segment"),
];

/// A builder with the agency's properties, lists and tags, and nobody in them.
pub fn empty(start: Timestamp) -> Builder {
    let mut builder = Builder::new(start);
    builder
        .property("branches", "number")
        .property("segments", "string")
        .property("disengaged", "string")
        .property("mailchimp_bounced", "string");
    let equals = |property: &str| Rule::Equals(property.to_owned(), "true".to_owned());
    builder.dynamic_list(762, "Unsubscribed", equals("hs_email_optout"));
    builder.dynamic_list(773, "Manually disengaged", equals("disengaged"));
    for source in &SOURCES {
        if source.dynamic {
            let rule = Rule::Includes("segments".to_owned(), source.list.to_string());
            builder.dynamic_list(source.list, source.name, rule);
        } else {
            builder.list(source.list, source.name);
        }
        for tag in [source.tag, source.tag_many, source.exit] {
            builder.tag_exists(tag);
        }
    }
    for (list, name) in FURTHER {
        builder.list(list, name);
    }
    for tag in ["General Multi Finished", "Long Term Multi Finished", "Manual Inclusion", "VIP", "Newsletter"]
    {
        builder.tag_exists(tag);
    }
    let settings = builder.settings();
    settings.protected_tags =
        ["VIP", "DoNotArchive", "Manual_Override", "Manual Inclusion"].map(str::to_owned).to_vec();
    settings.protected_prefixes = ["Manual_", "Custom_", "Team_"].map(str::to_owned).to_vec();
    builder
}
