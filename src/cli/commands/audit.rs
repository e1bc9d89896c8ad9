//! `audit`: the heads of all logs, to be saved elsewhere, and verifying the ledger against saved ones.

use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
        json, render,
    },
    model::Timestamp,
    ops::{HeadDiffers, SavedHead},
};
use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// Print the chain value of each log's head, to be saved where the ledger's writers can't reach it
///
/// One JSON object per line. `audit verify` compares the ledger with saved lines.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Args {
    /// Print only logs that have changed since this time, such as 2026-05-01T10:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    #[command(subcommand)]
    command: Option<Sub>,
}

#[derive(Debug, clap::Subcommand)]
enum Sub {
    /// Compute all chains again, and compare them with saved heads; exits with 8 if the past was changed
    Verify {
        /// The saved output of `audit`; - for standard input
        #[arg(value_name = "HEADS")]
        heads: PathBuf,
    },
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    match args.command {
        Some(Sub::Verify { heads }) => verify(&heads, context).await,
        None => heads(args.since, context).await,
    }
}

async fn heads(since: Option<Timestamp>, context: &mut Context<'_>) -> Result<(), Failure> {
    let client = context.ledger().await?;
    let output = &mut *context.output;
    let mut printed = Ok(());
    let mut print = |head: SavedHead| {
        if printed.is_ok() {
            printed = output.object(&json::HeadLine { head: &head, what: None });
        }
    };
    let heads = client.heads(since.map(Timestamp::as_millis), &mut print).await;
    printed?;
    let heads = heads.map_err(context.failed("reading the heads"))?;
    if context.output.json {
        let summary = json::Totals::Audit { heads, entries: 0, differences: 0 };
        context.output.object(&json::TotalsLine { summary })?;
    }
    context.notices.note(&format!(
        "{}; save them where no writer of the ledger can change them",
        render::counted(heads, "head")
    ));
    Ok(())
}

async fn verify(path: &Path, context: &mut Context<'_>) -> Result<(), Failure> {
    let saved = read(path)?;
    let heads = saved.len() as u64;
    let client = context.ledger().await?;
    let output = &mut *context.output;
    let (mut printed, mut differences) = (Ok(()), 0_u64);
    let mut print = |HeadDiffers { head, what }: HeadDiffers| {
        differences += 1;
        if printed.is_ok() {
            printed = if output.json {
                output.object(&json::HeadLine { head: &head, what: Some(&what) })
            } else {
                let SavedHead { package, log, rev, .. } = &head;
                let line = format!(
                    "{} {} rev {rev}: {}",
                    render::escaped(package),
                    render::escaped(log),
                    render::escaped(&what)
                );
                output.line(line)
            };
        }
    };
    let verified = client.verify_heads(saved, &mut print).await;
    printed?;
    let entries = verified.map_err(context.failed("verifying the heads"))?;
    if context.output.json {
        let summary = json::Totals::Audit { heads, entries, differences };
        context.output.object(&json::TotalsLine { summary })?;
    }
    let (heads, entries) = (render::counted(heads, "head"), render::counted(entries, "chain value"));
    context.notices.note(&format!("verified {heads}; computed {entries}"));
    if differences == 0 {
        return Ok(());
    }
    let message = format!("{differences} of {heads} differ: the past of the ledger was changed");
    Err(Failure::new(Kind::Integrity, message).hint(
        "restore the ledger from a backup of before the change; `sacker history` shows what it states now",
    ))
}

/// Reads saved heads. The totals that `--json` adds are skipped.
fn read(path: &Path) -> Result<Vec<SavedHead>, Failure> {
    let shown = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let failed = |why: String| Failure::new(Kind::Invalid, format!("can't read {shown}: {why}"));
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(|error| failed(render::plain(&error)))?)
    };
    let mut heads = Vec::new();
    for (number, line) in BufReader::new(source).lines().enumerate() {
        let line = line.map_err(|error| failed(render::plain(&error)))?;
        if line.is_empty() || line.starts_with(r#"{"summary":"#) {
            continue;
        }
        let head = serde_json::from_str(&line);
        heads.push(head.map_err(|_| failed(format!("line {} is not a line of `sacker audit`", number + 1)))?);
    }
    if heads.is_empty() {
        return Err(failed("there is no head in it".to_owned()));
    }
    Ok(heads)
}
