//! `apply`: moves tags of many packages in one transaction.

use super::shared::{named, read_file};
use crate::{
    cli::{context::Context, error::Failure, json, options::Change, render},
    ledger::ApplyRequest,
    model::{Message, Plan},
};
use std::path::PathBuf;

/// Move tags of many packages in one transaction: all or none
#[derive(Debug, clap::Args)]
#[command(after_long_help = PLAN)]
pub(in crate::cli) struct Args {
    /// The plan, a JSON file; - for standard input
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// Show what would change, but change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Undo the plan, if every tag in it is still where a single apply put it
    #[arg(long)]
    undo: bool,
    /// Move the tags in spite of a freeze that is not strict, for this reason, which is recorded
    #[arg(long, value_name = "WHY", conflicts_with = "undo")]
    emergency: Option<Message>,
    #[command(flatten)]
    change: Change,
}

const PLAN: &str = r#"A plan:
  {"message": "release 7", "moves": [
    {"package": "web", "tag": "live", "to": "canary", "expect": 41},
    {"package": "api", "tag": "live", "to": 12, "require": ["age:2h"],
     "confirm": "live"},
    {"package": "old", "tag": "live", "to": null}
  ]}

package, tag and to are required. to is a SPEC, or null to remove the tag;
every SPEC is resolved against the state before the plan. expect (a version,
or "none"), require, override and confirm work like the options of `tag`.

A plan has at most 25 packages, and at most 100 items in its transaction: 1
for each package, 2 for each move, 1 more for a move to anything but another
tag or null, 1 more for an override of a move to a tag or latest, 1 for --key,
and 1 for freezes. So a plan can move one tag in each of 24 packages; in 25 if
one of them is moved to another tag, and with --key if two are. --undo counts
each move as 3, and does not count freezes."#;

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { plan: path, dry_run, undo, emergency, change } = args;
    let plan: Plan = read_file("plan", &path, "nothing was changed; `sacker apply --help` shows a plan")?;
    let message = change.message.clone().or_else(|| plan.message().filter(|_| !undo).cloned());
    let doing = format!("{} {}", if undo { "undoing" } else { "applying" }, named("plan", &path));
    let client = context.ledger().await?;
    let author = context.author(Change { message, ..change }).await?;
    let request = ApplyRequest { plan, undo, emergency, author };
    let moved = if dry_run { client.preview(&request).await } else { client.apply(&request).await };
    for moved in moved.map_err(context.failed(&doing))? {
        if context.output.json {
            context.output.object(&json::TagLine::of(&moved))?;
        } else {
            let line = render::moved(moved.tag.as_str(), moved.previous, moved.version);
            context.output.line(format!("{} {line}", moved.package))?;
        }
    }
    if dry_run {
        context.notices.note("nothing was changed");
    }
    Ok(())
}
