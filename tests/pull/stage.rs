//! A portal in memory, a mirror in memory, and whatever happens to the portal between two calls.

use async_trait::async_trait;
use hsmc::connect::{Http, HubSpotClient, HubSpotSettings, Incoming, Loss, OpenGate, Outgoing, Transport};
use hsmc::domain::failure::Service;
use hsmc::domain::id::RecordId;
use hsmc::domain::object::ObjectType;
use hsmc::domain::port::Clock;
use hsmc::domain::time::Timestamp;
use hsmc::mirror::pull::{Ask, PullError, Puller, Told};
use hsmc::mirror::shelf::{Changes, Memory};
use hsmc::mirror::{AssociationDefinition, Live, Mirror, ObjectDefinition, Packed, Pull, State};
use hsmc::sandbox::scenario::{Builder, START};
use hsmc::sandbox::{Act, Delivery, Sandbox, WireRequest};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const CUSTOM: &str = "2-4200001";
/// What happens to the portal behind a call, by the call's number.
pub type Between = Arc<dyn Fn(u64, &mut Sandbox) + Send + Sync>;

/// The portal, its clock, and who changes it meanwhile.
#[derive(Clone)]
pub struct Stage {
    pub sandbox: Arc<Mutex<Sandbox>>,
    time: Arc<Mutex<Timestamp>>,
    calls: Arc<Mutex<u64>>,
    between: Arc<Mutex<Option<Between>>>,
    pub overlap: Duration,
}

#[async_trait]
impl Clock for Stage {
    fn now(&self) -> Timestamp {
        *self.time.lock().unwrap()
    }

    async fn sleep(&self, duration: Duration) {
        self.pass(duration);
    }
}

#[async_trait]
impl Transport for Stage {
    async fn exchange(&self, request: Outgoing) -> Result<Incoming, Loss> {
        let mut wire = WireRequest::new(Service::HubSpot, request.method.as_str(), request.url.path())
            .with_bearer("sandbox-hubspot");
        wire.query = request.url.query_pairs().into_owned().collect();
        wire.body = request.body.unwrap_or_default().into_bytes();
        self.pass(Duration::from_millis(200));
        let reply = self.sandbox.lock().unwrap().handle(self.now(), &wire);
        let number = {
            let mut calls = self.calls.lock().unwrap();
            *calls += 1;
            *calls
        };
        let between = self.between.lock().unwrap().clone();
        if let Some(between) = between {
            between(number, &mut self.sandbox.lock().unwrap());
        }
        if reply.delivery == Delivery::Lost {
            return Err(Loss::Lost("lost".to_owned()));
        }
        let (status, headers) = (reply.response.status, reply.response.headers);
        Ok(Incoming { status, headers, body: Ok(reply.response.body), at: self.now() })
    }
}

impl Stage {
    /// So many records of each type, each contact joined with a few others.
    pub fn new(count: u64) -> Stage {
        Stage::built(|builder| {
            for number in 1..=count {
                let email = format!("p{number}@example.com");
                builder.contact(&[("email", &email), ("firstname", "Pat")]);
                for kind in ["companies", "deals", "appointments", CUSTOM] {
                    builder.object(kind, &[("name", &format!("{kind} {number}"))]);
                }
            }
        })
    }

    pub fn built(people: impl FnOnce(&mut Builder)) -> Stage {
        let mut builder = Builder::new(START);
        builder.custom_object(CUSTOM, "divisions");
        people(&mut builder);
        let sandbox = builder.later(Duration::from_secs(3_600)).clone().build();
        let now = sandbox.now();
        Stage {
            sandbox: Arc::new(Mutex::new(sandbox)),
            time: Arc::new(Mutex::new(now)),
            calls: Arc::default(),
            between: Arc::default(),
            overlap: Duration::from_secs(60),
        }
    }

    /// The same portal as it is now, for another telling of the story.
    pub fn again(&self) -> Stage {
        Stage {
            sandbox: Arc::new(Mutex::new(self.sandbox.lock().unwrap().clone())),
            time: Arc::new(Mutex::new(self.now())),
            calls: Arc::default(),
            between: Arc::default(),
            overlap: self.overlap,
        }
    }

    pub fn pass(&self, time: Duration) {
        let mut now = self.time.lock().unwrap();
        *now = now.plus(time);
    }

    pub fn between(&self, change: impl Fn(u64, &mut Sandbox) + Send + Sync + 'static) {
        *self.between.lock().unwrap() = Some(Arc::new(change));
    }

    pub fn calm(&self) {
        *self.between.lock().unwrap() = None;
    }

    pub fn calls(&self) -> u64 {
        *self.calls.lock().unwrap()
    }

    pub fn act(&self, act: Act) {
        let mut sandbox = self.sandbox.lock().unwrap();
        sandbox.settle(self.now());
        assert!(sandbox.act(&act), "{act:?}");
    }

