//! `list`: lists the packages.

use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
        json,
        render::{self, counted},
    },
    ledger::PackageQuery,
    model::PackageName,
    ops::{Client, Listed},
};
use futures_util::{StreamExt, TryStreamExt};

/// List the packages, by name
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Show only names that begin with this prefix
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true, value_parser = crate::cli::options::prefix)]
    prefix: String,
    /// Show only names after this one, which need not exist
    #[arg(long, value_name = "NAME")]
    after: Option<PackageName>,
    /// Show at most this many
    #[arg(long, value_name = "N", value_parser = crate::cli::options::limit)]
    limit: Option<usize>,
    /// Show each package's latest version, its size, and the time of the package's last change
    ///
    /// Packages to which access is denied are named on stderr; the others are listed, and the exit code is 10.
    #[arg(short, long)]
    long: bool,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { prefix, after, limit, long } = args;
    let client = context.ledger().await?;
    let query = PackageQuery { prefix, after };
    let limit = limit.unwrap_or(usize::MAX);
    let (packages, denied) = if long {
        print_long(&client, &query, limit, context).await?
    } else {
        (print(&client, &query, limit, context).await?, 0)
    };
    if context.output.json {
        context.output.object(&json::TotalsLine { summary: json::Totals::List { packages, denied } })?;
    }
    match denied {
        0 => Ok(()),
        _ => Err(Failure::new(
            Kind::Denied,
            format!("{DOING}: access to {} is denied", counted(denied, "package")),
        )
        .hint("the others are listed; SECURITY.md lists the permissions of a reader")),
    }
}

const DOING: &str = "listing the packages";

/// Prints the names of packages, and returns the number printed.
async fn print(
    client: &Client,
    query: &PackageQuery,
    limit: usize,
    context: &mut Context<'_>,
) -> Result<u64, Failure> {
    let mut packages = client.list(query).take(limit);
    let mut printed = 0;
    while let Some(package) =
        context.output.wait(packages.try_next()).await?.map_err(context.failed(DOING))?
    {
        if context.output.json {
            context.output.object(&json::PackageLine { package: &package })?;
        } else {
            context.output.line(package.as_str())?;
        }
        printed += 1;
    }
    Ok(printed)
}

/// Prints packages with details. Returns the number printed, and the number of those that may not be read.
async fn print_long(
    client: &Client,
    query: &PackageQuery,
    limit: usize,
    context: &mut Context<'_>,
) -> Result<(u64, u64), Failure> {
    if !context.output.json {
        context.output.line(render::packages_header())?;
    }
    let mut packages = client.list_long(query, limit);
    let (mut printed, mut denied) = (0, 0);
    while let Some(listed) = context.output.wait(packages.try_next()).await?.map_err(context.failed(DOING))? {
        match listed {
            Listed::Package(package) if context.output.json => {
                context.output.object(&json::SummaryLine::of(&package))?;
                printed += 1;
            }
            Listed::Package(package) => {
                context.output.line(render::packages_row(&package))?;
                printed += 1;
            }
            Listed::Denied(package) => {
                context.notices.warn(&format!("access to the package {package} is denied"));
                denied += 1;
            }
        }
    }
    Ok((printed, denied))
}
