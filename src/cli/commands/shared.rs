//! Functions and arguments shared by several commands.

use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
        json,
        options::Change,
        output::Output,
        render,
    },
    fault::FaultKind,
    ledger::{self, ChangeRequest},
    model::{
        FreezeEvent, FreezeKind, Invalid, Labels, Moment, PackageName, PackagePrefix, ReleaseChange, State,
        TagMove, TagName, Version,
    },
    ops::{self, Client, CopyReport, OnPackage, PackageCopied, VersionQuery},
};
use std::{io::Read, path::Path, str::FromStr};

/// The options that select versions.
#[derive(Debug, clap::Args)]
pub(super) struct VersionFilter {
    /// Show only versions with this label; repeated: with all of them
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<String>,
    /// Show only versions in this state: active, yanked or deleted
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<State>,
    /// Show only versions added at this time or later: '2h ago', 2026-05-01T10:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
}

impl VersionFilter {
    /// Returns the query of these options.
    ///
    /// # Errors
    /// A label that is none.
    pub fn query(self) -> Result<VersionQuery, Failure> {
        let labels = Labels::parse(self.labels.iter().map(String::as_str));
        let mut query = VersionQuery::new()
            .labels(labels.map_err(|invalid| Failure::new(Kind::Invalid, invalid.to_string()))?);
        (query.state, query.since) = (self.state, self.since);
        Ok(query)
    }
}

fn state(text: &str) -> Result<State, String> {
    match text {
        "active" => Ok(State::Active),
        "yanked" => Ok(State::Yanked),
        "deleted" => Ok(State::Deleted),
        _ => Err("must be active, yanked or deleted".to_owned()),
    }
}

/// The packages that could not be read.
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    count: u64,
    first: Option<ledger::Error>,
}

impl Unreadable {
    /// Reports a package that can't be read.
    pub fn note(&mut self, package: &PackageName, error: ledger::Error, context: &Context<'_>) {
        let denied = matches!(&error, ledger::Error::Fault(fault) if fault.kind == FaultKind::Denied);
        let why = if denied { "access is denied".to_owned() } else { error.to_string() };
        context.notices.warn(&format!("the package {package} is left out: {why}"));
        self.count += 1;
        self.first.get_or_insert(error);
    }

    /// Returns the failure of a command that had to leave out packages, if there were any.
    pub fn end(self, doing: &str, context: &Context<'_>) -> Result<(), Failure> {
        let Some(first) = self.first else { return Ok(()) };
        let failure = Failure::of_operation(&ops::Error::Ledger(first), doing, &context.places);
        let message =
            format!("{doing}: {} left out; the others are printed", render::counted(self.count, "package"));
        Err(Failure { message, ..failure })
    }
}

/// The arguments of every command that changes a version.
#[derive(Debug, clap::Args)]
pub(super) struct VersionArgs {
    /// The package
    #[arg(value_name = "PACKAGE")]
    pub package: PackageName,
    /// The number of the version
    #[arg(value_name = "VERSION")]
    pub version: Version,
    #[command(flatten)]
    pub change: Change,
}

/// Changes a version, and prints the result.
pub(super) async fn change(
    of: VersionArgs,
    change: ReleaseChange,
    doing: &str,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let client = context.ledger().await?;
    let VersionArgs { package, version, change: by } = of;
    let author = context.author(by).await?;
    let request = ChangeRequest::new(package, version, change).author(author);
    make_change(&client, &request, doing, context).await
}

/// Makes a change of a version, and prints the result.
pub(super) async fn make_change(
    client: &Client,
    request: &ChangeRequest,
    doing: &str,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let ChangeRequest { package, version, .. } = request;
    let doing = format!("{doing} {package} {version}");
    let changed = client.change(request).await.map_err(context.failed(&doing))?;
    if context.output.json {
        return context.output.object(&json::VersionLine::of(&changed.release, None));
    }
    match &request.change {
        ReleaseChange::Label(labels) => {
            for (name, value) in labels.iter() {
                context.output.line(format!("{version}: {name}={}", render::escaped(value)))?;
            }
            Ok(())
        }
        _ => context.output.line(format!("{version}: {} -> {}", changed.previous, changed.release.state)),
    }
}

