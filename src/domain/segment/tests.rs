//! What the language promises.

use super::*;
use crate::domain::id::ListId;
use crate::domain::person::PersonState;
use crate::domain::tag::TagName;
use crate::domain::time::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Somebody made up. A property that is not there is empty, one named `unread` is unread.
#[derive(Clone, Debug, Default)]
struct Somebody {
    properties: BTreeMap<String, String>,
    lists: BTreeSet<u64>,
    tags: Option<Vec<&'static str>>,
    consent: Option<ConsentState>,
    state: Option<PersonState>,
}

impl Facts for Somebody {
    fn property(&self, name: &str) -> Reading<'_> {
        match self.properties.get(name) {
            _ if name == "unread" => Reading::Unread,
            Some(value) => Reading::Value(value),
            None => Reading::Empty,
        }
    }
    fn in_list(&self, list: ListId) -> Option<bool> {
        (list != ListId(404)).then(|| self.lists.contains(&list.0))
    }
    fn has_tag(&self, tag: &TagName) -> Option<bool> {
        self.tags.as_ref().map(|tags| tags.iter().any(|one| TagName::new(one) == *tag))
    }
    fn consent(&self) -> Option<ConsentState> {
        self.consent
    }
    fn sync_state(&self) -> Option<PersonState> {
        self.state
    }
}

fn with(properties: &[(&str, &str)]) -> Somebody {
    let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Somebody { properties: properties.collect(), ..Somebody::default() }
}

fn fields() -> Fields {
    Fields::standard().with("branches", FieldKind::Number)
}

