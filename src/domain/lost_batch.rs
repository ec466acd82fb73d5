//! An asynchronous batch whose answer was lost: nobody knows its id, or whether it was taken, and it may still be taken
//! for as long as a call can go on. Until then its steps bear a stand-in for a ticket, which says when it left and how
//! large it was: by that it is found among Mailchimp's batches (Mailchimp contract §18).
//!
//! Never: a stand-in that could be the id of a batch, which is made of hexadecimal digits.

use super::time::Timestamp;

const PREFIX: &str = "lost-";

/// What is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostBatch {
    /// When it left.
    pub sent: Timestamp,
    /// How many calls it carries.
    pub operations: usize,
}

impl LostBatch {
    /// The stand-in for its ticket.
    pub fn ticket(&self) -> String {
        format!("{PREFIX}{}-{}", self.sent.0, self.operations)
    }

    /// The batch that a stand-in is for; none when the ticket is one of Mailchimp's.
    pub fn of(ticket: &str) -> Option<LostBatch> {
        let (sent, operations) = ticket.strip_prefix(PREFIX)?.rsplit_once('-')?;
        Some(LostBatch { sent: Timestamp(sent.parse().ok()?), operations: operations.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_says_what_it_stands_for_and_no_ticket_is_one() {
        for sent in [Timestamp(0), Timestamp(1_763_000_000_000), Timestamp(-5)] {
            let lost = LostBatch { sent, operations: 517 };
            assert_eq!(LostBatch::of(&lost.ticket()), Some(lost));
        }
        for ticket in ["8b2c1f00aa", "batch00027", "lost-", "lost-1", "lost-x-2", "lost-1-x", ""] {
            assert_eq!(LostBatch::of(ticket), None, "{ticket}");
        }
    }
}
