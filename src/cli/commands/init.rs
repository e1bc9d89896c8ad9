//! `init`: makes the ledger and the store.

use crate::{
    cli::{Context, error::Failure, json, render},
    table::Created,
};

/// Make the ledger and the store with safe settings, or check those that are there
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {}

pub(in crate::cli) async fn run(_: &Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let client = context.client().await?;
    let made = client.init().await.map_err(context.failed("making the ledger and the store"))?;
    let (ledger, store) = (context.places.ledger.to_string(), context.places.store.to_string());
    if context.output.json {
        return context.output.object(&json::Ready::of(&made, &ledger, &store));
    }
    let done = |created| match created {
        Created::Made => "made",
        Created::Present => "was there",
    };
    context.output.line(format!(
        "ledger: {ledger} ({}), id {}",
        done(made.ledger),
        render::escaped(&made.id)
    ))?;
    context.output.line(format!("store: {store} ({})", done(made.store)))
}
