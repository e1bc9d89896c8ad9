//! `find`: finds versions of all packages.

use crate::{
    cli::{
        commands::shared::{Unreadable, VersionFilter},
        context::Context,
        error::Failure,
        json, tables,
    },
    ops::Found,
};
use futures_util::TryStreamExt;

/// Find versions of all packages by their labels, state or age
///
/// Reads the versions of all packages whose names begin with the prefix, several packages at once: there is no index.
/// Versions are printed as they are found: those of a package newest first, different packages in no order.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Look only at packages whose names begin with this prefix
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true, value_parser = crate::cli::options::prefix)]
    prefix: String,
    #[command(flatten)]
    filter: VersionFilter,
    /// Show at most this many
    #[arg(long, value_name = "N", value_parser = crate::cli::options::limit)]
    limit: Option<usize>,
}

const DOING: &str = "finding versions";

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { prefix, filter, limit } = args;
    let query = filter.query()?;
    let client = context.ledger().await?;
    let mut found = client.find(&prefix, &query);
    let (mut unreadable, mut left) = (Unreadable::default(), limit.unwrap_or(usize::MAX));
    let mut header = !context.output.json;
    while left > 0 {
        let next = context.output.wait(found.try_next()).await?.map_err(context.failed(DOING))?;
        if std::mem::take(&mut header) {
            context.output.line(tables::found_header())?;
        }
        match next {
            None => break,
            Some(Found::Unreadable { package, error }) => unreadable.note(&package, error, context),
            Some(Found::Version(release)) => {
                if context.output.json {
                    context.output.object(&json::VersionLine::of(&release, None))?;
                } else {
                    context.output.line(tables::found_row(&release))?;
                }
                left -= 1;
            }
        }
    }
    unreadable.end(DOING, context)
}
