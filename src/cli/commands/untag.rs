//! `untag`: takes a tag off.

use crate::{
    cli::{Context, arguments::Change, error::Failure, json, render},
    ledger::{Author, UntagRequest},
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
    /// Remove it only if it is on N
    #[arg(long, value_name = "N")]
    expect: Option<Expectation>,
    #[command(flatten)]
    change: Change,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, tag, expect, change } = args;
    let author = Author { actor: context.actor()?, message: change.message, key: change.key };
    let doing = format!("removing the tag {tag} of {package}");
    let request = UntagRequest { package, tag, expect, author };
    let client = context.client().await?;
    let moved = client.untag(&request).await.map_err(context.failed(&doing))?;
    if context.output.json {
        context.output.object(&json::Tagging::of(&moved))
    } else {
        context.output.line(render::moved(moved.tag.as_str(), moved.previous, moved.version))
    }
}
