//! Pulling HubSpot's objects into the mirror, and what was pulled before. One pull at a time; a sync goes on beside it
//! and before it.

use super::App;
use super::control::{Done, failed};
use crate::config::Config;
use crate::domain::code::Code;
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::failure::{FailureClass, Service};
use crate::domain::forget::Copied;
use crate::domain::id::RecordId;
use crate::domain::object::{NoObjectType, ObjectRecord, ObjectType};
use crate::domain::port::{BrokenOff, Clock, Hands, Priority, long_work};
use crate::journal::forgotten::ForgottenPeople;
pub use crate::mirror::pull::Told;
use crate::mirror::pull::{Ask, LeaveOut, PullError, Puller};
use crate::mirror::{AssociationDefinition, Mirror, ObjectDefinition, Opened, Pull, PullEnd, ShelfError};
use crate::people;
use crate::serve::pull::{FailureView, HistoryRequest, PullAnswer, PullRequest, PullView, PullWhat, Since};
use crate::serve::requests::Trouble;
use crate::sync::error::RunError;
use crate::sync::patience::patiently;
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Mutex;
use tracing::Instrument;

/// The mirror of a state directory, opened when it is first needed.
pub(super) struct Held {
    place: PathBuf,
    hands: Arc<dyn Hands>,
    clock: Arc<dyn Clock>,
    /// Held by whoever pulls.
    pub(super) pulling: Mutex<()>,
    open: Mutex<Option<Mirror>>,
    /// Why the last opening began anew; told once.
    lost: std::sync::Mutex<Option<String>>,
    /// Who was forgotten since this process began: a page that was on its way may still show them.
    lately: Arc<RwLock<BTreeSet<RecordId>>>,
}

impl Held {
    pub(super) fn new(state: &Path, hands: Arc<dyn Hands>, clock: Arc<dyn Clock>) -> Held {
        Held {
            place: state.join("mirror"),
            hands,
            clock,
            pulling: Mutex::default(),
            open: Mutex::default(),
            lost: std::sync::Mutex::default(),
            lately: Arc::default(),
        }
    }

    /// The mirror; made when there is none.
    async fn mirror(&self) -> Result<Mirror, PullError> {
        let mut held = self.open.lock().await;
        if let Some(mirror) = held.as_ref() {
            return Ok(mirror.clone());
        }
        let place = self.place.clone();
        let Opened { mirror, lost } = long_work(self.hands.as_ref(), move |_| Mirror::open(&place)).await??;
        if let Some(why) = lost {
            tracing::warn!(%why, "the mirror is begun anew: the next pulls read everything");
            *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        }
        // Whoever opens it first is the only process there is: what is still open was left by one that ended.
        let left = mirror.clone();
        if let Err(error) = long_work(self.hands.as_ref(), move |_| left.close_abandoned()).await? {
            // Whoever pulls meets what is wrong there, and begins anew where that is called for.
            tracing::warn!(%error, "pulls that were cut short stay open in the history");
        }
        *held = Some(mirror.clone());
        Ok(mirror)
    }

    /// Whether anything was ever pulled.
    pub(super) fn is_there(&self) -> bool {
        self.place.exists()
    }

    /// Opens it anew the next time, and without what is there.
    pub(super) async fn condemn(&self) -> Result<(), ShelfError> {
        *self.open.lock().await = None;
        Mirror::condemn(&self.place)
    }
}

#[async_trait]
impl Copied for Held {
    async fn let_go(&self, records: &[RecordId], hashes: &[SubscriberHash]) -> Result<(), BrokenOff> {
        self.lately.write().unwrap_or_else(PoisonError::into_inner).extend(records);
        if !self.place.exists() {
            return Ok(());
        }
        let mirror = self.mirror().await.map_err(|error| BrokenOff(error.to_string()))?;
        let (records, hashes, now) = (records.to_vec(), hashes.to_vec(), self.clock.now());
        let erased = long_work(self.hands.as_ref(), move |_| {
            let stood = people::let_go(&mirror, &records, &hashes)?;
            match mirror.erase(&records, &hashes, now)? {
                0 if stood => mirror.rewrite(),
                _ => Ok(()),
            }
        })
        .await?;
        match erased {
            Ok(()) => Ok(()),
            // What cannot be read is begun anew: nothing of them is left either.
            Err(ShelfError::Damaged(_)) => {
                self.condemn().await.map_err(|error| BrokenOff(error.to_string()))?;
                self.mirror().await.map(drop).map_err(|error| BrokenOff(error.to_string()))
            }
            Err(error) => Err(BrokenOff(error.to_string())),
        }
    }
}

