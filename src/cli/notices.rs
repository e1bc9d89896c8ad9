//! Standard error: notices, warnings, the trace and errors, never written into a progress bar.

use super::{
    error::{Failure, Kind},
    json,
    log::{self, RunId},
    render::escaped,
};
use clap::builder::styling::{AnsiColor, Style};
use indicatif::ProgressBar;
use serde_json::{Map, Value};
use std::{
    fmt,
    io::{self, Write},
    sync::{Mutex, PoisonError},
};
use tracing::Level;

/// The format of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Plain,
    Colored,
    Json,
    /// Lines of a log, with the time, the level and this run.
    Log(RunId),
}

/// The writer of everything but data.
#[derive(Debug)]
pub(super) struct Notices {
    format: Format,
    quiet: bool,
    /// True if errors are shown with their causes.
    verbose: bool,
    bar: Mutex<Option<ProgressBar>>,
}

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const NOTE: Style = AnsiColor::Cyan.on_default().bold();
const DIM: Style = Style::new().dimmed();

impl Notices {
    pub fn new(format: Format, quiet: bool, verbose: bool) -> Self {
        Self { format, quiet, verbose, bar: Mutex::new(None) }
    }

    /// Prints information, unless `-q` is given. Returns true if it was printed.
    pub fn note(&self, text: &str) -> bool {
        if !self.quiet {
            self.say(Level::INFO, "note", NOTE, text);
        }
        !self.quiet
    }

    /// Prints a warning, unless `-q` is given.
    pub fn warn(&self, text: &str) {
        if !self.quiet {
            self.say(Level::WARN, "warning", WARNING, text);
        }
    }

    /// Prints a line of the trace.
    pub fn trace(&self, text: &str) {
        self.say(Level::DEBUG, "trace", DIM, text);
    }

    /// Prints an event: its text or, in a log, its message and its fields. With `-q`, no warning.
    pub fn event(&self, level: Level, text: &str, message: &str, fields: &Map<String, Value>) {
        let warns = matches!(level, Level::ERROR | Level::WARN);
        match self.format {
            Format::Log(_) if warns && self.quiet => {}
            Format::Log(run) => self.lines(&log::line(run, level, message, fields)),
            _ if warns => self.warn(text),
            _ => self.trace(text),
        }
    }

    /// Prints a failure and its hints.
    pub fn failure(&self, failure: &Failure) {
        if failure.kind == Kind::Closed {
            return;
        }
        if self.format == Format::Json {
            self.lines(&json::failure(failure, self.verbose));
            return;
        }
        if let Format::Log(run) = self.format {
            let fields = json::failure_fields(failure, self.verbose);
            self.lines(&log::line(run, Level::ERROR, &failure.message, &fields));
            return;
        }
        // A message that lists several failures has a line for each; the lines are indented, so that text from
        // elsewhere can't imitate a line of this program.
        let (first, more) = failure.message.split_once('\n').unwrap_or((&failure.message, ""));
        let mut text = self.said("error", ERROR, first);
        for line in more.lines() {
            text.push_str("\n  ");
            text.push_str(&escaped(line));
        }
        if self.verbose {
            for cause in &failure.causes {
                text.push_str("\n  caused by: ");
                text.push_str(&escaped(cause));
            }
        }
        for hint in &failure.hints {
            text.push('\n');
            text.push_str(&self.said("hint", NOTE, hint));
        }
        self.lines(&text);
    }

    /// Prints lines as they are, with unsafe characters escaped.
    pub fn plain(&self, text: &str) {
        self.lines(&text.lines().map(escaped).collect::<Vec<_>>().join("\n"));
    }

    /// Sets the progress bar above which lines are printed.
    pub fn show(&self, bar: Option<ProgressBar>) {
        let before = std::mem::replace(&mut *self.bar(), bar);
        if let Some(before) = before {
            before.finish_and_clear();
        }
    }

    fn lines(&self, text: &str) {
        let line = format!("{}\n", text.trim_end());
        // A failure to write to stderr can't be reported anywhere.
        let write = || drop(io::stderr().write_all(line.as_bytes()));
        match &*self.bar() {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn say(&self, level: Level, what: &str, style: Style, text: &str) {
        match self.format {
            Format::Json => self.lines(&json::notice(what, text)),
            Format::Log(run) => self.lines(&log::line(run, level, text, &Map::new())),
            Format::Plain | Format::Colored => self.lines(&self.said(what, style, text)),
        }
    }

    fn said(&self, what: &str, style: Style, text: &str) -> String {
        let text = escaped(text);
        match self.format {
            Format::Colored => format!("{style}{what}:{style:#} {text}"),
            _ => format!("{what}: {text}"),
        }
    }

    fn bar(&self) -> impl std::ops::DerefMut<Target = Option<ProgressBar>> + fmt::Debug {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
