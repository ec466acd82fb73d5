//! No crash, but the same promise from the other side: what passes by itself ends no run.

use crate::points::{afterwards, undisturbed};
use crate::stage::Stage;
use crate::world::{Due, World, prepare};
use hsmc::domain::failure::Service;
use hsmc::sandbox::{Fault, FaultKind, Matches};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_now_and_then_cannot_answer_ends_no_run() {
    let prepared = prepare(World::Plain, &Due::ALL, 1).await;
    let wanted = undisturbed(&prepared).await;
    let stage = Stage::of(&prepared).await;
    // The first calls of all are the look at the accounts, before the scan.
    for nth in [1, 8, 15, 22, 29] {
        let limited = FaultKind::Http429 { retry_after: Some(1) };
        let busy = FaultKind::Status { code: 503, body: None };
        for (service, kind) in [(Service::HubSpot, limited), (Service::Mailchimp, busy)] {
            stage.held().add_fault(Fault { matches: Matches::all(service).nth(nth), kind });
        }
    }
    let wrong = afterwards(&stage, &wanted, "now and then no answer").await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
