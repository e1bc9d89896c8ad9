//! `export`: writes all packages as lines of JSON.

use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
        json, render,
    },
    durable, ops,
};
use futures_util::TryStreamExt;
use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// Write all packages with their whole history as lines of JSON
///
/// Each package is as of one instant; different packages may be of different instants. The last line has a sha256 of
/// all others, so that `import` detects a truncated file.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Write to this file, which appears when it is complete [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(short, long, requires = "output")]
    force: bool,
    /// Also copy the blobs that versions need to this directory, unless they are there
    #[arg(long, value_name = "DIR")]
    blobs: Option<PathBuf>,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let client = match &args.blobs {
        Some(_) => context.client().await?,
        None => context.ledger().await?,
    };
    let mut file = args.output.as_deref().map(|path| Target::open(path, args.force)).transpose()?;
    let mut lines = client.export(args.blobs.as_deref());
    let mut report = ops::ExportReport::default();
    while let Some(line) = lines.try_next().await.map_err(context.failed("exporting"))? {
        match &mut file {
            Some(file) => file.write(&line.text)?,
            None => context.output.line(line.text.trim_end())?,
        }
        report = line.report.unwrap_or(report);
    }
    let (packages, items) =
        (render::counted(report.packages, "package"), render::counted(report.items, "item"));
    if let Some(file) = file {
        file.finish()?;
        if context.output.json {
            let ops::ExportReport { packages, items, sha256 } = report;
            let summary = json::Totals::Export { packages, items, sha256 };
            context.output.object(&json::TotalsLine { summary })?;
        }
    }
    context.notices.note(&format!("exported {packages} with {items}"));
    Ok(())
}

/// A file that gets its name when it is complete.
struct Target {
    path: PathBuf,
    directory: PathBuf,
    force: bool,
    file: BufWriter<NamedTempFile>,
}

impl Target {
    fn open(path: &Path, force: bool) -> Result<Self, Failure> {
        if !force && path.symlink_metadata().is_ok() {
            let message = format!("{} exists", path.display());
            return Err(Failure::new(Kind::Refused, message).hint("-f replaces it"));
        }
        let directory = durable::directory_of(path).to_owned();
        let file = tempfile::Builder::new().prefix(".sacker-").tempfile_in(&directory);
        let file = BufWriter::with_capacity(1 << 18, file.map_err(|error| failed(path, &error))?);
        Ok(Self { path: path.to_owned(), directory, force, file })
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.file.write_all(text.as_bytes()).map_err(|error| failed(&self.path, &error))
    }

    fn finish(self) -> Result<(), Failure> {
        let Self { path, directory, force, file } = self;
        let name = || {
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            durable::flush(file.as_file(), file.path())?;
            durable::name(file, &path, force).map_err(|error| error.error)?;
            durable::flush_directory(&directory)
        };
        name().map_err(|error| failed(&path, &error))
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::Invalid, format!("can't write {}: {}", path.display(), render::plain(error)))
        .hint("nothing was written; free space there, or name another file")
}
