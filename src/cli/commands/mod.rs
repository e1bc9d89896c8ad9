//! The commands: one file each.

pub(super) mod add;
pub(super) mod apply;
pub(super) mod completions;
pub(super) mod delete;
pub(super) mod download;
pub(super) mod fsck;
pub(super) mod gc;
pub(super) mod history;
pub(super) mod info;
pub(super) mod init;
pub(super) mod label;
pub(super) mod list;
pub(super) mod protect;
pub(super) mod rollback;
pub(super) mod tag;
pub(super) mod tags;
pub(super) mod unprotect;
pub(super) mod untag;
pub(super) mod unyank;
pub(super) mod versions;
pub(super) mod wait;
pub(super) mod yank;

use super::{
    Context,
    arguments::Change,
    error::{Failure, Kind},
    json, render,
};
use crate::{
    ledger::ChangeRequest,
    model::{PackageName, ReleaseChange, TagMove, TagName, Version},
};
use std::time::Duration;

/// What every command that changes a version takes.
#[derive(Debug, clap::Args)]
struct VersionArgs {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// The number of the version
    #[arg(value_name = "VERSION")]
    version: Version,
    #[command(flatten)]
    change: Change,
}

/// Changes a version, and says what became of it.
async fn change(
    of: VersionArgs,
    change: ReleaseChange,
    doing: &str,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let VersionArgs { package, version, change: by } = of;
    let doing = format!("{doing} {package} {version}");
    let client = context.ledger().await?;
    let author = context.author(by).await?;
    let request = ChangeRequest { package, version, change, author };
    let changed = client.change(&request).await.map_err(context.failed(&doing))?;
    if context.output.json {
        return context.output.object(&json::Versioned::of(&changed.release, None));
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

/// Says what became of a tag.
fn show_move(moved: &TagMove, context: &mut Context<'_>) -> Result<(), Failure> {
    if context.output.json {
        context.output.object(&json::Tagging::of(moved))
    } else {
        context.output.line(render::moved(moved.tag.as_str(), moved.previous, moved.version))
    }
}

/// Whether a move is confirmed: the name of another tag is a slip.
fn confirmed(tag: &TagName, confirm: Option<&TagName>) -> Result<bool, Failure> {
    match confirm {
        Some(given) if given != tag => {
            let message = format!("--confirm {given}: the tag to be moved is {tag}");
            Err(Failure::new(Kind::Invalid, message).hint(format!("nothing was changed; `--confirm {tag}`")))
        }
        given => Ok(given.is_some()),
    }
}

/// Reads how many rows to show at most.
fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("not a whole number above 0".to_owned()),
        Ok(limit) => Ok(limit),
    }
}

/// Reads a duration such as 90s, 2m or 1h 30m; none is negative.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration =
        text.parse().map_err(|_| "not a duration such as 90s, 2m or 1h 30m".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "it is negative".to_owned())
}
