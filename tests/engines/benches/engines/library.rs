//! What a library must be able to do to be measured.

use crate::workflow::Bodies;
use anyhow::Result;
use std::path::Path;
use std::sync::Arc;

/// A library over its store in a folder.
pub trait Library: Sized + Send + Sync + 'static {
    /// Opens the store, and takes up what an earlier process left unfinished.
    fn open(folder: &Path, bodies: Arc<Bodies>) -> impl Future<Output = Result<Self>> + Send;

    /// Starts a workflow: what a kill right after this finds is unfinished.
    fn start(&self) -> impl Future<Output = Result<()>> + Send;

    /// Starts a workflow and waits until its end is durable.
    fn run(&self) -> impl Future<Output = Result<()>> + Send;

    /// Waits until so many workflows have ended as they should, and no other is left.
    fn all_ended(&self, workflows: u64) -> impl Future<Output = Result<()>> + Send;
}
