//! The file of `--metrics`: the last run in the text format of Prometheus, for the textfile collector of its node exporter.
//!
//! The format is that of <https://prometheus.io/docs/instrumenting/exposition_formats/>. Every value is a gauge, since it
//! is of one run.

use super::trace::Totals;
use crate::{durable, model::Timestamp};
use std::{
    fmt::Write as _, fs, io, io::Write as _, os::unix::fs::PermissionsExt, path::Path, time::Duration,
};

/// A run that has ended.
#[derive(Debug)]
pub(super) struct Finished<'a> {
    pub command: &'a str,
    pub exit_code: u8,
    pub took: Duration,
    pub at: Timestamp,
    pub totals: &'a Totals,
}

impl Finished<'_> {
    /// Replaces the file at one instant, so that a reader never sees half of it.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let folder = durable::directory_of(path);
        // Readable by the exporter, which is another user.
        let permissions = fs::Permissions::from_mode(0o666);
        let file = tempfile::Builder::new().prefix(".sacker-").permissions(permissions).tempfile_in(folder);
        let mut file = file?;
        file.write_all(self.text().as_bytes())?;
        durable::name(file, path, true).map_err(|error| error.error)
    }

    fn text(&self) -> String {
        let Self { command, exit_code, took, at, totals } = self;
        let of_run = format!("{{command=\"{command}\"}}");
        let mut text = String::new();
        let mut family = |name: &str, help: &str, samples: &[(String, f64)]| {
            let _ = writeln!(text, "# HELP sacker_{name} {help}\n# TYPE sacker_{name} gauge");
            for (labels, value) in samples {
                let _ = writeln!(text, "sacker_{name}{labels} {value}");
            }
        };
        let one = |value: f64| [(of_run.clone(), value)];
        family("exit_code", "The exit code of the last run.", &one((*exit_code).into()));
        family("duration_seconds", "The duration of the last run.", &one(took.as_secs_f64()));
        let ended = Duration::from_millis(at.as_millis()).as_secs_f64();
        family(
            "end_time_seconds",
            "The time at which the last run ended, in seconds since 1970.",
            &one(ended),
        );
        let samples = |value: fn(u64, Duration) -> f64| {
            let each = totals.calls.iter().map(|((backend, operation), calls)| {
                let labels = format!(
                    "{{command=\"{command}\",backend=\"{backend}\",operation=\"{}\"}}",
                    escaped(operation)
                );
                (labels, value(calls.count, calls.took))
            });
            each.collect::<Vec<_>>()
        };
        family("requests", "The requests of the last run to back ends.", &samples(|count, _| value(count)));
        let help = "The time that the last run waited for them; concurrent requests count in full.";
        family("request_seconds", help, &samples(|_, took| took.as_secs_f64()));
        family("retries", "The attempts of the last run after the first one.", &one(value(totals.retries)));
        family("read_units", "The read units of DynamoDB that the last run took.", &one(totals.read_units));
        family(
            "write_units",
            "The write units of DynamoDB that the last run took.",
            &one(totals.write_units),
        );
        family("sent_bytes", "The bytes that the last run sent by HTTP.", &one(value(totals.sent_bytes)));
        family(
            "received_bytes",
            "The bytes that the last run received by HTTP.",
            &one(value(totals.received_bytes)),
        );
        text
    }
}

/// Returns a count as the value of a sample.
#[expect(clippy::cast_precision_loss, reason = "a run makes no 2^53 requests")]
fn value(count: u64) -> f64 {
    count as f64
}

/// Escapes a label's value.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
