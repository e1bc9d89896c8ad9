//! Completion of names: a shell runs the program to get the values that the argument at the cursor can have.
//!
//! Names come from the ledger, by one read within [`LIMIT`]. A ledger that is not configured, away or slow offers
//! nothing and says nothing: a message would stand in the middle of the command line.

use super::{
    arguments::Arguments,
    config::{Flags, Settings},
    environment::Environment,
    options::duration,
};
use crate::{
    aws::Aws,
    ledger::PackageQuery,
    model::PackageName,
    ops::Client,
    retry::{Cancellation, RetryPolicy},
    store::unopened::Unopened,
};
use clap::{Arg, ArgMatches, Command, CommandFactory};
use clap_complete::{
    CompleteEnv,
    engine::{ArgValueCompleter, CompletionCandidate},
};
use futures_util::{StreamExt, TryStreamExt};
use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// The variable in which the script of a shell names the shell.
pub(super) const VARIABLE: &str = "SACKER_COMPLETE";
/// The variable with another time within which the ledger must answer, for one that is far away.
const TIMEOUT: &str = "SACKER_COMPLETE_TIMEOUT";
/// The time within which the ledger must answer. With the start of the process, it is less than 150 ms.
const LIMIT: Duration = Duration::from_millis(120);
/// The maximum number of names that are offered.
const MOST: usize = 200;
/// The number of versions that are offered.
const NEWEST: usize = 50;

/// The names that an argument can have.
#[derive(Debug, Clone, Copy)]
enum Names {
    Packages,
    Tags,
    Versions,
    /// Tags, `latest` and versions.
    Specs,
}

impl Names {
    /// Returns the names that an argument can have, by the name of its value in the help.
    fn of(argument: &Arg) -> Option<Self> {
        match argument.get_value_names()?.first()?.as_str() {
            "PACKAGE" | "PREFIX" => Some(Self::Packages),
            "TAG" => Some(Self::Tags),
            "VERSION" => Some(Self::Versions),
            "SPEC" => Some(Self::Specs),
            _ => None,
        }
    }
}

/// Answers a shell, if one asks. Returns false if none does.
pub(super) fn answer(arguments: &[OsString], environment: &Environment) -> bool {
    if environment.filled(VARIABLE).is_none() {
        return false;
    }
    let words = arguments.iter().skip_while(|argument| *argument != "--").skip(1).cloned().collect();
    let words: Arc<Vec<OsString>> = Arc::new(words);
    let directory = std::env::current_dir().ok();
    let answering = CompleteEnv::with_factory(|| completed(&words)).var(VARIABLE);
    // What can't be completed is not completed; a shell shows what it gets on stderr in the middle of the line.
    let _ = answering.try_complete(arguments.iter().cloned(), directory.as_deref());
    true
}

/// Returns the definition of the command line, whose arguments offer names.
fn completed(words: &Arc<Vec<OsString>>) -> Command {
    let offering = |argument: Arg| match Names::of(&argument) {
        Some(names) => {
            let words = Arc::clone(words);
            argument.add(ArgValueCompleter::new(move |current: &OsStr| offered(names, current, &words)))
        }
        None => argument,
    };
    Arguments::command().mut_subcommands(|command| command.mut_args(offering))
}

/// Returns the names that begin as the word at the cursor does.
fn offered(names: Names, current: &OsStr, words: &[OsString]) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return Vec::new() };
    let environment = Environment::of_process();
    let limit = environment.filled(TIMEOUT).and_then(|limit| duration(limit.to_str()?).ok()).unwrap_or(LIMIT);
    let found = runtime.block_on(async {
        let found = find(names, current, words, (&environment, limit));
        tokio::time::timeout(limit, found).await.ok().flatten().unwrap_or_default()
    });
    // A thread that still waits for a server does not delay the shell.
    runtime.shutdown_background();
    let fitting = found.into_iter().filter(|name| name.starts_with(current));
    fitting.take(MOST).map(CompletionCandidate::new).collect()
}

async fn find(
    names: Names,
    current: &str,
    words: &[OsString],
    (environment, limit): (&Environment, Duration),
) -> Option<Vec<String>> {
    // Words that are missing yet, or wrong, are no error here.
    let parsed = Arguments::command().ignore_errors(true).try_get_matches_from(words).ok()?;
    let (_, given) = parsed.subcommand()?;
    let client = open(&[given, &parsed], environment, limit).await?;
    let package = given.try_get_one::<PackageName>("package").ok().flatten();
    match names {
        Names::Packages => {
            let query = PackageQuery::new().prefix(current);
            let found = client.list(&query).take(MOST).map_ok(|package| package.to_string());
            found.try_collect().await.ok()
        }
        Names::Tags => Some(tags(&client, package?).await?.0),
        Names::Versions => versions(&client, package?).await,
        Names::Specs => {
            let package = package?;
            let (tags, versions) = tokio::join!(tags(&client, package), versions(&client, package));
            let (tags, latest) = tags?;
            let latest = latest.then(|| "latest".to_owned());
            Some(tags.into_iter().chain(latest).chain(versions?).collect())
        }
    }
}

/// Opens the ledger that the options, before or after the command, or the settings name. Changes nothing.
async fn open(given: &[&ArgMatches], environment: &Environment, limit: Duration) -> Option<Client> {
    fn one<'a, T: Clone + Send + Sync + 'static>(given: &[&'a ArgMatches], name: &str) -> Option<&'a T> {
        given.iter().find_map(|given| given.try_get_one(name).ok().flatten())
    }
    let flags = Flags {
        config: one::<PathBuf>(given, "config").map(AsRef::as_ref),
        ledger: one::<String>(given, "ledger").map(String::as_str),
        store: one::<String>(given, "store").map(String::as_str),
    };
    let settings = Settings::find(flags, environment).ok()?;
    let builder = Client::builder_with_store(settings.ledger.clone(), Arc::new(Unopened))
        .retry_policy(RetryPolicy::new(limit, Cancellation::new()));
    #[cfg(feature = "aws")]
    let builder = builder.aws(Aws::standard());
    builder.build().await.ok()
}

/// Returns the tags of a package that are on a version, and true if `latest` is on one.
async fn tags(client: &Client, package: &PackageName) -> Option<(Vec<String>, bool)> {
    let tagged = client.tags(package).await.ok()?;
    Some((tagged.tags.iter().map(|tag| tag.tag.to_string()).collect(), tagged.latest.is_some()))
}

/// Returns the newest versions of a package, newest first.
async fn versions(client: &Client, package: &PackageName) -> Option<Vec<String>> {
    let newest = client.versions(package, None).take(NEWEST);
    newest.map_ok(|release| release.version.to_string()).try_collect().await.ok()
}
