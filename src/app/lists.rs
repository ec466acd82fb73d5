//! The lists that the config names, as the last scan saw them, with every name they have had (R11).

use super::App;
use super::control::Done;
use crate::domain::contact::ListKind;
use crate::domain::id::ListId;
use crate::domain::rules::{RuleSet, SourceList, TagSource};
use crate::journal::naming;
use crate::serve::lists::{ListView, ListsView, NameView};
use crate::serve::requests::Trouble;
use crate::sync::snapshot;

impl App {
    /// The lists that the config names.
    ///
    /// # Errors
    /// The journal or the last scan cannot be read.
    pub fn lists(&self) -> Done<ListsView> {
        let (rules, state) = (&self.workspace.rules, &self.workspace.settings.state);
        let newest = snapshot::newest_finished(&state.join("snapshots"), None).map_err(Trouble::from)?;
        let header = newest.as_ref().map(snapshot::Snapshot::header);
        let mut names = naming::all(&self.workspace.shared.journal)?;
        let view = |id: ListId| {
            let info = header.and_then(|header| header.lists.get(&id));
            let kind = info.map(|info| match info.kind {
                ListKind::Static => "static".to_owned(),
                ListKind::Dynamic => "dynamic".to_owned(),
            });
            let had = names.remove(&id).unwrap_or_default();
            ListView {
                id,
                name: info.map(|info| info.name.clone()),
                kind,
                members: header.and_then(|header| header.counts.lists.get(&id).copied()),
                uses: uses(rules, id),
                names: had.into_iter().map(|one| NameView { name: one.name, since: one.at }).collect(),
            }
        };
        let lists = rules.all_lists().into_iter().map(view).collect();
        Ok(ListsView { seen: header.map(|header| header.seen), lists })
    }
}

/// What the config uses a list for, in its order.
fn uses(rules: &RuleSet, list: ListId) -> Vec<String> {
    let mut uses = Vec::new();
    if rules.critical.contains(&list) {
        uses.push("critical exclusion".to_owned());
    }
    for group in &rules.groups {
        if group.exclude.contains(&list) && !rules.critical.contains(&list) {
            uses.push(format!("exclusion of {}", group.name));
        }
        let sources = group.lists.iter().filter(|source| source.list == list);
        uses.extend(sources.map(|source| format!("source of {} ({})", group.name, tag(source))));
    }
    for handover in &rules.handovers {
        let exit = &handover.exit_tag;
        if handover.to == Some(list) {
            uses.push(format!("destination of \"{exit}\""));
        }
        if handover.from == Some(list) || handover.also_leave.contains(&list) {
            uses.push(format!("left by \"{exit}\""));
        }
    }
    let supplemental = rules.supplemental.iter().filter(|extra| extra.list == list);
    uses.extend(supplemental.map(|extra| format!("supplemental (tag \"{}\")", extra.tag)));
    let segments = rules.segments.iter().filter(|segment| segment.rule.lists().contains(&list));
    uses.extend(segments.map(|segment| format!("asked about by segment {}", segment.name)));
    let fed = rules.segments.iter().filter(|segment| segment.list == Some(list));
    uses.extend(fed.map(|segment| format!("fed by segment {}", segment.name)));
    uses
}

fn tag(source: &SourceList) -> String {
    match &source.tag {
        TagSource::Name(name) => format!("tag \"{name}\""),
        TagSource::ListName => "tag by its name".to_owned(),
    }
}
