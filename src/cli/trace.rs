//! The trace on stderr: each call of a back end with its duration and attempt.
//!
//! Only events of this crate are shown: events of the libraries below may contain signed requests.

use super::notices::Notices;
use std::{
    fmt::{self, Write},
    sync::Arc,
    time::Instant,
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer, filter::Targets, layer::Context, layer::SubscriberExt, registry::LookupSpan,
    util::SubscriberInitExt,
};

/// The span that `retry` opens for each attempt.
const ATTEMPT: &str = "attempt";

/// Shows warnings; with `verbose` 1 also each call, with 2 also the reasons for retries, with 3 everything.
pub(super) fn start(verbose: u8, notices: Arc<Notices>) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 | 2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let own = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level);
    let trace = Trace { verbose, notices };
    // The call fails only if a subscriber is installed already, which then takes precedence.
    let _ = tracing_subscriber::registry().with(trace.with_filter(own)).try_init();
}

struct Trace {
    verbose: u8,
    notices: Arc<Notices>,
}

/// An open span.
struct Call {
    since: Instant,
    fields: Fields,
}

/// The text of a span or event: its message first, then ` name=value` for each other field.
#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
    number: Option<u64>,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number = Some(value);
        self.record_debug(field, &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // Table names and keys need no quotes.
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.rest, " {}={value:?}", field.name())
        };
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Trace {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(Call { since: Instant::now(), fields });
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
        let text = format!("{}{}", fields.message, fields.rest);
        match *event.metadata().level() {
            Level::ERROR | Level::WARN => self.notices.warn(&text),
            Level::DEBUG if self.verbose < 2 => {}
            _ => self.notices.trace(&text),
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        if span.name() == ATTEMPT {
            return;
        }
        let attempt = span
            .scope()
            .find(|span| span.name() == ATTEMPT)
            .and_then(|span| span.extensions().get::<Call>()?.fields.number);
        let extensions = span.extensions();
        let Some(Call { since, fields }) = extensions.get::<Call>() else { return };
        let attempt = attempt.map_or_else(String::new, |number| format!(", attempt {number}"));
        let took = since.elapsed().as_secs_f64() * 1000.0;
        self.notices.trace(&format!("{}{}: {took:.1} ms{attempt}", span.name(), fields.rest));
    }
}
