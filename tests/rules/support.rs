//! A stage: the rules of a whole agency, a world in which every list is complete, and one person, set
//! up in a sentence. `apply` does to that small world what a move's steps say.

use hsmc::domain::contact::{Contact, ListInfo, ListKind};
use hsmc::domain::email::Email;
use hsmc::domain::failure::Service;
use hsmc::domain::id::{ListId, PersonId, RecordId};
use hsmc::domain::member::{Member, MemberStatus};
use hsmc::domain::moves::{MemoryChange, Move, MoveKind};
use hsmc::domain::person::{ArchivedByUs, Enrolled, HandedOver, OptOutMemory, Person, PersonState};
use hsmc::domain::rules::{
    AddressConsent, AddressView, Condition, ContactView, Decision, Group, Handover, Operator, PersonView,
    Precedence, Question, RuleSet, SourceList, Supplemental, TagOverride, TagSource, Verdict, World, decide,
};
use hsmc::domain::step::{OptOutScope, Step};
use hsmc::domain::tag::TagName;
use hsmc::domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

pub const NOW: Timestamp = Timestamp(1_800_000_000_000);
pub const ADDRESS: &str = "ann@example.com";

pub fn tag(name: &str) -> TagName {
    TagName::new(name)
}

pub fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn source(list: u64, name: &str, over: Option<&str>, also: &[&str]) -> SourceList {
    let when = Condition {
        property: "branches".to_owned(),
        operator: Operator::Greater,
        values: vec!["1".to_owned()],
    };
    SourceList {
        list: ListId(list),
        tag: TagSource::Name(tag(name)),
        overrides: over.map(|name| TagOverride { when, tag: tag(name) }).into_iter().collect(),
        also: also.iter().map(|name| tag(name)).collect(),
    }
}

fn group(name: &str, exclude: &[u64], lists: Vec<SourceList>) -> Group {
    Group {
        name: name.to_owned(),
        exclude: exclude.iter().copied().map(ListId).collect(),
        precedence: Precedence::First,
        lists,
    }
}

fn handover(exit_tag: &str, to: Option<u64>, from: u64, also_leave: &[u64]) -> Handover {
    Handover {
        exit_tag: tag(exit_tag),
        to: to.map(ListId),
        from: Some(ListId(from)),
        also_leave: also_leave.iter().copied().map(ListId).collect(),
        archive: true,
        exempt: vec![tag("Manual Inclusion")],
        create_missing: false,
    }
}

/// The agency's workspace.
pub fn agency() -> RuleSet {
    let multi = Some("General Multi");
    RuleSet {
        groups: vec![
            group(
                "general-marketing",
                &[762, 773, 717],
                vec![
                    source(969, "Sanctioned", None, &[]),
                    source(719, "Recruitment", multi, &[]),
                    source(720, "Competition", None, &[]),
                    source(987, "General Single", multi, &[]),
                ],
            ),
            group(
                "manual-override",
                &[762, 773],
                vec![source(784, "General Single", multi, &["Manual Inclusion"])],
            ),
            group(
                "long-term",
                &[762, 773, 717],
                vec![source(1032, "General Single Long Term", Some("General Multi Long Term"), &["Slow"])],
            ),
        ],
        critical: vec![ListId(762), ListId(773)],
        handovers: vec![
            handover("General Single Finished", Some(946), 987, &[]),
            handover("General Multi Finished", Some(946), 987, &[719]),
            handover("Recruitment Finished", Some(947), 719, &[]),
            handover("Long Term Single Finished", None, 1032, &[]),
        ],
        supplemental: vec![Supplemental { list: ListId(555), tag: tag("Newsletter") }],
        segments: vec![],
        protected_tags: vec![tag("VIP"), tag("DoNotArchive"), tag("Manual Inclusion")],
        protected_patterns: vec![regex::Regex::new("^Team_").unwrap()],
        merge_fields: [("FNAME", "firstname"), ("LNAME", "lastname")]
            .map(|(field, property)| (field.to_owned(), property.to_owned()))
            .into(),
        import_list: Some("import_list".to_owned()),
        ori_lists: None,
        opt_out_scopes: vec![OptOutScope::All],
        bounce_property: Some("mailchimp_bounced".to_owned()),
        double_opt_in: false,
        audience_cap: None,
        max_archives_per_run: None,
        max_changed_share: None,
        enroll_between: None,
        refresh_unsubscribed: true,
    }
}

