//! Before a run: the accounts are what the config says (R27). What is missing stops the run before any
//! change, naming the line of the config; what hsmc may make by itself (merge fields, the source-tracking
//! property) is named, and made once the plan may be applied.

use super::error::RunError;
use super::patience::patiently;
use super::scan::ScanError;
use super::workspace::Workspace;
use crate::domain::code::Code;
use crate::domain::contact::{ListInfo, ListKind, PropertyDefinition};
use crate::domain::day::ServiceDay;
use crate::domain::failure::{CallFailure, FailureClass, RefusalCode, Service};
use crate::domain::id::ListId;
use crate::domain::member::MergeField;
use crate::domain::port::{CallResult, Priority};
use crate::domain::step::OptOutScope;
use crate::journal::ledger::{Journal, JournalResult};
use crate::journal::store::Batch;
use std::collections::{BTreeMap, BTreeSet};

/// What a run must know of the accounts besides the scan.
pub struct Accounts {
    /// Properties that cannot be written.
    pub read_only: BTreeSet<String>,
    /// Merge fields by tag.
    pub merge_fields: BTreeMap<String, MergeField>,
    /// Things the report says.
    pub notes: Vec<String>,
    /// Properties that HubSpot lacks, with their labels (R9).
    missing_properties: BTreeMap<String, &'static str>,
    /// Merge fields that the audience lacks (R4).
    missing_fields: BTreeSet<String>,
}

impl Accounts {
    /// Nothing of them was read: enough where nothing but opt-outs is decided.
    pub(super) fn unread() -> Accounts {
        Accounts {
            read_only: BTreeSet::new(),
            merge_fields: BTreeMap::new(),
            notes: Vec::new(),
            missing_properties: BTreeMap::new(),
            missing_fields: BTreeSet::new(),
        }
    }
}

/// The name under which the journal keeps the portal's time zone.
const ZONE: &str = "portal zone";
/// The name under which the journal keeps the portal that it is about.
const PORTAL: &str = "portal";
/// The same for the audience.
const AUDIENCE: &str = "audience";
/// What is learned of the accounts, and can be learned anew.
pub(super) const LEARNED: [&str; 3] = [ZONE, PORTAL, AUDIENCE];

/// Makes sure that the journal is about the audience that the config names, and the token of the portal that the config
/// names and the journal is about: what was remembered of one account must not be done to another. Before anything
/// else, and before moves that an earlier run has begun go on. On the way it learns when the portal's day, and its
/// quota, ends.
///
/// # Errors
/// It is another audience or portal, or the call failed although the config names one.
pub async fn right_accounts(workspace: &Workspace) -> Result<(), RunError> {
    right_audience(workspace)?;
    let (journal, crm) = (&workspace.shared.journal, &workspace.shared.crm);
    let zone = journal.meta_get::<String>(ZONE)?;
    // Known before the first call: that may be the one that finds the quota used up.
    workspace.hubspot.day_is(zone.as_deref().and_then(ServiceDay::of_zone)).await;
    let named = workspace.settings.portal;
    let portal = match named {
        Some(_) => patiently(workspace, Service::HubSpot, || crm.portal(Priority::Scan))
            .await
            .map_err(|problem| of_call(workspace, problem))?,
        // Good to know, and no reason for a run to fail.
        None => match crm.portal(Priority::Scan).await {
            Ok(portal) => portal,
            Err(_) => return Ok(()),
        },
    };
    let found = portal.portal_id;
    if let Some(wanted) = named.filter(|wanted| *wanted != found) {
        return Err(RunError::Unfit {
            code: Code::WrongPortal,
            place: key(workspace, "hubspot.portal_id"),
            what: format!("the token belongs to portal {found}, the config names {wanted}"),
            way_out: "use a token of the portal named, or correct the number".to_owned(),
        });
    }
    let known = portal_of(journal)?;
    if let Some(known) = known.filter(|known| *known != found) {
        let state = workspace.settings.state.display();
        return Err(RunError::Unfit {
            code: Code::WrongPortal,
            place: key(workspace, "hubspot.token"),
            what: format!("the token belongs to portal {found}, but {state} is about portal {known}"),
            way_out: "use a token of that portal, or name another state directory with --state".to_owned(),
        });
    }
    let mut batch = Batch::new();
    if zone.as_ref() != Some(&portal.time_zone) {
        workspace.hubspot.day_is(ServiceDay::of_zone(&portal.time_zone)).await;
        journal.meta_put(&mut batch, ZONE, &portal.time_zone)?;
    }
    if known.is_none() {
        journal.meta_put(&mut batch, PORTAL, &found)?;
    }
    if !batch.is_empty() {
        journal.commit(batch).await?;
    }
    Ok(())
}

