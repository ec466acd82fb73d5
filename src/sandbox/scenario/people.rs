//! People in every condition the rules speak of. Who is in which is decided by place in `tiny` and by
//! seeded chance elsewhere; all addresses are at example.com, example.org or example.invalid.

use super::agency::{SOURCES, Source};
use super::builder::Builder;
use crate::sandbox::mailchimp::Status;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// What is the matter with a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Each is said by its name; `add` shows what it means.
pub enum Condition {
    Settled,
    New,
    NewInTwoLists,
    WrongFields,
    Finished,
    FinishedTwice,
    FinishedUnknown,
    FinishedExempt,
    Orphan,
    ProtectedOrphan,
    ExcludedEnrolled,
    ExcludedDeal,
    CriticalProtected,
    UnsubscribedInMailchimp,
    UnsubscribedUnknown,
    OptedOutInHubSpot,
    OptedOutNotMember,
    Cleaned,
    ArchivedInList,
    ArchivedUnsubscribed,
    Pending,
    Twins,
    NoEmail,
    InvalidEmail,
    FakeEmail,
    BusyEmail,
    Uppercase,
    Unicode,
    PartialData,
    Foreign,
    ForeignVip,
    AlreadyHandedOver,
    MovedList,
}

use Condition as C;

/// Every condition once, the plain ones first.
pub const ALL: [Condition; 33] = [
    C::Settled,
    C::New,
    C::NewInTwoLists,
    C::WrongFields,
    C::Finished,
    C::FinishedTwice,
    C::FinishedUnknown,
    C::FinishedExempt,
    C::Orphan,
    C::ProtectedOrphan,
    C::ExcludedEnrolled,
    C::ExcludedDeal,
    C::CriticalProtected,
    C::UnsubscribedInMailchimp,
    C::UnsubscribedUnknown,
    C::OptedOutInHubSpot,
    C::OptedOutNotMember,
    C::Cleaned,
    C::ArchivedInList,
    C::ArchivedUnsubscribed,
    C::Pending,
    C::Twins,
    C::NoEmail,
    C::InvalidEmail,
    C::FakeEmail,
    C::BusyEmail,
    C::Uppercase,
    C::Unicode,
    C::PartialData,
    C::Foreign,
    C::ForeignVip,
    C::AlreadyHandedOver,
    C::MovedList,
];

/// A condition by chance: most people are settled, some are new, a few are anything else.
pub fn by_chance(chance: &mut ChaCha8Rng) -> Condition {
    match chance.random_range(0..1000) {
        0..=859 => C::Settled,
        860..=909 => C::New,
        910..=924 => C::WrongFields,
        925..=939 => C::Finished,
        _ => ALL.get(chance.random_range(0..ALL.len())).copied().unwrap_or(C::Settled),
    }
}

const FIRST: [&str; 10] = ["Ada", "Bram", "Chloe", "Dev", "Elin", "Farid", "Grace", "Hana", "Ivo", "Jürgen"];
const LAST: [&str; 10] =
    ["Archer", "Baker", "Carver", "Draper", "Ellis", "Fisher", "Glover", "Hooper", "Mason", "O'Neil"];

/// A source list by its share of the people.
fn list_of(chance: &mut ChaCha8Rng) -> &'static Source {
    let total: u32 = SOURCES.iter().map(|source| source.share).sum();
    let mut ticket = chance.random_range(0..total);
    let [first, ..] = &SOURCES;
    for source in &SOURCES {
        if ticket < source.share {
            return source;
        }
        ticket -= source.share;
    }
    first
}

/// One person being added.
struct Person {
    first: &'static str,
    last: &'static str,
    email: String,
    phone: String,
    branches: u32,
    source: &'static Source,
}

/// Adds person number `number` in a condition.
pub fn add(builder: &mut Builder, chance: &mut ChaCha8Rng, number: usize, condition: Condition) {
    let first = FIRST.get(chance.random_range(0..FIRST.len())).copied().unwrap_or("Ada");
    let last = LAST.get(chance.random_range(0..LAST.len())).copied().unwrap_or("Archer");
    let plain = |text: &str| text.to_lowercase().replace('ü', "ue").replace('\'', "");
    let local = format!("{}.{}.{number}", plain(first), plain(last));
    let source = list_of(chance);
    // `tag_many` differs from `tag` only where the config has an override.
    let branches = if chance.random_range(0..4) == 0 { chance.random_range(2..9) } else { 1 };
    let email = match condition {
        C::FakeEmail => format!("fake.{local}@example.com"),
        C::BusyEmail => format!("busy.{local}@example.com"),
        C::Uppercase => format!("{}.{number}@Example.COM", plain(last).to_uppercase()),
        C::Unicode => format!("jürgen.{number}@example.org"),
        C::NoEmail => String::new(),
        C::InvalidEmail => format!("{local} at example.com"),
        _ if number.is_multiple_of(7) => format!("{local}@example.org"),
        _ => format!("{local}@example.com"),
    };
    let person = Person { first, last, email, phone: format!("+44 20 7946 {number:04}"), branches, source };
    person.add(builder, condition);
}

