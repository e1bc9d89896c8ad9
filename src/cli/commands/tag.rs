//! `tag`: moves a tag.

use crate::{
    cli::{context::Context, error::Failure, options::Change},
    ledger::TagRequest,
    model::{Expectation, Gate, Invalid, Message, PackageName, Spec, TagName},
};

/// Move a tag to a version; resolving SPEC and moving the tag is one atomic step
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The package
    #[arg(value_name = "PACKAGE")]
    package: PackageName,
    /// The version: a number, a tag, latest, or a tag's past such as live~1
    #[arg(value_name = "SPEC")]
    spec: Spec,
    /// The tag
    #[arg(value_name = "TAG", value_parser = tag_after_spec)]
    tag: TagName,
    /// Move the tag only if it is on N; none: only if it is on no version
    #[arg(long, value_name = "N|none")]
    expect: Option<Expectation>,
    /// Move the tag only if the version meets this: label:NAME=VALUE, tag:TAG, age:2h, soak:TAG=2h (TAG stood on it for 2h in total) or was:TAG; repeatable
    #[arg(long, value_name = "GATE")]
    require: Vec<Gate>,
    /// Pass the standing gates of the tag, for this reason, which is recorded with the gates that were closed
    #[arg(long = "override", value_name = "WHY")]
    overriding: Option<Message>,
    /// Confirm the move by repeating the tag's name, as `protect --confirm` requires
    #[arg(long, value_name = "TAG")]
    confirm: Option<TagName>,
    /// Move the tag in spite of a freeze that is not strict, for this reason, which is recorded
    #[arg(long, value_name = "WHY")]
    emergency: Option<Message>,
    #[command(flatten)]
    change: Change,
}

fn tag_after_spec(text: &str) -> Result<TagName, String> {
    text.parse().map_err(|invalid: Invalid| {
        let number = text.bytes().all(|byte| byte.is_ascii_digit());
        let order = if number { "; the version comes before the tag: PACKAGE SPEC TAG" } else { "" };
        format!("{invalid}{order}")
    })
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, spec, tag, expect, require, overriding, confirm, emergency, change } = args;
    let confirm = super::shared::confirmed(&tag, confirm.as_ref())?;
    let client = context.ledger().await?;
    let author = context.author(change).await?;
    let doing = format!("moving the tag {tag} of {package} to {spec}");
    let overrides = overriding.is_some();
    let request = TagRequest { package, spec, tag, expect, require, overriding, confirm, emergency, author };
    let moved = client.tag(&request).await.map_err(context.failed(&doing))?;
    if overrides && moved.overridden.is_none() {
        context.notices.note("no standing gate was closed, so nothing was overridden");
    }
    super::shared::show_move(&moved, context)
}
