//! The trace of a run, sent over OTLP to a collector that the standard variables of OpenTelemetry name.
//!
//! A thread of its own sends the spans in batches while the run lasts. Its queue is bounded: a span that finds it full
//! is dropped, and counted. So a collector that is slow, or gone, costs the run nothing but a bounded time at its end.

mod client;
mod outcome;
mod parent;
mod settings;

use super::{environment::Environment, log::RunId, notices::Notices};
use crate::retry::Cancellation;
use client::Client;
use opentelemetry::{
    Context, InstrumentationScope, KeyValue, Value as Attribute,
    trace::{Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer, TracerProvider},
};
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    resource::{EnvResourceDetector, TelemetryResourceDetector},
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider, Span},
};
use outcome::{Counted, Outcome};
use serde_json::{Map, Value};
use settings::Settings;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime},
};
use tokio::{runtime::Builder, sync::oneshot, time::timeout};

/// The most time that a run waits for the collector at its end.
const MOST_AT_END: Duration = Duration::from_secs(2);
/// The same for a run that a signal has stopped.
const AFTER_SIGNAL: Duration = Duration::from_millis(300);
/// The time by which the thread that sends outlasts the wait for it, so that the wait decides.
const MARGIN: Duration = Duration::from_secs(1);

/// A trace that is being sent.
pub(super) struct Export {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    root: Mutex<Span>,
    /// The identity of the root.
    above: SpanContext,
    /// The same instant by the clock of the run and by that of the machine.
    began: (Instant, SystemTime),
    settings: Settings,
    outcome: Arc<Outcome>,
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Export")
    }
}

/// A span that has not ended.
#[derive(Debug)]
pub(super) struct Open(Span);

