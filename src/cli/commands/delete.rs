//! `delete`: deletes a version.

use super::shared::{VersionArgs, make_change};
use crate::{
    cli::{context::Context, error::Failure},
    ledger::{self, ChangeRequest, Stops},
    model::{ReleaseChange, Retention, Version},
    ops,
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
    let author = context.author(change).await?;
    // They are of interest only for the warning: the deletion checks the tags for itself.
    let stops = match client.stops(&package, Retention::ROLLBACK_DEPTH).await {
        // The deletion would wait for the same outage, up to the deadline once more.
        Err(ops::Error::Ledger(error)) if is_outage(&error) => {
            let doing = format!("deleting {package} {version}");
            return Err(context.failed(&doing)(error.unresolved(&author).into()));
        }
        stops => stops,
    };
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

/// Returns true if an error is one for which a read was tried up to the deadline, or until an interruption.
fn is_outage(error: &ledger::Error) -> bool {
    match error {
        ledger::Error::Fault(fault) => fault.kind.is_transient(),
        ledger::Error::Interrupted => true,
        _ => false,
    }
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
