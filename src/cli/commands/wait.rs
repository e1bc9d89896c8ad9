//! `wait`: waits until a version exists, or a tag has moved.

use crate::{
    cli::{context::Context, error::Failure, json, render},
    model::{PackageName, Spec, Version},
    ops::Wait,
};
use std::time::Duration;

/// Wait until a version exists, or a tag has moved; then show it as `info` does
///
/// Polls about once a second, and tolerates outages. Exits with 3 if the time runs out, and with 7 if the ledger does
/// not answer at that time, so that the state is unknown.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// The version to wait for: a number, a tag, or latest
    #[arg(value_name = "SPEC")]
    spec: Spec,
    /// Wait until SPEC is on this version
    #[arg(long, value_name = "N")]
    version: Option<Version>,
    /// Wait until SPEC is on a version with a higher number; a rollback lowers it, and is missed: see --after-rev
    #[arg(long, value_name = "N")]
    newer_than: Option<Version>,
    /// Wait until the tag was changed after revision REV, which info and wait show: moved, moved back, set again, or taken off (exit code 4)
    #[arg(long, value_name = "REV")]
    after_rev: Option<u64>,
    /// Give up after this long: 90s, 10m [default: never]
    #[arg(long, value_name = "DURATION", value_parser = crate::cli::options::duration)]
    timeout: Option<Duration>,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, spec, version, newer_than, after_rev, timeout } = args;
    let doing = match (version, newer_than, after_rev) {
        (Some(version), ..) => format!("waiting for {package} {spec} to be on {version}"),
        (None, Some(than), _) => format!("waiting for {package} {spec} to be newer than {than}"),
        (None, None, Some(rev)) => format!("waiting for {package} {spec} to change after revision {rev}"),
        (None, None, None) => format!("waiting for {package} {spec}"),
    };
    let client = context.ledger().await?;
    let wait = Wait { package, spec, version, newer_than, after_rev, timeout };
    let release = client.wait(&wait).await.map_err(context.failed(&doing))?;
    if context.output.json {
        return context.output.object(&json::VersionLine::of(&release, None));
    }
    for line in render::info(&release) {
        context.output.line(line)?;
    }
    Ok(())
}
