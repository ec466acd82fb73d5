//! Where each HubSpot API lives, by version (HubSpot contract §1). The date of a dated version stands
//! after the API's own name, so this is a table and not a replacement of `v3`. Pure.

/// Path prefixes of one API version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paths {
    /// Records of every type; the type comes behind.
    pub(crate) objects: String,
    /// Records of contacts, and their search.
    pub(crate) contacts: String,
    /// Lists and memberships.
    pub(crate) lists: String,
    /// Property definitions of contacts.
    pub(crate) properties: String,
    /// Communication preferences.
    pub(crate) preferences: String,
    /// Property definitions; the type comes behind.
    pub(crate) definitions: String,
    /// Associations in batches; both types come behind.
    pub(crate) associations: String,
    /// Custom objects.
    pub(crate) schemas: String,
    /// The portal itself.
    pub(crate) account: String,
}

impl Paths {
    /// The prefixes of a version: a date such as `2026-09`, or `v3`/`v4` for the older form, in which
    /// each API has the number under which it takes the same calls.
    pub(crate) fn of(version: &str) -> Paths {
        let version = version.trim().trim_matches('/');
        let is_numbered = version
            .strip_prefix(['v', 'V'])
            .is_some_and(|digits| !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()));
        if is_numbered {
            return Paths {
                objects: "/crm/v3/objects".to_owned(),
                contacts: "/crm/v3/objects/contacts".to_owned(),
                definitions: "/crm/v3/properties".to_owned(),
                associations: "/crm/v4/associations".to_owned(),
                schemas: "/crm/v3/schemas".to_owned(),
                lists: "/crm/v3/lists".to_owned(),
                properties: "/crm/v3/properties/contacts".to_owned(),
                preferences: "/communication-preferences/v4".to_owned(),
                account: "/account-info/v3".to_owned(),
            };
        }
        Paths {
            objects: format!("/crm/objects/{version}"),
            contacts: format!("/crm/objects/{version}/contacts"),
            definitions: format!("/crm/properties/{version}"),
            associations: format!("/crm/associations/{version}"),
            schemas: format!("/crm-object-schemas/{version}/schemas"),
            lists: format!("/crm/lists/{version}"),
            properties: format!("/crm/properties/{version}/contacts"),
            preferences: format!("/communication-preferences/{version}"),
            account: format!("/account-info/{version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_stands_after_the_name_of_the_api() {
        let paths = Paths::of("2026-09");
        assert_eq!(paths.contacts, "/crm/objects/2026-09/contacts");
        assert_eq!(paths.lists, "/crm/lists/2026-09");
        assert_eq!(paths.properties, "/crm/properties/2026-09/contacts");
        assert_eq!(paths.preferences, "/communication-preferences/2026-09");
        assert_eq!(paths.account, "/account-info/2026-09");
        assert_eq!(paths.associations, "/crm/associations/2026-09");
        assert_eq!(paths.schemas, "/crm-object-schemas/2026-09/schemas");
    }

    #[test]
    fn numbered_versions_keep_their_older_places() {
        for version in ["v3", "v4", " V3/"] {
            let paths = Paths::of(version);
            assert_eq!(paths.contacts, "/crm/v3/objects/contacts");
            assert_eq!(paths.preferences, "/communication-preferences/v4");
        }
    }
}
