//! `unyank`: reverses a yank.

use super::shared::{VersionArgs, change};
use crate::{
    cli::{context::Context, error::Failure},
    model::ReleaseChange,
};

/// Reverse a yank: the version can be tagged, and be latest, again
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    of: VersionArgs,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    change(args.of, ReleaseChange::Unyank, "unyanking", context).await
}