/// Lists that people are put into by hand; HubSpot fills the others.
const STATIC: [u64; 4] = [719, 784, 946, 947];

pub fn world(rules: &RuleSet) -> World {
    let lists: BTreeMap<ListId, ListInfo> = rules
        .all_lists()
        .into_iter()
        .map(|list| {
            let kind = if STATIC.contains(&list.0) { ListKind::Static } else { ListKind::Dynamic };
            let info = ListInfo {
                list,
                name: format!("List {list}"),
                kind,
                of_contacts: true,
                complete: true,
                mark: None,
                size: None,
            };
            (list, info)
        })
        .collect();
    let sources = rules.groups.iter().flat_map(|group| &group.lists);
    let list_tags = sources
        .filter(|source| source.tag == TagSource::ListName)
        .filter_map(|source| Some((source.list, TagName::new(&lists.get(&source.list)?.name))))
        .collect();
    let renamed_tags = BTreeMap::new();
    World {
        lists,
        list_tags,
        renamed_tags,
        read_only: BTreeSet::new(),
        merge_fields: BTreeMap::new(),
        subscribed: 1000,
        seen: NOW,
    }
}

/// HubSpot's side.
#[derive(Clone, Debug)]
pub enum Side {
    NotLookedUp,
    NotInHubSpot,
    Gone,
    Elsewhere,
    Known(Contact),
    Twins(Vec<Contact>),
}

#[derive(Clone, Debug)]
pub struct Stage {
    pub rules: RuleSet,
    pub world: World,
    pub side: Side,
    pub lists: BTreeMap<ListId, Option<Timestamp>>,
    pub proven: bool,
    pub member: Option<Member>,
    pub address: AddressView,
    /// As most of HubSpot answers: what asks is tested by itself.
    pub address_consent: AddressConsent,
    pub memory: Person,
}

pub fn contact(record: u64) -> Contact {
    Contact {
        record: RecordId(record),
        address: ADDRESS.to_owned(),
        properties: BTreeMap::from([("firstname".to_owned(), "Ann".to_owned())]),
        opted_out: false,
        created: None,
        modified: Some(Timestamp(5)),
    }
}

/// A contact in no list, without a member.
pub fn ann() -> Stage {
    let rules = agency();
    let world = world(&rules);
    Stage {
        rules,
        world,
        side: Side::Known(contact(51)),
        lists: BTreeMap::new(),
        proven: false,
        member: None,
        address: AddressView::Own,
        address_consent: AddressConsent::NotOptedOut,
        memory: Person::new(PersonId(1), Some(email(ADDRESS)), Some(RecordId(51)), Timestamp(1)),
    }
}

impl Stage {
    pub fn in_lists(mut self, lists: &[u64]) -> Stage {
        self.lists.extend(lists.iter().map(|list| (ListId(*list), Some(Timestamp(100 + *list as i64)))));
        self
    }

    pub fn leaves(mut self, list: u64) -> Stage {
        self.lists.remove(&ListId(list));
        self
    }

    pub fn proven(mut self) -> Stage {
        self.proven = true;
        self
    }

    pub fn incomplete(mut self, list: u64) -> Stage {
        self.world.lists.get_mut(&ListId(list)).unwrap().complete = false;
        self
    }

    pub fn statically(mut self, list: u64, is_static: bool) -> Stage {
        let kind = if is_static { ListKind::Static } else { ListKind::Dynamic };
        self.world.lists.get_mut(&ListId(list)).unwrap().kind = kind;
        self
    }

    pub fn member(mut self, status: MemberStatus, tags: &[&str]) -> Stage {
        self.member = Some(Member {
            email: email(ADDRESS),
            contact_id: String::new(),
            status,
            fields: BTreeMap::from([("FNAME".to_owned(), "Ann".to_owned())]),
            tags: tags.iter().map(|name| tag(name)).collect(),
            changed: Some(Timestamp(50)),
            opted: None,
            unsubscribe_reason: None,
        });
        self
    }

    pub fn subscribed(self, tags: &[&str]) -> Stage {
        self.member(MemberStatus::Subscribed, tags)
    }

    /// The member's merge field COLD.
    pub fn says(mut self, value: &str) -> Stage {
        self.member.as_mut().unwrap().fields.insert("COLD".to_owned(), value.to_owned());
        self
    }

