//! How soon `status` answers over the control socket while a run is going on; beside the same when nothing is.

use super::error::BenchError;
use super::stage::{Stage, sync};
use super::stopwatch::{Stopwatch, percentile};
use super::{Found, Size};
use crate::app::Ports;
use crate::sandbox::scenario;
use crate::serve::bench::{Aim, Figure, Unit};
use crate::serve::requests::{Call, Subject};
use crate::serve::socket::{self, Asked};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// From one question to the next.
const EVERY: Duration = Duration::from_millis(10);
/// 99 of 100 answers.
const MILLISECONDS: f64 = 50.0;

/// Measures.
pub(super) async fn measure(folder: &Path, size: Size) -> Result<Found, BenchError> {
    let (people, idle_asks) = size.pick((10_000, 500), (100, 20));
    let sandbox = scenario::named("large", 1, Some(people))
        .ok_or_else(|| BenchError::Broke("there is no scenario `large`".to_owned()))?;
    let stage = Stage::serve(folder, sandbox, Duration::from_millis(5)).await?;
    let app = stage.open(&[], Ports::default())?;
    let control: Arc<dyn socket::Control> = Arc::clone(&app) as Arc<dyn socket::Control>;
    let state = stage.state();
    let served = socket::serve(&state, control).map_err(BenchError::file(&state))?;
    let over = Arc::new(AtomicBool::new(false));
    let asking = {
        let (state, over) = (state.clone(), Arc::clone(&over));
        tokio::spawn(async move { ask(&state, || over.load(Ordering::Relaxed)).await })
    };
    let ran = sync(&app).await;
    over.store(true, Ordering::Relaxed);
    let busy = asking.await??;
    ran?;
    let mut left = idle_asks;
    let idle = ask(&state, || {
        left -= 1;
        left == 0
    })
    .await?;
    drop(served);
    app.close().await;
    drop(app);
    stage.close().await;
    let figure = |what: &str, hundredth| {
        Figure::alone(what, Unit::Milliseconds, percentile(&busy, hundredth))
            .beside("nothing going on", percentile(&idle, hundredth))
    };
    let figures = vec![
        figure("half of the answers within", 50),
        figure("99 of 100 answers within", 99).aim(Aim::AtMost(MILLISECONDS)),
    ];
    let asked = format!("asked {} times during a first run over {people} people", busy.len());
    Ok((figures, vec![asked]))
}

/// Asks again and again; how long each answer took, sorted.
async fn ask(state: &Path, mut is_over: impl FnMut() -> bool) -> Result<Vec<Duration>, BenchError> {
    let mut waits = Vec::new();
    loop {
        let watch = Stopwatch::start();
        match socket::ask(state, &Call::Status(Subject::All)).await {
            Some(Asked::Answered(Ok(_))) => waits.push(watch.elapsed()),
            Some(Asked::Answered(Err(trouble)) | Asked::Left(trouble)) => {
                return Err(BenchError::Broke(trouble.message));
            }
            None => return Err(BenchError::Broke("nobody answers the control socket".to_owned())),
        }
        if is_over() {
            break;
        }
        tokio::time::sleep(EVERY).await;
    }
    waits.sort_unstable();
    Ok(waits)
}
