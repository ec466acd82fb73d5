//! `hsmc pull`: its arguments.

use crate::domain::time::Timestamp;
use crate::serve::pull::{PullRequest, PullWhat, Since};
use clap::Args;

/// `pull`
#[derive(Clone, Debug, Args)]
pub struct PullArgs {
    /// contacts, companies, deals, appointments, a custom object, associations, all; history; or clear, to empty the mirror
    #[arg(value_name = "WHAT")]
    pub what: String,
    /// With associations: which two types (those of the config when left out); with history: of which engine
    #[arg(value_name = "TYPE", num_args = 0..=2)]
    pub engines: Vec<String>,
    /// Read everything, instead of what changed
    #[arg(long)]
    pub full: bool,
    /// Read what changed since a date (2026-11-23), a moment, or so long ago (7d); moves no watermark
    #[arg(long, value_name = "DATE|DURATION", value_parser = since, conflicts_with = "full")]
    pub since: Option<Since>,
    /// Rows of a page, where HubSpot takes as many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batch_size: Option<u32>,
    /// Show what would be pulled, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// At most so many records; moves no watermark
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Write every record anew, over newer ones too
    #[arg(long)]
    pub overwrite: bool,
    /// With clear: do not ask
    #[arg(long)]
    pub yes: bool,
    /// Tell of each page and call
    #[arg(long)]
    pub debug: bool,
    /// How many past pulls `history` lists
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub last: usize,
}

impl PullArgs {
    /// What is asked for; none where it is the history, or the end of it all.
    ///
    /// # Errors
    /// Types are named that what is asked for has no use for.
    pub fn request(&self) -> Result<Option<PullRequest>, String> {
        let types = match (self.what.as_str(), self.engines.as_slice()) {
            ("history", [] | [_]) | ("clear", []) => return Ok(None),
            ("associations", [from, to]) => Some((from.as_str(), to.as_str())),
            (_, []) => None,
            ("associations", _) => {
                return Err("associations are between two types: name both, or none for those of the config"
                    .to_owned());
            }
            ("history", _) => return Err("`pull history` is of one engine, or of all".to_owned()),
            (what, _) => return Err(format!("`pull {what}` takes no further types")),
        };
        let what = PullWhat::named(&self.what, types);
        Ok(Some(PullRequest {
            what,
            full: self.full,
            since: self.since,
            batch_size: self.batch_size.and_then(|rows| usize::try_from(rows).ok()),
            limit: self.limit,
            dry_run: self.dry_run,
            overwrite: self.overwrite,
        }))
    }
}

fn since(text: &str) -> Result<Since, String> {
    if let Ok(span) = humantime::parse_duration(text) {
        return Ok(Since::Ago(span));
    }
    // A bare number could be anything.
    let plain = text.trim().parse::<i64>().is_ok();
    Timestamp::parse(text)
        .filter(|_| !plain)
        .map(Since::At)
        .ok_or_else(|| format!("`{text}` is neither a date such as 2026-11-23 nor a duration such as 7d"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        pull: PullArgs,
    }

    fn request(words: &[&str]) -> Result<Option<PullRequest>, String> {
        let line = std::iter::once(&"pull").chain(words);
        Line::try_parse_from(line).map_err(|error| error.to_string())?.pull.request()
    }

    #[test]
    fn types_are_taken_only_where_they_mean_something() {
        let whats = |words: &[&str]| request(words).map(|request| request.map(|request| request.what));
        let both = PullWhat::Associations(Some(("contacts".to_owned(), "deals".to_owned())));
        assert_eq!(whats(&["associations", "contacts", "deals"]), Ok(Some(both)));
        assert_eq!(whats(&["associations"]), Ok(Some(PullWhat::Associations(None))));
        assert_eq!(whats(&["all"]), Ok(Some(PullWhat::All)));
        for none in [&["history"][..], &["history", "deals"], &["clear"]] {
            assert_eq!(whats(none), Ok(None), "{none:?}");
        }
        for odd in [
            &["associations", "contacts"][..],
            &["all", "contacts"],
            &["deals", "contacts"],
            &["history", "deals", "contacts"],
            &["clear", "contacts"],
        ] {
            assert!(whats(odd).is_err(), "{odd:?}");
        }
    }
}
