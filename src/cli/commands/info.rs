//! `info`: shows everything recorded about a version.

use crate::{
    cli::{context::Context, error::Failure, json, render},
    model::{PackageName, Spec},
};

/// Show everything recorded about a version
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// The version: a number, a tag, latest, or a tag's past such as live~1
    #[arg(value_name = "SPEC")]
    spec: Spec,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, spec } = args;
    let client = context.ledger().await?;
    let doing = format!("reading {package} {spec}");
    let release = client.info(&package, &spec).await.map_err(context.failed(&doing))?;
    if context.output.json {
        return context.output.object(&json::VersionLine::of(&release, None));
    }
    for line in render::info(&release) {
        context.output.line(line)?;
    }
    Ok(())
}