/// Hears how a pull goes on.
pub type Tell<'a> = &'a (dyn Fn(Told<'_>) + Send + Sync);

impl From<PullError> for Trouble {
    fn from(error: PullError) -> Trouble {
        let code = error.code();
        match error {
            PullError::OtherPortal { .. } => Trouble::usage(code, error.to_string()).with_way_out(
                "use the token of that portal, or another --state; removing `mirror/` there begins it anew",
            ),
            PullError::Shelf(ShelfError::Damaged(_)) => Trouble::failed(code, error.to_string())
                .with_way_out("pull again: it is begun anew, and everything is read"),
            PullError::Call { ref failure, .. } => {
                Trouble::failed(code, error.to_string()).with_way_out(failure.class.way_out())
            }
            PullError::Shelf(ShelfError::Disk(_))
            | PullError::Circle { .. }
            | PullError::Unbelievable { .. }
            | PullError::BrokenOff(_) => failed(code, error.to_string()),
        }
    }
}

impl From<ShelfError> for Trouble {
    fn from(error: ShelfError) -> Trouble {
        PullError::from(error).into()
    }
}

/// What the config says of objects, with what is usual where it says nothing.
pub(super) struct Definitions {
    objects: Vec<ObjectDefinition>,
    associations: Vec<AssociationDefinition>,
}

impl Definitions {
    pub(super) fn of(config: &Config) -> Definitions {
        let mut objects: Vec<ObjectDefinition> = Vec::new();
        for object in &config.pull.objects {
            let usual = ObjectDefinition::of(object.kind.clone());
            let properties =
                if object.properties.is_empty() { usual.properties } else { object.properties.clone() };
            objects.push(ObjectDefinition { name: object.name.clone(), properties, ..usual });
        }
        if objects.is_empty() {
            let usual = ["contacts", "companies", "deals", "appointments"];
            objects.extend(usual.iter().filter_map(|name| name.parse().ok()).map(ObjectDefinition::of));
        }
        for object in objects.iter_mut().filter(|object| object.kind == ObjectType::contacts()) {
            object.properties.extend(config.rules.all_properties());
            // Nobody's consent can be told without it.
            object.properties.insert("hs_email_optout".to_owned());
            let of_segments = config.rules.segments.iter().flat_map(|segment| segment.rule.properties());
            object.properties.extend(of_segments.map(str::to_owned));
        }
        let mut associations: Vec<AssociationDefinition> = Vec::new();
        for (from, to) in &config.pull.associations {
            associations.push(AssociationDefinition { from: from.clone(), to: to.clone() });
        }
        if associations.is_empty() {
            let has = |kind: &ObjectType| objects.iter().any(|object| object.kind == *kind);
            let usual = [
                ("contacts", "companies"),
                ("contacts", "deals"),
                ("contacts", "appointments"),
                ("companies", "deals"),
            ];
            for (from, to) in usual {
                let (Ok(from), Ok(to)) = (from.parse(), to.parse()) else { continue };
                if has(&from) && has(&to) {
                    associations.push(AssociationDefinition { from, to });
                }
            }
        }
        Definitions { objects, associations }
    }

    /// The types.
    pub(super) fn objects(&self) -> impl Iterator<Item = &ObjectDefinition> {
        self.objects.iter()
    }

    fn named(&self, name: &str) -> Option<&ObjectDefinition> {
        let by_name = self.objects.iter().find(|object| object.name == name);
        by_name.or_else(|| {
            let kind: ObjectType = name.parse().ok()?;
            self.objects.iter().find(|object| object.kind == kind)
        })
    }

    /// The definition of a type.
    pub(super) fn of_kind(&self, kind: &ObjectType) -> Option<&ObjectDefinition> {
        self.objects.iter().find(|object| object.kind == *kind)
    }

    /// The engine of a type.
    fn engine(&self, kind: &ObjectType) -> String {
        let named = self.objects.iter().find(|object| object.kind == *kind);
        named.map_or_else(|| kind.to_string(), |object| object.name.clone())
    }
}

fn traced(engine: &str) -> tracing::Span {
    tracing::info_span!(target: "hsmc::spans", "pull", engine)
}

impl App {
    /// The mirror; made when there is none.
    ///
    /// # Errors
    /// The disk.
    pub async fn mirror(&self) -> Done<Mirror> {
        Ok(self.mirror.mirror().await?)
    }

    /// Pulls what is asked for. An engine that fails does not keep the others from their work.
    ///
    /// # Errors
    /// There is no such type; the portal is another; hsmc is asked to stop; or the mirror cannot be written. What was
    /// pulled stays, and the next pull goes on from there.
    pub async fn pull(&self, request: PullRequest, tell: Tell<'_>) -> Done<PullAnswer> {
        let _one_at_a_time = self.mirror.pulling.lock().await;
        let mut stop = self.workspace.stop.clone();
        let done = tokio::select! {
            biased;
            // A page is either whole in the mirror or not at all: stopping is like being killed.
            _ = stop.wait_for(|stop| *stop) => Err(Trouble {
                exit: 130,
                ..Trouble::failed(Code::Interrupted, "the pull was interrupted")
                    .with_way_out("what was pulled stays: the same command goes on from there")
            }),
            done = self.pull_all(&request, tell) => done,
        };
        // What was pulled is there, whatever comes of this; the next time looks at it again.
        if done.is_ok()
            && !request.dry_run
            && let Err(trouble) = self.keep_segments().await
        {
            tracing::warn!(why = %trouble.message, "segments are not up to date");
        }
        done
    }

    async fn pull_all(&self, request: &PullRequest, tell: Tell<'_>) -> Done<PullAnswer> {
        let definitions = Definitions::of(&self.config);
        let puller = self.puller().await?;
        let now = self.workspace.shared.clock.now();
        let ask = Ask {
            full: request.full,
            since: request.since.map(|since| match since {
                Since::At(moment) => moment,
                Since::Ago(span) => now.minus(span),
            }),
            batch_size: request.batch_size,
            limit: request.limit,
            dry_run: request.dry_run,
            overwrite: request.overwrite,
        };
        let (objects, associations) = self.asked_for(&definitions, &puller, &request.what).await?;
        let is_whole = request.what == PullWhat::All && ask == Ask { full: ask.full, ..Ask::default() };
        let done = if is_whole { puller.begin_whole(ask.full)? } else { BTreeSet::new() };
        let mut pulls = Vec::new();
        for object in objects.iter().filter(|object| !done.contains(&object.name)) {
            let pulled = puller.objects(object, &ask, tell).instrument(traced(&object.name)).await;
            pulls.push(self.pulled(pulled, &ask).await?);
        }
        for association in associations.iter().filter(|pair| !done.contains(&pair.name())) {
            let engine = definitions.engine(&association.from);
            if puller.mirror.watermark(&association.from)?.is_none() && !ask.dry_run {
                if matches!(request.what, PullWhat::All) {
                    continue;
                }
                let what = format!("nothing of {engine} is in the mirror, whose records are asked for");
                return Err(
                    Trouble::usage(Code::NothingKept, what).with_way_out(format!("hsmc pull {engine}"))
                );
            }
            let pulled =
                puller.associations(association, &ask, tell).instrument(traced(&association.name())).await;
            pulls.push(self.pulled(pulled, &ask).await?);
        }
        if is_whole {
            puller.end_whole()?;
        }
        let lost = self.mirror.lost.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(PullAnswer { pulls, lost })
    }

    /// What came of one engine. Where the mirror itself is the trouble, it is opened anew the next time.
    async fn pulled(&self, pulled: Result<Pull, PullError>, ask: &Ask) -> Done<PullView> {
        match pulled {
            Ok(pull) => Ok(view(pull, ask.dry_run)),
            Err(error) => {
                if matches!(error, PullError::Shelf(ShelfError::Damaged(_))) {
                    self.mirror.condemn().await?;
                }
                Err(error.into())
            }
        }
    }

    async fn puller(&self) -> Done<Puller> {
        let workspace = &self.workspace;
        let shared = &workspace.shared;
        let portal = patiently(workspace, Service::HubSpot, || shared.crm.portal(Priority::Pull)).await?;
        if let Some(expected) = workspace.settings.portal.filter(|expected| *expected != portal.portal_id) {
            let found = portal.portal_id;
            let what = format!("the token is of HubSpot portal {found}; the config names {expected}");
            return Err(Trouble::usage(Code::WrongPortal, what));
        }
        let forgotten = ForgottenPeople::load(&shared.journal)?;
        let lately = Arc::clone(&self.mirror.lately);
        let leave_out: LeaveOut = Arc::new(move |kind: &ObjectType, row: &ObjectRecord| {
            if *kind != ObjectType::contacts() {
                return false;
            }
            if lately.read().unwrap_or_else(PoisonError::into_inner).contains(&row.id) {
                return true;
            }
            let address = row.properties.get("email").and_then(Option::as_deref);
            address
                .and_then(|text| Email::parse(text).ok())
                .is_some_and(|email| forgotten.find(&email).is_some())
        });
        let puller = Puller {
            mirror: self.mirror().await?,
            account: Arc::clone(&self.objects),
            clock: Arc::clone(&shared.clock),
            hands: Arc::clone(&shared.hands),
            overlap: self.config.pull.overlap,
            leave_out,
        };
        puller.belongs_to(portal.portal_id)?;
        Ok(puller)
    }

    /// The engines that a request means.
    async fn asked_for(
        &self,
        definitions: &Definitions,
        puller: &Puller,
        what: &PullWhat,
    ) -> Done<(Vec<ObjectDefinition>, Vec<AssociationDefinition>)> {
        match what {
            PullWhat::All => Ok((definitions.objects.clone(), definitions.associations.clone())),
            PullWhat::Object(name) => {
                Ok((vec![self.definition(definitions, puller, name).await?], Vec::new()))
            }
            PullWhat::Associations(None) => Ok((Vec::new(), definitions.associations.clone())),
            PullWhat::Associations(Some((from, to))) => {
                let from = self.definition(definitions, puller, from).await?.kind;
                let to = self.definition(definitions, puller, to).await?.kind;
                Ok((Vec::new(), vec![AssociationDefinition { from, to }]))
            }
        }
    }

    /// A type by its name: of the config, one that HubSpot has anyway, or a custom object of the portal.
    async fn definition(
        &self,
        definitions: &Definitions,
        puller: &Puller,
        name: &str,
    ) -> Done<ObjectDefinition> {
        if let Some(known) = definitions.named(name) {
            return Ok(known.clone());
        }
        let kind: ObjectType = name
            .parse()
            .map_err(|error: NoObjectType| Trouble::usage(Code::NothingSuch, error.to_string()))?;
        if is_plain(&kind) {
            return Ok(ObjectDefinition::of(kind));
        }
        let account = Arc::clone(&puller.account);
        let wanted = name.to_lowercase();
        let schemas =
            patiently(&self.workspace, Service::HubSpot, || account.object_schemas(Priority::Pull)).await;
        let schemas = match schemas {
            Ok(schemas) => schemas,
            // A token need not have the right to see them: HubSpot says whether there is such a type.
            Err(RunError::Call(failure)) if failure.class != FailureClass::Transient => {
                return Ok(ObjectDefinition::of(kind));
            }
            Err(error) => return Err(error.into()),
        };
        let found = schemas.into_iter().find(|schema| schema.names.contains(&wanted));
        found.map(|schema| ObjectDefinition { name: wanted, ..ObjectDefinition::of(schema.kind) }).ok_or_else(
            || {
                Trouble::usage(Code::NothingSuch, format!("HubSpot has no objects called `{name}`"))
                    .with_way_out(
                        "name its type id under [[pull.object]] in the config, such as \"2-123456\"",
                    )
            },
        )
    }

    /// Past pulls, newest first.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub async fn pull_history(&self, request: HistoryRequest) -> Done<Vec<PullView>> {
        let mirror = self.mirror().await?;
        let pulls = mirror.history(request.engine.as_deref(), request.last)?;
        Ok(pulls.into_iter().map(|pull| view(pull, false)).collect())
    }

    /// The newest pull, as far as it has come.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub async fn newest_pull(&self) -> Done<Option<PullView>> {
        Ok(self.mirror().await?.newest_pull()?.map(|pull| view(pull, false)))
    }
}

