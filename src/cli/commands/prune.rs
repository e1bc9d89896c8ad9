//! `prune`: deletes the versions that no rule keeps.

use super::shared::{Unreadable, read_file};
use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
        json,
        options::Change,
        render,
    },
    ledger,
    model::{IdempotencyKey, Length, Message, PackageName, Retention, RetentionPolicy},
    ops::{self, PruneAction, PruneOptions, PruneReason, PruneScope, PrunedVersion, Pruning},
};
use futures_util::TryStreamExt;
use std::{path::PathBuf, time::Duration};

/// Report the versions that nothing keeps; deletes them only with --delete
///
/// Prints each version that is not deleted yet, and the reasons to keep or delete it. A version is never deleted while
/// it is latest or tagged, has the label `keep`, or is among the next 5 rollbacks of a tag, also of a removed one, and
/// not if a tag moves to it meanwhile. Nor is any version of a frozen package. An interrupted run is resumed by running it
/// again. gc --delete frees the bytes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = POLICY)]
pub(in crate::cli) struct Args {
    /// The package [default: all packages]
    #[arg(value_name = "PACKAGE", conflicts_with = "prefix")]
    package: Option<PackageName>,
    /// Prune only packages whose names begin with this prefix
    #[arg(long, value_name = "PREFIX", value_parser = crate::cli::options::prefix)]
    prefix: Option<String>,
    /// Keep the newest N active versions
    #[arg(long, value_name = "N", required_unless_present_any = ["min_age", "policy"])]
    keep: Option<u64>,
    /// Keep versions that were added less than this long ago
    #[arg(long, value_name = "DURATION", value_parser = crate::cli::options::duration)]
    min_age: Option<Duration>,
    /// Keep the versions that the next K rollbacks of each tag go to [default: 5]
    #[arg(long, value_name = "K")]
    rollback_depth: Option<u16>,
    /// Keep versions with a label of this name [default: keep]
    #[arg(long, value_name = "NAME")]
    label_keep: Option<String>,
    /// Read the limits of each package from this JSON file; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["keep", "min_age", "rollback_depth", "label_keep"])]
    policy: Option<PathBuf>,
    /// Delete the versions that nothing keeps
    #[arg(long)]
    pub delete: bool,
    /// The reason for the deletions, recorded with each
    #[arg(short, long, value_name = "TEXT")]
    message: Option<Message>,
}

const POLICY: &str = r#"A policy:
  {"rules": [
    {"prefix": "prod/", "keep": "all"},
    {"prefix": "team/", "keep": 20, "min_age": "30d", "rollback_depth": 10,
     "label_keep": "audit"},
    {"prefix": "", "keep": 5}
  ]}

The first rule whose prefix the name of a package begins with applies, and no
other; a package without a rule keeps all versions. Each rule needs prefix,
and keep or min_age. All values mean what the options of that name mean."#;

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let (delete, message) = (args.delete, args.message.clone());
    let policy = policy(&args)?;
    let scope = match args.package {
        Some(package) => PruneScope::Package(package),
        None => PruneScope::Prefix(args.prefix.unwrap_or_default()),
    };
    let client = context.ledger().await?;
    let mut options = PruneOptions::new(scope, policy).delete(delete);
    if delete {
        options.author = context.author(Change { key: None, message }).await?;
    }
    let doing = if delete { "pruning" } else { "finding versions to prune" };
    let mut rows = client.prune(&options);
    let (mut unreadable, mut totals) = (Unreadable::default(), Totals::default());
    loop {
        let next = context.output.wait(rows.try_next()).await?;
        let Some(row) = next.map_err(|error| failed(&error, doing, context))? else { break };
        match row {
            Pruning::Version(version) => {
                totals.count(&version);
                print(&version, context)?;
            }
            Pruning::NoRule(_) => totals.without_rule += 1,
            Pruning::Unreadable { package, error } => unreadable.note(&package, error, context),
        }
    }
    totals.print(delete, context)?;
    unreadable.end(doing, context)
}

fn print(version: &PrunedVersion, context: &mut Context<'_>) -> Result<(), Failure> {
    if context.output.json {
        return context.output.object(&json::PrunedLine::of(version));
    }
    let action = json::pruned_word(version.action);
    let reasons: Vec<_> = version.reasons.iter().map(PruneReason::to_string).collect();
    context.output.line(format!("{} {}: {action} ({})", version.package, version.version, reasons.join(", ")))
}

#[derive(Debug, Default)]
struct Totals {
    kept: u64,
    deleted: u64,
    without_rule: u64,
}

impl Totals {
    fn count(&mut self, version: &PrunedVersion) {
        match version.action {
            PruneAction::Keep => self.kept += 1,
            _ => self.deleted += 1,
        }
    }

    fn print(&self, removed: bool, context: &mut Context<'_>) -> Result<(), Failure> {
        let Self { kept, deleted, without_rule } = *self;
        if context.output.json {
            let summary = json::Totals::Prune { kept, deleted, without_rule, removed };
            context.output.object(&json::TotalsLine { summary })?;
        }
        context.output.flush()?;
        let versions = render::counted(deleted, "version");
        let done = if removed {
            "deleted; `sacker gc --delete` frees the bytes"
        } else {
            "can be deleted with --delete"
        };
        context.notices.note(&format!("{versions} {done}; {kept} kept"));
        if without_rule > 0 {
            let packages = render::counted(without_rule, "package");
            context.notices.note(&format!("{packages} without a rule in the policy: all versions are kept"));
        }
        Ok(())
    }
}

/// Returns the failure, with a hint that fits a command that makes many changes.
fn failed(error: &ops::Error, doing: &str, context: &Context<'_>) -> Failure {
    let mut failure = Failure::of_operation(error, doing, &context.places);
    if let ops::Error::Ledger(ledger::Error::Unknown { key: IdempotencyKey::Resume { .. }, .. }) = error {
        failure.hints = vec!["run it again: a version that was deleted already stays deleted".to_owned()];
    }
    failure
}

fn policy(args: &Args) -> Result<RetentionPolicy, Failure> {
    let invalid = |invalid: crate::model::Invalid| Failure::new(Kind::Invalid, invalid.to_string());
    if let Some(path) = &args.policy {
        return read_file("policy", path, "nothing was changed; `sacker prune --help` shows a policy");
    }
    let mut retention = Retention::new(args.keep, args.min_age.map(Length::from)).map_err(invalid)?;
    if let Some(depth) = args.rollback_depth {
        retention = retention.rollback_depth(depth);
    }
    if let Some(name) = &args.label_keep {
        retention = retention.label_keep(name).map_err(invalid)?;
    }
    Ok(RetentionPolicy::for_all(retention))
}
