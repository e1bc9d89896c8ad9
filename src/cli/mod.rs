//! The command line: parses arguments, calls one operation, and renders the result.
//!
//! Only this part of the crate prints, reads the environment or ends the process.

mod actor;
mod arguments;
mod commands;
mod completion;
mod config;
mod context;
mod embedded;
mod environment;
mod error;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod grants;
mod groups;
mod hints;
mod json;
mod log;
mod metrics;
mod notices;
mod options;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(not(feature = "otlp"))]
#[path = "otlp/absent.rs"]
mod otlp;
mod output;
mod parse;
mod places;
mod progress;
mod render;
mod run;
mod tables;
mod trace;
mod version;

use crate::{
    aws::Aws,
    failpoint,
    model::Timestamp,
    retry::{Cancellation, RetryPolicy},
};
use actor::Identity;
use arguments::{Arguments, Command, Global, LogFormat};
use clap::{ColorChoice, CommandFactory};
use config::{Flags, Settings};
use context::Context;
use environment::Environment;
use error::{Failure, Kind};
use log::RunId;
use metrics::Finished;
use notices::{Format, Notices};
use otlp::Export;
use output::Output;
use parse::parse;
use places::Places;
use progress::Progress;
use run::Threads;
use std::{
    ffi::OsString,
    io::IsTerminal,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};
use trace::{Counts, Trace, TraceFile};
use tracing::Level;

/// Runs the command that the process's arguments name, and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let _failpoints = failpoint::set_up();
    let run = || run(&std::env::args_os().collect::<Vec<_>>(), Environment::of_process());
    // The panic hook has reported a panic by then.
    let code = catch_unwind(AssertUnwindSafe(run)).unwrap_or(Kind::Internal.exit_code());
    ExitCode::from(code)
}

fn run(arguments: &[OsString], environment: Environment) -> u8 {
    if completion::answer(arguments, &environment) {
        return 0;
    }
    let (began, run) = (Instant::now(), RunId::random());
    let (parsed, name) = match parse(arguments, &environment, run) {
        Ok(parsed) => parsed,
        Err(code) => return code,
    };
    let Arguments { global, command } = parsed;
    let format = match global.log_format {
        LogFormat::Json => Format::Log(run),
        LogFormat::Text if global.json => Format::Json,
        LogFormat::Text if colored(global.color, &environment, std::io::stderr().is_terminal()) => {
            Format::Colored
        }
        LogFormat::Text => Format::Plain,
    };
    let notices = Arc::new(Notices::new(format, global.quiet, global.verbose > 0));
    let export = Export::start(&environment, &name, run, began, &notices);
    let observed = Observed::start(&global, run, export, &notices);
    let cancellation = Cancellation::new();
    let terminal = std::io::stdout().is_terminal();
    let mut output = Output::new(global.json, colored(global.color, &environment, terminal));
    let changes = command.changes();
    let mut done = execute(&global, command, environment, &cancellation, &notices, &mut output);
    // Output printed before a failure is shown, too.
    let flushed = output.flush();
    if done.is_ok() {
        done = flushed.map_err(|failure| {
            if changes { failure.hint("the change was made; only the output failed") } else { failure }
        });
    }
    notices.show(None);
    let code = done.map_or_else(
        |failure| {
            notices.failure(&failure);
            failure.kind.exit_code()
        },
        |()| 0,
    );
    observed.end(&global, &name, code, began.elapsed(), &cancellation, &notices);
    code
}

fn colored(choice: ColorChoice, environment: &Environment, terminal: bool) -> bool {
    let dumb = || environment.get("TERM").is_none_or(|term| term == "dumb");
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => terminal && environment.filled("NO_COLOR").is_none() && !dumb(),
    }
}

/// The trace and the totals of a run.
struct Observed {
    file: Option<Arc<TraceFile>>,
    counts: Option<Arc<Counts>>,
    export: Option<Arc<Export>>,
}

impl Observed {
    fn start(global: &Global, run: RunId, export: Option<Arc<Export>>, notices: &Arc<Notices>) -> Self {
        let file = global.trace_json.as_deref();
        let file = file.map(|path| Arc::new(TraceFile::open(path, run, Arc::clone(notices))));
        let counted = global.verbose > 1 || global.metrics.is_some() || file.is_some() || export.is_some();
        let counts = counted.then(Arc::<Counts>::default);
        let trace = Trace {
            verbose: global.verbose,
            notices: Arc::clone(notices),
            file: file.clone(),
            counts: counts.clone(),
            export: export.clone(),
        };
        trace.start();
        Self { file, counts, export }
    }

    /// Reports the totals. A file or a trace that can't be written or sent is reported, and changes no exit code.
    fn end(
        &self,
        global: &Global,
        command: &str,
        exit_code: u8,
        took: Duration,
        cancellation: &Cancellation,
        notices: &Notices,
    ) {
        let Some(counts) = &self.counts else { return };
        let totals = counts.totals();
        let mut fields = totals.fields();
        fields.insert("command".to_owned(), command.into());
        fields.insert("exit_code".to_owned(), exit_code.into());
        let exported = fields.clone();
        fields.insert("took_ms".to_owned(), u64::try_from(took.as_millis()).unwrap_or(u64::MAX).into());
        if let Some(path) = &global.metrics {
            let finished = Finished { command, exit_code, took, at: Timestamp::now(), totals: &totals };
            if let Err(error) = finished.write(path) {
                let (path, error) = (path.display(), render::plain(&error));
                notices.warn(&format!("can't write the metrics to {path}: {error}"));
            }
        }
        if global.verbose > 1 {
            let text = format!("in total: {totals}, {} ms", took.as_millis());
            notices.event(Level::DEBUG, &text, "in total", &fields);
        }
        if let Some(file) = &self.file {
            file.line(Level::INFO, "in total", &fields);
        }
        if let Some(export) = &self.export {
            export.end(exit_code, exported, cancellation, notices);
        }
    }
}

