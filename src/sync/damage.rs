//! What a damaged record means, and for whom: each table has a consequence of its own, and the rest goes on.

use crate::journal::store::Table;

/// The consequence of a damaged record, in words for whoever runs hsmc.
pub fn meaning(table: Table, key: &[u8]) -> &'static str {
    match table {
        Table::Meta => setting(key),
        Table::Runs => "the report of this run is incomplete",
        Table::Moves | Table::OpenMoves => {
            "the move is not gone on with, and its person gets no other; nobody else is held"
        }
        Table::PersonMoves => "the move is missing from its person's timeline",
        Table::People => "this person is held: nothing is done for them but opt-outs are still read",
        Table::PeopleByHash | Table::PeopleByRecord => {
            "nothing: it is made anew from the people at the next start"
        }
        Table::Evidence => "one piece of this person's evidence cannot be shown any more",
        Table::Watermarks => "the next run reads everything",
        Table::Consent => {
            "the chain of evidence has a place that does not hold; `hsmc consent verify` names it"
        }
        Table::Outbox => "one notification is not sent",
        Table::Forgotten => "somebody who was forgotten; they stay so",
        Table::ListNames => "an earlier name of this list is not known any more",
        Table::History => "one past state is missing from this person's timeline",
        Table::Salts => "nobody can tell any more whose address this person's evidence was about",
        Table::Audit => "one line of the audit cannot be shown any more",
    }
}

fn setting(key: &[u8]) -> &'static str {
    match key {
        b"pauses" => "what was paused is not known: everything is paused until `hsmc resume --all`",
        b"next-person" | b"last-run" => "nothing: the number is found again from the records",
        b"scanned config" => "the next run reads everything",
        _ => "a setting of hsmc's own; it is made anew when it is next needed",
    }
}
