//! `add`: stores a file as the next version of a package.

use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
        json,
        options::{Change, jobs},
    },
    ledger::AddRequest,
    model::{Expectation, FileName, Labels, Message, PackageName, TagName},
    ops::AddInput,
    store::HASHED_AT_ONCE,
};
use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

/// Store a file as the next version of a package; prints the version number
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package; its first version creates it
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// The file; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Also move this tag to the new version, in the same transaction; repeatable
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<TagName>,
    /// A label to record with the version; repeatable
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<String>,
    /// The file name to record [default: the name of FILE]
    #[arg(long, value_name = "NAME")]
    filename: Option<FileName>,
    /// Add nothing if latest has the same sha256, and print its number instead
    #[arg(long)]
    if_changed: bool,
    /// Add the version only if latest is N; none: only if there is no latest
    #[arg(long, value_name = "N|none")]
    expect_latest: Option<Expectation>,
    /// Confirm the move of this tag, as `protect --confirm` requires; repeatable
    #[arg(long, value_name = "TAG")]
    confirm: Vec<TagName>,
    /// Pass the standing gates of the tags, for this reason, which is recorded with the gates that were closed
    #[arg(long = "override", value_name = "WHY", requires = "tags")]
    overriding: Option<Message>,
    /// Transfer this many parts of a large file at once, 1 to 64 [default: adaptive, up to 32]
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
    /// Move the tags in spite of a freeze that is not strict, for this reason, which is recorded
    #[arg(long, value_name = "WHY", requires = "tags")]
    emergency: Option<Message>,
    #[command(flatten)]
    change: Change,
}

impl Args {
    /// Returns true if the input is large or of unknown size.
    pub fn is_large(&self) -> bool {
        std::fs::metadata(&self.file).map_or(true, |file| !file.is_file() || file.len() > HASHED_AT_ONCE)
    }
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args {
        package,
        file,
        tags,
        labels,
        filename,
        if_changed,
        expect_latest,
        confirm,
        overriding,
        emergency,
        jobs,
        change,
    } = args;
    let labels = Labels::parse(labels.iter().map(String::as_str))
        .map_err(|invalid| Failure::new(Kind::Invalid, format!("--label: {invalid}")))?;
    let stdin = file == Path::new("-");
    let source = if stdin { "standard input".to_owned() } else { file.display().to_string() };
    let doing = format!("adding {source} to {package}");
    let client = context.client_with(jobs).await?;
    let (author, late) = context.author_of_addition(change).await?;
    let client = match late {
        Some(actor) => client.with_late_actor(actor),
        None => client,
    };
    let request = AddRequest {
        package,
        author,
        labels,
        tags,
        if_changed,
        expect_latest,
        confirm,
        overriding,
        emergency,
    };
    let input = if stdin { AddInput::stream(std::io::stdin()) } else { AddInput::file(file) };
    let input = match filename {
        Some(filename) => input.filename(filename),
        None => input,
    };
    let (release, new) = client.add(request, input).await.map_err(context.failed(&doing))?;
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