impl Export {
    /// Begins the trace of a run, if the environment names a collector. A setting that can't be used is a warning.
    pub fn start(
        environment: &Environment,
        command: &str,
        run: RunId,
        began: Instant,
        notices: &Notices,
    ) -> Option<Arc<Self>> {
        let settings = Settings::find(environment);
        let settings = settings.map_err(|why| notices.warn(&format!("no trace is sent: {why}"))).ok()??;
        let outcome = Arc::<Outcome>::default();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(settings.clone(), Arc::clone(&outcome)))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(settings.endpoint.as_str())
            .with_timeout(settings.timeout)
            // The end of a run has no time for more than one attempt.
            .with_retry_policy(RetryPolicy::disabled())
            .build();
        let exporter = exporter.map_err(|error| notices.warn(&format!("no trace is sent: {error}"))).ok()?;
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(settings.waiting)
            .with_scheduled_delay(settings.delay)
            .build();
        let batches = BatchSpanProcessor::new(Counted { exporter, outcome: Arc::clone(&outcome) }, config);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(batches)
            .with_resource(resource(environment))
            .build();
        let scope = InstrumentationScope::builder("sacker").with_version(env!("CARGO_PKG_VERSION")).build();
        let tracer = provider.tracer_with_scope(scope);
        let now = (Instant::now(), SystemTime::now());
        let parent = parent::parent(environment).map_or_else(Context::new, within);
        let root = SpanBuilder::from_name(format!("sacker {command}"))
            .with_start_time(now.1 - now.0.duration_since(began))
            .with_attributes([KeyValue::new("run", run.to_string())]);
        let root = tracer.build_with_context(root, &parent);
        if !root.is_recording() {
            // The CI job's trace, or the environment's sampler, leaves this one out.
            return None;
        }
        let above = root.span_context().clone();
        let root = Mutex::new(root);
        Some(Arc::new(Self { provider, tracer, root, above, began: now, settings, outcome }))
    }

    /// Begins a span below another, or below the root. `is_call` is true for a call of a back end.
    pub fn open(&self, name: &'static str, is_call: bool, began: Instant, below: Option<&Open>) -> Open {
        let above = below.map_or(&self.above, |Open(span)| span.span_context());
        let span = SpanBuilder::from_name(name)
            .with_kind(if is_call { SpanKind::Client } else { SpanKind::Internal })
            .with_start_time(self.time(began));
        Open(self.tracer.build_with_context(span, &within(above.clone())))
    }

    /// Ends a span, which has these fields.
    pub fn close(&self, Open(mut span): Open, ended: Instant, fields: Map<String, Value>) {
        self.finish(&mut span, ended, fields);
    }

    /// Ends the trace of a run, and waits a bounded time until it has been sent. A trace that could not be sent is a
    /// warning.
    pub fn end(
        &self,
        exit_code: u8,
        fields: Map<String, Value>,
        cancellation: &Cancellation,
        notices: &Notices,
    ) {
        {
            let mut root = self.root.lock().unwrap_or_else(PoisonError::into_inner);
            if exit_code != 0 {
                root.set_status(Status::error(format!("exit code {exit_code}")));
            }
            self.finish(&mut root, Instant::now(), fields);
        }
        let unfinished = self.wait(cancellation);
        let (lost, all) = self.outcome.lost();
        if lost > 0 {
            let why = self.outcome.failure().or(unfinished);
            let why = why.unwrap_or_else(|| "the collector takes spans too slowly".to_owned());
            let endpoint = &self.settings.endpoint;
            notices
                .warn(&format!("can't send the trace to {endpoint}: {why}; {lost} of {all} spans are lost"));
        }
    }

    fn finish(&self, span: &mut Span, ended: Instant, fields: Map<String, Value>) {
        if span.is_recording() {
            span.set_attributes(
                fields.into_iter().map(|(name, value)| KeyValue::new(name, attribute(value))),
            );
            self.outcome.ended();
            span.end_with_timestamp(self.time(ended));
        }
    }

    /// Waits until all spans have been sent, or have failed to be. Returns the reason why the wait was given up.
    fn wait(&self, cancellation: &Cancellation) -> Option<String> {
        let stopped = cancellation.is_cancelled();
        let bound = self.settings.timeout.min(if stopped { AFTER_SIGNAL } else { MOST_AT_END });
        let (done, waiting) = oneshot::channel();
        let provider = self.provider.clone();
        let send = move || {
            // The outcome has the reason.
            let _ = provider.shutdown_with_timeout(bound + MARGIN);
            let _ = done.send(());
        };
        let started = thread::Builder::new().name("otlp".to_owned()).spawn(send);
        let runtime = started.and_then(|_| Builder::new_current_thread().enable_time().build());
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return Some(error.to_string()),
        };
        runtime.block_on(async {
            tokio::select! {
                waited = timeout(bound, waiting) => {
                    waited.err().map(|_| format!("no answer within {} ms", bound.as_millis()))
                }
                () = cancellation.cancelled(), if !stopped => Some("interrupted".to_owned()),
            }
        })
    }

    /// Returns the time of an instant. It is derived from one reading of the machine's clock, so that a clock that is set
    /// changes no duration.
    fn time(&self, instant: Instant) -> SystemTime {
        let (run, machine) = self.began;
        machine + instant.saturating_duration_since(run)
    }
}

/// The resource: this program, unless the environment names another service, and what else it names.
fn resource(environment: &Environment) -> Resource {
    let own = [
        KeyValue::new("service.name", "sacker"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
    ];
    let resource = Resource::builder_empty()
        .with_attributes(own)
        .with_detectors(&[Box::new(TelemetryResourceDetector), Box::new(EnvResourceDetector::new())]);
    match environment.filled("OTEL_SERVICE_NAME") {
        Some(name) => resource.with_service_name(name.to_string_lossy().into_owned()),
        None => resource,
    }
    .build()
}

/// The context of spans below this one.
fn within(above: SpanContext) -> Context {
    Context::new().with_remote_span_context(above)
}

fn attribute(value: Value) -> Attribute {
    match value {
        Value::Bool(value) => value.into(),
        Value::String(text) => text.into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.into(),
            (None, Some(value)) => value.into(),
            (None, None) => number.to_string().into(),
        },
        value => value.to_string().into(),
    }
}
