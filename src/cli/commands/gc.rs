//! `gc`: removes the blobs that no version needs.

use crate::{
    cli::{context::Context, error::Failure, json, render},
    model::Timestamp,
    ops::{Garbage, GcOptions},
};
use futures_util::TryStreamExt;
use std::time::Duration;

/// Report the blobs that no version needs; removes them only with --delete
///
/// Safe to run concurrently with every other command, including another gc.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Remove the reported blobs
    #[arg(long)]
    pub delete: bool,
    /// Keep what was stored less than this long ago
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = crate::cli::options::duration)]
    min_age: Duration,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { delete, min_age } = args;
    let client = context.client().await?;
    let doing = if delete { "removing garbage" } else { "finding garbage" };
    let mut garbage = client.gc(GcOptions { delete, min_age, now: Timestamp::now() });
    let (mut blobs, mut bytes, mut uploads) = (0_u64, 0_u64, 0_u64);
    while let Some(found) = garbage.try_next().await.map_err(context.failed(doing))? {
        match &found {
            Garbage::Blob { address, size } => {
                blobs += 1;
                bytes += size;
                if !context.output.json {
                    context.output.line(address.sha256.as_str())?;
                }
            }
            Garbage::Upload(_) => uploads += 1,
        }
        if context.output.json {
            context.output.object(&json::GarbageLine::of(&found, delete))?;
        }
    }
    if context.output.json {
        let summary = json::Totals::Gc { blobs, bytes, uploads, removed: delete };
        context.output.object(&json::TotalsLine { summary })?;
    }
    let done = if delete { "removed" } else { "can be removed with --delete" };
    context.notices.note(&format!("{}, {}, {done}", render::counted(blobs, "blob"), render::size(bytes)));
    if uploads > 0 {
        let done = if delete { "aborted" } else { "can be aborted with --delete" };
        context.notices.note(&format!("{}, idle for a day, {done}", render::counted(uploads, "upload")));
    }
    Ok(())
}
