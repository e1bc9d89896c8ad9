//! `yank`: takes a version out of `latest`.

use super::shared::{VersionArgs, change};
use crate::{
    cli::{context::Context, error::Failure},
    model::ReleaseChange,
};

/// Take a version out of latest; it can still be downloaded by its number
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    of: VersionArgs,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    change(args.of, ReleaseChange::Yank, "yanking", context).await
}
