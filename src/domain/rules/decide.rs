//! The one decision: which state a person is in, and which move, if any, is due. All branching is
//! here, strongest rule first: opt-out > bounce > exclusion > handover > orphan > rename > retag >
//! restore > enroll > refresh. The leaf modules find facts and build moves.

use super::enroll::Kept;
use super::exclude::Proof;
use super::handover::Way;
use super::place::{Place, Standing};
use super::sight::Sight;
use super::{AddressView, ContactView, Decision, PersonView, Question, RuleSet, Verdict, World};
use super::{consent, enroll, exclude, handover, identity, place, protect, restore, tagging};
use crate::domain::contested::is_taken_back;
use crate::domain::failure::RefusalCode;
use crate::domain::id::ListId;
use crate::domain::member::{Member, MemberStatus};
use crate::domain::moves::{Move, MoveKind};
use crate::domain::person::{Contested, Person, PersonState};
use crate::domain::step::Step;

/// What the branches fill in while they decide.
struct Draft {
    memory: Person,
    notes: Vec<String>,
    protected: bool,
}

/// A branch's answer.
enum Ruling {
    Settled(PersonState, String, Option<Move>),
    Ask(Question),
    /// Their member stands under an address that HubSpot has corrected, and is theirs no longer: they are judged without.
    LetGo,
}

use Ruling::{Ask, LetGo, Settled};

/// Decides what the rules want for one person. Pure: the same input gives the same verdict.
pub fn decide(rules: &RuleSet, world: &World, view: &PersonView<'_>) -> Verdict {
    let sight = Sight::new(rules, world, view);
    let mut draft = Draft {
        memory: identity::present_memory(&sight),
        notes: Vec::new(),
        protected: protect::protected_by(&sight).is_some(),
    };
    consent::remember(&sight, &mut draft.memory);
    match rule(&sight, &mut draft) {
        Ask(question) => Verdict::Ask(question),
        LetGo => {
            let memory = &identity::without_member(view.memory);
            decide(rules, world, &PersonView { member: None, memory, ..view.clone() })
        }
        Settled(state, why, due) => Verdict::Settled(Box::new(settle(&sight, draft, state, why, due))),
    }
}

/// The branches in order of precedence.
fn rule(sight: &Sight<'_>, draft: &mut Draft) -> Ruling {
    let parked = identity::is_still_parked(sight, &mut draft.memory);
    if !parked {
        draft.memory.unpark();
    }
    if let Some(question) = identity::must_ask(sight) {
        return Ask(question);
    }
    if let Some(question) = consent::must_ask_of_address(sight, &draft.memory) {
        return Ask(question);
    }
    if consent::is_opted_out(sight, &draft.memory) {
        return opted_out(sight, draft, parked);
    }
    if let ContactView::Twins(twins) = sight.view.contact {
        return Settled(PersonState::Twin, format!("{} contacts share the address", twins.len()), None);
    }
    if sight.view.address == AddressView::Second {
        return second(sight, draft);
    }
    if parked {
        return Settled(PersonState::Parked, parked_because(&draft.memory), None);
    }
    let exclusion = exclude::exclusion(sight);
    // Who must stop getting mail stops, whatever else is fought over.
    if let Some(contested) = &draft.memory.contested
        && (exclusion.is_none() || contested.kind == MoveKind::Exclude)
    {
        return Settled(PersonState::Contested, contested_why(contested), None);
    }
    if let Some(exclusion) = exclusion
        && (exclusion.critical || !draft.protected)
    {
        return excluded(sight, draft, exclusion);
    }
    if let Some(choice) = handover::chosen(sight, &mut draft.notes) {
        if !draft.protected {
            return handed_over(sight, draft, choice);
        }
        draft.notes.push(format!("a protected bearer of exit tag \"{}\" is left alone", choice.exit_tag));
    }
    if !draft.protected && identity::is_nameless(sight) {
        draft.notes.push("no usable address in HubSpot any more: the member is left as it is".to_owned());
        draft.memory.parked = Some(identity::nameless(sight));
        return Settled(PersonState::Parked, parked_because(&draft.memory), None);
    }
    if !draft.protected && exclude::is_orphan(sight) {
        return orphaned(sight, draft);
    }
    match place::standing(sight, &draft.memory) {
        Standing::Placed(place) => marketed(sight, draft, &place),
        Standing::Nowhere => nowhere(sight, draft),
        Standing::NotGoneSince => not_gone_since(sight, draft),
        Standing::InDestination(list) => in_destination(sight, draft, list),
        Standing::NoTag(list) => {
            draft.notes.push(format!("source list {list} gives no entry tag"));
            held(sight, format!("source list {list} gives no entry tag"))
        }
        Standing::Unsure(list) => {
            draft.notes.push(rebuilt(list));
            held(sight, format!("list {list} is incomplete: nobody is enrolled meanwhile"))
        }
    }
}

