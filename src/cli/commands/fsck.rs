//! `fsck`: checks that the stored data satisfies every invariant.

use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
        json,
        options::jobs,
        render,
    },
    ledger::{Repair, Violation},
    ops::{Fsck, FsckReport},
};
use std::num::NonZeroUsize;

/// Check the whole ledger, and that the store has every blob; exits with 8 on a violation
///
/// It may run while others write, and changes nothing without --repair.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Also read and hash the blobs: all, or this percentage, chosen at random
    #[arg(long, value_name = "PERCENT", num_args = 0..=1, require_equals = true, default_value = "0")]
    #[arg(default_missing_value = "100", hide_default_value = true)]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
    read_data: u8,
    /// Repair what can be derived from the logs: states, labels, heads, tags, counts; never the logs themselves
    #[arg(long)]
    pub repair: bool,
    /// Read this many blobs, and parts of blobs, at once, 1 to 64 [default: 8]
    #[arg(short, long, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { read_data, repair, jobs } = args;
    let client = context.client_with(jobs).await?;
    let output = &mut *context.output;
    let mut printed = Ok(());
    let mut record = |violation: Violation| {
        if printed.is_ok() {
            printed = if output.json {
                output.object(&json::ViolationLine::of(&violation))
            } else {
                output.line(line(&violation))
            };
        }
    };
    let checked = client.fsck(Fsck { repair, read_data }, &mut record).await;
    printed?;
    let checked = checked.map_err(context.failed("checking"))?;
    if context.output.json {
        let FsckReport { packages, versions, blobs, read, unread, violations, repaired, unjudged } = checked;
        let summary =
            json::Totals::Fsck { packages, versions, blobs, read, unread, violations, repaired, unjudged };
        context.output.object(&json::TotalsLine { summary })?;
    }
    context.notices.note(&format!(
        "checked {}, {} and {}; read the bytes of {}",
        render::counted(checked.packages, "package"),
        render::counted(checked.versions, "version"),
        render::counted(checked.blobs, "blob"),
        render::counted(checked.read, "blob")
    ));
    if checked.unread > 0 {
        let unread = render::counted(checked.unread, "blob");
        context.notices.warn(&format!("{unread} could not be read, and may be damaged"));
    }
    if checked.unjudged > 0 {
        context.notices.warn(&format!(
            "{} not checked: a newer sacker wrote data that this release ({}) does not know; run a newer fsck",
            render::counted(checked.unjudged, "item"),
            env!("CARGO_PKG_VERSION")
        ));
    }
    match (checked.violations, checked.violations - checked.repaired) {
        (0, _) => Ok(()),
        (repaired, 0) => {
            context.notices.note(&format!("{} found, all repaired", render::counted(repaired, "violation")));
            Ok(())
        }
        (violations, left) => {
            let message = format!("{} found, {left} not repaired", render::counted(violations, "violation"));
            let hint = if repair {
                "the rest can't be derived from the logs: inspect it, or restore it from a backup"
            } else {
                "`sacker fsck --repair` repairs what can be derived from the logs"
            };
            Err(Failure::new(Kind::Integrity, message).hint(hint))
        }
    }
}

fn line(violation: &Violation) -> String {
    let repair = match violation.repair {
        Repair::Impossible => "",
        Repair::Possible => " (can be repaired)",
        Repair::Done => " (repaired)",
        Repair::Overtaken => " (not repaired: it was changed meanwhile)",
    };
    format!(
        "{}  {}: {}{repair}",
        violation.rule,
        render::escaped(&violation.place),
        render::escaped(&violation.what)
    )
}
