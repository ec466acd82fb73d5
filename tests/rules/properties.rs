//! What holds for everybody, whatever the world looks like.

use crate::support::{Side, Stage, ann, contact, email, tag};
use hsmc::domain::failure::Service;
use hsmc::domain::id::ListId;
use hsmc::domain::member::MemberStatus;
use hsmc::domain::moves::{MoveKind, Pivot};
use hsmc::domain::person::PersonState;
use hsmc::domain::plan::{LimitCollector, PlanSummary};
use hsmc::domain::rules::{AddressConsent, AddressView, Precedence, Question, Verdict};
use hsmc::domain::step::Step;
use hsmc::domain::time::Timestamp;
use proptest::prelude::*;

const TAGS: [&str; 12] = [
    "General Single",
    "General Multi",
    "Sanctioned",
    "General Single Long Term",
    "Slow",
    "Newsletter",
    "General Single Finished",
    "Recruitment Finished",
    "Long Term Single Finished",
    "VIP",
    "Manual Inclusion",
    "Foreign",
];
const LISTS: [u64; 11] = [969, 719, 987, 784, 1032, 717, 762, 946, 947, 555, 720];

fn status() -> impl Strategy<Value = MemberStatus> {
    prop_oneof![
        6 => Just(MemberStatus::Subscribed),
        1 => Just(MemberStatus::Unsubscribed),
        1 => Just(MemberStatus::Cleaned),
        1 => Just(MemberStatus::Pending),
        1 => Just(MemberStatus::Transactional),
        3 => Just(MemberStatus::Archived),
        1 => Just(MemberStatus::Other("paused".to_owned())),
    ]
}

prop_compose! {
    fn memory_of()(
        enrolled in proptest::option::of((0usize..4, 0usize..5)),
        handed_over in proptest::option::weighted(0.3, proptest::sample::subsequence(LISTS.to_vec(), 0..3)),
        archived in proptest::option::of(prop_oneof![2 => Just(MemberStatus::Subscribed), 1 => status()]),
        opt_out in proptest::option::weighted(0.1, (any::<bool>(), any::<bool>())),
        adopted in any::<bool>(),
        bounce_noted in any::<bool>(),
    ) -> Stage {
        let mut stage = ann();
        if let Some((name, list)) = enrolled {
            stage = stage.enrolled(TAGS[name], LISTS[list]);
        }
        if let Some(still_in) = handed_over {
            stage = stage.handed_over("General Single Finished", &still_in);
        }
        if let Some(status) = archived {
            stage = stage.archived_by_us(status);
        }
        if let Some((mailchimp, delivered)) = opt_out {
            let side = if mailchimp { Service::Mailchimp } else { Service::HubSpot };
            stage = stage.opt_out_known(side, delivered);
        }
        stage.memory.adopted = adopted;
        stage.memory.bounce_noted = bounce_noted;
        stage
    }
}

prop_compose! {
    fn stage()(
        memory in memory_of(),
        fresh in any::<bool>(),
        side in 0u8..9,
        opted_out in proptest::bool::weighted(0.1),
        lists in proptest::sample::subsequence(LISTS.to_vec(), 0..5),
        incomplete in proptest::option::weighted(0.1, 0usize..LISTS.len()),
        branches in proptest::option::of(0u8..4),
        name in "[a-zü]{0,3}",
        address in 0u8..8,
        member in proptest::option::weighted(0.8, (
            status(),
            proptest::sample::subsequence(TAGS.to_vec(), 0..5),
        )),
        proven in any::<bool>(),
        flags in any::<[bool; 5]>(),
    ) -> Stage {
        let mut stage = if fresh { ann() } else { memory };
        let mut one = contact(51);
        one.opted_out = opted_out;
        one.properties.insert("firstname".to_owned(), name);
        if let Some(branches) = branches {
            one.properties.insert("branches".to_owned(), branches.to_string());
        }
        match address {
            0 => one.address = String::new(),
            1 => one.address = "anna@example.com".to_owned(),
            _ => {}
        }
        let listed = !lists.is_empty();
        stage.side = match side {
            0 if !listed => Side::NotLookedUp,
            1 if !listed => Side::NotInHubSpot,
            4 if !listed => Side::Gone,
            5 if !listed => Side::Elsewhere,
            2 => Side::Twins(vec![one, contact(52)]),
            _ => Side::Known(one),
        };
        stage = stage.in_lists(&lists);
        if let Some(list) = incomplete {
            stage = stage.incomplete(LISTS[list]);
        }
        if let Some((status, tags)) = member {
            stage = stage.member(status, &tags);
        }
        stage.proven = proven;
        stage.address_consent = AddressConsent::NotAsked;
        let [double_opt_in, latest, create_missing, archive, ori_lists] = flags;
        stage.rules(|rules| {
            rules.double_opt_in = double_opt_in;
            if latest {
                rules.groups[0].precedence = Precedence::Latest;
            }
            for handover in &mut rules.handovers {
                handover.create_missing = create_missing;
                handover.archive = archive;
            }
            if ori_lists {
                rules.ori_lists = Some("ORI_LISTS".to_owned());
            }
        })
    }
}

