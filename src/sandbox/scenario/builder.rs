//! Building a small world by hand. What is built is the past: it leaves no effects, and search has
//! seen it all.

use crate::domain::time::Timestamp;
use crate::sandbox::effects::Actor;
use crate::sandbox::hubspot::{Choice, Definition, Rule, Subscription};
use crate::sandbox::mailchimp::Status;
use crate::sandbox::settings::Settings;
use crate::sandbox::world::Sandbox;
use serde_json::Value;
use std::collections::BTreeMap;

/// The audience of every scenario.
pub const AUDIENCE: &str = "aud0000001";

/// When scenarios begin: 1 November 2026, 14:00 UTC.
pub const START: Timestamp = Timestamp(1_793_541_600_000);

/// Builds a [`Sandbox`]. Whatever names something unknown changes nothing.
#[derive(Clone, Debug)]
pub struct Builder {
    sandbox: Sandbox,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new(START)
    }
}

/// More of HubSpot's own properties that take any text.
const TEXTS: [&str; 14] = [
    "address",
    "annualrevenue",
    "city",
    "company",
    "country",
    "hs_lead_status",
    "industry",
    "jobtitle",
    "mobilephone",
    "numemployees",
    "salutation",
    "state",
    "website",
    "zip",
];
/// HubSpot's own stages.
const STAGES: [&str; 8] = [
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
];

impl Builder {
    /// Accounts as their makers hand them out: HubSpot's own properties, two subscription types, the
    /// merge fields FNAME, LNAME and PHONE; no people, no lists, no tags.
    pub fn new(start: Timestamp) -> Builder {
        let mut sandbox = Sandbox::new(Settings::default(), AUDIENCE, start);
        for (name, definition) in [
            ("email", Definition::plain("Email", "string", "text")),
            ("firstname", Definition::plain("First name", "string", "text")),
            ("lastname", Definition::plain("Last name", "string", "text")),
            ("phone", Definition::plain("Phone", "string", "phonenumber")),
            ("hs_email_optout", Definition::plain("Unsubscribed", "bool", "booleancheckbox").read_only()),
            ("hs_email_optout_101", Definition::plain("Out of news", "bool", "booleancheckbox").read_only()),
            (
                "hs_email_optout_102",
                Definition::plain("Out of offers", "bool", "booleancheckbox").read_only(),
            ),
            ("hs_additional_emails", Definition::plain("More emails", "string", "text").read_only()),
            ("hs_merged_object_ids", Definition::plain("Merged ids", "string", "text").read_only()),
            ("hs_object_id", Definition::plain("Record id", "number", "number").read_only()),
            ("createdate", Definition::plain("Created", "datetime", "date").read_only()),
            ("lastmodifieddate", Definition::plain("Modified", "datetime", "date").read_only()),
        ] {
            sandbox.hubspot.define_property(name, definition);
        }
        for name in TEXTS {
            sandbox.hubspot.define_property(name, Definition::plain(name, "string", "text"));
        }
        let options =
            STAGES.map(|stage| Choice { value: stage.to_owned(), label: stage.to_owned() }).to_vec();
        let stages = Definition { options, ..Definition::plain("Lifecycle stage", "enumeration", "radio") };
        sandbox.hubspot.define_property("lifecyclestage", stages);
        for (id, name, internal) in [(101, "News", false), (102, "Offers", false), (103, "One to one", true)]
        {
            let subscription = Subscription { name: name.to_owned(), internal, active: true };
            sandbox.hubspot.define_subscription(id, subscription);
        }
        for (tag, name, kind) in [
            ("FNAME", "First Name", "text"),
            ("LNAME", "Last Name", "text"),
            ("PHONE", "Phone Number", "phone"),
        ] {
            sandbox.mailchimp.define_field(tag, name, kind);
        }
        for kind in ["companies", "deals", "appointments"] {
            sandbox.hubspot.has_objects(kind);
        }
        Builder { sandbox }
    }

    /// The settings, to be changed.
    pub fn settings(&mut self) -> &mut Settings {
        &mut self.sandbox.settings
    }

    /// Defines a writable contact property.
    pub fn property(&mut self, name: &str, kind: &str) -> &mut Builder {
        let definition = Definition { defined_by_hubspot: false, ..Definition::plain(name, kind, "text") };
        self.sandbox.hubspot.define_property(name, definition);
        self
    }

    /// Makes a static list.
    pub fn list(&mut self, id: u64, name: &str) -> &mut Builder {
        let (portal, _, scene) = self.sandbox.stage(Actor::Person);
        portal.define_list(&scene, id, name, None);
        self
    }