fn read(text: &str) -> Rule {
    Rule::read(text, &fields()).unwrap_or_else(|mistake| panic!("{text}: {mistake}"))
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn now() -> Timestamp {
    at("2026-11-26T12:00:00Z")
}

fn holds(text: &str, somebody: &Somebody) -> Option<bool> {
    read(text).look(somebody, now()).holds
}

#[test]
fn every_form_asks_what_it_says() {
    let somebody = Somebody {
        lists: BTreeSet::from([719]),
        tags: Some(vec!["VIP"]),
        consent: Some(ConsentState::Subscribed),
        state: Some(PersonState::Enrolled),
        ..with(&[
            ("company", "The Chainge Group "),
            ("lifecyclestage", "customer"),
            ("lastmodifieddate", "2026-11-01T00:00:00Z"),
            ("notes_next_activity_date", "2026-12-01"),
            ("branches", "3"),
            ("hs_email_optout", "false"),
            ("hs_lead_status", "NEW;OPEN"),
            ("custom", "12"),
        ])
    };
    for text in [
        "company contains \"chainge\"",
        "company starts_with the and company ends_with GROUP",
        "company = \"the chainge group\"",
        "company != chainge",
        "company not contains chance",
        "company is_set and phone is_empty and not phone is_set",
        "lifecyclestage in [customer, evangelist, opportunity]",
        "lifecyclestage not in [lead]",
        "hs_lead_status = open and hs_lead_status in [NEW]",
        "lastmodifieddate within 30d",
        "lastmodifieddate not within 2w",
        "lastmodifieddate < 2026-11-02 and lastmodifieddate >= 2026-11-01",
        "lastmodifieddate = 2026-11-01",
        "lastmodifieddate > 2026-10-31T23:59:59Z",
        "notes_next_activity_date within next 7d",
        "notes_next_activity_date not within 7d",
        "branches > 2 and branches >= 3 and branches < 3.5 and branches <= 3 and branches != 2",
        "branches in [1, 3]",
        "hs_email_optout = false and hs_email_optout != true",
        "custom = 12.0 and custom > 2 and custom contains 1",
        "in list 719 and not in list 720",
        "has tag \"vip\" and not has tag Other",
        "consent in [subscribed, opted_out] and consent != bounced",
        "sync_state = enrolled",
        "`company` is_set",
        "not (phone is_set or branches < 3) AND company is_set",
    ] {
        assert_eq!(holds(text, &somebody), Some(true), "{text}");
        assert_eq!(holds(&format!("not ({text})"), &somebody), Some(false), "not {text}");
    }
}

/// Empty is an answer: no test but `is_empty` holds, and so its `not` does.
#[test]
fn not_holds_for_those_without_a_value() {
    let nobody = with(&[("branches", "many"), ("notes_last_contacted", "never")]);
    for text in [
        "company contains x",
        "company = x",
        "lifecyclestage in [customer]",
        "lastmodifieddate within 90d",
        "lastmodifieddate < 2026-01-01",
        "hs_email_optout = false",
        "company is_set",
        // No number and no date: as good as none.
        "branches < 5",
        "notes_last_contacted within 90d",
    ] {
        assert_eq!(holds(text, &nobody), Some(false), "{text}");
        assert_eq!(holds(&format!("not {text}"), &nobody), Some(true), "not {text}");
    }
    assert_eq!(holds("company is_empty and company != x", &nobody), Some(true));
    assert_eq!(
        holds("notes_last_contacted not within 90d and notes_last_contacted is_set", &nobody),
        Some(true)
    );
}

/// Unread is no answer: neither a test nor its `not` holds, and nobody is a member by it.
#[test]
fn what_nobody_has_looked_at_makes_nobody_a_member() {
    let unknown = Somebody::default();
    for text in ["unread = 1", "has tag VIP", "in list 404", "consent = subscribed", "sync_state = parked"] {
        for text in [text.to_owned(), format!("not {text}")] {
            assert_eq!(holds(&text, &unknown), None, "{text}");
            assert!(!read(&text).look(&unknown, now()).is_member(), "{text}");
        }
        assert_eq!(holds(&format!("{text} or company is_empty"), &unknown), Some(true), "{text}");
        assert_eq!(holds(&format!("{text} and company is_set"), &unknown), Some(false), "{text}");
        assert_eq!(holds(&format!("{text} and company is_empty"), &unknown), None, "{text}");
    }
}

#[test]
fn somebody_becomes_cold_at_the_millisecond_although_nothing_changed() {
    let cold = read("lastmodifieddate not within 90d");
    let somebody = with(&[("lastmodifieddate", "2026-11-01T08:30:00.250Z")]);
    let turn = at("2026-11-01T08:30:00.250Z").plus(90 * DAY);
    let look = cold.look(&somebody, now());
    assert_eq!(look, Look { holds: Some(false), until: Some(turn) });
    assert_eq!(cold.holds(&somebody, Timestamp(turn.0 - 1)), Some(false));
    assert_eq!(cold.look(&somebody, turn), Look { holds: Some(true), until: None });
}

#[test]
fn a_turn_that_changes_nothing_is_no_next_look() {
    let rule = read("lastmodifieddate within 30d or lastmodifieddate within 60d or company is_set");
    let somebody = with(&[("lastmodifieddate", "2026-11-20")]);
    assert_eq!(rule.look(&somebody, now()).until, Some(at("2026-11-20").plus(60 * DAY)));
    let somebody = with(&[("lastmodifieddate", "2026-11-20"), ("company", "x")]);
    assert_eq!(rule.look(&somebody, now()), Look { holds: Some(true), until: None });
}

#[test]
fn a_mistake_says_where_what_and_what_to_do() {
    let told = |text: &str| Rule::read(text, &fields()).unwrap_err().to_string();
    let all: String = [
        "",
        "company",
        "company like x",
        "company contains \"chainge",
        "company contains \"\"",
        "company within 30d",
        "lifecyclestage contains cust",
        "lastmodifieddate within 30",
        "lastmodifieddate within 3000000d",
        "lastmodifieddate > yesterday",
        "branches > many",
        "branches in []",
        "branches in [1 2]",
        "branches in [1",
        "hs_email_optout = maybe",
        "in 719",
        "in list Customers",
        "has VIP",
        "consent = happy",
        "sync_state is enrolled",
        "\"company\" = x",
        "company = x company = y",
        "(company = x",
        "company = x)",
        "company = x and",
        "and company = x",
        "company = x\n and company ~ y",
    ]
    .iter()
    .map(|text| format!("{text}\n    {}\n", told(text)))
    .collect();
    insta::assert_snapshot!(all);
}

#[test]
fn a_portals_own_properties_are_all_there_are() {
    let definition = |name: &str, kind: &str, options: &[&str]| crate::domain::contact::PropertyDefinition {
        name: name.to_owned(),
        kind: kind.to_owned(),
        read_only: false,
        options: options.iter().map(|option| (*option).to_owned()).collect(),
    };
    let portal = Fields::of_portal(&[
        definition("lifecyclestage", "enumeration", &["lead", "customer"]),
        definition("branches", "number", &[]),
    ]);
    let read = |text: &str| Rule::read(text, &portal);
    assert!(read("lifecyclestage in [Lead, customer] and branches > 1").is_ok());
    assert!(read("lifecyclestage = costumer").unwrap_err().way_out.contains("lead, customer"));
    assert!(read("brunches > 1").unwrap_err().what.contains("no contact property `brunches`"));
}

#[test]
fn no_text_is_too_deep_or_too_long_to_be_refused() {
    let deep = "(".repeat(2000) + "company is_set" + &")".repeat(2000);
    let nots = "not ".repeat(1000) + "company is_set";
    let many = vec!["company is_set"; 101].join(" and ");
    let long = format!("company = {}", "x".repeat(5000));
    let values = format!("company in [{}]", vec!["x"; 501].join(","));
    for text in [deep, nots, many, long, values] {
        assert!(Rule::read(&text, &fields()).is_err());
    }
    let widest = vec!["company is_set"; 100].join(" and ");
    assert!(Rule::read(&widest, &fields()).is_ok());
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,6}", "[a-zA-Z0-9 _.\"'`\\\\()äß-]{1,10}"]
}

