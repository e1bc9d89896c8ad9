//! `delete`: deletes a version.

use super::shared::{VersionArgs, change};
use crate::{
    cli::{context::Context, error::Failure},
    model::ReleaseChange,
};

/// Delete a version for good: its number stays spent, its bytes can be collected
///
/// Refused while it is tagged, and while a rollback of a tag would go to it: yank it first if that is not wanted.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    of: VersionArgs,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    change(args.of, ReleaseChange::Delete, "deleting", context).await
}