    /// Makes a dynamic list. Make it before the contacts it takes.
    pub fn dynamic_list(&mut self, id: u64, name: &str, rule: Rule) -> &mut Builder {
        let (portal, _, scene) = self.sandbox.stage(Actor::Person);
        portal.define_list(&scene, id, name, Some(rule));
        self
    }

    /// Makes a contact and gives its record id. Addresses are kept as written, taken or not.
    pub fn contact(&mut self, properties: &[(&str, &str)]) -> u64 {
        let (portal, _, mut scene) = self.sandbox.stage(Actor::Person);
        let properties =
            properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        portal.create_contact(&mut scene, properties)
    }

    /// Makes a custom type.
    pub fn custom_object(&mut self, id: &str, name: &str) -> &mut Builder {
        let (portal, _, scene) = self.sandbox.stage(Actor::Person);
        portal.define_object(&scene, id, name);
        self
    }

    /// Makes a record of another type than contacts and gives its id.
    pub fn object(&mut self, kind: &str, properties: &[(&str, &str)]) -> u64 {
        let (portal, _, scene) = self.sandbox.stage(Actor::Person);
        let properties =
            properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        portal.create_object(&scene, kind, properties)
    }

    /// Joins two records, with a label or without.
    pub fn link(&mut self, from: (&str, u64), to: (&str, u64), label: &str) -> &mut Builder {
        self.sandbox.hubspot.link(from, to, label);
        self
    }

    /// Brings a contact into a list: into a dynamic one by the property it asks for.
    pub fn join(&mut self, list: u64, contact: u64) -> &mut Builder {
        let (portal, _, mut scene) = self.sandbox.stage(Actor::Person);
        portal.admit(&mut scene, list, contact);
        self
    }

    /// Opts an address out of everything in HubSpot.
    pub fn opt_out(&mut self, email: &str) -> &mut Builder {
        let (portal, _, mut scene) = self.sandbox.stage(Actor::Person);
        portal.opt_out(&mut scene, email, None);
        self
    }

    /// Makes a member, or gives an existing one this status. An opt-out is the person's own.
    pub fn member(&mut self, email: &str, status: Status) -> &mut Builder {
        let (_, audience, mut scene) = self.sandbox.stage(Actor::Person);
        match audience.number(email) {
            Some(number) => audience.set_status(&mut scene, number, status, true),
            None if status == Status::Unsubscribed => {
                let number = audience.create(&mut scene, email, Status::Subscribed);
                audience.set_status(&mut scene, number, status, true);
            }
            None => {
                audience.create(&mut scene, email, status);
            }
        }
        self
    }

    /// Unsubscribes a member as an API or admin would: the API may lift it again.
    pub fn unsubscribed_by_api(&mut self, email: &str) -> &mut Builder {
        let (_, audience, mut scene) = self.sandbox.stage(Actor::Api);
        if let Some(number) = audience.number(email) {
            audience.set_status(&mut scene, number, Status::Unsubscribed, false);
        }
        self
    }

    /// Archives a member; the status before stays hidden behind it.
    pub fn archived(&mut self, email: &str) -> &mut Builder {
        self.member(email, Status::Archived)
    }

    /// Writes a member's merge field.
    pub fn field(&mut self, email: &str, tag: &str, value: &str) -> &mut Builder {
        let (_, audience, mut scene) = self.sandbox.stage(Actor::Person);
        if let Some(number) = audience.number(email) {
            let fields = BTreeMap::from([(tag.to_owned(), Value::from(value))]);
            audience.set_fields(&mut scene, number, &fields);
        }
        self
    }

    /// Makes a tag that nobody bears yet.
    pub fn tag_exists(&mut self, name: &str) -> &mut Builder {
        let (_, audience, mut scene) = self.sandbox.stage(Actor::Person);
        audience.tag(&mut scene, name);
        self
    }

    /// Sets a tag on a member, silently.
    pub fn tag(&mut self, email: &str, name: &str) -> &mut Builder {
        let (_, audience, mut scene) = self.sandbox.stage(Actor::Person);
        if let Some(number) = audience.number(email) {
            let segment = audience.tag(&mut scene, name);
            audience.set_tag(&mut scene, number, segment, false);
        }
        self
    }

    /// Lets time pass, so that what follows is younger.
    pub fn later(&mut self, by: std::time::Duration) -> &mut Builder {
        let now = self.sandbox.now().plus(by);
        self.sandbox.settle(now);
        self
    }

    /// The world, with its building forgotten.
    pub fn build(mut self) -> Sandbox {
        let (portal, _, mut scene) = self.sandbox.stage(Actor::Service);
        portal.catch_up(&mut scene);
        self.sandbox.effects.clear();
        self.sandbox
    }
}