    pub fn not_looked_up(mut self) -> Stage {
        self.side = Side::NotLookedUp;
        self.memory.record = None;
        self
    }

    pub fn not_in_hubspot(mut self) -> Stage {
        self.side = Side::NotInHubSpot;
        self.memory.record = None;
        self
    }

    pub fn opted_out_in_hubspot(mut self) -> Stage {
        match &mut self.side {
            Side::Known(contact) => contact.opted_out = true,
            Side::Twins(twins) => twins[0].opted_out = true,
            _ => panic!("there is no contact"),
        }
        self
    }

    pub fn twins(mut self) -> Stage {
        self.side = Side::Twins(vec![contact(51), contact(52)]);
        self
    }

    pub fn property(mut self, name: &str, value: &str) -> Stage {
        let Side::Known(contact) = &mut self.side else { panic!("there is no one contact") };
        contact.properties.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn address(mut self, text: &str) -> Stage {
        let Side::Known(contact) = &mut self.side else { panic!("there is no one contact") };
        contact.address = text.to_owned();
        self
    }

    pub fn enrolled(mut self, name: &str, list: u64) -> Stage {
        self.memory.enrolled = Some(Enrolled { tag: tag(name), list: ListId(list), at: Timestamp(2) });
        self.memory.state = PersonState::Enrolled;
        self
    }

    pub fn handed_over(mut self, exit_tag: &str, still_in: &[u64]) -> Stage {
        let still_in = still_in.iter().copied().map(ListId).collect();
        self.memory.handed_over = Some(HandedOver { exit_tag: tag(exit_tag), at: Timestamp(3), still_in });
        self
    }

    pub fn archived_by_us(mut self, status_before: MemberStatus) -> Stage {
        self.memory.archived = Some(ArchivedByUs { status_before, at: Timestamp(60) });
        self
    }

    pub fn opt_out_known(mut self, seen: Service, delivered: bool) -> Stage {
        let delivered = delivered.then_some(Timestamp(4));
        self.memory.opt_out = Some(OptOutMemory { seen, at: Timestamp(3), delivered });
        self
    }

    pub fn rules(mut self, change: impl FnOnce(&mut RuleSet)) -> Stage {
        change(&mut self.rules);
        self
    }

    pub fn verdict(&self) -> Verdict {
        let contact = match &self.side {
            Side::NotLookedUp => ContactView::NotLookedUp,
            Side::NotInHubSpot => ContactView::NotInHubSpot,
            Side::Gone => ContactView::Gone,
            Side::Elsewhere => ContactView::Elsewhere,
            Side::Known(contact) => ContactView::Known(contact),
            Side::Twins(twins) => ContactView::Twins(twins),
        };
        let view = PersonView {
            contact,
            lists: &self.lists,
            proven: self.proven,
            member: self.member.as_ref(),
            address: self.address,
            address_consent: self.address_consent,
            memory: &self.memory,
        };
        decide(&self.rules, &self.world, &view)
    }

    pub fn decision(&self) -> Decision {
        match self.verdict() {
            Verdict::Settled(decision) => *decision,
            Verdict::Ask(question) => panic!("asks {question:?}"),
        }
    }

    pub fn asks(&self) -> Option<Question> {
        match self.verdict() {
            Verdict::Ask(question) => Some(question),
            Verdict::Settled(_) => None,
        }
    }

    /// The due move's kind and its steps in words.
    pub fn due(&self) -> Option<(MoveKind, Vec<String>)> {
        let due = self.decision().due?;
        Some((due.kind, due.steps.iter().map(|planned| planned.step.to_string()).collect()))
    }

    pub fn state(&self) -> PersonState {
        self.decision().state
    }

    /// Asserts the move that is due, by kind and steps in words.
    #[track_caller]
    pub fn is_due(&self, kind: MoveKind, steps: &[&str]) {
        let (got, words) = self.due().unwrap_or_else(|| panic!("nothing is due: {}", self.decision().why));
        assert_eq!(got, kind, "{words:?}");
        assert_eq!(words, steps);
    }

    /// Asserts the state, and that nothing is due.
    #[track_caller]
    pub fn rests(&self, state: PersonState) {
        let decision = self.decision();
        assert_eq!(decision.due, None, "{}", decision.why);
        assert_eq!(decision.state, state, "{}", decision.why);
    }

    /// The next plan's stage: memory stored, and the due move applied, if there is one.
    pub fn next(&self) -> Stage {
        let decision = self.decision();
        let mut next = self.clone();
        next.memory = decision.memory;
        if let Some(due) = &decision.due {
            next.apply(due);
        }
        next
    }

    /// Does to the stage what the steps say.
    pub fn apply(&mut self, due: &Move) {
        for planned in &due.steps {
            self.apply_step(&planned.step);
        }
        for change in &due.then {
            self.remember(change);
        }
        hsmc::domain::contested::made(&mut self.memory, due, self.world.seen);
    }

    fn apply_step(&mut self, step: &Step) {
        let address = self.memory.email.clone().unwrap_or_else(|| email(ADDRESS));
        let fields = self.memory.fields.clone();
        match step {
            Step::UpsertMember { pending, .. } => {
                let status = if *pending { MemberStatus::Pending } else { MemberStatus::Subscribed };
                let fresh = Member {
                    email: address,
                    contact_id: String::new(),
                    status,
                    fields: BTreeMap::new(),
                    tags: Vec::new(),
                    changed: Some(NOW),
                    opted: None,
                    unsubscribe_reason: None,
                };
                // One under another address is somebody else's.
                self.member = self.member.take().filter(|member| member.email == fresh.email);
                self.member.get_or_insert(fresh).fields.extend(fields);
            }
            Step::RestoreMember { .. } => {
                let member = self.member.as_mut().unwrap();
                member.status = MemberStatus::Subscribed;
                member.fields.extend(fields);
            }
            Step::RefreshMember { .. } => self.member.as_mut().unwrap().fields.extend(fields),
            Step::RenameMember => self.member.as_mut().unwrap().email = address,
            Step::SetTag { tag, .. } => {
                let member = self.member.as_mut().unwrap();
                if !member.bears(tag) {
                    member.tags.push(tag.clone());
                }
            }
            Step::ClearTag { tag } => self.member.as_mut().unwrap().tags.retain(|borne| borne != tag),
            Step::ArchiveMember => self.member.as_mut().unwrap().status = MemberStatus::Archived,
            Step::UnsubscribeMember => self.member.as_mut().unwrap().status = MemberStatus::Unsubscribed,
            Step::CreateContact => {
                let mut fresh = contact(77);
                fresh.properties.clear();
                self.side = Side::Known(fresh);
            }
            Step::JoinList { list } => {
                self.lists.insert(*list, Some(NOW));
            }
            Step::LeaveList { list } => {
                self.lists.remove(list);
            }
            Step::SetProperty { property, value } => {
                if let Side::Known(contact) = &mut self.side {
                    contact.properties.insert(property.clone(), value.clone());
                }
            }
            Step::OptOut { .. } => match &mut self.side {
                Side::Known(contact) => contact.opted_out = true,
                Side::Twins(twins) => twins.iter_mut().for_each(|twin| twin.opted_out = true),
                _ => {}
            },
            Step::RecordEvidence => {}
            Step::ReturnMember { status } => self.member.as_mut().unwrap().status = status.clone(),
            Step::EraseMember | Step::EraseContact { .. } => unreachable!("no rule forgets anybody"),
        }
    }

    fn remember(&mut self, change: &MemoryChange) {
        let memory = &mut self.memory;
        match change {
            MemoryChange::Enrolled { tag, list } => {
                memory.enrolled = Some(Enrolled { tag: tag.clone(), list: *list, at: NOW });
            }
            MemoryChange::HandedOver { exit_tag, still_in } => {
                memory.handed_over =
                    Some(HandedOver { exit_tag: exit_tag.clone(), at: NOW, still_in: still_in.clone() });
            }
            MemoryChange::ArchivedByUs { status_before } => {
                memory.archived = Some(ArchivedByUs { status_before: status_before.clone(), at: NOW });
            }
            MemoryChange::NotArchived => {
                memory.archived = None;
                memory.adopted = false;
            }
            MemoryChange::NotEnrolled => memory.enrolled = None,
            MemoryChange::OptOutDelivered => {
                if let Some(opt_out) = memory.opt_out.as_mut() {
                    opt_out.delivered = Some(NOW);
                }
            }
            MemoryChange::BounceNoted => memory.bounce_noted = true,
            MemoryChange::Renamed => memory.previous_email = None,
            MemoryChange::NotHandedOver => memory.handed_over = None,
            // No rule asks for an undo.
            MemoryChange::Undone { .. } => {}
        }
    }
}
