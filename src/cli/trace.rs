//! The trace: each call of a back end with its duration and attempt, to stderr, to a file, to a collector and into the
//! totals.
//!
//! Only events of this crate are shown: events of the libraries below may contain signed requests.

mod counts;
mod fields;
mod file;

pub(super) use counts::{Counts, Totals};
pub(super) use file::TraceFile;

use super::{
    notices::Notices,
    otlp::{Export, Open},
};
use fields::Fields;
use std::{sync::Arc, time::Instant};
use tracing::{
    Event, Level, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer, filter::Targets, layer::Context, layer::SubscriberExt, registry::LookupSpan,
    util::SubscriberInitExt,
};

/// The span that `retry` opens for each attempt.
const ATTEMPT: &str = "attempt";
/// The span around all calls of a change.
const COMMIT: &str = "commit";

/// The places to which the trace goes.
pub(super) struct Trace {
    /// Shows warnings; with 1 also each call, with 2 also the reasons for retries, with 3 everything.
    pub verbose: u8,
    pub notices: Arc<Notices>,
    pub file: Option<Arc<TraceFile>>,
    pub counts: Option<Arc<Counts>>,
    pub export: Option<Arc<Export>>,
}

impl Trace {
    /// Begins the trace of this process.
    pub fn start(self) {
        let level = match self.verbose {
            _ if self.file.is_some() || self.counts.is_some() => LevelFilter::TRACE,
            0 => LevelFilter::WARN,
            1 | 2 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        };
        let own = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level);
        // The call fails only if a subscriber is installed already, which then takes precedence.
        let _ = tracing_subscriber::registry().with(self.with_filter(own)).try_init();
    }
}

/// An open span.
struct Call {
    since: Instant,
    fields: Fields,
    exported: Option<Open>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Trace {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let (name, since) = (span.name(), Instant::now());
        let export = self.export.as_ref().filter(|_| name != ATTEMPT);
        let exported = export.map(|export| {
            let open = |below: Option<&Open>| export.open(name, name != COMMIT, since, below);
            // An attempt is no span of its own there, so what is above it counts.
            let below = span.scope().skip(1).find(|above| above.name() != ATTEMPT);
            match below {
                Some(above) => open(above.extensions().get::<Call>().and_then(|call| call.exported.as_ref())),
                None => open(None),
            }
        });
        span.extensions_mut().insert(Call { since, fields, exported });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(call) = span.extensions_mut().get_mut::<Call>() {
            values.record(&mut call.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        if let Some(counts) = &self.counts {
            counts.event(&fields);
        }
        if let Some(file) = &self.file {
            file.line(level, &fields.message, &fields.object());
        }
        let least = match level {
            Level::ERROR | Level::WARN | Level::INFO => 0,
            Level::DEBUG => 2,
            Level::TRACE => 3,
        };
        if self.verbose >= least {
            let text = format!("{}{fields}", fields.message);
            self.notices.event(level, &text, &fields.message, &fields.object());
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let name = span.name();
        let attempt = span
            .scope()
            .find(|span| span.name() == ATTEMPT)
            .and_then(|span| span.extensions().get::<Call>()?.fields.whole("number"));
        if name == ATTEMPT {
            if let Some(counts) = self.counts.as_ref().filter(|_| attempt > Some(1)) {
                counts.retry();
            }
            return;
        }
        let Some(Call { since, fields, exported }) = span.extensions_mut().remove::<Call>() else { return };
        let ended = Instant::now();
        let took = ended.duration_since(since);
        if let Some(counts) = &self.counts
            && name != COMMIT
        {
            counts.call(name, &fields, took);
        }
        let described = || {
            let mut object = fields.object();
            object.extend(attempt.map(|number| ("attempt".to_owned(), number.into())));
            object
        };
        if let (Some(export), Some(open)) = (&self.export, exported) {
            export.close(open, ended, described());
        }
        let took = took.as_secs_f64() * 1000.0;
        let object = || {
            let mut object = described();
            object.insert("took_ms".to_owned(), ((took * 1000.0).round() / 1000.0).into());
            object
        };
        if let Some(file) = &self.file {
            file.line(Level::DEBUG, name, &object());
        }
        if self.verbose > 0 {
            let attempt = attempt.map_or_else(String::new, |number| format!(", attempt {number}"));
            let text = format!("{name}{fields}: {took:.1} ms{attempt}");
            self.notices.event(Level::DEBUG, &text, name, &object());
        }
    }
}
