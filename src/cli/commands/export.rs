//! `people`: who they are, as a table or as a file on standard output.

use super::Show;
use crate::cli::args::{Format, PeopleArgs};
use crate::cli::progress::Progress;
use crate::cli::table::number;
use crate::cli::table_sheet::TableSheet;
use crate::cli::{Backend, ExitCode, Failure};
use crate::domain::code::Code;
use crate::serve::export::Sheet;
use crate::serve::people::{PeoplePage, PeopleRequest};
use std::io::{self, BufWriter, IsTerminal, Stdout};

/// Rows of a table that nobody has limited.
const TABLE_ROWS: u64 = 50;
/// Rows asked for at a time.
const PAGE: u64 = 10_000;

pub(super) async fn people<B: Backend>(
    backend: &B,
    args: &PeopleArgs,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let format = args.format.unwrap_or(if show.json { Format::Json } else { Format::Table });
    if format == Format::Parquet && io::stdout().is_terminal() {
        let what = "a Parquet file means nothing on a terminal";
        return Err(Failure::usage(Code::CommandLine, what)
            .with_way_out("hsmc people --format parquet > people.parquet"));
    }
    let most = args.limit.or((format == Format::Table).then_some(TABLE_ROWS)).unwrap_or(u64::MAX);
    let request = args.request();
    let mut written =
        Written { format, show, sheet: None, rows: 0, next: None, missing: None, problem: None };
    let first = PeopleRequest { limit: page_of(most), ..request.clone() };
    backend
        .people(first, &mut |page| {
            let next = written.take(page, most)?;
            Some(PeopleRequest { limit: page_of(most - written.rows), cursor: Some(next), ..request.clone() })
        })
        .await?;
    written.end()?;
    Ok(ExitCode::Done)
}

fn page_of(rows: u64) -> usize {
    usize::try_from(rows.min(PAGE)).unwrap_or(usize::MAX)
}

/// What was written so far.
struct Written<'a> {
    format: Format,
    show: &'a Show<'a>,
    /// From the first page on.
    sheet: Option<Box<dyn Sheet + Send>>,
    rows: u64,
    next: Option<String>,
    missing: Option<String>,
    problem: Option<io::Error>,
}

impl Written<'_> {
    /// Writes a page; the cursor of the next one, while more are wanted.
    fn take(&mut self, page: PeoplePage, most: u64) -> Option<String> {
        self.show.watch.finish();
        let rows = page.rows.len() as u64;
        if let Err(problem) = self.write(&page) {
            self.problem = Some(problem);
            return None;
        }
        self.rows += rows;
        (self.next, self.missing) = (page.next, page.missing);
        self.next.clone().filter(|_| self.rows < most)
    }

    fn write(&mut self, page: &PeoplePage) -> io::Result<()> {
        let sheet = match &mut self.sheet {
            Some(sheet) => sheet,
            none => none.insert(sheet(self.format, self.show, &page.columns)?),
        };
        sheet.rows(&page.rows)
    }

    fn end(mut self) -> Result<(), Failure> {
        let ended = match (self.problem.take(), &mut self.sheet) {
            (Some(problem), _) => Err(problem),
            (None, Some(sheet)) => sheet.end(),
            (None, None) => Ok(()),
        };
        match ended {
            // Whoever reads has read enough.
            Err(problem) if problem.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(problem) => {
                let what = format!("standard output cannot be written: {problem}");
                return Err(Failure::failed(Code::Output, what));
            }
            Ok(()) => {}
        }
        if let Some(why) = &self.missing {
            self.show.watch.say(why);
        }
        if let Some(next) = &self.next {
            self.show.watch.say(&format!("there are more; go on with --cursor {next}"));
        } else if self.format != Format::Table {
            let rows =
                if self.rows == 1 { "1 person".to_owned() } else { format!("{} people", number(self.rows)) };
            self.show.watch.say(&rows);
        }
        Ok(())
    }
}

fn sheet(format: Format, show: &Show<'_>, columns: &[String]) -> io::Result<Box<dyn Sheet + Send>> {
    let out: BufWriter<Stdout> = BufWriter::new(io::stdout());
    match format.file() {
        None => Ok(Box::new(TableSheet::new(out, show.layout, columns))),
        Some(file) => file.sheet(out, columns),
    }
}
