//! `rollback`: moves a tag back to an earlier version.

use crate::{
    cli::{context::Context, error::Failure, options::Change},
    ledger::RollbackRequest,
    model::{Expectation, PackageName, TagName, Version},
};

/// Move a tag back to its previous version; repeat it to go further back
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// The tag
    #[arg(value_name = "TAG")]
    tag: TagName,
    /// Move the tag back to this version, which it was on before
    #[arg(long, value_name = "VERSION")]
    to: Option<Version>,
    /// Move the tag only if it is on N now (none: on no version), so that two reactions to one alarm move it once
    #[arg(long, value_name = "N|none")]
    expect: Option<Expectation>,
    /// Confirm the move by repeating the tag's name, as `protect --confirm` requires
    #[arg(long, value_name = "TAG")]
    confirm: Option<TagName>,
    #[command(flatten)]
    change: Change,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, tag, to, expect, confirm, change } = args;
    let confirm = super::shared::confirmed(&tag, confirm.as_ref())?;
    let client = context.ledger().await?;
    let author = context.author(change).await?;
    let doing = format!("rolling back the tag {tag} of {package}");
    let request = RollbackRequest { package, tag, to, expect, confirm, author };
    let moved = client.rollback(&request).await.map_err(context.failed(&doing))?;
    super::shared::show_move(&moved, context)
}
