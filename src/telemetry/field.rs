//! The names of log fields: one spelling each. The macros of `tracing` take field names literally;
//! this list is what they are written by, and what log queries may rely on.

/// The run's number.
pub const RUN: &str = "run";
/// The move, as `run.number`.
pub const MOVE: &str = "move";
/// The step's index within its move.
pub const STEP: &str = "step";
/// Which try of the step.
pub const ATTEMPT: &str = "attempt";
/// The person's number; never an address.
pub const PERSON: &str = "person";
/// The kind of move.
pub const KIND: &str = "kind";
/// `HubSpot` or `Mailchimp`.
pub const SERVICE: &str = "service";
/// Which call, in words.
pub const CALL: &str = "call";
/// The lane's target.
pub const LANE: &str = "lane";
/// The code of what went wrong, as `hsmc explain` takes it.
pub const CODE: &str = "code";
/// The failure's class.
pub const CLASS: &str = "class";
/// The service's trace id, for their support.
pub const TRACE: &str = "trace";
/// A length of time in milliseconds.
pub const ELAPSED_MS: &str = "elapsed_ms";