/// The portal that a journal is about, once a run has seen it.
///
/// # Errors
/// The journal cannot be read.
pub fn portal_of(journal: &Journal) -> JournalResult<Option<u64>> {
    journal.meta_get(PORTAL)
}

/// The journal knows the audience from the first time that Mailchimp was found to have it.
fn right_audience(workspace: &Workspace) -> Result<(), RunError> {
    let named = &workspace.settings.audience;
    match audience_of(&workspace.shared.journal)?.filter(|known| known != named) {
        None => Ok(()),
        Some(known) => Err(RunError::Unfit {
            code: Code::WrongAudience,
            place: key(workspace, "mailchimp.audience"),
            what: format!(
                "the config names audience {named}, but {} is about audience {known}",
                workspace.settings.state.display()
            ),
            way_out: "name that audience, or another state directory with --state".to_owned(),
        }),
    }
}

/// The audience that a journal is about, once a run has seen it.
///
/// # Errors
/// The journal cannot be read.
pub fn audience_of(journal: &Journal) -> JournalResult<Option<String>> {
    journal.meta_get(AUDIENCE)
}

/// Looks at both accounts, and changes nothing there.
///
/// # Errors
/// The first thing that does not fit, or a call that failed; or the journal cannot be written.
pub async fn preflight(workspace: &Workspace) -> Result<Accounts, RunError> {
    let (crm, audience) = (&workspace.shared.crm, &workspace.shared.audience);
    let (definitions, fields) = futures::try_join!(
        patiently(workspace, Service::HubSpot, || crm.properties(Priority::Scan)),
        patiently(workspace, Service::Mailchimp, || audience.merge_fields(Priority::Scan)),
    )
    .map_err(|problem| of_call(workspace, problem))?;
    if audience_of(&workspace.shared.journal)?.is_none() {
        let mut batch = Batch::new();
        workspace.shared.journal.meta_put(&mut batch, AUDIENCE, &workspace.settings.audience)?;
        workspace.shared.journal.commit(batch).await?;
    }
    sources_are_there(workspace, &definitions)?;
    subscriptions_are_there(workspace).await?;
    Ok(Accounts::of(workspace, &definitions, fields))
}

/// A property that fills a merge field must be there: without it everybody would seem to have none, and whatever the
/// field holds would be emptied.
fn sources_are_there(workspace: &Workspace, definitions: &[PropertyDefinition]) -> Result<(), RunError> {
    let is_there = |name: &String| definitions.iter().any(|definition| definition.name == *name);
    match workspace.rules.merge_fields.iter().find(|(_, property)| !is_there(property)) {
        None => Ok(()),
        Some((tag, property)) => Err(RunError::Unfit {
            code: Code::PropertyMissing,
            place: key(workspace, &format!("merge_fields.{tag}")),
            what: format!("HubSpot has no contact property {property}"),
            way_out: "correct the name, or create the property".to_owned(),
        }),
    }
}

/// An opt-out of a subscription type that is not there would be stuck for good. What HubSpot does not tell stops nobody.
async fn subscriptions_are_there(workspace: &Workspace) -> Result<(), RunError> {
    let scopes = workspace.rules.opt_out_scopes.iter();
    let wanted: Vec<u64> = scopes
        .filter_map(|scope| match scope {
            OptOutScope::Subscription(id) => Some(*id),
            OptOutScope::All => None,
        })
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let Ok(types) = workspace.shared.crm.subscription_types(Priority::Scan).await else { return Ok(()) };
    if types.is_empty() {
        return Ok(());
    }
    match wanted.iter().find(|id| !types.iter().any(|kind| kind.id == **id)) {
        None => Ok(()),
        Some(id) => Err(RunError::Unfit {
            code: Code::SubscriptionType,
            place: key(workspace, "consent.subscriptions"),
            what: format!("the portal has no subscription type {id}"),
            way_out: "name one of the portal's, or \"all\"".to_owned(),
        }),
    }
}

