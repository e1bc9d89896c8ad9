//! `download`: a version's file.

use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
        json,
        options::jobs,
        render,
    },
    model::{PackageName, Spec},
    ops::{self, Download, Target},
};
use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

/// Fetch a version's file and verify it; prints its path
///
/// The same command again goes on with a large file where it was interrupted: what has come until then lies beside its
/// target as .sacker-SHA256.part, and is gone once the file is there. It may be deleted when nothing is being downloaded.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// Which version: a number, a tag, latest, or a tag's past
    #[arg(value_name = "SPEC")]
    spec: Spec,
    /// Write to this file, or into this directory; - for standard output
    ///
    /// Otherwise it goes to the working directory, under its recorded name.
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Replace a file that is different
    #[arg(short, long)]
    force: bool,
    /// Give the file exactly the recorded permission bits, also those that the umask takes away
    #[arg(long)]
    preserve_mode: bool,
    /// How many parts of a large file are under way at once, 1 to 64 at most [default: adapts, up to 32]
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, spec, output, force, preserve_mode, jobs } = args;
    let stdout = output.as_deref() == Some(Path::new("-"));
    if stdout && context.output.json {
        let message = "--json and `-o -` both want standard output";
        return Err(Failure::new(Kind::Invalid, message).hint("choose one of them"));
    }
    let doing = format!("downloading {package} {spec}");
    let target = match output {
        _ if stdout => Target::Stream(Box::new(std::io::stdout())),
        Some(path) if path.as_os_str().is_empty() => {
            return Err(Failure::new(Kind::Invalid, "-o: the path is empty"));
        }
        Some(path) => Target::Path(path),
        None => Target::Directory(PathBuf::new()),
    };
    let client = context.client_with(jobs).await?;
    let download = Download { package: package.clone(), spec, target, force, preserve_mode };
    let downloaded = match client.download(download, &context.observer).await {
        Ok(downloaded) => downloaded,
        Err(ops::Error::Output { source, .. }) if stdout => return Err(Failure::stdout(&source)),
        Err(error) => return Err(context.failed(&doing)(error)),
    };
    match &downloaded.path {
        Some(_) if context.output.json => {
            context.output.object(&json::DownloadLine::of(&package, &downloaded))
        }
        Some(path) => context.output.line(render::path(path, context.output.is_terminal())),
        None => Ok(()),
    }
}
