//! What an operator does with one move, one person or one part of the work: the arguments.

use super::words::{list_id, move_id};
use crate::domain::failure::Service;
use crate::domain::id::{ListId, MoveId};
use crate::serve::parked::ReleaseRequest;
use crate::serve::requests::{AdoptRequest, Scope};
use clap::{Args, Subcommand};

/// A move to operate on.
#[derive(Clone, Copy, Debug, Args)]
pub struct MoveArgs {
    /// The move, as `hsmc status` shows it: 12.3
    #[arg(value_name = "MOVE", value_parser = move_id)]
    pub id: MoveId,
}

/// What a pause holds back.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ScopeArgs {
    /// One person
    #[arg(long, value_name = "ADDRESS")]
    pub person: Option<String>,
    /// One list
    #[arg(long, value_name = "ID", value_parser = list_id)]
    pub list: Option<ListId>,
    /// One side: hubspot or mailchimp
    #[arg(long, value_name = "NAME", value_parser = service)]
    pub service: Option<Service>,
    /// Everything
    #[arg(long)]
    pub all: bool,
}

impl From<&ScopeArgs> for Scope {
    fn from(args: &ScopeArgs) -> Scope {
        match args {
            ScopeArgs { person: Some(person), .. } => Scope::Person(person.clone()),
            ScopeArgs { list: Some(list), .. } => Scope::List(*list),
            ScopeArgs { service: Some(service), .. } => Scope::Service(*service),
            _ => Scope::All,
        }
    }
}

fn service(text: &str) -> Result<Service, String> {
    match text.to_lowercase().as_str() {
        "hubspot" => Ok(Service::HubSpot),
        "mailchimp" => Ok(Service::Mailchimp),
        _ => Err("write hubspot or mailchimp".to_owned()),
    }
}

/// Whom to adopt.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct AdoptArgs {
    /// These people
    #[arg(value_name = "ADDRESS")]
    pub people: Vec<String>,
    /// Everybody in this list
    #[arg(long, value_name = "ID", value_parser = list_id)]
    pub list: Option<ListId>,
}

impl From<&AdoptArgs> for AdoptRequest {
    fn from(args: &AdoptArgs) -> AdoptRequest {
        match args.list {
            Some(list) => AdoptRequest::List(list),
            None => AdoptRequest::People(args.people.clone()),
        }
    }
}

/// `parked …`
#[derive(Clone, Debug, Subcommand)]
pub enum ParkedCommand {
    /// Let them be judged afresh by the next run
    Release(ParkedReleaseArgs),
}

/// `parked release`
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ParkedReleaseArgs {
    /// These people
    #[arg(value_name = "ADDRESS")]
    pub people: Vec<String>,
    /// Everybody parked for this reason, as `hsmc parked` names it
    #[arg(long, value_name = "CODE")]
    pub reason: Option<String>,
    /// Everybody parked or contested
    #[arg(long)]
    pub all: bool,
}

impl From<&ParkedReleaseArgs> for ReleaseRequest {
    fn from(args: &ParkedReleaseArgs) -> ReleaseRequest {
        match args {
            ParkedReleaseArgs { reason: Some(reason), .. } => ReleaseRequest::Reason(reason.clone()),
            ParkedReleaseArgs { all: true, .. } => ReleaseRequest::All,
            ParkedReleaseArgs { people, .. } => ReleaseRequest::People(people.clone()),
        }
    }
}

/// `forget`
#[derive(Clone, Debug, Args)]
pub struct ForgetArgs {
    /// Whom
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}
