//! The command line's definition: the global options and the list of commands.

use super::{
    commands::{
        add, apply, audit, changes, check, completions, copy, delete, doctor, download, export, find, freeze,
        fsck, gc, history, import, info, init, label, list, man_pages, protect, prune, recall, rollback,
        status, tag, tags, thaw, undelete, unprotect, untag, unyank, versions, wait, watch, yank,
    },
    options::duration,
    version,
};
use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};
use std::{path::PathBuf, time::Duration};

/// The width of the help on a wider terminal, in characters.
pub(super) const WIDTH: usize = 80;

const AFTER_HELP: &str = "\
Exit codes:
    0  success, or the change was made already
    1  internal: a bug or an unexpected answer
    2  invalid: usage, configuration or input
    3  timeout: `wait` timed out
    4  not_found: no such package, version or tag
    5  conflict: an expectation failed, the key was used for another change, or
       contention lasted past the deadline; nothing was changed
    6  refused: the tag is protected or frozen, a gate is closed, or the
       version is yanked, deleted or tagged
    7  unavailable: the back end was unreachable or throttling past the
       deadline; nothing was changed
    8  integrity: a blob or the ledger is damaged
    9  unknown: the outcome is unknown; run it again with the --key that is
       printed
   10  denied: credentials missing, expired or not allowed
  130  interrupted before anything was committed

A SPEC is one of:
  42         the version with that number
  live       the version that this tag is on
  latest     the highest version that is neither yanked nor deleted
  live~1     the version that `rollback` would move live to; live~2: after two
             rollbacks
  live@{2026-05-01T10:00:00Z}, live@{2h ago}
             the version that live was on at that time, by the times in
             `history`; \"ago\" counts from now, by DynamoDB's clock, or by this
             machine's if the ledger is embedded

Environment:
  SACKER_LEDGER, SACKER_STORE, SACKER_CONFIG
             like --ledger, --store and --config, which take precedence
  SACKER_ACTOR
             the actor recorded with a change [default: the AWS identity, or
             USER@HOST if that is unknown]
  CI         if set, changes need a configured ledger and store
  SACKER_COMPLETE_TIMEOUT
             how long the completion of names waits for the ledger
             [default: 120ms]
  NO_COLOR   if set, no color unless --color=always is given
  XDG_DATA_HOME, XDG_CACHE_HOME, TMPDIR
             directories for data, unfinished uploads and temporary files
  AWS_*      AWS's own variables, such as AWS_PROFILE and AWS_REGION

Without any configuration, the ledger and the store are in
$XDG_DATA_HOME/sacker, by default ~/.local/share/sacker.";

/// A release registry: stores blobs as versions 1, 2, 3 … of a package, and moves tags between versions.
#[derive(Debug, Parser)]
#[command(name = "sacker", version, long_version = version::long(), after_long_help = AFTER_HELP, max_term_width = WIDTH)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// The options of every command, accepted before and after its name.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The configuration file [default: ~/.sacker.json, which need not exist]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[arg(long, global = true, value_name = "URL")]
    #[arg(
        help = "The ledger: dynamodb://TABLE[?region=R&endpoint=URL], git+URL[#REF], postgres://USER@HOST/DB, zookeeper://HOST:PORT/ROOT or file:///DIR"
    )]
    pub ledger: Option<String>,
    #[arg(long, global = true, value_name = "URL")]
    #[arg(
        help = "The store: s3://BUCKET[/PREFIX][?region=R&endpoint=URL], azure://ACCOUNT/CONTAINER, hdfs://NAMENODE/PATH or file:///DIR"
    )]
    pub store: Option<String>,
    /// Print one JSON object per line, including errors
    #[arg(long, global = true)]
    pub json: bool,
    /// Print no progress, notices or warnings; only errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Report each call of a back end; -vv: also retries, and the totals; -vvv: everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// The format of stderr: text, or json, an object a line
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Append the whole trace to FILE, an object a line
    #[arg(long, global = true, value_name = "FILE")]
    pub trace_json: Option<PathBuf>,
    /// Write outcome and totals to FILE, for Prometheus
    #[arg(long, global = true, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// Color the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    /// Give up when contention, throttling or an outage stops progress for this long: 90s, 2m
    #[arg(long, global = true, value_name = "DURATION", default_value = "60s", value_parser = deadline)]
    pub deadline: Duration,
}