/// The note that tells an operator why so many wait.
fn rebuilt(list: ListId) -> String {
    format!("HubSpot is rebuilding list {list}: left as they are until it is complete")
}

fn parked_because(memory: &Person) -> String {
    match memory.parked.as_ref().map(|parked| parked.refusal.code) {
        Some(RefusalCode::Undone) => "R28: undone by an operator, and nothing has changed since".to_owned(),
        code => format!("refused for good: {}", code.map(RefusalCode::word).unwrap_or_default()),
    }
}

/// R20–R22 and R5: nothing but consent, the bounce, the address and merge fields.
fn opted_out(sight: &Sight<'_>, draft: &mut Draft, parked: bool) -> Ruling {
    draft.memory.enrolled = None;
    let only_bounced = consent::is_cleaned(sight) && draft.memory.opt_out.is_none();
    let why = if only_bounced { "hard bounce" } else { "opted out" }.to_owned();
    if let Some(question) = consent::must_ask(sight, &draft.memory) {
        return Ask(question);
    }
    if let Some(due) = consent::opt_out(sight, &draft.memory) {
        return Settled(PersonState::OptedOut, why, Some(due));
    }
    let again = consent::opted_in_again(sight, &draft.memory);
    draft.memory.opted_in_again = again.then(|| draft.memory.opted_in_again.unwrap_or(sight.world.seen));
    if again {
        draft.notes.push("opted in again after an opt-out: left alone on both sides (R21a)".to_owned());
    } else if consent::is_back_in_hubspot(sight, &draft.memory) {
        draft.notes.push("opted in again in HubSpot after an opt-out there: left alone (R21a)".to_owned());
    }
    let twins = matches!(sight.view.contact, ContactView::Twins(_));
    if parked || twins {
        return Settled(PersonState::OptedOut, why, None);
    }
    if consent::is_cleaned(sight)
        && let Some(due) = consent::bounce(sight, &mut draft.memory, &mut draft.notes)
    {
        return Settled(PersonState::OptedOut, why, Some(due));
    }
    if consent::is_corrected(sight, &draft.memory) {
        return consent::of_former_address(sight).map_or(LetGo, Ask);
    }
    let silent = sight.view.member.is_some_and(|member| member.status == MemberStatus::Unsubscribed);
    let due = if silent && identity::misnamed(sight, &draft.memory).is_some() {
        identity::rename(sight, &draft.memory)
    } else {
        enroll::refresh_silent(sight, consent::to_refresh(sight, &draft.memory))
    };
    Settled(PersonState::OptedOut, why, due)
}

/// R2, R10: one campaign for a contact, and it is that of the member with the contact's own address. A second
/// member keeps its status, and what is not ours.
fn second(sight: &Sight<'_>, draft: &mut Draft) -> Ruling {
    let due = if draft.protected { None } else { identity::lay_down(sight) };
    if due.is_none() {
        draft.memory.enrolled = None;
    }
    draft.notes.push("a second member of a contact whose own address has one: no campaign".to_owned());
    let why = "R10: a second member: the contact's own address has one of its own".to_owned();
    Settled(PersonState::Parked, why, due)
}

/// R12.
fn excluded(sight: &Sight<'_>, draft: &mut Draft, exclusion: exclude::Exclusion) -> Ruling {
    let critical = if exclusion.critical { "critical " } else { "" };
    let why = format!("R12: in {critical}exclusion list {}", exclusion.list);
    let Some(due) = exclude::exclude(sight, exclusion, draft.protected) else {
        draft.memory.enrolled = None;
        return Settled(PersonState::Excluded, why, None);
    };
    match exclude::exclusion_proof(sight) {
        Proof::Needs(question) => Ask(question),
        Proof::Given => Settled(PersonState::Excluded, why, Some(due)),
        Proof::Incomplete(list) => {
            draft.notes.push(rebuilt(list));
            Settled(
                PersonState::Excluded,
                format!("{why}; list {list} is incomplete, nobody is removed"),
                None,
            )
        }
        Proof::Unresolved => Settled(PersonState::Excluded, why, None),
    }
}

