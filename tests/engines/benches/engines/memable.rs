//! memable over redb, as it comes: redb syncs each commit.

use crate::library::Library;
use crate::workflow::{Bodies, STEPS};
use anyhow::{Result, ensure};
use memable::{Context, Engine, EngineError, MetadataStatus, WorkflowState};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const NAME: &str = "five";
/// How often it is asked what has ended; it has no other way to tell.
const LOOK: Duration = Duration::from_millis(20);

/// The library over a file.
pub struct Memable {
    engine: Engine,
    bodies: Arc<Bodies>,
}

impl Library for Memable {
    async fn open(folder: &Path, bodies: Arc<Bodies>) -> Result<Memable> {
        let mut engine = Engine::builder().open(folder.join("memable.redb"))?.build();
        let of_steps = Arc::clone(&bodies);
        engine.register(NAME, move |context: Context| five(context, Arc::clone(&of_steps)));
        engine.start().await?;
        Ok(Memable { engine, bodies })
    }

    async fn start(&self) -> Result<()> {
        self.engine.invoke(NAME).await?;
        Ok(())
    }

    async fn run(&self) -> Result<()> {
        let state = self.engine.invoke(NAME).await?.wait().await;
        ensure!(matches!(state, WorkflowState::Completed(_)), "a workflow ended as {state}");
        Ok(())
    }

    async fn all_ended(&self, workflows: u64) -> Result<()> {
        // The last step of all has begun before anything is asked: asking takes time of its own.
        while self.bodies.begun() < workflows * STEPS.len() as u64 {
            tokio::time::sleep(LOOK).await;
        }
        loop {
            let all = self.engine.list_instances(NAME)?;
            ensure!(all.len() as u64 == workflows, "{} workflows are known", all.len());
            let failed = |status: &MetadataStatus| matches!(status, MetadataStatus::Failed(_));
            ensure!(!all.iter().any(|(_, about)| failed(about.status())), "a workflow failed");
            let ended = |status: &MetadataStatus| matches!(status, MetadataStatus::Completed(_));
            if all.iter().all(|(_, about)| ended(about.status())) {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn five(context: Context, bodies: Arc<Bodies>) -> Result<(), EngineError> {
    for name in STEPS {
        let bodies = Arc::clone(&bodies);
        context
            .step(name)
            .run(async move || {
                bodies.run().await;
                Ok(())
            })
            .await?;
    }
    Ok(())
}
