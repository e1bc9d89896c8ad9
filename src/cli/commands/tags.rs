//! `tags`: lists the tags of a package.

use crate::{
    cli::{context::Context, error::Failure, json, render},
    model::{PackageName, Version},
};

/// List the tags of a package: latest first, then by name
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// Also show the protection and the gates of each tag
    #[arg(short, long)]
    long: bool,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, long } = args;
    let client = context.ledger().await?;
    let doing = format!("listing the tags of {package}");
    let tagged = client.tags(&package).await.map_err(context.failed(&doing))?;
    if context.output.json {
        if let Some(latest) = tagged.latest {
            context.output.object(&json::TagLine::latest(&package, latest))?;
        }
        for tag in &tagged.tags {
            context.output.object(&json::TagLine::of(tag))?;
        }
        return Ok(());
    }
    if long {
        for row in render::protections_table(tagged.latest, &tagged.tags) {
            context.output.line(row)?;
        }
        return Ok(());
    }
    let latest: Option<(&str, Version)> = tagged.latest.map(|version| ("latest", version));
    let others = tagged.tags.iter().filter_map(|tag| Some((tag.tag.as_str(), tag.version?)));
    for row in render::tags_table(latest.into_iter().chain(others)) {
        context.output.line(row)?;
    }
    Ok(())
}