/// R15–R19.
fn handed_over(sight: &Sight<'_>, draft: &mut Draft, choice: &super::Handover) -> Ruling {
    match handover::hand_over(sight, choice, &mut draft.notes) {
        Way::Ask(question) => Ask(question),
        Way::Due(due) => {
            let why = format!("R15: bears exit tag \"{}\"", choice.exit_tag);
            Settled(PersonState::HandedOver, why, Some(*due))
        }
        Way::Park(parked) => {
            draft.notes.push(format!("exit tag \"{}\": not found in HubSpot", choice.exit_tag));
            let why = format!("refused for good: {}", parked.refusal.code.word());
            draft.memory.parked = Some(*parked);
            Settled(PersonState::Parked, why, None)
        }
    }
}

/// R13.
fn orphaned(sight: &Sight<'_>, draft: &mut Draft) -> Ruling {
    match exclude::orphan_proof(sight) {
        Proof::Needs(question) => Ask(question),
        Proof::Given => Settled(
            PersonState::Foreign,
            "R13: in no source list any more".to_owned(),
            exclude::orphan(sight),
        ),
        Proof::Incomplete(list) => {
            draft.notes.push(rebuilt(list));
            let why =
                format!("in no source list seen, but list {list} is incomplete: nobody is taken for gone");
            Settled(PersonState::Enrolled, why, None)
        }
        Proof::Unresolved => Settled(
            PersonState::Parked,
            "R10: the contact of old has an address that is somebody else's here".to_owned(),
            None,
        ),
    }
}

/// A source list takes the person.
fn marketed(sight: &Sight<'_>, draft: &mut Draft, place: &Place<'_>) -> Ruling {
    if draft.memory.email.is_none() || sight.contact.is_none_or(|contact| contact.email().is_none()) {
        return Settled(PersonState::NoAddress, "no usable address in HubSpot".to_owned(), None);
    }
    if let Some(member) = identity::misnamed(sight, &draft.memory) {
        return renamed(sight, draft, member);
    }
    let Some(member) = sight.view.member else {
        if sight.view.address == AddressView::MemberAway {
            draft
                .notes
                .push("their member has somebody else's address now: no second one is made".to_owned());
            let why = "R10: their member has somebody else's address now".to_owned();
            return Settled(PersonState::Parked, why, None);
        }
        let why = format!("R1: in source list {}", place.source.list);
        if enroll::is_made_just_now(sight, &draft.memory) {
            return Settled(PersonState::Enrolled, why, None);
        }
        let state = if sight.rules.double_opt_in { PersonState::Pending } else { PersonState::Enrolled };
        return Settled(state, why, Some(enroll::create(sight, place)));
    };
    match &member.status {
        MemberStatus::Subscribed => subscribed(sight, draft, place, member),
        MemberStatus::Archived => archived(sight, draft, place),
        MemberStatus::Pending => {
            let due = enroll::refresh(sight, member);
            Settled(PersonState::Pending, "has not confirmed yet".to_owned(), due)
        }
        MemberStatus::Transactional => {
            draft.notes.push("non-subscribed members have not consented: not enrolled".to_owned());
            Settled(PersonState::Foreign, "non-subscribed in Mailchimp: no consent".to_owned(), None)
        }
        status @ (MemberStatus::Other(_) | MemberStatus::Unsubscribed | MemberStatus::Cleaned) => {
            draft.notes.push("members of a status that hsmc does not know are left alone".to_owned());
            Settled(PersonState::Foreign, format!("status {status} in Mailchimp"), None)
        }
    }
}

/// R2–R4, R8 for a subscribed member in a source list that takes them.
fn subscribed(sight: &Sight<'_>, draft: &mut Draft, place: &Place<'_>, member: &Member) -> Ruling {
    let Some(Kept { tag, retag }) = enroll::keep(sight, place, draft.protected) else {
        let why = format!("R1: in source list {}", place.source.list);
        if sight.view.memory.enrolled.as_ref().is_some_and(|known| known.tag == place.tag) {
            let again =
                "is gone from people whom hsmc had enrolled by it: set again, and its journey starts anew";
            draft.notes.push(format!("entry tag \"{}\" {again}", place.tag));
        }
        return Settled(
            PersonState::Enrolled,
            why,
            Some(enroll::enroll_existing(sight, place, member, draft.protected)),
        );
    };
    let why = format!("bears entry tag \"{tag}\"");
    if let Some(retag) = retag {
        if enroll::switch_needs_proof(sight, &retag) {
            return Ask(Question::Prove);
        }
        return Settled(PersonState::Enrolled, why, Some(retag));
    }
    draft.memory.enrolled = Some(enroll::remembered(sight, &draft.memory, place, tag));
    // The lists they have not been gone from since stay closed to them while enrolled from another.
    draft.memory.handed_over = draft.memory.handed_over.take().filter(|past| !past.still_in.is_empty());
    Settled(PersonState::Enrolled, why, enroll::refresh(sight, member))
}

