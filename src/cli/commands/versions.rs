//! `versions`: lists the versions of a package.

use crate::{
    cli::{
        commands::shared::VersionFilter,
        context::Context,
        error::Failure,
        json,
        render::{self, Digests},
    },
    model::{PackageName, VersionRange},
};
use futures_util::TryStreamExt;

/// List the versions of a package, newest first
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// Show only versions in this range, both ends included: 41..57, 41.., ..57
    #[arg(value_name = "RANGE")]
    range: Option<VersionRange>,
    #[command(flatten)]
    filter: VersionFilter,
    /// Show at most this many
    #[arg(long, value_name = "N", value_parser = crate::cli::options::limit)]
    limit: Option<usize>,
    /// Show only versions whose sha256 begins with these digits
    #[arg(long, value_name = "HEX", value_parser = digits)]
    sha256: Option<String>,
}

fn digits(text: &str) -> Result<String, String> {
    if (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("must be 1 to 64 hex digits".to_owned())
    }
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, range, filter, limit, sha256 } = args;
    let mut query = filter.query()?;
    (query.range, query.sha256) = (range.unwrap_or_default(), sha256);
    let client = context.ledger().await?;
    let digests = if context.output.is_terminal() { Digests::Short } else { Digests::Whole };
    let doing = format!("listing the versions of {package}");
    let mut versions = client.find_versions(&package, &query);
    let mut left = limit.unwrap_or(usize::MAX);
    let mut header = !context.output.json;
    while left > 0 {
        // The header is printed after the first answer, so that a failure prints none.
        let version = context.output.wait(versions.try_next()).await?.map_err(context.failed(&doing))?;
        if std::mem::take(&mut header) {
            context.output.line(render::versions_header(digests))?;
        }
        let Some(release) = version else { break };
        if context.output.json {
            context.output.object(&json::VersionLine::of(&release, None))?;
        } else {
            context.output.line(render::versions_row(&release, digests))?;
        }
        left -= 1;
    }
    Ok(())
}