fn moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        (0..40_000i64).prop_map(|day| Moment::Day(Timestamp(day * 86_400_000))),
        (0..4_000_000_000i64).prop_map(|second| Moment::Second(Timestamp(second * 1000))),
    ]
}

fn period() -> impl Strategy<Value = Period> {
    (1u64..10_000_000).prop_map(|seconds| Period::of_seconds(seconds).unwrap())
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Less), Just(Order::AtMost), Just(Order::More), Just(Order::AtLeast)]
}

fn condition() -> impl Strategy<Value = (&'static str, Condition)> {
    let of_text = prop_oneof![
        prop::collection::vec(text(), 1..4).prop_map(TextTest::Is),
        text().prop_map(TextTest::Contains),
        text().prop_map(TextTest::StartsWith),
        text().prop_map(TextTest::EndsWith),
    ];
    let of_number = prop_oneof![
        prop::collection::vec(-1e6..1e6f64, 1..4).prop_map(NumberTest::Is),
        (order(), -1e6..1e6f64).prop_map(|(order, value)| NumberTest::Order(order, value)),
    ];
    let of_moment = prop_oneof![
        prop::collection::vec(moment(), 1..3).prop_map(MomentTest::Is),
        (order(), moment()).prop_map(|(order, moment)| MomentTest::Order(order, moment)),
        period().prop_map(MomentTest::Within),
        period().prop_map(MomentTest::WithinNext),
    ];
    prop_oneof![
        Just(("company", Condition::Set)),
        Just(("phone", Condition::Empty)),
        of_text.prop_map(|test| ("company", Condition::Text(test))),
        of_number.prop_map(|test| ("branches", Condition::Number(test))),
        any::<bool>().prop_map(|truth| ("hs_email_optout", Condition::Truth(truth))),
        (prop_oneof![Just("lastmodifieddate"), Just("createdate")], of_moment)
            .prop_map(|(name, test)| (name, Condition::Moment(test))),
        prop::collection::vec(text(), 1..4).prop_map(|values| ("lifecyclestage", Condition::Choice(values))),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    prop_oneof![
        6 => condition().prop_map(|(name, is)| Test::Property { name: name.to_owned(), is }),
        1 => prop_oneof![Just(719u64), Just(720), Just(404)].prop_map(|list| Test::InList(ListId(list))),
        1 => "[A-Z][a-z \"]{0,6}[a-z]".prop_map(|name| Test::HasTag(TagName::new(&name))),
        1 => prop::sample::subsequence(ConsentState::ALL.to_vec(), 1..4).prop_map(Test::Consent),
        1 => prop::sample::subsequence(PersonState::ALL.to_vec(), 1..4).prop_map(Test::State),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    test().prop_map(Rule::Test).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Rule::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Rule::Any),
            inner.prop_map(|rule| Rule::Not(Box::new(rule))),
        ]
    })
}

fn somebody() -> impl Strategy<Value = Somebody> {
    let moment = || prop::option::of(0..4_000_000_000_000i64);
    (
        prop::option::of(text()),
        prop::option::of(-5..5i32),
        moment(),
        moment(),
        prop::collection::btree_set(prop_oneof![Just(719u64), Just(720)], 0..2),
        prop::option::of(Just(vec!["VIP"])),
        prop::option::of(prop::sample::select(ConsentState::ALL.to_vec())),
        prop::option::of(prop::sample::select(PersonState::ALL.to_vec())),
    )
        .prop_map(|(company, branches, modified, created, lists, tags, consent, state)| {
            let values = [
                ("company", company),
                ("branches", branches.map(|value| value.to_string())),
                ("lastmodifieddate", modified.map(|at| at.to_string())),
                ("createdate", created.map(|at| at.to_string())),
            ];
            let set = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            Somebody { properties: set.collect(), lists, tags, consent, state }
        })
}