/// The format of lines on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    List(list::Args),
    Versions(versions::Args),
    Tags(tags::Args),
    Info(info::Args),
    Status(status::Args),
    Changes(changes::Args),
    Find(find::Args),
    Add(add::Args),
    Download(download::Args),
    Tag(tag::Args),
    Untag(untag::Args),
    Rollback(rollback::Args),
    Recall(recall::Args),
    Apply(apply::Args),
    History(history::Args),
    Wait(wait::Args),
    Watch(watch::Args),
    Check(check::Args),
    Protect(protect::Args),
    Unprotect(unprotect::Args),
    Freeze(freeze::Args),
    Thaw(thaw::Args),
    Yank(yank::Args),
    Unyank(unyank::Args),
    Delete(delete::Args),
    Undelete(undelete::Args),
    Label(label::Args),
    Prune(prune::Args),
    Gc(gc::Args),
    Fsck(fsck::Args),
    Audit(audit::Args),
    Export(export::Args),
    Import(import::Args),
    Copy(copy::Args),
    Init(init::Args),
    Doctor(doctor::Args),
    Completions(completions::Args),
    ManPages(man_pages::Args),
}

impl Command {
    /// Returns true if the command changes a ledger or a store.
    pub fn changes(&self) -> bool {
        match self {
            Self::Add(_)
            | Self::Tag(_)
            | Self::Untag(_)
            | Self::Rollback(_)
            | Self::Protect(_)
            | Self::Unprotect(_)
            | Self::Thaw(_)
            | Self::Yank(_)
            | Self::Unyank(_)
            | Self::Delete(_)
            | Self::Undelete(_)
            | Self::Label(_)
            | Self::Init(_) => true,
            Self::Apply(arguments) => !arguments.dry_run,
            Self::Recall(arguments) => !arguments.dry_run,
            Self::Freeze(arguments) => !arguments.list && !arguments.history,
            Self::Gc(arguments) => arguments.delete,
            Self::Prune(arguments) => arguments.delete,
            Self::Fsck(arguments) => arguments.repair,
            Self::Import(arguments) => !arguments.dry_run,
            Self::Copy(arguments) => !arguments.dry_run,
            Self::List(_)
            | Self::Versions(_)
            | Self::Tags(_)
            | Self::Info(_)
            | Self::Status(_)
            | Self::Changes(_)
            | Self::Find(_)
            | Self::History(_)
            | Self::Wait(_)
            | Self::Check(_)
            | Self::Watch(_)
            | Self::Download(_)
            | Self::Doctor(_)
            | Self::Audit(_)
            | Self::Export(_)
            | Self::Completions(_)
            | Self::ManPages(_) => false,
        }
    }

    /// Returns true if the command has work for several processors: bytes to transfer, or many items to read.
    pub fn is_heavy(&self) -> bool {
        match self {
            Self::Add(arguments) => arguments.is_large(),
            Self::Download(_)
            | Self::List(_)
            | Self::Versions(_)
            | Self::Status(_)
            | Self::Find(_)
            | Self::History(_)
            | Self::Prune(_)
            | Self::Gc(_)
            | Self::Fsck(_)
            | Self::Audit(_)
            | Self::Export(_)
            | Self::Import(_)
            | Self::Copy(_) => true,
            _ => false,
        }
    }
}

fn deadline(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be more than 0s".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_option_is_explained() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{}: {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Arguments::command());
    }

    #[test]
    fn a_deadline_is_a_duration_and_more_than_nothing() {
        assert_eq!(deadline("60s"), Ok(Duration::from_mins(1)));
        assert_eq!(deadline("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(deadline("1h 30m"), Ok(Duration::from_mins(90)));
        assert_eq!(deadline("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "60", "0s", "-1s", "soon", "1 month"] {
            deadline(wrong).expect_err(wrong);
        }
    }
}