/// The same by one try of each call, for whoever only wants to say what a run would do.
///
/// # Errors
/// A call that failed.
pub async fn glance(workspace: &Workspace) -> CallResult<Accounts> {
    let (crm, audience) = (&workspace.shared.crm, &workspace.shared.audience);
    let (definitions, fields) =
        futures::try_join!(crm.properties(Priority::Scan), audience.merge_fields(Priority::Scan))?;
    Ok(Accounts::of(workspace, &definitions, fields))
}

impl Accounts {
    /// What these definitions mean for this config.
    pub fn of(
        workspace: &Workspace,
        definitions: &[PropertyDefinition],
        fields: Vec<MergeField>,
    ) -> Accounts {
        let mut accounts = Accounts {
            read_only: definitions
                .iter()
                .filter(|definition| definition.read_only)
                .map(|definition| definition.name.clone())
                .collect(),
            merge_fields: fields.into_iter().map(|field| (field.tag.clone(), field)).collect(),
            notes: Vec::new(),
            missing_properties: BTreeMap::new(),
            missing_fields: BTreeSet::new(),
        };
        accounts.match_properties(workspace, definitions);
        accounts.match_fields(workspace);
        accounts
    }

    /// Which properties cannot be written. A bounce property that is missing is reported once and left
    /// alone (R22).
    fn match_properties(&mut self, workspace: &Workspace, definitions: &[PropertyDefinition]) {
        let known: BTreeMap<&str, &PropertyDefinition> =
            definitions.iter().map(|definition| (definition.name.as_str(), definition)).collect();
        let rules = &workspace.rules;
        for (name, label) in [(&rules.import_list, "Import list"), (&rules.ori_lists, "Original lists")] {
            if let Some(name) = name.as_ref().filter(|name| !known.contains_key(name.as_str())) {
                self.missing_properties.insert(name.clone(), label);
            }
        }
        if let Some(name) = &rules.bounce_property
            && !known.contains_key(name.as_str())
        {
            self.notes
                .push(format!("property {name} does not exist in HubSpot: bounces are not noted there"));
            self.read_only.insert(name.clone());
        }
        let lists = rules.groups.iter().flat_map(|group| &group.lists);
        let asked: BTreeSet<&String> =
            lists.flat_map(|list| &list.overrides).map(|over| &over.when.property).collect();
        for name in asked.into_iter().filter(|name| !known.contains_key(name.as_str())) {
            self.notes.push(format!("property {name} does not exist in HubSpot: nobody has a value of it, and no tag is chosen by one"));
        }
        for name in [&rules.bounce_property, &rules.import_list, &rules.ori_lists].into_iter().flatten() {
            if known.get(name.as_str()).is_some_and(|definition| definition.read_only) {
                self.notes.push(format!("property {name} is read-only in HubSpot: it is never written"));
            }
        }
    }

    /// Plans with the merge fields that the config names and the audience lacks, as they will be.
    fn match_fields(&mut self, workspace: &Workspace) {
        for tag in workspace.rules.merge_tags() {
            if self.merge_fields.contains_key(tag) {
                continue;
            }
            self.missing_fields.insert(tag.to_owned());
            let field = MergeField {
                tag: tag.to_owned(),
                kind: "text".to_owned(),
                format: None,
                choices: vec![],
                required: false,
            };
            self.merge_fields.insert(tag.to_owned(), field);
        }
    }

    /// What would be made, for a plan that is only shown.
    pub fn missing(&self) -> Vec<String> {
        let properties = self.missing_properties.keys().map(|name| format!("property {name}"));
        let fields = self.missing_fields.iter().map(|tag| format!("merge field {tag}"));
        properties
            .chain(fields)
            .map(|what| format!("{what} is missing: applying begins by creating it"))
            .collect()
    }