fn not(rule: &Rule) -> Rule {
    Rule::Not(Box::new(rule.clone()))
}

proptest! {
    #[test]
    fn a_printed_rule_reads_as_the_same_rule(rule in rule()) {
        let printed = rule.to_string();
        let read = Rule::read(&printed, &fields());
        prop_assert_eq!(read.as_ref(), Ok(&rule), "{}", printed);
    }

    #[test]
    fn not_and_or_keep_their_laws(a in rule(), b in rule(), who in somebody(), now in 0..4_000_000_000_000i64) {
        let now = Timestamp(now);
        let says = |rule: &Rule| rule.holds(&who, now);
        let all = |one: &Rule, two: &Rule| Rule::All(vec![one.clone(), two.clone()]);
        let any = |one: &Rule, two: &Rule| Rule::Any(vec![one.clone(), two.clone()]);
        prop_assert_eq!(says(&not(&not(&a))), says(&a));
        prop_assert_eq!(says(&not(&all(&a, &b))), says(&any(&not(&a), &not(&b))));
        prop_assert_eq!(says(&not(&any(&a, &b))), says(&all(&not(&a), &not(&b))));
        prop_assert_eq!(says(&all(&a, &b)), says(&all(&b, &a)));
        prop_assert_eq!(says(&any(&a, &all(&a, &b))), says(&a));
        // Whatever is read is either so or not so.
        prop_assert!(says(&a).is_none() || says(&any(&a, &not(&a))) == Some(true));
    }

    #[test]
    fn an_answer_stands_until_its_next_look_and_is_another_then(
        rule in rule(),
        who in somebody(),
        now in 0..4_000_000_000_000i64,
        share in 0.0..1.0f64,
    ) {
        let look = rule.look(&who, Timestamp(now));
        let end = look.until.map_or(i64::MAX / 4, |until| until.0);
        prop_assert!(end > now);
        let between = now + ((end - 1 - now) as f64 * share) as i64;
        for moment in [now, between.min(end - 1), end - 1] {
            prop_assert_eq!(rule.holds(&who, Timestamp(moment)), look.holds, "{} at {}", rule, moment);
        }
        if let Some(until) = look.until {
            prop_assert_ne!(rule.holds(&who, until), look.holds);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[a-z0-9 ()\\[\\]\"'`,=<>!_äß.-]{0,200}") {
        if let Ok(rule) = Rule::read(&text, &fields()) {
            prop_assert_eq!(Rule::read(&rule.to_string(), &fields()), Ok(rule));
        }
    }

    #[test]
    fn no_run_of_words_makes_it_panic(words in prop::collection::vec(prop::sample::select(vec![
        "not", "and", "or", "(", ")", "[", "]", ",", "in", "list", "has", "tag", "within", "next", "30d", "company",
        "lastmodifieddate", "branches", "lifecyclestage", "consent", "=", "!=", ">", "1", "2026-01-31", "\"x\"",
        "contains", "is_set", "719", "pending", "strange",
    ]), 0..40)) {
        let text = words.join(" ");
        if let Ok(rule) = Rule::read(&text, &fields()) {
            prop_assert_eq!(Rule::read(&rule.to_string(), &fields()), Ok(rule));
        }
    }
}

#[test]
fn a_rule_says_which_values_it_cannot_do_without() {
    let needs = |text: &str| Rule::read(text, &Fields::standard()).unwrap().needs("email");
    let some = |values: &[&str]| Some(values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>());
    assert_eq!(needs("email = \"a@example.com\""), some(&["a@example.com"]));
    assert_eq!(needs("company is_set and email in [a, b]"), some(&["a", "b"]));
    assert_eq!(needs("email = a or email = b"), some(&["a", "b"]));
    for open in ["email = a or company = b", "email != a", "not email = a", "email contains a", "company = a"]
    {
        assert_eq!(needs(open), None, "{open}");
    }
    let by_id = Rule::read("hs_object_id = 51", &Fields::standard()).unwrap();
    assert_eq!(by_id.needs("hs_object_id"), some(&["51"]));
}
