//! What hsmc remembers of a person, a line each, and what would release it.

use crate::domain::code::Code;
use crate::domain::failure::RefusalCode;
use crate::domain::member::MemberStatus;
use crate::domain::person::Person;
use crate::serve::why::RememberedView;

/// Everything remembered that has a say in what happens to the person.
pub fn remembered(person: &Person) -> Vec<RememberedView> {
    let mut lines = Vec::new();
    let mut held = |code: Option<Code>, what: String, released_by: &str| {
        lines.push(RememberedView { what, code, released_by: released_by.to_owned() });
    };
    if let Some(opt_out) = &person.opt_out {
        let told = match opt_out.delivered {
            Some(at) => format!("both sides have it since {at}"),
            None if person.opted_in_again.is_some() => "taken back since by their own hand".to_owned(),
            None => "the other side has not taken it yet, or has nobody who could get mail".to_owned(),
        };
        held(
            None,
            format!("opted out: seen in {} at {}; {told}", opt_out.seen, opt_out.at),
            "nothing: hsmc never takes an opt-out back",
        );
    }
    if let Some(at) = person.opted_in_again {
        held(
            None,
            format!("opted in again by their own hand, seen {at}: left alone on both sides (R21a)"),
            "",
        );
    }
    if let Some(parked) = &person.parked {
        let by = parked.said_by().map_or_else(String::new, |service| format!(", by {service}"));
        held(
            Some(parked.refusal.code.code()),
            format!("parked since {}{by}: {}", parked.at, parked.refusal),
            released_from(parked.refusal.code),
        );
    }
    if let Some(at) = person.moved {
        held(
            Some(Code::AddressChanged),
            format!("the member's address was changed in Mailchimp, seen {at}, and HubSpot has another"),
            "the same address in HubSpot, or `hsmc release ADDRESS` to give the member HubSpot's",
        );
    }
    if let Some(contested) = &person.contested {
        held(
            Some(Code::Contested),
            format!(
                "contested since {}: somebody took {} back {} times",
                contested.since, contested.kind, contested.times
            ),
            "`hsmc release ADDRESS`, once the other tool is off",
        );
    }
    if let Some(handed_over) = &person.handed_over {
        let lists: Vec<String> = handed_over.still_in.iter().map(ToString::to_string).collect();
        let what = format!("handed over at {} by exit tag \"{}\"", handed_over.at, handed_over.exit_tag);
        match lists.as_slice() {
            [] => held(None, what, ""),
            lists => held(
                None,
                format!("{what}; closed to them: list {}", lists.join(", ")),
                "leaving these lists and coming back, another source list, or `hsmc release ADDRESS`",
            ),
        }
    }
    if let Some(enrolled) = &person.enrolled {
        held(
            None,
            format!("enrolled at {} by tag \"{}\", from list {}", enrolled.at, enrolled.tag, enrolled.list),
            "",
        );
    }
    // What an operator has settled is told by the line of their adoption.
    if let Some(archived) = person.archived.as_ref().filter(|known| !(person.adopted && known.is_unsure())) {
        let (while_, released_by) = match &archived.status_before {
            // The list that holds them is closed to them: that line says what opens it.
            MemberStatus::Subscribed if person.handed_over.is_some() => ("subscribed".to_owned(), ""),
            MemberStatus::Subscribed => ("subscribed".to_owned(), "a source list that holds them again (R6)"),
            MemberStatus::Archived => (
                "nobody could see whether they unsubscribed".to_owned(),
                "`hsmc adopt ADDRESS`, once you know that they did not opt out (R6)",
            ),
            silent => (silent.to_string(), "nothing: only who was subscribed is restored"),
        };
        held(None, format!("archived by hsmc at {} while {while_}", archived.at), released_by);
    }
    if person.adopted {
        held(None, "adopted by an operator: may be restored once (R6)".to_owned(), "");
    }
    if person.bounce_noted {
        held(None, "the hard bounce is noted in HubSpot".to_owned(), "");
    }
    lines
}

/// What lets somebody parked for this reason be judged again.
pub fn released_from(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::TooManySignups => "a day, a change of their data, or `hsmc release ADDRESS`",
        RefusalCode::Other => {
            "a day, where Mailchimp refused them, a change of their data, or `hsmc release ADDRESS`"
        }
        _ => "a change of their data, or `hsmc release ADDRESS`",
    }
}
