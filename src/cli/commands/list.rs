//! `list`: the packages.

use crate::{
    cli::{Context, error::Failure, json, render},
    ledger::PackageQuery,
    model::PackageName,
};
use futures_util::TryStreamExt;

/// List the packages, by name
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Only names that begin with this
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true, value_parser = prefix)]
    prefix: String,
    /// Only names after this one, which need not exist
    #[arg(long, value_name = "NAME")]
    after: Option<PackageName>,
    /// At most this many
    #[arg(long, value_name = "N", value_parser = super::limit)]
    limit: Option<usize>,
    /// Show the latest version of each, its size, and when the package was last changed
    #[arg(short, long)]
    long: bool,
}

/// A prefix that no name can have would silently list nothing.
fn prefix(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    match text.chars().find(|c| !plain(*c)) {
        Some(bad) => Err(format!("no package name holds {bad:?}; only A-Z a-z 0-9 . _ - / are allowed")),
        None => Ok(text.to_owned()),
    }
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { prefix, after, limit, long } = args;
    let client = context.ledger().await?;
    let query = PackageQuery { prefix, after };
    let mut left = limit.unwrap_or(usize::MAX);
    let doing = "listing the packages";
    if long {
        if !context.output.json {
            context.output.line(render::packages_header())?;
        }
        let mut packages = client.list_long(&query, left);
        while let Some(package) =
            context.output.wait(packages.try_next()).await?.map_err(context.failed(doing))?
        {
            if context.output.json {
                context.output.object(&json::Summary::of(&package))?;
            } else {
                context.output.line(render::packages_row(&package))?;
            }
        }
        return Ok(());
    }
    let mut packages = client.list(&query);
    while left > 0 {
        let package = context.output.wait(packages.try_next()).await?;
        let Some(package) = package.map_err(context.failed(doing))? else { break };
        if context.output.json {
            context.output.object(&json::Package { package: &package })?;
        } else {
            context.output.line(package.as_str())?;
        }
        left -= 1;
    }
    Ok(())
}
