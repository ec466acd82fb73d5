//! Before a run: the accounts are what the config says (R27). What is missing stops the run before any
//! change, naming the line of the config; what hsmc may make by itself (merge fields, the source-tracking
//! property) is made.

use super::error::RunError;
use super::workspace::Workspace;
use crate::domain::contact::{ListInfo, ListKind, PropertyDefinition};
use crate::domain::id::ListId;
use crate::domain::member::MergeField;
use crate::domain::port::Priority;
use std::collections::{BTreeMap, BTreeSet};

/// What a run must know of the accounts besides the scan.
pub struct Accounts {
    /// Properties that cannot be written.
    pub read_only: BTreeSet<String>,
    /// Merge fields by tag.
    pub merge_fields: BTreeMap<String, MergeField>,
    /// Things the report says.
    pub notes: Vec<String>,
}

/// Looks at both accounts.
///
/// # Errors
/// The first thing that does not fit, or a call that failed.
pub async fn preflight(workspace: &Workspace) -> Result<Accounts, RunError> {
    let (crm, audience) = (&workspace.shared.crm, &workspace.shared.audience);
    if let Some(wanted) = workspace.settings.portal {
        let portal = crm.portal(Priority::Scan).await?;
        if portal.portal_id != wanted {
            return Err(RunError::Unfit {
                place: "hubspot.portal_id".to_owned(),
                what: format!("the token belongs to portal {}, the config names {wanted}", portal.portal_id),
                way_out: "use a token of the portal named, or correct the number".to_owned(),
            });
        }
    }
    let (definitions, fields) =
        futures::try_join!(crm.properties(Priority::Scan), audience.merge_fields(Priority::Scan))?;
    let (read_only, mut notes) = properties(workspace, &definitions).await?;
    let merge_fields = merge_fields(workspace, fields, &mut notes).await?;
    Ok(Accounts { read_only, merge_fields, notes })
}

/// Which properties cannot be written. The source-tracking ones are made when missing (R9); a bounce
/// property that is missing is reported once and left alone (R22).
async fn properties(
    workspace: &Workspace,
    definitions: &[PropertyDefinition],
) -> Result<(BTreeSet<String>, Vec<String>), RunError> {
    let known: BTreeMap<&str, &PropertyDefinition> =
        definitions.iter().map(|definition| (definition.name.as_str(), definition)).collect();
    let mut read_only: BTreeSet<String> = definitions
        .iter()
        .filter(|definition| definition.read_only)
        .map(|definition| definition.name.clone())
        .collect();
    let mut notes = Vec::new();
    let rules = &workspace.rules;
    for (name, label) in [(&rules.import_list, "Import list"), (&rules.ori_lists, "Original lists")]
        .into_iter()
        .filter_map(|(name, label)| Some((name.clone()?, label)))
    {
        if !known.contains_key(name.as_str())
            && workspace.settings.apply != super::workspace::ApplyMode::Never
        {
            workspace.shared.crm.create_text_property(Priority::Scan, &name.to_lowercase(), label).await?;
            notes.push(format!("property {name} was missing and has been created"));
        }
    }
    if let Some(name) = &rules.bounce_property
        && !known.contains_key(name.as_str())
    {
        notes.push(format!("property {name} does not exist in HubSpot: bounces are not noted there"));
        read_only.insert(name.clone());
    }
    for name in [&rules.bounce_property, &rules.import_list, &rules.ori_lists].into_iter().flatten() {
        if known.get(name.as_str()).is_some_and(|definition| definition.read_only) {
            notes.push(format!("property {name} is read-only in HubSpot: it is never written"));
        }
    }
    Ok((read_only, notes))
}

/// The audience's merge fields; those the config names and the audience lacks are created (R4).
async fn merge_fields(
    workspace: &Workspace,
    fields: Vec<MergeField>,
    notes: &mut Vec<String>,
) -> Result<BTreeMap<String, MergeField>, RunError> {
    let mut by_tag: BTreeMap<String, MergeField> =
        fields.into_iter().map(|field| (field.tag.clone(), field)).collect();
    for tag in workspace.rules.merge_fields.keys() {
        if by_tag.contains_key(tag) {
            continue;
        }
        if workspace.settings.apply != super::workspace::ApplyMode::Never {
            workspace.shared.audience.create_merge_field(Priority::Scan, tag, tag).await?;
            notes.push(format!("merge field {tag} was missing and has been created"));
        }
        let field = MergeField {
            tag: tag.clone(),
            kind: "text".to_owned(),
            format: None,
            choices: vec![],
            required: false,
        };
        by_tag.insert(tag.clone(), field);
    }
    Ok(by_tag)
}

/// A destination must be a static list: only those can be written.
///
/// # Errors
/// The first destination that is dynamic.
pub fn check_lists(workspace: &Workspace, lists: &BTreeMap<ListId, ListInfo>) -> Result<(), RunError> {
    for handover in &workspace.rules.handovers {
        let Some(info) = handover.to.and_then(|list| lists.get(&list)) else { continue };
        if info.kind == ListKind::Dynamic {
            let place = workspace.settings.places.get(&info.list);
            return Err(RunError::Unfit {
                place: place.cloned().unwrap_or_else(|| format!("handover of \"{}\", to", handover.exit_tag)),
                what: format!(
                    "list {} is dynamic: HubSpot decides who is in it, nobody can be added",
                    info.list
                ),
                way_out: "name a static list as the destination".to_owned(),
            });
        }
    }
    Ok(())
}
