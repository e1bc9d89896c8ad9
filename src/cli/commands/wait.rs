//! `wait`: until a version is there, or a tag has moved.

use crate::{
    cli::{Context, error::Failure, json, render},
    model::{PackageName, Spec, Version},
    ops::Wait,
};
use std::time::Duration;

/// Wait until a version is there, or a tag has moved; then show it as info does
///
/// It looks about once a second. Exits with 3 if the time runs out.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// What has to be there: a number, a tag, or latest
    #[arg(value_name = "SPEC")]
    spec: Spec,
    /// Until it is on this version
    #[arg(long, value_name = "N")]
    version: Option<Version>,
    /// Until it is on a version with a higher number
    #[arg(long, value_name = "N")]
    newer_than: Option<Version>,
    /// How long to wait: 90s, 10m [default: for ever]
    #[arg(long, value_name = "DURATION", value_parser = super::duration)]
    timeout: Option<Duration>,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, spec, version, newer_than, timeout } = args;
    let doing = match (version, newer_than) {
        (Some(version), _) => format!("waiting for {package} {spec} to be on {version}"),
        (None, Some(than)) => format!("waiting for {package} {spec} to be newer than {than}"),
        (None, None) => format!("waiting for {package} {spec}"),
    };
    let client = context.ledger().await?;
    let wait = Wait { package, spec, version, newer_than, timeout };
    let release = client.wait(&wait).await.map_err(context.failed(&doing))?;
    if context.output.json {
        return context.output.object(&json::Versioned::of(&release, None));
    }
    for line in render::info(&release) {
        context.output.line(line)?;
    }
    Ok(())
}
