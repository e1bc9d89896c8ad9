//! `changes`: lists the versions between two specs.

use crate::{
    cli::{context::Context, error::Failure, json, tables},
    model::{Invalid, PackageName, Spec},
};
use futures_util::TryStreamExt;
use std::str::FromStr;

/// List the versions between two specs, newest first: what a deploy from A to B contains
///
/// A is left out and B is included: `changes app live..canary` shows what a promotion of canary would bring. If B is
/// older than A, the versions above B up to A are listed, which a move to B takes back.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// Two SPECs: 41..57, live..canary, live~1..live
    #[arg(value_name = "A..B")]
    range: Specs,
}

/// Two specs with `..` between them.
#[derive(Debug, Clone)]
struct Specs {
    from: Spec,
    to: Spec,
}

impl FromStr for Specs {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let rule = "is not two SPECs with .. between them, like live..canary";
        let (from, to) = text.split_once("..").ok_or_else(|| Invalid::new("range", text, rule))?;
        if to.contains("..") {
            return Err(Invalid::new(
                "range",
                text,
                "has more than one .. in it; give a version for such a tag",
            ));
        }
        Ok(Self { from: from.parse()?, to: to.parse()? })
    }
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, range: Specs { from, to } } = args;
    let client = context.ledger().await?;
    let doing = format!("listing the changes of {package} from {from} to {to}");
    let mut changes = client.changes(&package, &from, &to).await.map_err(context.failed(&doing))?;
    if changes.backwards {
        let (from, to) = (changes.from, changes.to);
        context.notices.note(&format!("{to} is older than {from}: these versions are taken back"));
    }
    let mut header = !context.output.json;
    loop {
        let next = context.output.wait(changes.versions.try_next()).await?;
        let next = next.map_err(context.failed(&doing))?;
        if std::mem::take(&mut header) {
            context.output.line(tables::changes_header())?;
        }
        let Some(release) = next else { return Ok(()) };
        if context.output.json {
            context.output.object(&json::VersionLine::of(&release, None))?;
        } else {
            context.output.line(tables::changes_row(&release))?;
        }
    }
}
