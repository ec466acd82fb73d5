//! People of small worlds, by first name: `ada` is ada@example.com.

use hsmc::sandbox::mailchimp::Status;
use hsmc::sandbox::scenario::Builder;

/// A list whose members are marketed to: static.
pub const GENERAL: u64 = 987;
/// Another, static.
pub const COMPETITION: u64 = 720;
/// Another, dynamic.
pub const NEW_AGENTS: u64 = 945;
/// Of the second group, dynamic.
pub const LONG_TERM: u64 = 1032;
/// An exclusion list, static.
pub const DEALS: u64 = 717;
/// Where those who finished General go.
pub const FINISHED: u64 = 946;

/// The address of a name.
pub fn address(name: &str) -> String {
    format!("{name}@example.com")
}

/// The entry tag of a source list.
pub fn entry_tag(list: u64) -> &'static str {
    match list {
        COMPETITION => "Competition",
        NEW_AGENTS => "New Agents",
        LONG_TERM => "General Single Long Term",
        _ => "General Single",
    }
}

/// In HubSpot, in no list.
pub fn contact(builder: &mut Builder, name: &str) -> u64 {
    builder.contact(&[("email", &address(name)), ("firstname", name), ("lastname", "Archer")])
}

/// In HubSpot and in a list, not in Mailchimp.
pub fn listed(builder: &mut Builder, name: &str, list: u64) -> u64 {
    let id = contact(builder, name);
    builder.join(list, id);
    id
}

/// A subscribed member with the right merge fields and no tag.
pub fn member(builder: &mut Builder, name: &str) {
    let email = address(name);
    builder.member(&email, Status::Subscribed).field(&email, "FNAME", name).field(&email, "LNAME", "Archer");
}

/// Settled: in a list, and a member with its entry tag.
pub fn enrolled(builder: &mut Builder, name: &str, list: u64) -> u64 {
    let id = listed(builder, name, list);
    member(builder, name);
    builder.tag(&address(name), entry_tag(list));
    id
}

/// Settled, and with the exit tag of General.
pub fn finished(builder: &mut Builder, name: &str) -> u64 {
    let id = enrolled(builder, name, GENERAL);
    builder.tag(&address(name), "General Single Finished");
    id
}

/// Somebody new comes into HubSpot, and into a list.
pub fn act_new(world: &super::World, name: &str, list: u64) {
    use hsmc::sandbox::Act;
    world.act(Act::AddContact { properties: [("email".to_owned(), address(name))].into_iter().collect() });
    world.act(Act::JoinList { contact: address(name), list });
}
