//! `copy`: makes a ledger and its store hold what others hold.

use super::shared::{show_copied, show_copy_totals};
use crate::{
    cli::{context::Context, error::Failure, json, options::jobs},
    location::{LedgerUrl, StoreUrl},
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
    let (mut printed, output) = (Ok(()), &mut *context.output);
    let mut show = |copied| show_copied(&copied, &mut printed, output);
    let report = client.copy_from(&from, dry_run, &mut show).await;
    printed?;
    let report = report.map_err(context.failed(&doing))?;
    let totals = json::Totals::Copy(json::CopyTotals::of(&report, dry_run));
    show_copy_totals(&report, totals, dry_run, context)
}
