//! How large a rule may be: far above what anybody writes, and small enough that no text costs much.

/// Bytes of text.
pub(super) const TEXT: usize = 4096;
/// Parentheses and `not` within each other.
pub(super) const DEPTH: usize = 32;
/// Tests in one rule.
pub(super) const TESTS: usize = 100;
/// Values between brackets.
pub(super) const VALUES: usize = 500;