/// Whether a type goes by a name that HubSpot's paths take: one that it has anyway, an id, or a full name.
fn is_plain(kind: &ObjectType) -> bool {
    let text = kind.as_str();
    let is_full_name = text
        .strip_prefix('p')
        .is_some_and(|rest| rest.split_once('_').is_some_and(|(portal, _)| portal.parse::<u64>().is_ok()));
    ["contacts", "companies", "deals", "appointments"].contains(&text)
        || text.starts_with("2-")
        || text.starts_with("0-")
        || is_full_name
}

fn view(pull: Pull, dry_run: bool) -> PullView {
    let (state, why) = match &pull.end {
        PullEnd::Failed { why, .. } => ("failed", Some(why.clone())),
        _ if dry_run => ("dry run", None),
        PullEnd::Open => ("open", None),
        PullEnd::Done => ("done", None),
        PullEnd::Limited => ("limited", None),
        PullEnd::Interrupted => ("interrupted", None),
    };
    let counts = pull.counts;
    PullView {
        number: if dry_run { 0 } else { pull.number },
        mode: pull.mode.word().to_owned(),
        state: state.to_owned(),
        since: pull.since,
        started: pull.started,
        last: pull.last,
        seconds: pull.duration().as_secs_f64(),
        per_second: (pull.rate() * 10.0).round() / 10.0,
        seen: counts.seen,
        new: counts.new,
        changed: counts.changed,
        unchanged: counts.unchanged,
        deleted: counts.deleted,
        merged: counts.merged,
        removed: counts.removed,
        left_out: counts.left_out,
        failed: counts.failed,
        failures: pull.failures.iter().map(|(id, why)| FailureView { id: id.0, why: why.clone() }).collect(),
        calls: counts.calls,
        resumed: counts.resumed,
        ours: pull.ours,
        theirs: pull.theirs,
        code: pull.code(),
        why,
        engine: pull.engine,
        notes: pull.notes,
    }
}