/// Answers questions as the caller would.
fn answered(mut stage: Stage) -> Stage {
    for _ in 0..5 {
        match stage.verdict() {
            Verdict::Settled(_) => return stage,
            Verdict::Ask(Question::LookUp) => stage.side = Side::NotInHubSpot,
            Verdict::Ask(Question::Prove) => stage.proven = true,
            Verdict::Ask(Question::Trace) => stage.side = Side::Gone,
            // The harder answer: whoever stands under another address than their contact has opted out.
            Verdict::Ask(Question::Consent) => stage.address_consent = AddressConsent::OptedOut,
        }
    }
    panic!("asks for ever: {stage:?}");
}

/// Whether the member has such a status, under another address than the contact's own.
fn stands_elsewhere(stage: &Stage, status: MemberStatus) -> bool {
    let Side::Known(contact) = &stage.side else { return false };
    let own = contact.email().filter(|_| stage.address != AddressView::Second);
    let member = stage.member.as_ref().filter(|member| member.status == status);
    own.zip(member).is_some_and(|(own, member)| member.email != own)
}

fn opt_out_sign(stage: &Stage) -> bool {
    let contacts = match &stage.side {
        Side::Known(contact) => contact.opted_out,
        Side::Twins(twins) => twins.iter().any(|twin| twin.opted_out),
        _ => false,
    };
    let silent = |status: &MemberStatus| matches!(status, MemberStatus::Unsubscribed | MemberStatus::Cleaned);
    if stands_elsewhere(stage, MemberStatus::Cleaned) && stage.decision().memory.moved.is_none() {
        // It is not the contact's address that has bounced (R10).
        return stage.memory.opt_out.is_some() || contacts;
    }
    contacts
        || stage.address_consent == AddressConsent::OptedOut
        || stage.memory.opt_out.is_some()
        || stage.member.as_ref().is_some_and(|member| silent(&member.status))
        || stage.memory.archived.as_ref().is_some_and(|archived| silent(&archived.status_before))
}

