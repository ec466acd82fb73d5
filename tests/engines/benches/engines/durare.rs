//! durare over SQLite. It is handed a pool as it would make it itself, but for two settings. `synchronous = FULL`, so that
//! a commit is on the disk before it is answered: durare's own choice, NORMAL, syncs at checkpoints of the log only. And
//! more patience: with a thousand in flight on a busy machine its own five seconds for a lock are over too soon, and a
//! workflow is given up.

use crate::library::Library;
use crate::workflow::{Bodies, STEPS};
use anyhow::{Result, ensure};
use durare::{DurableContext, DurableEngine, ListFilter, SqliteProvider, WorkflowOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const NAME: &str = "five";
/// What `PRAGMA synchronous` answers for FULL.
const FULL: i64 = 2;
/// How long a connection waits for its turn to write, and a step for a connection.
const PATIENCE: Duration = Duration::from_secs(120);
const LONG: Duration = Duration::from_secs(3600);

/// The library over a file.
pub struct Durare(DurableEngine);

impl Library for Durare {
    async fn open(folder: &Path, bodies: Arc<Bodies>) -> Result<Durare> {
        let provider = SqliteProvider::from_pool(pool(&folder.join("durare.db")).await?);
        let mut builder = DurableEngine::builder(Arc::new(provider));
        builder.app_version("1");
        builder.register(NAME, move |context: DurableContext, (): ()| five(context, Arc::clone(&bodies)));
        let engine = builder.build().await?;
        engine.recover().await?;
        Ok(Durare(engine))
    }

    async fn start(&self) -> Result<()> {
        self.0.start::<(), ()>(NAME, (), WorkflowOptions::default()).await?;
        Ok(())
    }

    async fn run(&self) -> Result<()> {
        Ok(self.0.start::<(), ()>(NAME, (), WorkflowOptions::default()).await?.await?)
    }

    async fn all_ended(&self, workflows: u64) -> Result<()> {
        // It waits for what runs.
        self.0.shutdown(LONG).await?;
        let all = self.0.list_workflows(&ListFilter::default()).await?;
        let ended = all.iter().filter(|workflow| workflow.status == "SUCCESS").count();
        ensure!(ended == all.len() && ended as u64 == workflows, "of {} workflows {ended} ended", all.len());
        Ok(())
    }
}

async fn five(context: DurableContext, bodies: Arc<Bodies>) -> durare::Result<()> {
    for name in STEPS {
        let bodies = Arc::clone(&bodies);
        context
            .step(name, || async move {
                bodies.run().await;
                Ok::<(), durare::Error>(())
            })
            .await?;
    }
    Ok(())
}

/// What `SqliteProvider::connect` makes, but for that; no connection is taken at its word.
async fn pool(file: &Path) -> Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE);
    let pool = SqlitePoolOptions::new()
        .max_connections(5)
        .acquire_timeout(PATIENCE)
        .after_connect(|connection, _| {
            Box::pin(async move {
                let level: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(connection).await?;
                if level == FULL {
                    Ok(())
                } else {
                    Err(sqlx::Error::Configuration(format!("PRAGMA synchronous is {level}").into()))
                }
            })
        })
        .connect_with(options)
        .await?;
    Ok(pool)
}
