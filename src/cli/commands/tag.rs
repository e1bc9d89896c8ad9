//! `tag`: moves a tag.

use crate::{
    cli::{Context, arguments::Change, error::Failure, json, render},
    ledger::{Author, TagRequest},
    model::{Expectation, PackageName, Spec, TagName},
};

/// Move a tag to a version, atomically with finding out which that is
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// Which version: a number, a tag, or latest
    #[arg(value_name = "SPEC")]
    spec: Spec,
    /// The tag
    #[arg(value_name = "TAG")]
    tag: TagName,
    /// Move it only if it is on N, or on no version
    #[arg(long, value_name = "N|none")]
    expect: Option<Expectation>,
    #[command(flatten)]
    change: Change,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, spec, tag, expect, change } = args;
    let author = Author { actor: context.actor()?, message: change.message, key: change.key };
    let doing = format!("moving the tag {tag} of {package} to {spec}");
    let request = TagRequest { package, spec, tag, expect, author };
    let client = context.client().await?;
    let moved = client.tag(&request).await.map_err(context.failed(&doing))?;
    if context.output.json {
        context.output.object(&json::Tagging::of(&moved))
    } else {
        context.output.line(render::moved(moved.tag.as_str(), moved.previous, moved.version))
    }
}
