//! `yank`: withdraws a version from `latest`.

use super::shared::{VersionArgs, change};
use crate::{
    cli::{context::Context, error::Failure},
    model::ReleaseChange,
};

/// Withdraw a version from latest; it can still be downloaded by its number
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    of: VersionArgs,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    change(args.of, ReleaseChange::Yank, "yanking", context).await
}