    pub fn puller(&self, mirror: &Mirror) -> Puller {
        let settings = HubSpotSettings {
            base_url: "http://portal.invalid".parse().unwrap(),
            token: "sandbox-hubspot".to_owned().into(),
            api_version: "2026-09".to_owned(),
            properties: Vec::new(),
            opt_out_scopes: Vec::new(),
            list_write_limit: 500,
        };
        let gate = Arc::new(OpenGate(Service::HubSpot));
        Puller {
            mirror: mirror.clone(),
            account: Arc::new(HubSpotClient::new(settings, gate, Http::over(Arc::new(self.clone())))),
            clock: Arc::new(self.clone()),
            hands: Arc::new(hsmc::app::ports::Threads),
            overlap: self.overlap,
            leave_out: Arc::new(|_, _| false),
        }
    }

    /// One pull of a type.
    pub async fn pull(&self, mirror: &Mirror, kind: &str, ask: &Ask) -> Result<Pull, PullError> {
        self.puller(mirror).objects(&definition(kind), ask, &silent).await
    }

    /// One pull of what joins two types.
    pub async fn pull_pairs(
        &self,
        mirror: &Mirror,
        from: &str,
        to: &str,
        ask: &Ask,
    ) -> Result<Pull, PullError> {
        let definition = AssociationDefinition { from: from.parse().unwrap(), to: to.parse().unwrap() };
        self.puller(mirror).associations(&definition, ask, &silent).await
    }

    /// What the portal has of a type.
    pub fn theirs(&self, kind: &str) -> BTreeMap<u64, BTreeMap<String, String>> {
        let sandbox = self.sandbox.lock().unwrap();
        match kind {
            "contacts" => sandbox.hubspot.contacts().map(|row| (row.id, row.properties.clone())).collect(),
            kind => sandbox.hubspot.objects(kind).map(|row| (row.id, row.properties.clone())).collect(),
        }
    }

    /// Whether the mirror has exactly what the portal has, each once.
    pub fn assert_same(&self, mirror: &Mirror, kind: &str) {
        let object: ObjectType = kind.parse().unwrap();
        let ours: BTreeMap<u64, BTreeMap<String, String>> = live(mirror, kind)
            .into_iter()
            .map(|(id, record)| {
                let hubspots = |name: &str| {
                    name.starts_with("hs_") || ["createdate", "lastmodifieddate"].contains(&name)
                };
                let values = record.properties.into_iter().filter(|(name, _)| !hubspots(name));
                (id, values.filter_map(|(name, value)| Some((name, value?))).collect())
            })
            .collect();
        let mut theirs = self.theirs(kind);
        for values in theirs.values_mut() {
            values.retain(|name, _| !name.starts_with("hs_"));
        }
        assert_eq!(ours, theirs);
        assert_eq!(mirror.totals(&object).unwrap().live, theirs.len() as u64);
    }

    /// Whether the mirror joins exactly what the portal joins, seen from both sides.
    pub fn assert_same_pairs(&self, mirror: &Mirror, from: &str, to: &str) {
        let (one, two): (ObjectType, ObjectType) = (from.parse().unwrap(), to.parse().unwrap());
        let mut count = 0;
        for (kind, other) in [(from, to), (to, from)] {
            for id in self.theirs(kind).into_keys() {
                let theirs: BTreeMap<u64, BTreeSet<String>> =
                    self.sandbox.lock().unwrap().hubspot.linked(kind, id, other);
                let ours =
                    mirror.joined(&kind.parse().unwrap(), RecordId(id), &other.parse().unwrap()).unwrap();
                let ours: BTreeMap<u64, BTreeSet<String>> = ours
                    .into_iter()
                    .map(|(id, pair)| {
                        (id.0, pair.types.into_iter().map(|kind| kind.label.unwrap_or_default()).collect())
                    })
                    .collect();
                assert_eq!(ours, theirs, "{kind} {id}");
                count += if kind == from { theirs.len() as u64 } else { 0 };
            }
        }
        assert_eq!(mirror.pairs(&one, &two).unwrap(), count);
    }
}

pub fn silent(_: Told<'_>) {}

pub fn definition(kind: &str) -> ObjectDefinition {
    let properties = ["email", "firstname", "name", "city"].map(str::to_owned).into();
    ObjectDefinition { name: kind.to_owned(), kind: kind.parse().unwrap(), properties }
}

pub fn mirror() -> Mirror {
    on(&Arc::default())
}

/// A mirror as it lies on a disk: in blocks.
pub fn on(memory: &Arc<Memory>) -> Mirror {
    Mirror::on(Arc::new(Packed::over(memory.clone())))
}

/// What is left after a power cut behind these puts.
pub fn cut(puts: &[Changes]) -> (Mirror, Arc<Memory>) {
    let memory = Arc::new(Memory::cut(puts));
    (on(&memory), memory)
}

pub fn live(mirror: &Mirror, kind: &str) -> BTreeMap<u64, Live> {
    let kind = kind.parse().unwrap();
    mirror.live(&kind).map(|row| row.map(|(id, live)| (id.0, live)).unwrap()).collect()
}

/// How a record stands in the mirror.
pub fn state(mirror: &Mirror, kind: &str, id: u64) -> Option<State> {
    mirror.record(&kind.parse().unwrap(), RecordId(id)).unwrap().map(|kept| kept.state)
}

pub fn small() -> Ask {
    Ask { batch_size: Some(3), ..Ask::default() }
}
