//! `freeze`: stops the tags of packages from moving forward.

use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
        json,
        options::Change,
        render,
    },
    ledger::FreezeRequest,
    model::{PackagePrefix, Until},
    ops::Client,
};
use futures_util::TryStreamExt;

/// Stop the tags of packages from moving forward, until they are thawed
///
/// Once this has returned, `tag`, `apply` and `add --tag` are refused (exit code 6) for every package below the prefix,
/// also those that had begun before. What a responder needs still works: `rollback`, `recall`, `untag`, `apply --undo`,
/// `yank`, `label`, and `add` without a tag. The first freeze of a ledger stops releases of sacker that do not obey
/// freezes from changing it.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Freeze only packages whose names begin with this prefix [default: all packages]
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: PackagePrefix,
    /// End the freeze by itself at this time, such as 2026-05-01T10:00:00Z, or this long from now, such as 2h
    #[arg(long, value_name = "TIME")]
    until: Option<Until>,
    /// Let no --emergency pass
    #[arg(long)]
    strict: bool,
    /// List the freezes that were not thawed, and change nothing
    #[arg(long, conflicts_with_all = ["prefix", "until", "strict", "key", "message", "history"])]
    pub list: bool,
    /// List all freezes and thaws so far, newest first, and change nothing
    #[arg(long, conflicts_with_all = ["prefix", "until", "strict", "key", "message"])]
    pub history: bool,
    #[command(flatten)]
    change: Change,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { prefix, until, strict, list, history, change } = args;
    if list || history {
        let client = context.ledger().await?;
        return if list {
            show_freezes(&client, context).await
        } else {
            show_history(&client, context).await
        };
    }
    if change.message.is_none() {
        let failure = Failure::new(Kind::Invalid, "a freeze needs its reason: -m WHY");
        return Err(failure.hint("nothing was changed; everybody whose move is refused reads the reason"));
    }
    let client = context.ledger().await?;
    let author = context.author(change).await?;
    let doing = format!("freezing {}", prefix.pattern());
    let request = FreezeRequest { prefix, strict, until, author };
    let event = client.freeze(&request).await.map_err(context.failed(&doing))?;
    super::shared::show_freeze(&event, context)
}

async fn show_freezes(client: &Client, context: &mut Context<'_>) -> Result<(), Failure> {
    let freezes = client.freezes().await.map_err(context.failed("listing the freezes"))?;
    if !context.output.json {
        context.output.line(render::freezes_header())?;
    }
    for freeze in &freezes {
        if context.output.json {
            context.output.object(&json::FreezeLine::of_freeze(freeze))?;
        } else {
            context.output.line(render::freezes_row(freeze))?;
        }
    }
    Ok(())
}

async fn show_history(client: &Client, context: &mut Context<'_>) -> Result<(), Failure> {
    let mut events = client.freeze_history();
    let mut header = !context.output.json;
    loop {
        let event = context.output.wait(events.try_next()).await?;
        let event = event.map_err(context.failed("reading the history of the freezes"))?;
        if std::mem::take(&mut header) {
            context.output.line(render::history_header())?;
        }
        let Some(event) = event else { return Ok(()) };
        if context.output.json {
            context.output.object(&json::FreezeLine::of(&event))?;
        } else {
            context.output.line(render::freeze_history_row(&event))?;
        }
    }
}
