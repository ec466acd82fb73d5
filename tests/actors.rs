//! What the actors promise of moves that cannot go on: each is counted once, wherever it waits, and an
//! operator or an opt-out reaches it there. Both services are away; time is simulated.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use async_trait::async_trait;
use futures::FutureExt;
use hsmc::actors::context::{ActorSettings, Shared, TagDirectory};
use hsmc::actors::router::{Moves, Tally};
use hsmc::connect::{
    Http, HttpSettings, HubSpotClient, HubSpotSettings, Incoming, Loss, MailchimpClient, MailchimpSettings,
    Outgoing, Transport,
};
use hsmc::domain::email::Email;
use hsmc::domain::event::{MoveEnd, MoveEvent, OperatorRequest};
use hsmc::domain::failure::{CallFailure, FailureClass, RefusalCode, Service};
use hsmc::domain::id::{ListId, MoveId, PersonId, RecordId, RunId};
use hsmc::domain::moves::{Move, MoveKind, PlannedStep, Reason};
use hsmc::domain::person::Person;
use hsmc::domain::port::{Budget, Clock, Entropy, Gate, Observed, OptOutBasis, Permit, Priority};
use hsmc::domain::step::{Before, Fingerprint, OptOutScope, Step};
use hsmc::domain::tag::TagName;
use hsmc::domain::time::Timestamp;
use hsmc::engine::retry::RetryPolicy;
use hsmc::engine::{MoveStatus, Phase, fold};
use hsmc::journal::store::memory::MemoryStore;
use hsmc::journal::store::{Batch, Entry, Sequence, Store, StoreError, Table};
use hsmc::journal::{ConsentLedger, Journal};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

const RUN: RunId = RunId(1);
const PERSON: PersonId = PersonId(7);
const LIST: ListId = ListId(946);
/// People who may have an actor at once.
const LIVE: usize = 1_500;

struct Simulated(tokio::time::Instant);