fn protected(stage: &Stage) -> bool {
    let member = stage.member.as_ref();
    member.is_some_and(|member| member.bears(&tag("VIP")) || member.bears(&tag("Manual Inclusion")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_people_of_a_plan_add_up_in_one_state_each_whatever_its_limits_leave_out(
        stages in proptest::collection::vec(stage(), 0..40),
        archives in proptest::option::of(0u64..5),
        cap in proptest::option::of(0u64..5),
    ) {
        let decisions: Vec<_> = stages.iter().map(|stage| answered(stage.clone()).decision()).collect();
        let mut rules = ann().rules;
        (rules.max_archives_per_run, rules.audience_cap) = (archives, cap);
        let mut collector = LimitCollector::new(&rules, 0, Timestamp(0));
        decisions.iter().filter_map(|decision| decision.due.as_ref()).for_each(|due| collector.collect(due));
        let limits = collector.finish();
        let mut summary = PlanSummary::default();
        for decision in &decisions {
            let due = decision.due.as_ref().map(|due| (due, limits.admits(due)));
            summary.count(decision.state, due, decision.notes.iter().cloned());
        }
        prop_assert_eq!(summary.people.values().sum::<u64>(), decisions.len() as u64);
        let known = |word: &String| PersonState::ALL.iter().any(|state| state.word() == word);
        prop_assert!(summary.people.keys().all(known));
        let moves = summary.moves.values().sum::<u64>() + summary.left_out.values().sum::<u64>();
        prop_assert_eq!(moves, decisions.iter().filter(|decision| decision.due.is_some()).count() as u64);
    }

    #[test]
    fn the_same_input_gives_the_same_bytes(stage in stage()) {
        prop_assert_eq!(format!("{:?}", stage.verdict()), format!("{:?}", stage.clone().verdict()));
        let decision = answered(stage.clone()).decision();
        let bytes = bincode::serialize(&(&decision.memory, &decision.due)).unwrap();
        let again = answered(stage).decision();
        prop_assert_eq!(bytes, bincode::serialize(&(&again.memory, &again.due)).unwrap());
    }

    #[test]
    fn nobody_who_opted_out_is_subscribed_tagged_or_archived(stage in stage()) {
        let stage = answered(stage);
        if opt_out_sign(&stage) {
            let decision = stage.decision();
            prop_assert_eq!(decision.state, PersonState::OptedOut);
            for planned in decision.due.iter().flat_map(|due| &due.steps) {
                prop_assert!(!matches!(
                    planned.step,
                    Step::UpsertMember { .. }
                        | Step::RestoreMember { .. }
                        | Step::SetTag { .. }
                        | Step::ArchiveMember
                        | Step::JoinList { .. }
                ), "{}", planned.step);
            }
        }
    }

    #[test]
    fn only_a_subscription_hsmc_may_give_is_given(stage in stage()) {
        let stage = answered(stage);
        let decision = stage.decision();
        for planned in decision.due.iter().flat_map(|due| &due.steps) {
            if matches!(planned.step, Step::RestoreMember { .. }) {
                let ours = stage.memory.archived.as_ref().map(|archived| archived.status_before.clone());
                // Of whose archive nobody knows what it hides, an operator has settled it.
                let may = match ours {
                    Some(MemberStatus::Subscribed) => true,
                    Some(MemberStatus::Archived) | None => stage.memory.adopted,
                    Some(_) => false,
                };
                prop_assert!(may);
            }
            if matches!(planned.step, Step::SetTag { .. })
                && decision.due.as_ref().is_some_and(|due| due.kind != MoveKind::Restore)
            {
                // One that bounced, or is archived, under another address is theirs no longer (R10).
                let left = [MemberStatus::Cleaned, MemberStatus::Archived];
                let is_left = left.into_iter().any(|status| stands_elsewhere(&stage, status));
                let status = stage.member.as_ref().map(|member| &member.status).filter(|_| !is_left);
                prop_assert!(matches!(status, None | Some(MemberStatus::Subscribed)));
            }
        }
    }

    #[test]
    fn nobody_protected_is_archived_or_untagged_but_by_opt_out_or_critical_exclusion(stage in stage()) {
        let stage = answered(stage);
        if let Some(due) = stage.decision().due.filter(|_| protected(&stage)) {
            let critical = stage.lists.contains_key(&ListId(762)) && due.kind == MoveKind::Exclude;
            let consent = due.kind.is_opt_out() || due.kind == MoveKind::Bounce;
            for planned in &due.steps {
                prop_assert!(planned.step != Step::ArchiveMember);
                if let Step::ClearTag { tag: cleared } = &planned.step {
                    prop_assert!(critical || consent, "{}", planned.step);
                    prop_assert!(*cleared != tag("VIP") && *cleared != tag("Manual Inclusion"));
                }
            }
        }
    }

    #[test]
    fn a_move_ends_in_its_pivot_and_touches_nothing_foreign(stage in stage()) {
        if let Some(due) = answered(stage.clone()).decision().due {
            prop_assert!(!due.steps.is_empty());
            if let Pivot::At(index) = due.pivot() {
                prop_assert_eq!(usize::from(index.0) + 1, due.steps.len());
            }
            let place = |wanted: fn(&Step) -> bool| due.steps.iter().position(|planned| wanted(&planned.step));
            let last = due.steps.last().map(|planned| &planned.step);
            match due.kind {
                MoveKind::Enroll | MoveKind::Restore => {
                    let set = matches!(last, Some(Step::SetTag { .. }));
                    prop_assert!(set, "the entry tag is last");
                }
                MoveKind::HandOver | MoveKind::Orphan => {
                    let archive = place(|step| *step == Step::ArchiveMember);
                    prop_assert!(archive.is_none_or(|at| at + 1 == due.steps.len()));
                }
                _ => {}
            }
            for planned in &due.steps {
                if let Step::ClearTag { tag: named } | Step::SetTag { tag: named, .. } = &planned.step {
                    prop_assert!(*named != tag("Foreign") && *named != tag("VIP"));
                }
                if let Step::LeaveList { list } | Step::JoinList { list } = &planned.step {
                    prop_assert!([719, 784, 946, 947].contains(&list.0), "a dynamic list is HubSpot's");
                }
            }
        }
    }

    #[test]
    fn applied_moves_come_to_rest_and_then_cost_nothing(stage in stage()) {
        let mut stage = answered(stage);
        let start = format!("{stage:?}");
        let mut trail = Vec::new();
        for _ in 0..4 {
            let decision = stage.decision();
            let done = decision.due.is_none();
            trail.push(format!("{:?} {:?} {}", decision.state, decision.due.map(|due| due.kind), decision.why));
            stage = answered(stage.next());
            if done {
                break;
            }
        }
        let rest = stage.decision();
        prop_assert!(rest.due.is_none(), "{trail:?}\n{start}\n{:?}", rest.due);
        let stored = stage.next();
        let again = answered(stored.clone()).decision();
        prop_assert_eq!(&again.memory, &stored.memory, "{:?}\n{}", trail, start);
        prop_assert!(again.due.is_none());
    }

    #[test]
    fn words_name_no_one(stage in stage()) {
        let decision = answered(stage).decision();
        let words = format!("{} {:?} {:?}", decision.why, decision.notes, decision.due);
        prop_assert!(!words.contains('@'));
        prop_assert!(!decision.why.is_empty() && PersonState::ALL.contains(&decision.state));
    }

    #[test]
    fn an_address_is_never_shown_by_a_verdict(stage in stage()) {
        let shown = format!("{:?}", answered(stage).decision().due);
        prop_assert!(!shown.contains(email("ann@example.com").as_str()));
    }
}
