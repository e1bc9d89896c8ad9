//! `delete`: deletes a version.

use super::shared::{VersionArgs, make_change};
use crate::{
    cli::{context::Context, error::Failure},
    ledger::{ChangeRequest, Stops},
    model::{ReleaseChange, Retention, Version},
};

/// Delete a version; its number is not reused, its bytes become garbage
///
/// `undelete` reverses a deletion until gc --delete has collected the bytes. Refused while the version is tagged. Also
/// refused, without --force, while a rollback of a tag would move to the version; to exclude it from rollbacks, yank it
/// first. Warns if one of the next 5 rollbacks of a tag went to the version.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    of: VersionArgs,
    /// Delete the version even if a rollback of a tag would move to it
    #[arg(long)]
    force: bool,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { of: VersionArgs { package, version, change }, force } = args;
    let client = context.ledger().await?;
    // What the tags are is of interest only for the warning: the deletion checks them for itself.
    let stops = client.stops(&package, Retention::ROLLBACK_DEPTH).await;
    let author = context.author(change).await?;
    let request = ChangeRequest::new(package, version, ReleaseChange::Delete).force(force).author(author);
    make_change(&client, &request, "deleting", context).await?;
    match stops {
        Ok(stops) => warn(&stops, &request, context),
        Err(error) => {
            let package = &request.package;
            context
                .notices
                .warn(&format!("the rollbacks that went to {package} {version} are not known: {error}"));
        }
    }
    Ok(())
}

/// Warns of the rollbacks that went to the version.
fn warn(stops: &Stops, request: &ChangeRequest, context: &Context<'_>) {
    let ChangeRequest { package, version, .. } = request;
    let lost = lost(stops, *version);
    if !lost.is_empty() {
        let hint = format!("`sacker undelete {package} {version}` brings it back until it is collected");
        context
            .notices
            .warn(&format!("rollbacks can no longer go to {package} {version}: it was {lost}; {hint}"));
    }
}

/// Returns the rollbacks that go to a version, as specs.
fn lost(stops: &Stops, version: Version) -> String {
    let specs = stops.of(version).iter().map(|stop| format!("{}~{}", stop.tag, stop.rollbacks));
    specs.collect::<Vec<_>>().join(", ")
}
