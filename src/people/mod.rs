//! People, asked: who fits a rule, in an order, column by column, page after page; for tables and for exports of
//! everybody. And who belongs to which segment, kept up to date ([`Roll`]).
//!
//! It promises: pages that follow one another by their cursors hold each person once, whoever is there from the first
//! page to the last; all pages of one question judge by the moment of the first; no page needs more memory than its
//! own rows, however many people there are and whatever they are sorted by. It never calls an account, and changes
//! nothing.

mod beside;
mod column;
mod crowd;
mod cursor;
mod kept;
mod mirrored;
mod one;
mod order;
mod query;
mod roll;
#[cfg(test)]
mod roll_tests;
#[cfg(test)]
mod tests;

pub use beside::{Seen, Whose, is_known, take_over};
pub use column::Column;
pub use crowd::{Crowd, CrowdError};
pub use cursor::Cursor;
pub use mirrored::Mirrored;
pub use one::{Known, One};
pub use order::Sort;
pub use query::{Query, QueryError, Rows, page};
pub use roll::{Caught, Roll, Size, let_go};
