//! `thaw`: ends a freeze.

use crate::{
    cli::{context::Context, error::Failure, options::Change},
    ledger::ThawRequest,
    model::PackagePrefix,
};

/// End a freeze, so that tags move forward again
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The prefix that was frozen, exactly [default: the freeze of all packages]
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: PackagePrefix,
    #[command(flatten)]
    change: Change,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { prefix, change } = args;
    let client = context.ledger().await?;
    let author = context.author(change).await?;
    let doing = format!("thawing {}", prefix.pattern());
    let request = ThawRequest { prefix, author };
    let event = client.thaw(&request).await.map_err(context.failed(&doing))?;
    super::shared::show_freeze(&event, context)
}
