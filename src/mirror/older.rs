//! A mirror that an older hsmc has left, in which each entry lay by itself.
//!
//! It promises: after [`take_over`] the new one is on the disk with everything that was in the old one, or the old one is
//! still the only one there is. It makes no call, and the old one stays as it was; whoever opens the new one removes it.

use super::disk::Disk;
use super::packed::Packed;
use super::shelf::{Shelf, ShelfError};
use std::path::Path;
use std::sync::Arc;

/// Entries taken over at a time.
const STEP: usize = 500;

/// Packs the mirror of the first form below a root.
///
/// # Errors
/// It cannot be read, has lost something, or there is no room for both.
pub(super) fn take_over(root: &Path) -> Result<(), ShelfError> {
    let old = Disk::of_first_form(root)?;
    let new = Arc::new(Disk::beside(&old)?);
    let packed = Packed::over(Arc::clone(&new));
    let mut after: Option<Vec<u8>> = None;
    loop {
        let rows = old.scan(b"", after.as_deref(), STEP)?;
        let Some((last, _)) = rows.last() else { break };
        after = Some(last.clone());
        let rows = rows.into_iter().filter(|(key, _)| !Disk::is_own(key));
        packed.put(rows.map(|(key, value)| (key, Some(value))).collect())?;
    }
    drop((packed, old));
    match Arc::into_inner(new) {
        Some(new) => new.take_place(),
        None => Err(ShelfError::Disk("the new mirror is still in use".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::RecordId;
    use crate::domain::object::{ObjectRecord, ObjectType};
    use crate::domain::time::Timestamp;
    use crate::mirror::{Identity, Mirror, Opened};
    use std::fs;

    /// A mirror as it was written before there were blocks.
    fn of_first_form(root: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
        let disk = Arc::new(Disk::open(root).unwrap().0);
        let mirror = Mirror::on(disk.clone());
        mirror.identify(Identity { portal: 1, generation: Timestamp(5) }).unwrap();
        for page in 0..30_u64 {
            let mut draft = mirror.draft(Timestamp(7));
            for id in page * 100..(page + 1) * 100 {
                let email = Some(format!("p{id}@example.com"));
                let row = ObjectRecord {
                    id: RecordId(id * 50),
                    properties: [("email".to_owned(), email)].into(),
                    created: None,
                    modified: Some(Timestamp(1)),
                    archived: false,
                    archived_at: None,
                };
                draft.take(&ObjectType::contacts(), &row, false).unwrap();
                draft.see(&ObjectType::contacts(), row.id, 3).unwrap();
            }
            draft.commit().unwrap();
        }
        disk.settle().unwrap();
        let rows = disk.scan(b"", None, usize::MAX).unwrap();
        drop((mirror, disk));
        fs::rename(root.join("sled-2"), root.join("sled")).unwrap();
        rows.into_iter().filter(|(key, _)| !Disk::is_own(key)).collect()
    }

    fn all(mirror: &Mirror) -> Vec<(Vec<u8>, Vec<u8>)> {
        let rows = mirror.shelf().scan(b"", None, usize::MAX).unwrap();
        rows.into_iter().filter(|(key, _)| !Disk::is_own(key)).collect()
    }

    #[test]
    fn a_mirror_of_the_first_form_is_taken_over_whole_and_lies_in_few_entries() {
        let folder = tempfile::tempdir().unwrap();
        let before = of_first_form(folder.path());
        let Opened { mirror, lost } = Mirror::open(folder.path()).unwrap();
        assert_eq!(lost, None);
        assert_eq!(all(&mirror), before);
        assert_eq!(mirror.totals(&ObjectType::contacts()).unwrap().live, 3_000);
        drop(mirror);
        assert!(!folder.path().join("sled").exists());
        let disk = Disk::open(folder.path()).unwrap().0;
        let entries = disk.scan(b"", None, usize::MAX).unwrap().len();
        assert!(entries * 12 < before.len(), "{entries} of {}", before.len());
    }

    #[test]
    fn taking_over_that_was_cut_short_begins_again() {
        let folder = tempfile::tempdir().unwrap();
        let before = of_first_form(folder.path());
        fs::create_dir(folder.path().join("sled-2.new")).unwrap();
        fs::write(folder.path().join("sled-2.new/db"), b"half of it").unwrap();
        let Opened { mirror, lost } = Mirror::open(folder.path()).unwrap();
        assert_eq!((lost, all(&mirror)), (None, before.clone()));
        drop(mirror);
        // Cut short when it had taken its place: the old one is still there, and is not looked at.
        fs::create_dir(folder.path().join("sled")).unwrap();
        let Opened { mirror, lost } = Mirror::open(folder.path()).unwrap();
        assert_eq!((lost, all(&mirror)), (None, before));
        assert!(!folder.path().join("sled").exists() && !folder.path().join("sled-2.new").exists());
    }

    #[test]
    fn one_that_has_lost_something_is_not_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        of_first_form(folder.path());
        Disk::condemn(folder.path()).unwrap();
        let Opened { mirror, lost } = Mirror::open(folder.path()).unwrap();
        assert!(lost.is_some_and(|why| why.contains("older form")));
        assert_eq!(all(&mirror), []);
        drop(mirror);
        assert_eq!(Mirror::open(folder.path()).unwrap().lost, None, "it is told once");
    }
}