/// R6.
fn archived(sight: &Sight<'_>, draft: &mut Draft, place: &Place<'_>) -> Ruling {
    if draft.protected {
        return Settled(PersonState::Protected, "archived, and protected".to_owned(), None);
    }
    if restore::may_return(&draft.memory) {
        let why = format!("R6: again in source list {}", place.source.list);
        return Settled(PersonState::Enrolled, why, Some(restore::restore(sight, place)));
    }
    draft.memory.enrolled = None;
    let why = match &draft.memory.archived {
        Some(archived) if archived.is_unsure() => {
            "archived by hsmc while nobody could see whether they unsubscribed: stays so until an operator adopts them"
                .to_owned()
        }
        Some(archived) => format!("archived by hsmc while {}: stays so", archived.status_before),
        None => "archived by others: stays so until an operator adopts them".to_owned(),
    };
    Settled(PersonState::ArchivedByOthers, why, None)
}

/// R10 for a member known by an older address.
fn renamed(sight: &Sight<'_>, draft: &mut Draft, member: &Member) -> Ruling {
    if let Some(due) = identity::rename(sight, &draft.memory) {
        let state = match member.status {
            MemberStatus::Pending => PersonState::Pending,
            MemberStatus::Subscribed => PersonState::Enrolled,
            _ => PersonState::Foreign,
        };
        return Settled(state, "R10: the address changed in HubSpot".to_owned(), Some(due));
    }
    if draft.memory.moved.is_some() {
        draft.notes.push("the address was changed in Mailchimp, and HubSpot has another".to_owned());
        let why = "R10: the address was changed in Mailchimp, and HubSpot has another".to_owned();
        return Settled(PersonState::Parked, why, None);
    }
    // Nobody but hsmc has archived them, or an operator has settled it: what R6 gives back goes to the address they have.
    if restore::may_return(&draft.memory) && !draft.protected {
        return consent::of_former_address(sight).map_or(LetGo, Ask);
    }
    let why = "R10: the address changed while the member is archived".to_owned();
    Settled(PersonState::Parked, why, None)
}

/// R16: the source lists holding the person are those they were handed over from. Whoever was enrolled
/// afresh from another list since keeps that tag, as R3 wants, although the other list is gone.
fn not_gone_since(sight: &Sight<'_>, draft: &mut Draft) -> Ruling {
    let bears = !tagging::entries_borne(sight).is_empty();
    if let Some(member) = sight.present().filter(|_| bears && draft.memory.enrolled.is_some()) {
        let why = "bears an entry tag, enrolled after a handover".to_owned();
        return Settled(PersonState::Enrolled, why, enroll::refresh(sight, member));
    }
    if bears && sight.present().is_some() {
        draft.notes.push("bears an entry tag although handed over: left alone".to_owned());
    }
    draft.memory.enrolled = None;
    Settled(PersonState::HandedOver, "R16: not gone from their source lists since".to_owned(), None)
}

/// Destination lists exclude by themselves (R16): nobody there is enrolled. Who bears an entry tag
/// although nobody handed them over keeps what they have.
fn in_destination(sight: &Sight<'_>, draft: &mut Draft, list: crate::domain::id::ListId) -> Ruling {
    let bears = sight.present().is_some() && !tagging::entries_borne(sight).is_empty();
    if bears && draft.memory.handed_over.is_none() {
        draft.notes.push(format!("bears an entry tag while in destination list {list}: left alone"));
        let why = format!("bears an entry tag, and is in destination list {list}");
        return Settled(PersonState::Enrolled, why, None);
    }
    draft.memory.enrolled = None;
    Settled(PersonState::HandedOver, format!("R16: in destination list {list}"), None)
}