fn execute(
    global: &Global,
    command: Command,
    environment: Environment,
    cancellation: &Cancellation,
    notices: &Arc<Notices>,
    output: &mut Output,
) -> Result<(), Failure> {
    if let Command::Completions(arguments) = command {
        return commands::completions::run(&arguments, completion::VARIABLE, output);
    }
    if let Command::ManPages(arguments) = command {
        return commands::man_pages::run(&arguments, Arguments::command(), notices);
    }
    let flags = Flags {
        config: global.config.as_deref(),
        ledger: global.ledger.as_deref(),
        store: global.store.as_deref(),
    };
    let settings = Settings::find(flags, &environment)?;
    let changes = command.changes();
    if changes {
        settings.allow_change(&environment)?;
    }
    let threads = if command.is_heavy() { Threads::Many } else { Threads::One };
    let bars = !global.quiet && !global.json && std::io::stderr().is_terminal();
    let mut context = Context {
        places: Places::new(&settings, &environment),
        origins: settings.origins.clone(),
        retry_policy: RetryPolicy::new(global.deadline, cancellation.clone()),
        observer: Arc::new(Progress::new(Arc::clone(notices), bars)),
        notices: Arc::clone(notices),
        environment,
        output,
        unasked: settings.embedded.filter(|_| changes),
        aws: Aws::standard(),
        identity: Identity::default(),
    };
    run::run_until_done_or_signal(cancellation, notices, changes, threads, async {
        let done = dispatch(command, &mut context).await;
        if context.identity.is_asked_for() {
            // The answer is flushed first, so that its reader does not wait for the identity; `run` reports a failure
            // to write.
            let _ = context.output.flush();
            context.identity.wait_to_be_stored().await;
        }
        done
    })
}

/// Runs a command.
async fn dispatch(command: Command, context: &mut Context<'_>) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => commands::list::run(arguments, context).await,
        Command::Versions(arguments) => commands::versions::run(arguments, context).await,
        Command::Tags(arguments) => commands::tags::run(arguments, context).await,
        Command::Info(arguments) => commands::info::run(arguments, context).await,
        Command::Status(arguments) => commands::status::run(arguments, context).await,
        Command::Changes(arguments) => commands::changes::run(arguments, context).await,
        Command::Find(arguments) => commands::find::run(arguments, context).await,
        Command::Add(arguments) => commands::add::run(arguments, context).await,
        Command::Download(arguments) => commands::download::run(arguments, context).await,
        Command::Tag(arguments) => commands::tag::run(arguments, context).await,
        Command::Untag(arguments) => commands::untag::run(arguments, context).await,
        Command::Rollback(arguments) => commands::rollback::run(arguments, context).await,
        Command::Recall(arguments) => commands::recall::run(arguments, context).await,
        Command::Apply(arguments) => commands::apply::run(arguments, context).await,
        Command::History(arguments) => commands::history::run(arguments, context).await,
        Command::Check(arguments) => commands::check::run(arguments, context).await,
        Command::Wait(arguments) => commands::wait::run(arguments, context).await,
        Command::Watch(arguments) => commands::watch::run(arguments, context).await,
        Command::Protect(arguments) => commands::protect::run(arguments, context).await,
        Command::Unprotect(arguments) => commands::unprotect::run(arguments, context).await,
        Command::Freeze(arguments) => commands::freeze::run(arguments, context).await,
        Command::Thaw(arguments) => commands::thaw::run(arguments, context).await,
        Command::Yank(arguments) => commands::yank::run(arguments, context).await,
        Command::Unyank(arguments) => commands::unyank::run(arguments, context).await,
        Command::Delete(arguments) => commands::delete::run(arguments, context).await,
        Command::Undelete(arguments) => commands::undelete::run(arguments, context).await,
        Command::Prune(arguments) => commands::prune::run(arguments, context).await,
        Command::Label(arguments) => commands::label::run(arguments, context).await,
        Command::Gc(arguments) => commands::gc::run(arguments, context).await,
        Command::Fsck(arguments) => commands::fsck::run(arguments, context).await,
        Command::Doctor(arguments) => commands::doctor::run(arguments, context).await,
        Command::Audit(arguments) => commands::audit::run(arguments, context).await,
        Command::Export(arguments) => commands::export::run(arguments, context).await,
        Command::Import(arguments) => commands::import::run(arguments, context).await,
        Command::Copy(arguments) => commands::copy::run(arguments, context).await,
        Command::Init(arguments) => commands::init::run(&arguments, context).await,
        Command::Completions(_) | Command::ManPages(_) => unreachable!("these were handled above"),
    }
}
