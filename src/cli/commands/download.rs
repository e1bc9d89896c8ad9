//! `download`: fetches the file of a version.

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

/// Download the file of a version and verify it; prints its path
///
/// The same command resumes an interrupted download of a large file: the received part is kept next to the target as
/// .sacker-SHA256.part, and removed once the file is complete. The part may be deleted when no download is running.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// The version: a number, a tag, latest, or a tag's past such as live~1
    #[arg(value_name = "SPEC")]
    spec: Spec,
    /// Write to this file, or into this directory; - for standard output
    ///
    /// By default the file is written to the working directory, under its recorded name.
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Replace an existing file that differs
    #[arg(short, long)]
    force: bool,
    /// Give the file exactly the recorded permission bits, regardless of the umask
    #[arg(long)]
    preserve_mode: bool,
    /// Transfer this many parts of a large file at once, 1 to 64 [default: adaptive, up to 32]
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, spec, output, force, preserve_mode, jobs } = args;
    let stdout = output.as_deref() == Some(Path::new("-"));
    if stdout && context.output.json {
        let message = "--json and `-o -` both write to standard output";
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
    let downloaded = match client.download(download).await {
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
