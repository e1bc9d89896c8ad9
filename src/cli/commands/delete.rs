//! `delete`: deletes a version.

use super::shared::{VersionArgs, change};
use crate::{
    cli::{context::Context, error::Failure},
    model::ReleaseChange,
};

/// Delete a version permanently; its number is not reused, its bytes become garbage
///
/// Refused while the version is tagged, and while a rollback of a tag would move to it; to exclude it from rollbacks,
/// yank it first.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    of: VersionArgs,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    change(args.of, ReleaseChange::Delete, "deleting", context).await
}
