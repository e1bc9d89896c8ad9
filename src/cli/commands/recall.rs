//! `recall`: puts all tags on a version back, and yanks it.

use crate::{
    cli::{context::Context, error::Failure, json, options::Change, render},
    ledger::RecallRequest,
    model::{PackageName, TagName, Version},
};

/// Move every tag on a version back and yank the version, in one transaction
///
/// Each tag goes where `rollback` would move it, past yanked and deleted versions. At no moment can another job put a
/// tag on the version again. Freezes do not refuse a recall.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// The number of the version
    #[arg(value_name = "VERSION")]
    version: Version,
    /// Show what would change, but change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Remove a tag that has no earlier active version, instead of refusing the recall
    #[arg(long)]
    untag: bool,
    /// Confirm the move of this tag, as `protect --confirm` requires; repeatable
    #[arg(long, value_name = "TAG")]
    confirm: Vec<TagName>,
    #[command(flatten)]
    change: Change,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, version, dry_run, untag, confirm, change } = args;
    let client = context.ledger().await?;
    let author = context.author(change).await?;
    let doing = format!("recalling {package} {version}");
    let request = RecallRequest { package, version, untag, confirm, author };
    let recalled =
        if dry_run { client.preview_recall(&request).await } else { client.recall(&request).await };
    let recalled = recalled.map_err(context.failed(&doing))?;
    if context.output.json {
        context.output.object(&json::RecallLine::of(&recalled))?;
    } else {
        for moved in &recalled.moves {
            context.output.line(render::moved(moved.tag.as_str(), moved.previous, moved.version))?;
        }
        context.output.line(format!("{version}: {} -> {}", recalled.previous, recalled.release.state))?;
    }
    if dry_run {
        context.notices.note("nothing was changed");
    }
    Ok(())
}
