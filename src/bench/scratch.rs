//! A folder for one benchmark, gone with it.

use super::error::BenchError;
use std::path::{Path, PathBuf};

/// The folder. Dropping it removes it.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Beside what lies in `folder`, so that the same disk is measured. Nobody else has a folder of this name: it is
    /// made anew.
    pub(super) fn beside(folder: &Path, what: &str) -> Result<Scratch, BenchError> {
        let path = folder.join(format!(".hsmc-bench-{}-{what}", std::process::id()));
        std::fs::create_dir_all(folder).map_err(BenchError::file(folder))?;
        std::fs::create_dir(&path).map_err(BenchError::file(&path))?;
        Ok(Scratch(path))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(problem) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%problem, folder = %self.0.display(), "the folder of a benchmark stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_its_folder_away_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("kept"), "x").unwrap();
        let scratch = Scratch::beside(home.path(), "records").unwrap();
        std::fs::write(scratch.path().join("log"), "x").unwrap();
        drop(scratch);
        let left: Vec<_> =
            std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["kept"]);
    }
}