/// Prints a change of the freezes.
pub(super) fn show_freeze(event: &FreezeEvent, context: &mut Context<'_>) -> Result<(), Failure> {
    if context.output.json {
        return context.output.object(&json::FreezeLine::of(event));
    }
    let pattern = event.prefix.as_ref().map(PackagePrefix::pattern).unwrap_or_default();
    let state = if event.kind == FreezeKind::Thaw { "thawed" } else { "frozen" };
    let until = event.until.map_or_else(String::new, |until| format!(" until {until}"));
    context.output.line(format!("{pattern}: {state}{until}"))
}

/// Prints a move of a tag.
pub(super) fn show_move(moved: &TagMove, context: &mut Context<'_>) -> Result<(), Failure> {
    if context.output.json {
        context.output.object(&json::TagLine::of(moved))
    } else {
        context.output.line(render::moved(moved.tag.as_str(), moved.previous, moved.version))
    }
}

/// Returns true if a move is confirmed. The name of another tag is an error.
pub(super) fn confirmed(tag: &TagName, confirm: Option<&TagName>) -> Result<bool, Failure> {
    match confirm {
        Some(given) if given != tag => {
            let message = format!("--confirm {given}: the tag to be moved is {tag}");
            Err(Failure::new(Kind::Invalid, message).hint(format!("nothing was changed; `--confirm {tag}`")))
        }
        given => Ok(given.is_some()),
    }
}

/// Runs an import or a copy, and prints its packages and its totals.
pub(super) async fn run_copy(
    context: &mut Context<'_>,
    doing: &str,
    dry_run: bool,
    summary: fn(json::CopyTotals) -> json::Totals,
    copy: impl AsyncFnOnce(OnPackage<'_>) -> Result<CopyReport, ops::Error>,
) -> Result<(), Failure> {
    let (mut printed, output) = (Ok(()), &mut *context.output);
    let mut print = |copied| {
        if printed.is_ok() {
            printed = print_copied(&copied, output);
        }
    };
    let report = copy(&mut print).await;
    printed?;
    let report = report.map_err(context.failed(doing))?;
    if context.output.json {
        let summary = summary(json::CopyTotals::of(&report, dry_run));
        context.output.object(&json::TotalsLine { summary })?;
    }
    let changed = format!("{} of {}", report.changed, render::counted(report.packages, "package"));
    let versions = render::counted(report.versions, "version");
    let note = if dry_run {
        format!("{changed} would get {versions}; nothing was changed")
    } else {
        let blobs = render::counted(report.blobs, "blob");
        format!("{changed} got {versions}; copied {blobs}, {}", render::size(report.bytes))
    };
    context.notices.note(&note);
    Ok(())
}

fn print_copied(copied: &PackageCopied, output: &mut Output) -> Result<(), Failure> {
    if output.json {
        return output.object(&json::CopiedLine::of(copied));
    }
    let PackageCopied { package, versions, events, numbering, .. } = copied;
    let (versions, events) = (render::counted(*versions, "version"), render::counted(*events, "event"));
    output.line(format!("{package}: {versions}, {events}"))?;
    for (version, name) in numbering {
        output.line(format!("  {version} <- {}", render::escaped(name)))?;
    }
    Ok(())
}

/// Returns a file that a command reads, for messages: "the plan PATH".
pub(super) fn named(what: &str, path: &Path) -> String {
    if path == Path::new("-") {
        format!("the {what} on standard input")
    } else {
        format!("the {what} {}", path.display())
    }
}

/// Reads a file, or standard input for `-`, and parses it.
pub(super) fn read_file<T: FromStr<Err = Invalid>>(
    what: &str,
    path: &Path,
    hint: &str,
) -> Result<T, Failure> {
    /// The largest accepted file, in bytes; no valid one is larger.
    const LARGEST: u64 = 1 << 20;
    let mut text = String::new();
    let source: std::io::Result<Box<dyn Read>> = if path == Path::new("-") {
        Ok(Box::new(std::io::stdin()))
    } else {
        std::fs::File::open(path).map(|file| Box::new(file) as Box<dyn Read>)
    };
    let read = source.and_then(|source| source.take(LARGEST + 1).read_to_string(&mut text));
    let failed =
        |why: String| Failure::new(Kind::Invalid, format!("can't read {}: {why}", named(what, path)));
    match read {
        Ok(bytes) if bytes as u64 > LARGEST => return Err(failed("it is larger than 1 MiB".to_owned())),
        Ok(_) => {}
        Err(error) => return Err(failed(render::plain(&error))),
    }
    text.parse().map_err(|invalid| {
        Failure::new(Kind::Invalid, format!("reading {}: {invalid}", named(what, path))).hint(hint)
    })
}
