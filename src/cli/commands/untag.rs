//! `untag`: removes a tag.

use crate::{
    cli::{context::Context, error::Failure, options::Change},
    ledger::UntagRequest,
    model::{Expectation, PackageName, TagName},
};

/// Remove a tag; succeeds if it is removed already
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// The tag
    #[arg(value_name = "TAG")]
    tag: TagName,
    /// Remove the tag only if it is on N; none: only if it is on no version
    #[arg(long, value_name = "N|none")]
    expect: Option<Expectation>,
    /// Confirm the removal by repeating the tag's name, as `protect --confirm` requires
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
