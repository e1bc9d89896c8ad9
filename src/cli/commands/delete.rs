//! `delete`: deletes a version.

use super::{VersionArgs, change};
use crate::{
    cli::{Context, error::Failure},
    model::ReleaseChange,
};

/// Delete a version for good: its number stays spent, its bytes can be collected
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    of: VersionArgs,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    change(args.of, ReleaseChange::Delete, "deleting", context).await
}
