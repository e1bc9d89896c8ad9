//! `history`: lists the changes of a package.

use crate::{
    cli::{context::Context, error::Failure, json, render},
    model::{PackageName, TagName},
};
use futures_util::TryStreamExt;

/// List the changes of a package, or of one of its tags, newest first
///
/// REV is a position in one of the package's two logs: r1, r2 … of its versions, t1, t2 … of its tags. Times come
/// from the clocks of the machines that made the changes, raised where needed so that they increase along each log.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// Show only the changes of this tag
    #[arg(value_name = "TAG")]
    tag: Option<TagName>,
    /// Show at most this many
    #[arg(long, value_name = "N", value_parser = crate::cli::options::limit)]
    limit: Option<usize>,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, tag, limit } = args;
    let client = context.ledger().await?;
    let doing = format!("reading the history of {package}");
    let mut events = client.history(&package, tag.as_ref());
    let mut left = limit.unwrap_or(usize::MAX);
    let mut header = !context.output.json;
    while left > 0 {
        let event = context.output.wait(events.try_next()).await?.map_err(context.failed(&doing))?;
        if std::mem::take(&mut header) {
            context.output.line(render::history_header())?;
        }
        let Some(event) = event else { break };
        if context.output.json {
            context.output.object(&json::EventLine::of(&event))?;
        } else {
            context.output.line(render::history_row(&event))?;
        }
        left -= 1;
    }
    Ok(())
}
