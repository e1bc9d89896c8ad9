//! `import`: makes a ledger hold what an export holds.

use super::shared::run_copy;
use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
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
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The file that `export` wrote; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Copy blobs that the store lacks from this directory, which `export --blobs` wrote
    #[arg(long, value_name = "DIR")]
    blobs: Option<PathBuf>,
    /// The program that wrote it
    #[arg(long, value_name = "PROGRAM", value_enum, default_value = "sacker")]
    from: From,
    /// With --from python-sacker: the output of `aws dynamodb scan` of the table of tags
    #[arg(long, value_name = "FILE")]
    tags: Option<PathBuf>,
    /// Show what would change, but change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Copy this many blobs at once, 1 to 64 [default: 8]
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
}

/// The program that wrote the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum From {
    /// `sacker export`
    Sacker,
    /// The original sacker: the file is the output of `aws dynamodb scan` of its table, and --blobs has its objects
    PythonSacker,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { file, blobs, from, tags, dry_run, jobs } = args;
    if from == From::PythonSacker {
        return of_python_sacker(&file, tags.as_deref(), blobs, dry_run, context).await;
    }
    if tags.is_some() {
        return Err(Failure::new(Kind::Invalid, "--tags is only for --from python-sacker"));
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

async fn of_python_sacker(
    table: &Path,
    tags: Option<&Path>,
    objects: Option<PathBuf>,
    dry_run: bool,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let doing = format!("importing {}", table.display());
    let Some(objects) = objects else {
        return Err(Failure::new(
            Kind::Invalid,
            "--from python-sacker needs --blobs, the directory with its objects",
        ));
    };
    let foreign = Foreign::of_python_sacker(table, tags, &objects).map_err(context.failed(&doing))?;
    let client = context.client().await?;
    let message = "imported from the original sacker".parse().ok();
    let author = context.author(Change { key: None, message }).await?;
    let import =
        async |on_package: OnPackage<'_>| client.import_foreign(&foreign, &author, dry_run, on_package).await;
    run_copy(context, &doing, dry_run, json::Totals::Import, import).await
}
