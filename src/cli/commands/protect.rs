//! `protect`: keeps a tag from being moved by a slip.

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

/// Keep a tag from being moved by a slip
///
/// Whoever can move a tag can also unprotect it.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("how").required(true))]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    of: TagArgs,
    /// Once it is on a version, it may never move
    #[arg(long, group = "how")]
    write_once: bool,
    /// Its moves need --confirm TAG
    #[arg(long, group = "how")]
    confirm: bool,
}

/// What both `protect` and `unprotect` take.
#[derive(Debug, clap::Args)]
pub(super) struct TagArgs {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// The tag, which need not be there yet
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
            // It is protected otherwise, and no confirmation helps.
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
    format!("nothing was changed; take that protection away first: `sacker unprotect {package} {tag}`")
}