/// A source list would take the person, but not now.
fn held(sight: &Sight<'_>, why: String) -> Ruling {
    let bears = sight.present().is_some() && !tagging::entries_borne(sight).is_empty();
    let state = match sight.view.member.map(|member| &member.status) {
        Some(MemberStatus::Archived) => PersonState::ArchivedByOthers,
        Some(MemberStatus::Pending) => PersonState::Pending,
        _ if bears => PersonState::Enrolled,
        _ => PersonState::LeftOut,
    };
    Settled(state, why, None)
}

/// No source list takes the person, and nothing is to be taken from them.
fn nowhere(sight: &Sight<'_>, draft: &mut Draft) -> Ruling {
    if draft.protected {
        // Protection spares them; their address and merge fields are still kept (R8, R10).
        let member = sight.present().filter(|_| identity::is_ours(sight));
        let due = identity::rename(sight, &draft.memory)
            .or_else(|| member.and_then(|member| enroll::refresh(sight, member)));
        return Settled(PersonState::Protected, "in no source list that takes them".to_owned(), due);
    }
    if let Some(handed_over) = &draft.memory.handed_over {
        let why = format!("R15: handed over by exit tag \"{}\"", handed_over.exit_tag);
        draft.memory.enrolled = None;
        return Settled(PersonState::HandedOver, why, None);
    }
    draft.memory.enrolled = None;
    let asked = sight.view.member.is_some_and(|member| member.status == MemberStatus::Pending);
    if asked && sight.view.memory.state == PersonState::Pending {
        return Settled(PersonState::Pending, "has not confirmed yet; in no source list".to_owned(), None);
    }
    if sight.contact.is_some_and(|contact| contact.email().is_none()) {
        return Settled(PersonState::NoAddress, "no usable address in HubSpot".to_owned(), None);
    }
    match (sight.view.member, &draft.memory.archived) {
        (Some(member), None) if member.status == MemberStatus::Archived => {
            Settled(PersonState::ArchivedByOthers, "archived by others".to_owned(), None)
        }
        (Some(member), Some(_)) if member.status == MemberStatus::Archived && draft.memory.adopted => {
            let why = "adopted by an operator; in no source list".to_owned();
            Settled(PersonState::ArchivedByOthers, why, None)
        }
        (_, Some(_)) => Settled(PersonState::Foreign, "archived by hsmc; in no source list".to_owned(), None),
        _ => Settled(PersonState::Foreign, "R14: in no source list".to_owned(), None),
    }
}

/// Protection outranks every state but an opt-out; then memory is brought up to the decision, and
/// left as it is where nothing changed.
fn settle(sight: &Sight<'_>, draft: Draft, state: PersonState, why: String, due: Option<Move>) -> Decision {
    let Draft { mut memory, mut notes, .. } = draft;
    let taken_back = due.as_ref().and_then(|due| is_taken_back(&memory, due, sight.world.seen));
    let (state, why, due) = match taken_back {
        Some(contested) => {
            memory.contested = Some(contested);
            notes.push(format!(
                "contested: {} is taken back by somebody else again and again",
                contested.kind
            ));
            (PersonState::Contested, contested_why(&contested), None)
        }
        None => (state, why, due),
    };
    let (state, why) = match protect::protected_by(sight) {
        Some(tag) if state != PersonState::OptedOut && due.is_none() && memory.parked.is_none() => {
            (PersonState::Protected, format!("bears protected tag \"{tag}\""))
        }
        Some(tag) if state != PersonState::OptedOut => {
            (PersonState::Protected, format!("bears protected tag \"{tag}\"; {why}"))
        }
        _ => (state, why),
    };
    let writes_fields = due.as_ref().is_some_and(|due| due.steps.iter().any(|planned| writes(&planned.step)));
    if writes_fields {
        notes.extend(sight.fitted.notes.iter().cloned());
    }
    let wanted = matches!(state, PersonState::Enrolled | PersonState::Pending | PersonState::Protected);
    if sight.contact.is_some() && (writes_fields || (wanted && identity::is_ours(sight))) {
        memory.fields = sight.fitted.values.clone();
    }
    if memory.state != state {
        memory.state = state;
        memory.since = sight.world.seen;
    }
    if memory.why != why {
        memory.why.clone_from(&why);
    }
    notes.sort();
    Decision { state, why, due, memory, notes }
}

fn contested_why(contested: &Contested) -> String {
    format!(
        "{} was made {} times and taken back by somebody else: left alone until released",
        contested.kind, contested.times
    )
}

fn writes(step: &Step) -> bool {
    matches!(step, Step::UpsertMember { .. } | Step::RestoreMember { .. } | Step::RefreshMember { .. })
}
