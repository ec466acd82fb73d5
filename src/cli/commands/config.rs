//! `config`: what each key does, what is in force, and the schema for editors.

use super::{Show, write};
use crate::cli::args::ConfigCommand;
use crate::cli::{ExitCode, Failure, render};
use crate::config::explain::Written;
use crate::config::{self, Environment, keys};
use crate::domain::code::Code;
use std::path::Path;

pub(super) fn config(file: &Path, command: &ConfigCommand, show: &Show<'_>) -> Result<ExitCode, Failure> {
    match command {
        ConfigCommand::Schema => write(&config::schema())?,
        ConfigCommand::Show => {
            let settings = Written::read(file, &Environment::of_process())?.settings();
            show.answer(&settings, |layout| render::settings(&settings, layout))?;
        }
        ConfigCommand::Explain { key: Some(path) } => {
            let written = Written::read(file, &Environment::of_process())?;
            let Some(explained) = written.explain(path) else {
                let within: Vec<_> =
                    keys::within(path).into_iter().filter_map(|key| written.explain(key)).collect();
                if !within.is_empty() {
                    show.answer(&within, |layout| render::keys(&within, layout))?;
                    return Ok(ExitCode::Done);
                }
                let near = keys::nearest(path).map(|near| format!("did you mean `{near}`? "));
                return Err(Failure::usage(Code::NothingSuch, format!("hsmc knows no key `{path}`"))
                    .with_way_out(format!(
                        "{}`hsmc config explain` lists all of them",
                        near.unwrap_or_default()
                    )));
            };
            show.answer(&explained, |layout| render::explained(&explained, layout))?;
        }
        ConfigCommand::Explain { key: None } => {
            let written = Written::read(file, &Environment::of_process())?;
            let all: Vec<_> = keys::KEYS.iter().filter_map(|key| written.explain(key.path)).collect();
            show.answer(&all, |layout| render::keys(&all, layout))?;
        }
    }
    Ok(ExitCode::Done)
}
