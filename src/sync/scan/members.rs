//! From page logs to the members' file: older rows under what was read now. Only file work.

use super::progress::Source;
use super::reader::rows_of;
use crate::domain::email::SubscriberHash;
use crate::domain::id::SegmentId;
use crate::domain::member::{Member, MemberStatus};
use crate::domain::tag::TagName;
use crate::sync::snapshot::{
    Counts, ExternalSorter, Keyed, RowWriter, Snapshot, SnapshotError, link_or_copy, members_path,
};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A tag whose bearers changed.
#[derive(Clone, Debug)]
pub(super) struct FollowedTag {
    /// Its name now, or before it vanished.
    pub(super) name: TagName,
    /// Whose bearers were read; none when nobody bears it any more.
    pub(super) segment: Option<SegmentId>,
    /// How many, as the service says.
    pub(super) bearers: u64,
}

/// What was read of one member.
#[derive(Serialize, Deserialize)]
enum Sight {
    /// In a listing of members: as they are now.
    Listed(Member),
    /// Among the bearers of the tag with this number.
    Bearer(u32, Member),
}

impl Sight {
    fn hash(&self) -> SubscriberHash {
        match self {
            Sight::Listed(member) | Sight::Bearer(_, member) => member.hash(),
        }
    }
}

/// The file work of Mailchimp's side.
pub(super) struct Build {
    pub(super) dir: PathBuf,
    /// The older snapshot, when only changes were read.
    pub(super) old: Option<Snapshot>,
    pub(super) follow: Vec<FollowedTag>,
    pub(super) sort_bytes: usize,
}

/// What came of it.
pub(super) struct Built {
    pub(super) counts: Counts,
    pub(super) unchanged: bool,
}

/// Listings, later ones over earlier ones.
const LISTINGS: [Source; 7] = [
    Source::Members,
    Source::MembersAgain,
    Source::Archived,
    Source::ArchivedAgain,
    Source::Unsubscribed,
    Source::Changed,
    Source::ChangedArchived,
];

impl Build {
    pub(super) fn run(&self) -> Result<Built, SnapshotError> {
        let mut sorter = ExternalSorter::new(&self.dir, "members", self.sort_bytes, Sight::hash);
        let mut renames = Renames::default();
        for source in LISTINGS {
            for member in rows_of::<Member>(&self.dir, source)? {
                let member = member?;
                if self.old.is_some() {
                    renames.note(&member);
                }
                sorter.push(&Sight::Listed(member))?;
            }
        }
        renames.sort();
        for (number, tag) in (0_u32..).zip(&self.follow) {
            if let Some(segment) = tag.segment {
                for member in rows_of::<Member>(&self.dir, Source::Bearers(segment))? {
                    sorter.push(&Sight::Bearer(number, member?))?;
                }
            }
        }
        let path = members_path(&self.dir);
        let old = self.old.iter().map(Snapshot::members).collect::<Result<Vec<_>, _>>()?;
        let mut old = Keyed::new(old.into_iter().flatten(), Member::hash);
        let mut sights = Keyed::new(sorter.finish()?, Sight::hash);
        let mut writer = RowWriter::create(&path)?;
        let (mut counts, mut altered) = (Counts::default(), self.old.is_none());
        while let Some(hash) = old.next_key()?.into_iter().chain(sights.next_key()?).min() {
            let before = old.take(hash)?.pop();
            let kept = before.clone().filter(|member| !renames.left_behind(member));
            let now = self.combine(kept, sights.take(hash)?);
            altered |= before != now;
            if let Some(member) = now {
                match member.status {
                    MemberStatus::Archived => counts.archived += 1,
                    MemberStatus::Subscribed => counts.subscribed += 1,
                    _ => {}
                }
                writer.write(&member)?;
            }
        }
        counts.members = writer.finish()?;
        if let Some(old) = self.old.as_ref().filter(|_| !altered) {
            link_or_copy(&members_path(old.dir()), &path)?;
        }
        Ok(Built { counts, unchanged: !altered })
    }

    /// One member from the older row and what was read now.
    fn combine(&self, before: Option<Member>, sights: Vec<Sight>) -> Option<Member> {
        let (mut listed, mut borne, mut as_bearer) = (None, Vec::new(), None);
        for sight in sights {
            match sight {
                Sight::Listed(member) => listed = Some(member),
                Sight::Bearer(number, member) => {
                    borne.push(number);
                    as_bearer = Some(member);
                }
            }
        }
        let fresh = listed.is_some();
        let mut member = listed.or(before).or(as_bearer)?;
        for (number, tag) in (0_u32..).zip(&self.follow) {
            if borne.contains(&number) {
                if !member.bears(&tag.name) {
                    member.tags.push(tag.name.clone());
                }
            } else if !fresh && member.status != MemberStatus::Archived {
                // Archived members keep their tags but are not listed among the bearers.
                member.tags.retain(|name| *name != tag.name);
            }
        }
        // In one order, however they were read: the same person gives the same bytes.
        member.tags.sort();
        member.tags.dedup();
        Some(member)
    }
}

/// Who is listed under which address now: a member whose address changed leaves an older row behind.
#[derive(Default)]
struct Renames {
    // The digest of the contact id, and the hash it is listed under.
    listed: Vec<([u8; 16], SubscriberHash)>,
}

impl Renames {
    fn digest(member: &Member) -> Option<[u8; 16]> {
        (!member.contact_id.is_empty()).then(|| Md5::digest(member.contact_id.as_bytes()).into())
    }

    fn note(&mut self, member: &Member) {
        self.listed.extend(Renames::digest(member).map(|digest| (digest, member.hash())));
    }

    fn sort(&mut self) {
        self.listed.sort_unstable();
        self.listed.dedup();
    }

    /// Whether this older row's member is listed under another address now, and not under this one.
    fn left_behind(&self, before: &Member) -> bool {
        let Some(digest) = Renames::digest(before) else { return false };
        let hash = before.hash();
        let from = self.listed.partition_point(|(other, _)| *other < digest);
        let mut now = self.listed.iter().skip(from).take_while(|(other, _)| *other == digest).peekable();
        now.peek().is_some() && now.all(|(_, other)| *other != hash)
    }
}
