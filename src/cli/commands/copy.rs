//! `copy`: makes a ledger and its store hold what others hold.

use super::shared::run_copy;
use crate::{
    cli::{context::Context, error::Failure, json, options::jobs},
    location::{LedgerUrl, StoreUrl},
    ops::OnPackage,
};
use std::num::NonZeroUsize;

/// Copy another ledger and its store to this one: the same numbers, tags and history; repeat it to copy what is new
///
/// This ledger must be empty, or hold an earlier state of the other. Run it again after an interruption, or regularly to
/// keep a mirror: it copies only what is missing. Until it is done, this ledger refuses every other change.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The ledger to copy from, like --ledger
    #[arg(long, value_name = "URL")]
    from_ledger: LedgerUrl,
    /// The store to copy from, like --store
    #[arg(long, value_name = "URL")]
    from_store: StoreUrl,
    /// Show what would change, but change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Copy this many blobs of a package at once, 1 to 64 [default: 8]
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { from_ledger, from_store, dry_run, jobs } = args;
    let doing = format!("copying {from_ledger} and {from_store}");
    let client = context.client_with(jobs).await?;
    let from = context.client_of(from_ledger, from_store).await?;
    let copy = async |on_package: OnPackage<'_>| client.copy_from(&from, dry_run, on_package).await;
    run_copy(context, &doing, dry_run, json::Totals::Copy, copy).await
}
