//! `check`: shows whether a tag could be moved to a version.

use crate::{
    cli::{context::Context, error::Failure, json, render},
    ledger::CheckRequest,
    model::{Gate, PackageName, Protection, Spec, TagName},
    ops::Error,
};

/// Show whether a tag could be moved to a version now, gate by gate; changes nothing
///
/// Exits with 6 if the move would be refused, as `tag` would be. The move checks its gates again, in its own transaction.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// The version: a number, a tag, latest, or a tag's past such as live~1
    #[arg(value_name = "SPEC")]
    spec: Spec,
    /// The tag that would be moved
    #[arg(value_name = "TAG")]
    tag: TagName,
    /// Also check this gate, as `tag --require` would; repeatable
    #[arg(long, value_name = "GATE")]
    require: Vec<Gate>,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, spec, tag, require } = args;
    let client = context.ledger().await?;
    let doing = format!("checking the move of the tag {tag} of {package} to {spec}");
    let request = CheckRequest { package, spec, tag, require };
    let report = client.check(&request).await.map_err(context.failed(&doing))?;
    for check in &report.checks {
        if context.output.json {
            context.output.object(&json::CheckLine::of(&report, check))?;
        } else {
            context.output.line(render::check(check))?;
        }
    }
    let needs_confirmation =
        report.protection.and_then(Protection::without_gates) == Some(Protection::Confirm);
    let tag = &report.tag;
    if report.in_place {
        context
            .notices
            .note(&format!("{tag} is on {} already, so a move would change nothing", report.version));
    } else if needs_confirmation {
        context.notices.note(&format!("the move needs `--confirm {tag}`"));
    }
    if report.checks.is_empty() {
        context.notices.note(&format!("{tag} has no gates"));
    }
    match report.refusal() {
        None => Ok(()),
        Some(error) => Err(context.failed(&doing)(Error::from(error))),
    }
}