    /// Makes what is missing, and says so. Only for a plan that is about to be applied: planning changes
    /// nothing.
    ///
    /// # Errors
    /// A call that failed; what was made by then stays and is found by the next run.
    pub async fn complete(&self, workspace: &Workspace) -> Result<Vec<String>, RunError> {
        let mut made = Vec::new();
        for (name, label) in &self.missing_properties {
            patiently(workspace, Service::HubSpot, || {
                workspace.shared.crm.create_text_property(Priority::Scan, name, label)
            })
            .await?;
            made.push(format!("property {name} was missing and has been created"));
        }
        for tag in &self.missing_fields {
            patiently(workspace, Service::Mailchimp, || {
                workspace.shared.audience.create_merge_field(Priority::Scan, tag, tag)
            })
            .await?;
            made.push(format!("merge field {tag} was missing and has been created"));
        }
        Ok(made)
    }
}

fn key(workspace: &Workspace, key: &str) -> String {
    workspace.settings.keys.get(key).cloned().unwrap_or_else(|| key.to_owned())
}

/// What to do about an account that cannot be used as the config names it.
pub fn way_out_of(failure: &CallFailure) -> Option<&'static str> {
    match (failure.class, failure.service) {
        (FailureClass::Unauthorized, Service::HubSpot) => {
            Some("use a service key or private-app token of this portal")
        }
        (FailureClass::Unauthorized, Service::Mailchimp) => {
            Some("make a new API key in Mailchimp, under Account › Extras › API keys")
        }
        (FailureClass::Misconfigured, Service::HubSpot) => Some(
            "give the token the scopes it lacks: crm.lists.read and .write, crm.objects.contacts.read and .write, crm.schemas.contacts.read and .write, communication_preferences.read_write",
        ),
        _ => None,
    }
}

/// A first call that the account refuses: the config's line, and the way out.
fn of_call(workspace: &Workspace, problem: RunError) -> RunError {
    let RunError::Call(failure) = problem else { return problem };
    let code = failure.code();
    let (code, place, way_out) = match (way_out_of(&failure), failure.service, failure.refusal) {
        (Some(way_out), Service::HubSpot, _) => (code, "hubspot.token", way_out),
        (Some(way_out), Service::Mailchimp, _) => (code, "mailchimp.api_key", way_out),
        (None, Service::Mailchimp, RefusalCode::NotFound) => {
            let way_out = "use the audience id of Audience › Settings › Audience name and defaults";
            (Code::AudienceMissing, "mailchimp.audience", way_out)
        }
        _ => return RunError::Call(failure),
    };
    RunError::Unfit {
        code,
        place: key(workspace, place),
        what: failure.to_string(),
        way_out: way_out.to_owned(),
    }
}

/// A list that the config names and HubSpot does not have as such: the config's line, and the way out.
pub fn of_scan(workspace: &Workspace, error: ScanError) -> RunError {
    let place = |list: ListId| {
        workspace.settings.places.get(&list).cloned().unwrap_or_else(|| format!("list {list}"))
    };
    let code = error.code();
    match error {
        ScanError::MissingList { list } => RunError::Unfit {
            code,
            place: place(list),
            what: format!("HubSpot has no list {list}"),
            way_out: "correct the id, or restore the list in HubSpot".to_owned(),
        },
        ScanError::NotOfContacts { list } => RunError::Unfit {
            code,
            place: place(list),
            what: format!("list {list} does not hold contacts"),
            way_out: "name a list of contacts".to_owned(),
        },
        other => RunError::Scan(other),
    }
}

/// Lists that people are put into must be static: only those can be written.
///
/// # Errors
/// The first of them that is dynamic.
pub fn check_lists(workspace: &Workspace, lists: &BTreeMap<ListId, ListInfo>) -> Result<(), RunError> {
    for (list, key) in workspace.rules.joined_lists() {
        let Some(info) = lists.get(&list).filter(|info| info.kind == ListKind::Dynamic) else { continue };
        let place = workspace.settings.places.get(&info.list);
        return Err(RunError::Unfit {
            code: Code::ListDynamic,
            place: place.cloned().unwrap_or(key),
            what: format!("list {} is dynamic: HubSpot decides who is in it, nobody can be added", info.list),
            way_out: "name a static list, or turn this one into one".to_owned(),
        });
    }
    Ok(())
}
