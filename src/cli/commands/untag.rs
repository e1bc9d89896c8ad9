//! `untag`: takes a tag off.

use crate::{
    cli::{context::Context, error::Failure, options::Change},
    ledger::UntagRequest,
    model::{Expectation, PackageName, TagName},
};

/// Remove a tag; one that is removed already is fine
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// The tag
    #[arg(value_name = "TAG")]
    tag: TagName,
    /// Remove it only if it is on N, or on no version
    #[arg(long, value_name = "N|none")]
    expect: Option<Expectation>,
    /// The tag's name again, where it is protected so that its moves need that
    #[arg(long, value_name = "TAG")]
    confirm: Option<TagName>,
    #[command(flatten)]
    change: Change,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, tag, expect, confirm, change } = args;
    let confirm = super::shared::confirmed(&tag, confirm.as_ref())?;
    let client = context.ledger().await?;
    let author = context.author(change).await?;
    let doing = format!("removing the tag {tag} of {package}");
    let request = UntagRequest { package, tag, expect, confirm, author };
    let moved = client.untag(&request).await.map_err(context.failed(&doing))?;
    super::shared::show_move(&moved, context)
}
