//! Mailchimp's side of a scan: the tags, then the members, whole or as changes, whichever is cheaper.

use super::blocking;
use super::error::ScanError;
use super::members::{self, FollowedTag};
use super::progress::Source;
use super::reader::{Reader, rows_of};
use super::work::Base;
use crate::domain::member::{Member, MemberStatus, TagInfo};
use crate::domain::port::{AudienceAccount, MemberQuery, Priority};
use crate::domain::time::Timestamp;
use crate::sync::snapshot::{Counts, Snapshot};

/// What came of Mailchimp's side.
pub(super) struct AudiencePart {
    pub(super) tags: Vec<TagInfo>,
    /// Only the members' counts are set.
    pub(super) counts: Counts,
    /// Nothing differs from the older snapshot.
    pub(super) unchanged: bool,
}

pub(super) async fn read(reader: &Reader<'_>, base: &Base) -> Result<AudiencePart, ScanError> {
    let ctx = reader.ctx;
    let audience: &dyn AudienceAccount = ctx.audience.as_ref();
    let tags = reader.whole(Source::Tags, || async move { audience.tags(Priority::Scan).await }).await?;
    let changes = base.old.as_ref().and_then(|old| Some((old, followed(reader, old, &tags)?)));
    let (old, follow) = match changes {
        Some((old, follow)) => {
            let since = base.since(|clocks| clocks.audience).unwrap_or_default();
            read_changes(reader, since, &follow).await?;
            (Some(old.clone()), follow)
        }
        None => {
            read_all(reader).await?;
            (None, Vec::new())
        }
    };
    let build = members::Build { dir: ctx.dir.clone(), old, follow, sort_bytes: ctx.tuning.sort_bytes };
    let built = blocking(ctx, move || build.run()).await?;
    Ok(AudiencePart { tags, counts: built.counts, unchanged: built.unchanged })
}

/// The tags to follow when only changes are read; none when reading everything is as cheap.
///
/// Whether a tag set or taken moves a member's date of change is not documented, so each tag whose
/// count differs has its bearers read. Tags the rules do not know matter too (a protected pattern may
/// fit them), as long as few people bear them. Counts hide that one came while another went, which is
/// just what handovers make of exit tags: small tags of the rules are read whatever their count.
fn followed(reader: &Reader<'_>, old: &Snapshot, tags: &[TagInfo]) -> Option<Vec<FollowedTag>> {
    let (ctx, tuning) = (reader.ctx, &reader.ctx.tuning);
    let counts = &old.header().counts;
    if counts.members <= tuning.small_audience {
        return None;
    }
    let pages = |rows: u64| rows.div_ceil(tuning.member_page.max(1)).max(1);
    let mut follow: Vec<FollowedTag> = Vec::new();
    for tag in tags {
        let before = old.header().tag(&tag.name).map_or(0, |then| then.member_count);
        let (differs, size) = (before != tag.member_count, pages(tag.member_count));
        let follows = if ctx.known_tags.contains(&tag.name) {
            differs || (tag.member_count > 0 && size <= tuning.known_tag_pages)
        } else {
            differs && size <= tuning.foreign_tag_pages
        };
        if follows {
            let segment = (tag.member_count > 0).then_some(tag.segment);
            follow.push(FollowedTag { name: tag.name.clone(), segment, bearers: tag.member_count });
        }
    }
    for gone in old.header().tags.iter().filter(|then| tags.iter().all(|tag| tag.name != then.name)) {
        follow.push(FollowedTag { name: gone.name.clone(), segment: None, bearers: 0 });
    }
    let all = pages(counts.members.saturating_sub(counts.archived)) + pages(counts.archived);
    let bearers: u64 = follow.iter().filter(|tag| tag.segment.is_some()).map(|tag| pages(tag.bearers)).sum();
    // The three listings of changes cost at least a page each.
    (3 + bearers < all).then_some(follow)
}

async fn read_changes(
    reader: &Reader<'_>,
    since: Timestamp,
    follow: &[FollowedTag],
) -> Result<(), ScanError> {
    let changed = MemberQuery { changed_since: Some(since), ..MemberQuery::default() };
    let archived = MemberQuery { status: Some(MemberStatus::Archived), ..changed.clone() };
    let unsubscribed = MemberQuery {
        status: Some(MemberStatus::Unsubscribed),
        unsubscribed_since: Some(since),
        ..MemberQuery::default()
    };
    // Opt-outs first: they are cheap, and what matters most.
    list(reader, Source::Unsubscribed, unsubscribed).await?;
    list(reader, Source::Changed, changed).await?;
    list(reader, Source::ChangedArchived, archived).await?;
    let audience: &dyn AudienceAccount = reader.ctx.audience.as_ref();
    for segment in follow.iter().filter_map(|tag| tag.segment) {
        reader
            .pages(Source::Bearers(segment), |after: Option<String>| async move {
                audience.bearers(Priority::Scan, segment, after.as_deref()).await
            })
            .await?;
    }
    Ok(())
}

/// Archived members are read last: who was archived meanwhile is seen as archived.
async fn read_all(reader: &Reader<'_>) -> Result<(), ScanError> {
    let archived = MemberQuery { status: Some(MemberStatus::Archived), ..MemberQuery::default() };
    list_surely(reader, Source::Members, Source::MembersAgain, MemberQuery::default()).await?;
    list_surely(reader, Source::Archived, Source::ArchivedAgain, archived).await
}

/// Pages are offsets and shift when members come and go: a listing that shows fewer people than the
/// service counts is read once more, and both readings count.
async fn list_surely(
    reader: &Reader<'_>,
    source: Source,
    again: Source,
    query: MemberQuery,
) -> Result<(), ScanError> {
    let total = list(reader, source, query.clone()).await?;
    let dir = reader.ctx.dir.clone();
    let seen = blocking(reader.ctx, move || {
        let mut hashes = Vec::new();
        for member in rows_of::<Member>(&dir, source)? {
            hashes.push(member?.hash());
        }
        hashes.sort_unstable();
        hashes.dedup();
        Ok(hashes.len() as u64)
    })
    .await?;
    if total.is_some_and(|total| seen < total) {
        tracing::info!(%source, seen, ?total, "the listing was short: reading it once more");
        list(reader, again, query).await?;
    }
    Ok(())
}

async fn list(reader: &Reader<'_>, source: Source, query: MemberQuery) -> Result<Option<u64>, ScanError> {
    let audience: &dyn AudienceAccount = reader.ctx.audience.as_ref();
    let query = &query;
    reader
        .pages(source, |after: Option<String>| async move {
            audience.members(Priority::Scan, query, after.as_deref()).await
        })
        .await
}
