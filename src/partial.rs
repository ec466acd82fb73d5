//! A backend that can check a config and nothing else, until the system stands behind the commands.

use async_trait::async_trait;
use hsmc::cli::{Answer, Backend, Failure, Progress};
use hsmc::config::{self, Environment};
use hsmc::domain::id::RunId;
use hsmc::serve::requests::{
    AdoptRequest, ApplyRequest, OperateRequest, PlanRequest, SandboxRequest, Scope, Subject, SyncRequest,
};
use hsmc::serve::views::{
    Acknowledgement, CheckView, DemoView, Finding, PlanView, ReportView, RunView, Severity, StatusAnswer,
    SyncAnswer,
};
use std::path::PathBuf;

pub(crate) struct Partial {
    pub(crate) config: PathBuf,
}

fn missing<T>(command: &str) -> Answer<T> {
    Err(Failure::failed(format!("`hsmc {command}` is not available in this build"))
        .with_way_out("`hsmc init`, `hsmc check` and `hsmc completions` are"))
}

#[async_trait]
impl Backend for Partial {
    async fn check(&self, _: &dyn Progress) -> Answer<CheckView> {
        let findings = match config::load(&self.config, &Environment::of_process()) {
            Ok(_) => Vec::new(),
            Err(errors) => errors
                .0
                .into_iter()
                .map(|error| Finding {
                    severity: Severity::Error,
                    place: error.place(),
                    message: error.what,
                    way_out: error.way_out,
                })
                .collect(),
        };
        Ok(CheckView { checked: vec!["config".to_owned()], findings })
    }
    async fn demo(&self, _: bool, _: u64, _: &dyn Progress) -> Answer<DemoView> {
        missing("demo")
    }
    async fn sandbox(&self, _: SandboxRequest, _: &dyn Progress) -> Answer<()> {
        missing("sandbox")
    }
    async fn plan(&self, _: PlanRequest, _: &dyn Progress) -> Answer<PlanView> {
        missing("plan")
    }
    async fn apply(&self, _: ApplyRequest, _: &dyn Progress) -> Answer<SyncAnswer> {
        missing("apply")
    }
    async fn sync(&self, _: SyncRequest, _: &dyn Progress) -> Answer<SyncAnswer> {
        missing("sync")
    }
    async fn daemon(&self, _: &dyn Progress) -> Answer<()> {
        missing("daemon")
    }
    async fn status(&self, _: Subject) -> Answer<StatusAnswer> {
        missing("status")
    }
    async fn runs(&self, _: usize) -> Answer<Vec<RunView>> {
        missing("runs")
    }
    async fn run(&self, _: RunId) -> Answer<ReportView> {
        missing("runs show")
    }
    async fn operate(&self, _: OperateRequest) -> Answer<Acknowledgement> {
        missing("retry|skip|rollback|cancel")
    }
    async fn pause(&self, _: Scope) -> Answer<Acknowledgement> {
        missing("pause")
    }
    async fn resume(&self, _: Scope) -> Answer<Acknowledgement> {
        missing("resume")
    }
    async fn adopt(&self, _: AdoptRequest) -> Answer<Acknowledgement> {
        missing("adopt")
    }
}