impl Person {
    fn contact(&self, builder: &mut Builder) -> u64 {
        let branches = self.branches.to_string();
        builder.contact(&[
            ("firstname", self.first),
            ("lastname", self.last),
            ("phone", &self.phone),
            ("branches", &branches),
            ("email", &self.email),
        ])
    }

    /// In HubSpot and in the source list.
    fn listed(&self, builder: &mut Builder) -> u64 {
        let id = self.contact(builder);
        builder.join(self.source.list, id);
        id
    }

    fn entry_tag(&self) -> &'static str {
        if self.branches > 1 { self.source.tag_many } else { self.source.tag }
    }

    /// A subscribed member with right fields, without tags.
    fn member(&self, builder: &mut Builder) {
        builder
            .member(&self.email, Status::Subscribed)
            .field(&self.email, "FNAME", self.first)
            .field(&self.email, "LNAME", self.last)
            .field(&self.email, "PHONE", &self.phone);
    }

    /// A member as hsmc would have enrolled them.
    fn enrolled(&self, builder: &mut Builder) {
        self.member(builder);
        builder.tag(&self.email, self.entry_tag());
        if self.source.list == 784 {
            builder.tag(&self.email, "Manual Inclusion");
        }
    }

    fn settled(&self, builder: &mut Builder) -> u64 {
        let id = self.listed(builder);
        self.enrolled(builder);
        id
    }

    /// A member with entry and exit tag, in the list when `known`. The manual list has no exit of its
    /// own and its bearers are exempt, so nobody there is plainly finished.
    fn finished(&self, builder: &mut Builder, known: bool) {
        if known {
            self.listed(builder);
        }
        self.member(builder);
        let exit = match (self.entry_tag(), self.source.exit) {
            ("General Multi", _) => "General Multi Finished",
            ("General Multi Long Term", _) => "Long Term Multi Finished",
            (_, exit) => exit,
        };
        builder.tag(&self.email, self.entry_tag()).tag(&self.email, exit);
    }

    fn add(&self, builder: &mut Builder, condition: Condition) {
        let email = self.email.as_str();
        match condition {
            C::Settled => {
                self.settled(builder);
            }
            C::New
            | C::NoEmail
            | C::InvalidEmail
            | C::FakeEmail
            | C::BusyEmail
            | C::Uppercase
            | C::Unicode => {
                self.listed(builder);
            }
            C::NewInTwoLists => {
                let id = self.listed(builder);
                builder.join(945, id).join(1032, id);
            }
            C::PartialData => {
                let id = builder.contact(&[("email", email)]);
                builder.join(self.source.list, id);
            }
            C::WrongFields => {
                self.settled(builder);
                builder.field(email, "FNAME", "Somebody").field(email, "PHONE", "");
            }
            C::Finished => self.finished(builder, true),
            C::FinishedUnknown => self.finished(builder, false),
            C::FinishedTwice => {
                self.finished(builder, true);
                builder.tag(email, "Competition Finished").tag(email, "New Agents Finished");
            }
            C::FinishedExempt => {
                self.finished(builder, true);
                builder.tag(email, "Manual Inclusion");
            }
            C::Orphan => {
                self.contact(builder);
                self.enrolled(builder);
            }
            C::ProtectedOrphan => {
                self.contact(builder);
                self.enrolled(builder);
                builder.tag(email, "VIP");
            }
            C::ExcludedEnrolled => {
                let id = self.settled(builder);
                builder.join(773, id);
            }
            C::ExcludedDeal => {
                let id = self.settled(builder);
                builder.join(717, id);
            }
            C::CriticalProtected => {
                let id = self.settled(builder);
                builder.join(773, id).tag(email, "DoNotArchive");
            }
            C::UnsubscribedInMailchimp => {
                self.settled(builder);
                builder.member(email, Status::Unsubscribed);
            }
            C::UnsubscribedUnknown => {
                self.enrolled(builder);
                builder.member(email, Status::Unsubscribed);
            }
            C::OptedOutInHubSpot => {
                self.settled(builder);
                builder.opt_out(email);
            }
            C::OptedOutNotMember => {
                self.listed(builder);
                builder.opt_out(email);
            }
            C::Cleaned => {
                self.settled(builder);
                builder.member(email, Status::Cleaned);
            }
            C::ArchivedInList => {
                self.settled(builder);
                builder.archived(email);
            }
            C::ArchivedUnsubscribed => {
                self.settled(builder);
                builder.member(email, Status::Unsubscribed).archived(email);
            }
            C::Pending => {
                self.listed(builder);
                builder.member(email, Status::Pending).tag(email, self.entry_tag());
            }
            C::Twins => {
                self.listed(builder);
                self.contact(builder);
            }
            C::Foreign => {
                self.member(builder);
                builder.tag(email, "Newsletter");
            }
            C::ForeignVip => {
                self.member(builder);
                builder.tag(email, "VIP").tag(email, "Team_North");
            }
            C::AlreadyHandedOver => {
                let id = self.contact(builder);
                builder.join(946, id);
            }
            C::MovedList => {
                // Enrolled from General marketing by its tag; in Long term marketing now.
                let id = self.contact(builder);
                builder.join(1032, id);
                self.member(builder);
                builder.tag(email, if self.branches > 1 { "General Multi" } else { "General Single" });
            }
        }
    }
}
