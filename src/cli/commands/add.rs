//! `add`: the next version of a package.

use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
        json,
        options::{Change, jobs},
    },
    ledger::AddRequest,
    model::{Expectation, FileName, Labels, PackageName, TagName},
    ops::{Add, AddInput},
    store::HASHED_AT_ONCE,
};
use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

/// Store a file and make it the next version of a package; prints its number
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package, which its first version makes
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// The file; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Also move this tag to it, in the same transaction; repeatable
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<TagName>,
    /// A label to record with it; repeatable
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<String>,
    /// The file name to record, instead of its own
    #[arg(long, value_name = "NAME")]
    filename: Option<FileName>,
    /// Add nothing if latest has the same sha256, and print its number
    #[arg(long)]
    if_changed: bool,
    /// Add it only if latest is N, or if there is none
    #[arg(long, value_name = "N|none")]
    expect_latest: Option<Expectation>,
    /// The name of a --tag again, where it is protected so that its moves need that; repeatable
    #[arg(long, value_name = "TAG")]
    confirm: Vec<TagName>,
    /// How many parts of a large file are under way at once, 1 to 64 at most [default: adapts, up to 32]
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    change: Change,
}

impl Args {
    /// Whether there is, or may be, so much to add that it takes more than a moment.
    pub fn is_large(&self) -> bool {
        std::fs::metadata(&self.file).map_or(true, |file| !file.is_file() || file.len() > HASHED_AT_ONCE)
    }
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, file, tags, labels, filename, if_changed, expect_latest, confirm, jobs, change } =
        args;
    let labels = Labels::parse(labels.iter().map(String::as_str))
        .map_err(|invalid| Failure::new(Kind::Invalid, format!("--label: {invalid}")))?;
    let stdin = file == Path::new("-");
    let source = if stdin { "standard input".to_owned() } else { file.display().to_string() };
    let doing = format!("adding {source} to {package}");
    let client = context.client_with(jobs).await?;
    let (author, late) = context.author_of_addition(change).await?;
    let client = match late {
        Some(actor) => client.with_actor(actor),
        None => client,
    };
    let add = Add {
        request: AddRequest { package, author, labels, tags, if_changed, expect_latest, confirm },
        input: if stdin { AddInput::Stream(Box::new(std::io::stdin())) } else { AddInput::File(file) },
        filename,
    };
    let (release, new) = client.add(add, &context.observer).await.map_err(context.failed(&doing))?;
    if !new {
        context.notices.note(&format!(
            "nothing was added: {} {} has this sha256 already",
            release.package, release.version
        ));
    }
    if context.output.json {
        context.output.object(&json::VersionLine::of(&release, Some(new)))
    } else {
        context.output.line(release.version.to_string())
    }
}
