//! `import`: makes a ledger hold what an export holds.

use super::{
    importers::{From, Importer},
    shared::run_copy,
};
use crate::{
    cli::{
        context::Context,
        error::Failure,
        json,
        options::{Change, jobs},
    },
    ops::{Foreign, ImportOptions, OnPackage},
};
use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

/// Make this ledger hold what an export holds: the same numbers, tags and history
///
/// The ledger must be empty, or hold an earlier state of the export. Run it again after an interruption: it writes only
/// what is missing. Until it is done, the ledger refuses every other change.
///
/// With --from, imports what another program has stored: `-n` shows the number that each file would get. A package must
/// be new, or have only versions from the same source.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The file that `export` wrote; - for standard input. With --from, see there
    #[arg(value_name = "SOURCE")]
    source: PathBuf,
    /// Copy blobs that the store lacks from this directory, which `export --blobs` wrote
    #[arg(long, value_name = "DIR")]
    blobs: Option<PathBuf>,
    /// The program that wrote it
    #[arg(long, value_name = "PROGRAM", value_enum, default_value = "sacker")]
    from: From,
    #[command(flatten)]
    importer: Importer,
    /// Show what would change, but change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Copy this many blobs at once, 1 to 64 [default: 8]
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { source: file, blobs, from, importer, dry_run, jobs } = args;
    importer.check(from)?;
    if from != From::Sacker {
        let foreign = importer.read(from, &file, blobs, context).await?;
        let place = if from == From::PythonSacker {
            "the original sacker".to_owned()
        } else {
            file.display().to_string()
        };
        return add(&foreign, &place, dry_run, jobs, context).await;
    }
    let client = context.client_with(jobs).await?;
    let options = ImportOptions::new().blobs(blobs).dry_run(dry_run);
    let of_stdin = file == Path::new("-");
    let doing = if of_stdin {
        "importing standard input".to_owned()
    } else {
        format!("importing {}", file.display())
    };
    let import = async |on_package: OnPackage<'_>| {
        if of_stdin {
            client.import_stream(std::io::stdin(), &options, on_package).await
        } else {
            client.import(&file, &options, on_package).await
        }
    };
    run_copy(context, &doing, dry_run, json::Totals::Import, import).await
}

async fn add(
    foreign: &Foreign,
    place: &str,
    dry_run: bool,
    jobs: Option<NonZeroUsize>,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let client = context.client_with(jobs).await?;
    let message = format!("imported from {place}").parse().ok();
    let author = context.author(Change { key: None, message }).await?;
    let doing = format!("importing from {place}");
    let import =
        async |on_package: OnPackage<'_>| client.import_foreign(foreign, &author, dry_run, on_package).await;
    run_copy(context, &doing, dry_run, json::Totals::Import, import).await
}
