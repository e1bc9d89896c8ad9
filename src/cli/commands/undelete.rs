//! `undelete`: reverses a deletion.

use super::shared::{VersionArgs, make_change};
use crate::{
    cli::{context::Context, error::Failure},
    ledger::ChangeRequest,
    model::ReleaseChange,
};

/// Reverse a deletion: the version comes back with its number, bytes and labels
///
/// The version is active or yanked again, as it was before. Refused once gc --delete has collected its bytes.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    of: VersionArgs,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { of: VersionArgs { package, version, change } } = args;
    // Unlike other changes of a version, this one needs the store.
    let client = context.client().await?;
    let author = context.author(change).await?;
    let request = ChangeRequest::new(package, version, ReleaseChange::Undelete).author(author);
    make_change(&client, &request, "undeleting", context).await
}
