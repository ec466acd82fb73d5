//! Handing over (R15–R19): who bears an exit tag goes back to HubSpot. All or nothing; the archive is
//! last, and before it the exit tag, so that the cause stays to be seen while anything is to do.

use super::exclude::{archive_of, can_be_archived};
use super::feed::fed_lists_left;
use super::sight::Sight;
use super::tagging::{clear, entries_borne, gives, ours_borne, same};
use super::{ContactView, Handover, Question};
use crate::domain::failure::{Refusal, RefusalCode, Service};
use crate::domain::id::ListId;
use crate::domain::moves::{MemoryChange, Move, MoveKind, PlannedStep};
use crate::domain::person::Parked;
use crate::domain::step::{Before, Step};
use crate::domain::tag::TagName;

/// What a handover comes to.
pub(super) enum Way {
    /// It is due.
    Due(Box<Move>),
    /// HubSpot must be asked for the person first.
    Ask(Question),
    /// It cannot be done.
    Park(Box<Parked>),
}

/// The handover that the member's exit tags ask for; exempt bearers are passed over. Of several, the
/// one that fits the entry tag, else the first in config order (R19).
pub(super) fn chosen<'a>(sight: &Sight<'a>, notes: &mut Vec<String>) -> Option<&'a Handover> {
    let member = sight.present()?;
    let borne = |tag: &TagName| member.tags.iter().any(|borne| same(borne, tag));
    let asked = sight.rules.handovers.iter().filter(|handover| borne(&handover.exit_tag));
    let due: Vec<&Handover> = asked.filter(|handover| !handover.exempt.iter().any(&borne)).collect();
    let [first, others @ ..] = due.as_slice() else { return None };
    if others.is_empty() {
        return Some(first);
    }
    let entry = entries_borne(sight).into_iter().next();
    let mut best: (&Handover, u8) = (first, fit(sight, first, entry.as_ref()));
    for handover in others {
        let fits = fit(sight, handover, entry.as_ref());
        if fits > best.1 {
            best = (handover, fits);
        }
    }
    notes.push(format!("{} exit tags at once: \"{}\" counts", due.len(), best.0.exit_tag));
    Some(best.0)
}

/// How well a handover fits the entry tag: its source list gives that tag; more so when the exit tag
/// is also named after it, as where one list has several entry tags by override.
fn fit(sight: &Sight<'_>, handover: &Handover, entry: Option<&TagName>) -> u8 {
    let Some(entry) = entry else { return 0 };
    let mut sources = sight.rules.groups.iter().flat_map(|group| &group.lists);
    let by_list = sources.any(|source| Some(source.list) == handover.from && gives(sight, source, entry));
    let by_name = handover.exit_tag.folded().starts_with(&entry.folded());
    match (by_list, by_name) {
        (true, true) => 2,
        (true, false) => 1,
        (false, _) => 0,
    }
}

/// The handover's steps, or what stands in their way.
pub(super) fn hand_over(sight: &Sight<'_>, handover: &Handover, notes: &mut Vec<String>) -> Way {
    let mut steps = Vec::new();
    let mut left = Vec::new();
    if let Some(to) = handover.to {
        match sight.view.contact {
            ContactView::NotLookedUp => return Way::Ask(Question::LookUp),
            ContactView::NotInHubSpot if sight.view.memory.record.is_some() => {
                return Way::Ask(Question::Trace);
            }
            ContactView::NotInHubSpot | ContactView::Gone if handover.create_missing => {
                steps.push(not_held(Step::CreateContact));
            }
            // Somebody whose record lives on is not made a second time (R10).
            ContactView::NotInHubSpot | ContactView::Gone | ContactView::Elsewhere => {
                return Way::Park(Box::new(not_found(sight)));
            }
            ContactView::Known(_) | ContactView::Twins(_) => {}
        }
        if !sight.is_static(to) {
            notes.push(format!("destination list {to} is not a static list of contacts: nobody is added"));
        } else if !sight.is_in(to) {
            steps.push(not_held(Step::JoinList { list: to }));
        }
    }
    for list in handover.from.into_iter().chain(handover.also_leave.iter().copied()) {
        if sight.is_in(list) && sight.is_static(list) && Some(list) != handover.to && !left.contains(&list) {
            left.push(list);
            steps.push(not_held(Step::LeaveList { list }));
        }
    }
    steps.extend(fed_lists_left(sight));
    // Without a destination only Mailchimp's side is changed, save the lists it says to leave (R17).
    if handover.to.is_some() {
        steps.extend(import_list(sight, handover, notes));
    }
    let tags = ours_borne(sight);
    let chosen_last = |tag: &&TagName| same(tag, &handover.exit_tag);
    steps.extend(tags.iter().filter(|tag| !chosen_last(tag)).cloned().map(clear));
    steps.extend(tags.iter().filter(chosen_last).cloned().map(clear));

    let mut still_in: Vec<ListId> = sight.sources_holding().filter(|list| !left.contains(list)).collect();
    still_in.sort();
    still_in.dedup();
    let mut then = vec![
        MemoryChange::HandedOver { exit_tag: handover.exit_tag.clone(), still_in },
        MemoryChange::NotEnrolled,
    ];
    if let Some(member) = sight.present().filter(|member| handover.archive && can_be_archived(&member.status))
    {
        steps.push(archive_of(&member.status));
        then.push(MemoryChange::ArchivedByUs { status_before: member.status.clone() });
    }
    let text = format!("bears exit tag \"{}\"", handover.exit_tag);
    Way::Due(Box::new(sight.draft(MoveKind::HandOver, ("R15", text), steps, then, None)))
}

/// R9: the name of the list the person came from, where it can be written. Also where it is seen to be there already: a
/// search may show a contact as they were before a move of theirs was undone (HubSpot contract §16), and nobody would
/// look again afterwards.
fn import_list(sight: &Sight<'_>, handover: &Handover, notes: &mut Vec<String>) -> Option<PlannedStep> {
    let property = sight.rules.import_list.as_ref()?;
    if sight.world.read_only.contains(property) {
        notes.push(format!("{property} is read-only: the list a person came from is not kept"));
        return None;
    }
    let enrolled = sight.view.memory.enrolled.as_ref().map(|enrolled| enrolled.list);
    let origin = enrolled.or(handover.from).or_else(|| sight.sources_holding().next())?;
    let value = sight.name_of(origin)?.to_owned();
    let present = sight.property(property);
    Some(PlannedStep {
        step: Step::SetProperty { property: property.clone(), value },
        before: Before::Property(present.map(str::to_owned)),
    })
}

/// R18: remembered with the input, so that nobody asks again while nothing changed.
fn not_found(sight: &Sight<'_>) -> Parked {
    Parked {
        service: Service::HubSpot,
        refusal: Refusal {
            code: RefusalCode::NotFound,
            message: "HubSpot has no contact with the address of this member".to_owned(),
        },
        input: sight.input,
        at: sight.world.seen,
    }
}

fn not_held(step: Step) -> PlannedStep {
    PlannedStep { step, before: Before::NotHeld }
}
