//! `protect`: protects a tag from accidental moves.

use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
        json,
        options::Change,
    },
    ledger::ProtectRequest,
    model::{PackageName, Protection, TagName},
};

/// Protect a tag from accidental moves
///
/// Anyone who can move a tag can also unprotect it.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("how").required(true))]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    of: TagArgs,
    /// The tag may not move once it is on a version
    #[arg(long, group = "how")]
    write_once: bool,
    /// Moves of the tag need --confirm TAG
    #[arg(long, group = "how")]
    confirm: bool,
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
    let how = if args.write_once { Protection::WriteOnce } else { Protection::Confirm };
    protect(args.of, Some(how), context).await
}

pub(super) async fn protect(
    of: TagArgs,
    protection: Option<Protection>,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let TagArgs { package, tag, change } = of;
    let client = context.ledger().await?;
    let author = context.author(change).await?;
    let doing = match protection {
        Some(_) => format!("protecting the tag {tag} of {package}"),
        None => format!("unprotecting the tag {tag} of {package}"),
    };
    let request = ProtectRequest { package, tag, protection, author };
    let done = client.protect(&request).await.map_err(|error| {
        let failure = context.failed(&doing)(error);
        match failure.kind {
            // The tag has another protection, and `--confirm` would not help.
            Kind::Refused => Failure { hints: vec![unprotect_first(&request)], ..failure },
            _ => failure,
        }
    })?;
    if context.output.json {
        return context.output.object(&json::TagLine::of(&done));
    }
    let how = done.protection.map_or_else(|| "unprotected".to_owned(), |how| how.to_string());
    context.output.line(format!("{}: {how}", done.tag))
}

fn unprotect_first(ProtectRequest { package, tag, .. }: &ProtectRequest) -> String {
    format!("nothing was changed; remove that protection first: `sacker unprotect {package} {tag}`")
}
