//! `protect`: protects a tag from accidental moves.

use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
        json,
        options::Change,
        render,
    },
    ledger::ProtectRequest,
    model::{Gate, PackageName, Protection, TagName},
};

/// Protect a tag from accidental moves, or keep gates with it
///
/// Every move forward must pass the gates that are kept with a tag: `tag`, `apply` and `add --tag`. `rollback` and
/// `apply --undo` need not. Protecting again adds to what the tag has; `unprotect` removes all of it. Anyone who can
/// move a tag can also unprotect it.
#[derive(Debug, clap::Args)]
#[command(override_usage = "sacker protect [OPTIONS] <PACKAGE> <TAG>")]
#[command(group = clap::ArgGroup::new("how").required(true).multiple(true))]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    of: TagArgs,
    /// The tag may not move once it is on a version
    #[arg(long, group = "how", conflicts_with = "confirm")]
    write_once: bool,
    /// Moves of the tag need --confirm TAG
    #[arg(long, group = "how")]
    confirm: bool,
    /// Keep this gate with the tag: label:NAME=VALUE, tag:TAG, age:2h, soak:TAG=2h or was:TAG; repeatable
    #[arg(long, value_name = "GATE", group = "how")]
    require: Vec<Gate>,
    /// No move may override the gates
    #[arg(long, requires = "require")]
    no_override: bool,
}

/// The arguments of both `protect` and `unprotect`.
#[derive(Debug, clap::Args)]
pub(super) struct TagArgs {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// The tag, which need not exist yet
    #[arg(value_name = "TAG")]
    tag: TagName,
    #[command(flatten)]
    change: Change,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let how = match (args.write_once, args.confirm) {
        (true, _) => Some(Protection::WriteOnce),
        (false, true) => Some(Protection::Confirm),
        (false, false) => None,
    };
    protect(args.of, how, args.require, args.no_override, context).await
}

pub(super) async fn protect(
    of: TagArgs,
    protection: Option<Protection>,
    require: Vec<Gate>,
    no_override: bool,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let TagArgs { package, tag, change } = of;
    let client = context.ledger().await?;
    let author = context.author(change).await?;
    let removes = protection.is_none() && require.is_empty();
    let doing = format!("{} the tag {tag} of {package}", if removes { "unprotecting" } else { "protecting" });
    let request = ProtectRequest { package, tag, protection, require, no_override, author };
    let done = client.protect(&request).await.map_err(|error| {
        let failure = context.failed(&doing)(error);
        match failure.kind {
            // The tag has another protection, and `--confirm` would not help.
            Kind::Refused if request.require.is_empty() => {
                Failure { hints: vec![unprotect_first(&request)], ..failure }
            }
            _ => failure,
        }
    })?;
    if context.output.json {
        return context.output.object(&json::TagLine::of(&done));
    }
    let how = done.protection.map_or_else(
        || "unprotected".to_owned(),
        |how| render::protection(how, &done.gates, done.no_override),
    );
    context.output.line(format!("{}: {how}", done.tag))
}

fn unprotect_first(ProtectRequest { package, tag, .. }: &ProtectRequest) -> String {
    format!("nothing was changed; remove that protection first: `sacker unprotect {package} {tag}`")
}
