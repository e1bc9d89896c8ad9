//! `rollback`: puts a tag back to where it was.

use crate::{
    cli::{context::Context, error::Failure, options::Change},
    ledger::RollbackRequest,
    model::{Expectation, PackageName, TagName, Version},
};

/// Put a tag back to where it was before; again: further back
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// The tag
    #[arg(value_name = "TAG")]
    tag: TagName,
    /// Put it back to this version, which it was on at some time
    #[arg(long, value_name = "VERSION")]
    to: Option<Version>,
    /// Put it back only if it is on N, or on no version, now: the second of two who react to one alarm changes nothing
    #[arg(long, value_name = "N|none")]
    expect: Option<Expectation>,
    /// The tag's name again, where it is protected so that its moves need that
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
    let doing = format!("putting back the tag {tag} of {package}");
    let request = RollbackRequest { package, tag, to, expect, confirm, author };
    let moved = client.rollback(&request).await.map_err(context.failed(&doing))?;
    super::shared::show_move(&moved, context)
}