#[async_trait]
impl Clock for Simulated {
    fn now(&self) -> Timestamp {
        Timestamp(1_000_000).plus(self.0.elapsed())
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Entropy for Simulated {
    fn fraction(&self) -> f64 {
        1.0
    }

    fn secret(&self) -> [u8; 32] {
        [7; 32]
    }
}

/// Lets no call out.
struct Away(Service);

#[async_trait]
impl Gate for Away {
    async fn admit(&self, _: Priority, _: Budget) -> Result<Box<dyn Permit>, CallFailure> {
        Err(CallFailure {
            service: self.0,
            class: FailureClass::Transient,
            refusal: RefusalCode::Other,
            status: None,
            what: "call".to_owned(),
            message: "nobody is there".to_owned(),
            trace: None,
        })
    }

    fn service(&self) -> Service {
        self.0
    }
}

/// Lets every call out.
struct Open(Service);

struct Unheard;
impl Permit for Unheard {
    fn report(self: Box<Self>, _: Observed) {}
}

#[async_trait]
impl Gate for Open {
    async fn admit(&self, _: Priority, _: Budget) -> Result<Box<dyn Permit>, CallFailure> {
        Ok(Box::new(Unheard))
    }

    fn service(&self) -> Service {
        self.0
    }
}

/// Unsubscribes whoever it is told to, and notes how many each call named. HubSpot never answers.
#[derive(Default)]
struct Unsubscribing(Mutex<Vec<usize>>);

#[async_trait]
impl Transport for Unsubscribing {
    async fn exchange(&self, request: Outgoing) -> Result<Incoming, Loss> {
        if !request.url.path().starts_with("/lists/") {
            return std::future::pending().await;
        }
        let body: serde_json::Value = serde_json::from_str(&request.body.unwrap()).unwrap();
        let answer = match body.get("members") {
            Some(members) => serde_json::json!({"new_members": [], "updated_members": members, "errors": []}),
            None => body,
        };
        let named = answer.get("updated_members").and_then(|members| members.as_array()).map_or(1, Vec::len);
        self.0.lock().unwrap().push(named);
        let body = Ok(answer.to_string().into_bytes());
        Ok(Incoming { status: 200, headers: vec![], body, at: Timestamp(0) })
    }
}

/// A disk that takes its time: commits are held until it is let go, and each takes so long.
struct Slow {
    inner: MemoryStore,
    takes: Duration,
    /// Whether commits are held.
    held: watch::Sender<bool>,
}

impl Slow {
    fn new() -> Slow {
        Slow { inner: MemoryStore::new(), takes: Duration::ZERO, held: watch::Sender::new(false) }
    }
}

#[async_trait]
impl Store for Slow {
    async fn commit(&self, batch: Batch) -> Result<Sequence, StoreError> {
        self.held.subscribe().wait_for(|held| !held).await.expect("the disk outlives its writers");
        tokio::time::sleep(self.takes).await;
        self.inner.commit(batch).await
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.inner.scan(table, prefix, after, limit)
    }

    async fn compact(&self) -> Result<(), StoreError> {
        self.inner.compact().await
    }

    fn damaged(&self) -> Vec<(Table, Vec<u8>)> {
        self.inner.damaged()
    }
}

struct World {
    disk: Arc<Slow>,
    journal: Journal,
    moves: Moves,
}

/// An audience that nobody reaches.
fn audience() -> MailchimpClient {
    audience_over(Http::new(&HttpSettings::default()).unwrap(), Arc::new(Away(Service::Mailchimp)))
}

fn audience_over(http: Http, gate: Arc<dyn Gate>) -> MailchimpClient {
    let nowhere = "http://services.invalid".parse().unwrap();
    let settings = MailchimpSettings { base_url: nowhere, api_key: "key".into(), audience: "a".to_owned() };
    MailchimpClient::new(settings, gate, http)
}

impl World {
    async fn new() -> World {
        let http = Http::new(&HttpSettings::default()).unwrap();
        let gate = |service| Arc::new(Away(service)) as Arc<dyn Gate>;
        World::over(http, gate, Slow::new(), Duration::from_millis(1)).await
    }

    /// Both services answer as they are told to, and a lane waits as long as it does in earnest.
    async fn answering(services: Arc<Unsubscribing>, takes: Duration) -> World {
        let gate = |service| Arc::new(Open(service)) as Arc<dyn Gate>;
        let disk = Slow { takes, ..Slow::new() };
        World::over(Http::over(services), gate, disk, Duration::from_millis(40)).await
    }

    async fn over(http: Http, gate: fn(Service) -> Arc<dyn Gate>, disk: Slow, quiet: Duration) -> World {
        let clock = Arc::new(Simulated(tokio::time::Instant::now()));
        let nowhere: url::Url = "http://services.invalid".parse().unwrap();
        let crm = HubSpotClient::new(
            HubSpotSettings {
                base_url: nowhere,
                token: "token".into(),
                api_version: "2026-09".to_owned(),
                properties: vec![],
                opt_out_scopes: vec![],
                list_write_limit: 100,
            },
            gate(Service::HubSpot),
            http.clone(),
        );
        let audience = audience_over(http, gate(Service::Mailchimp));
        let disk = Arc::new(disk);
        let journal = Journal::new(Arc::clone(&disk) as Arc<dyn Store>);
        let first = Duration::from_secs(10);
        let shared = Arc::new(Shared {
            journal: journal.clone(),
            crm: Arc::new(crm),
            audience: Arc::new(audience),
            audience_clock: hsmc::actors::account::LearnedClock::new(Arc::clone(&clock) as Arc<dyn Clock>),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            began: Timestamp(0),
            consent: ConsentLedger::new(journal.clone(), Arc::clone(&clock) as Arc<dyn Entropy>),
            entropy: clock,
            hands: Arc::new(hsmc::app::ports::Threads),
            settings: ActorSettings {
                retry: RetryPolicy { first, longest: first, before_probe: first },
                live_contacts: LIVE,
                lane_carries: usize::MAX,
                lane_quiet: quiet,
                lane_longest: quiet * 40,
                batch_above: 20,
                singles_at_once: 4,
                basis: OptOutBasis { legal_basis: String::new(), explanation: String::new() },
                enroll_between: None,
                protection: Default::default(),
                barring: Default::default(),
            },
            listings: Default::default(),
            looks: Default::default(),
            pauses: Default::default(),
            tags: TagDirectory::default(),
            lanes: Default::default(),
            batches: Default::default(),
            traffic: Default::default(),
            stopping: Default::default(),
            progress: std::sync::atomic::AtomicU64::new(0),
        });
        let email = Email::parse("ann@example.com").unwrap();
        let person = Person::new(PERSON, Some(email), Some(RecordId(51)), Timestamp(0));
        let mut batch = Batch::new();
        journal.put_person(&mut batch, &person, None).unwrap();
        journal.commit(batch).await.unwrap();
        World { moves: Moves::start(shared), journal, disk }
    }

    async fn plan(&self, number: u32, kind: MoveKind, step: Step) -> MoveId {
        self.plan_for(PERSON, number, kind, vec![step]).await
    }

    async fn plan_for(&self, person: PersonId, number: u32, kind: MoveKind, steps: Vec<Step>) -> MoveId {
        let steps = steps.into_iter().map(|step| PlannedStep { step, before: Before::NotHeld }).collect();
        let id = MoveId { run: RUN, number };
        let draft = Move {
            person,
            kind,
            reason: Reason { rule: "R0".to_owned(), text: "for a test".to_owned() },
            steps,
            then: vec![],
            since: Timestamp(0),
            input: Fingerprint(0),
        };
        let event = MoveEvent::Planned { draft: Box::new(draft), at: Timestamp(1_000_000) };
        let mut batch = Batch::new();
        self.journal.append_event(&mut batch, id, person, &event).unwrap();
        self.journal.commit(batch).await.unwrap();
        id
    }

    /// So many opt-outs of one run, each second one to HubSpot.
    async fn opt_outs(&self, many: u32) -> Vec<(PersonId, MoveId, Priority)> {
        let mut planned = Vec::new();
        for number in 1..=many {
            let person = PersonId(1_000 + u64::from(number));
            let email = Email::parse(&format!("p{number}@example.com")).unwrap();
            let person_is = Person::new(person, Some(email), Some(RecordId(person.0)), Timestamp(0));
            let mut batch = Batch::new();
            self.journal.put_person(&mut batch, &person_is, None).unwrap();
            self.journal.commit(batch).await.unwrap();
            let (kind, step) = match number % 2 {
                0 => (MoveKind::OptOutHubSpot, Step::OptOut { scope: OptOutScope::All }),
                _ => (MoveKind::OptOutMailchimp, Step::UnsubscribeMember),
            };
            let id = self.plan_for(person, number, kind, vec![Step::RecordEvidence, step]).await;
            planned.push((person, id, Priority::OptOut));
        }
        planned
    }

    /// A handover whose first call finds nobody, and which sleeps until it is tried again.
    async fn sleeping_handover(&self) -> MoveId {
        let id = self.plan(1, MoveKind::HandOver, Step::JoinList { list: LIST }).await;
        self.moves.submit(vec![(PERSON, id, Priority::HandOver)]).await;
        self.until(|tally| tally.asleep == 1).await;
        id
    }

    async fn until(&self, is_so: impl Fn(&Tally) -> bool) -> Tally {
        let mut changes = self.moves.changes();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                let tally = self.moves.tally(RUN).await;
                if is_so(&tally) {
                    return tally;
                }
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(5), waiting).await.expect("it never comes to that")
    }

    fn status(&self, id: MoveId) -> MoveStatus {
        fold(&self.journal.events(id).unwrap()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_handed_over_twice_is_counted_once() {
    let world = World::new().await;
    let id = world.sleeping_handover().await;
    world.moves.submit(vec![(PERSON, id, Priority::HandOver)]).await;
    let tally = world.moves.tally(RUN).await;
    assert_eq!((tally.open, tally.asleep), (1, 1));
    assert_eq!(world.moves.overview().await.waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn an_operator_ends_a_sleeping_move_and_no_run_waits_for_it_any_more() {
    let world = World::new().await;
    let id = world.sleeping_handover().await;
    world.moves.operate(id, PERSON, OperatorRequest::Cancel).await.unwrap();
    let tally = world.until(|tally| tally.open == 0).await;
    assert_eq!((tally.asleep, tally.ended.get("unwound")), (0, Some(&1)));
    assert!(world.status(id).is_over());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_met_leaves_the_move_where_it_was() {
    let world = World::new().await;
    let id = world.sleeping_handover().await;
    for _ in 0..2 {
        let refused = world.moves.operate(id, PERSON, OperatorRequest::Retry).await.unwrap_err();
        assert!(refused.contains("cannot do that now"), "{refused}");
        let tally = world.moves.tally(RUN).await;
        assert_eq!((tally.open, tally.asleep), (1, 1));
    }
    world.moves.operate(id, PERSON, OperatorRequest::Cancel).await.unwrap();
    world.until(|tally| tally.open == 0).await;
}

#[tokio::test(start_paused = true)]
async fn an_opt_out_ends_what_sleeps_before_it_and_nothing_of_that_follows() {
    let world = World::new().await;
    let older = world.sleeping_handover().await;
    let opt_out = world.plan(2, MoveKind::OptOutMailchimp, Step::RecordEvidence).await;
    world.moves.submit(vec![(PERSON, opt_out, Priority::OptOut)]).await;
    let tally = world.until(|tally| tally.open == 0).await;
    assert_eq!((tally.ended.get("superseded"), tally.ended.get("done")), (Some(&1), Some(&1)));
    assert_eq!(world.status(older).phase, Phase::Ended(MoveEnd::Superseded));
    assert_eq!(world.moves.overview().await.asleep, 0);
}

#[tokio::test(start_paused = true)]
async fn an_opt_out_ends_a_stuck_move_that_nobody_performs() {
    let world = World::new().await;
    let older = world.plan(1, MoveKind::Exclude, Step::LeaveList { list: LIST }).await;
    let because = hsmc::domain::failure::Refusal { code: RefusalCode::NotWritable, message: String::new() };
    let mut batch = Batch::new();
    let stuck = MoveEvent::Stuck { because, at: Timestamp(1_000_001) };
    world.journal.append_event(&mut batch, older, PERSON, &stuck).unwrap();
    world.journal.commit(batch).await.unwrap();
    let opt_out = world.plan(2, MoveKind::OptOutMailchimp, Step::RecordEvidence).await;
    world.moves.submit(vec![(PERSON, opt_out, Priority::OptOut)]).await;
    world.until(|tally| tally.open == 0 && tally.ended.contains_key("done")).await;
    assert_eq!(world.status(older).phase, Phase::Ended(MoveEnd::Superseded));
}

/// Of 100,000 people 752 went out by calls of their own, because the disk was slow.
#[tokio::test(start_paused = true)]
async fn r24_hundreds_of_opt_outs_go_in_one_call_however_slow_the_disk() {
    let services = Arc::new(Unsubscribing::default());
    let world = World::answering(Arc::clone(&services), Duration::from_millis(100)).await;
    let opt_outs = world.opt_outs(400).await;
    let begun = tokio::time::Instant::now();
    world.moves.submit(opt_outs).await;
    world.until(|tally| tally.ended.get("done") == Some(&200)).await;
    assert_eq!(*services.0.lock().unwrap(), [200], "HubSpot, which does not answer, is not waited for");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn r24_an_opt_out_alone_goes_at_once() {
    let services = Arc::new(Unsubscribing::default());
    let world = World::answering(Arc::clone(&services), Duration::from_millis(1)).await;
    let opt_outs = world.opt_outs(1).await;
    let begun = tokio::time::Instant::now();
    world.moves.submit(opt_outs).await;
    world.until(|tally| tally.open == 0).await;
    assert_eq!(*services.0.lock().unwrap(), [1]);
    assert!(begun.elapsed() < Duration::from_millis(100), "{:?}", begun.elapsed());
}

/// More than any mailbox takes, and more people than may have an actor, while the disk answers nobody: whoever hands
/// moves over learns how many wait, nobody more is let in, and once the disk goes on every move goes on.
#[tokio::test(start_paused = true)]
async fn a_full_house_pushes_back_and_never_locks_up() {
    const PEOPLE: u32 = 4_000;
    let world = World::new().await;
    let mut planned = Vec::new();
    for number in 1..=PEOPLE {
        let person = PersonId(1_000 + u64::from(number));
        let mut batch = Batch::new();
        let record = Some(RecordId(person.0));
        world.journal.put_person(&mut batch, &Person::new(person, None, record, Timestamp(0)), None).unwrap();
        world.journal.commit(batch).await.unwrap();
        let id =
            world.plan_for(person, number, MoveKind::HandOver, vec![Step::JoinList { list: LIST }]).await;
        planned.push((person, id, Priority::HandOver));
    }

    world.disk.held.send_replace(true);
    let submits = planned.chunks(1).map(|one| world.moves.submit(one.to_vec()));
    let waiting = futures::future::join_all(submits).await;
    let (people, most) = (PEOPLE as usize, waiting.iter().copied().max());
    assert_eq!(most, Some(people - LIVE), "whoever hands over is told how many wait");
    let overview = world.moves.overview().await;
    assert_eq!((overview.live, overview.waiting), (LIVE, people - LIVE));
    let tally = world.moves.tally(RUN).await;
    assert_eq!((tally.open, tally.asleep), (u64::from(PEOPLE), 0));

    // The first steps of all of them come to one lane, whose mailbox takes fewer; its calls find nobody, and
    // everybody sleeps until it is tried again.
    world.disk.held.send_replace(false);
    let tally = world.until(|tally| tally.asleep == u64::from(PEOPLE)).await;
    assert_eq!(tally.open, u64::from(PEOPLE), "nobody is lost");
    assert_eq!(world.moves.overview().await.waiting, 0);
}

/// Mailchimp makes a tag that a call names, and perhaps a twin when it is made as a segment at the same moment.
#[tokio::test(start_paused = true)]
async fn a_tag_is_not_made_as_a_segment_while_a_call_that_names_it_is_out() {
    let (directory, audience) = (TagDirectory::default(), audience());
    let tag = TagName::new("Recruitment");
    let resolve = || directory.resolve(&audience, Priority::Enroll, &tag);
    let naming = directory.naming(std::slice::from_ref(&tag)).await;
    assert!(naming.is_some());
    assert!(resolve().now_or_never().is_none(), "it waits");
    drop(naming);
    resolve().await.unwrap_err();
}
