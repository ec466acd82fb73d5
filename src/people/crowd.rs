//! Where people are read from.

use super::one::One;
use crate::domain::id::RecordId;
use crate::domain::segment::Rule;

/// Everybody, in the order of their record ids.
pub trait Crowd {
    /// The next people behind a record, at most so many; fewer than asked for only at the end.
    ///
    /// # Errors
    /// They cannot be read.
    fn after(&self, after: Option<RecordId>, limit: usize) -> Result<Vec<One>, CrowdError>;

    /// Which crowd it is: another number once all of them were let go and read anew. A cursor is of one crowd.
    ///
    /// # Errors
    /// It cannot be read.
    fn generation(&self) -> Result<i64, CrowdError> {
        Ok(0)
    }

    /// Everybody for whom a rule may hold, where they can be looked up; none where all must be read.
    ///
    /// # Errors
    /// They cannot be read.
    fn among(&self, _rule: &Rule) -> Result<Option<Vec<One>>, CrowdError> {
        Ok(None)
    }
}

/// People cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CrowdError(pub String);
