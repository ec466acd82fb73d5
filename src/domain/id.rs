//! Numbers that name things. Each has a type of its own, so that none can be taken for another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

macro_rules! number_id {
    ($(#[$meta:meta])* $name:ident($inner:ty)) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.trim().parse().map($name)
            }
        }
    };
}

number_id!(
    /// One person, as hsmc knows them: a surrogate that never changes (design §8). Everything but
    /// the people table refers to a person by this number.
    PersonId(u64)
);
number_id!(
    /// One execution of a plan. Runs count up from 1 within a state directory.
    RunId(u64)
);
number_id!(
    /// A HubSpot record id (`hs_object_id`): a string of digits on the wire, a number inside.
    RecordId(u64)
);
number_id!(
    /// A HubSpot list id (the ILS id): a string of digits on the wire.
    ListId(u64)
);
number_id!(
    /// A Mailchimp static segment, which is what a tag is.
    SegmentId(u64)
);
number_id!(
    /// The place of a step within its move, counted from 0.
    StepIndex(u8)
);

/// One move: the run that planned it and its number there. Sorts as run, then number; prints as
/// `run.number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct MoveId {
    /// The run that planned the move.
    pub run: RunId,
    /// Its number within that run, from 1.
    pub number: u32,
}

impl fmt::Display for MoveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.run, self.number)
    }
}

impl FromStr for MoveId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (run, number) = text
            .split_once('.')
            .ok_or_else(|| format!("`{text}` is no move: a move is written RUN.NUMBER, such as 12.3"))?;
        match (run.parse(), number.parse()) {
            (Ok(run), Ok(number)) => Ok(MoveId { run, number }),
            _ => Err(format!("`{text}` is no move: a move is written RUN.NUMBER, such as 12.3")),
        }
    }
}
