//! A collector of traces: a server that speaks OTLP over HTTP, and fails as a test wants.

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    },
    common::v1::{AnyValue, KeyValue, any_value},
    trace::v1::Span,
};
use prost::Message;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Condvar, Mutex},
    thread,
};

/// The answer of the collector to a request that it has read.
#[derive(Clone)]
pub enum Answer {
    /// It takes all spans.
    Taken,
    /// It answers this status, without taking them.
    Status(&'static str),
    /// It takes the batch without one span, and says why.
    Rejecting(&'static str),
    /// It never answers.
    Nothing,
    /// It sends something that is not HTTP.
    Garbage,
}

/// A batch that arrived.
#[derive(Clone)]
pub struct Batch {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub request: ExportTraceServiceRequest,
}

/// The collector, at an address of its own.
pub struct Collector {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    answer: Answer,
    batches: Mutex<Vec<Batch>>,
    /// The number of connections that were made.
    connections: Mutex<usize>,
    /// False while answers are held back.
    open: Mutex<bool>,
    opened: Condvar,
}

impl Collector {
    pub fn new(answer: Answer) -> Self {
        Self::start(answer, None, true)
    }

    /// Over TLS.
    pub fn secure(config: Arc<ServerConfig>) -> Self {
        Self::start(Answer::Taken, Some(config), true)
    }

    /// It holds its answers back until they are released.
    pub fn held() -> Self {
        Self::start(Answer::Taken, None, false)
    }

    fn start(answer: Answer, tls: Option<Arc<ServerConfig>>, open: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let shared = Arc::new(Shared {
            answer,
            batches: Mutex::default(),
            connections: Mutex::default(),
            open: Mutex::new(open),
            opened: Condvar::new(),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, shared, tls) = (stream.unwrap(), Arc::clone(&serving), tls.clone());
                *shared.connections.lock().unwrap() += 1;
                thread::spawn(move || match tls {
                    None => shared.serve(stream),
                    Some(config) => {
                        shared.serve(StreamOwned::new(ServerConnection::new(config).unwrap(), stream));
                    }
                });
            }
        });
        Self { url, shared }
    }

    pub fn release(&self) {
        *self.shared.open.lock().unwrap() = true;
        self.shared.opened.notify_all();
    }

    pub fn connections(&self) -> usize {
        *self.shared.connections.lock().unwrap()
    }

    pub fn batches(&self) -> Vec<Batch> {
        self.shared.batches.lock().unwrap().clone()
    }

    /// The spans of all batches, in the order in which they arrived.
    pub fn spans(&self) -> Vec<Span> {
        let resources = self.batches().into_iter().flat_map(|batch| batch.request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// The spans of a run that is over: its root, and the others.
    pub fn run(&self) -> (Span, Vec<Span>) {
        let mut spans = self.spans();
        let root = spans.pop().expect("no span arrived");
        (root, spans)
    }
}

impl Shared {
    fn serve(&self, stream: impl Read + Write) {
        let mut stream = BufReader::new(stream);
        while let Some((path, headers, body)) = read(&mut stream) {
            let request = ExportTraceServiceRequest::decode(&*body).unwrap();
            self.batches.lock().unwrap().push(Batch { path, headers, request });
            drop(self.opened.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
            let answer = |status: &str, body: &[u8]| {
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
                [head.as_bytes(), body].concat()
            };
            let answer = match &self.answer {
                Answer::Taken => answer("200 OK", &ExportTraceServiceResponse::default().encode_to_vec()),
                Answer::Status(status) => answer(status, b"sorry"),
                Answer::Rejecting(why) => {
                    let partial =
                        ExportTracePartialSuccess { rejected_spans: 1, error_message: (*why).into() };
                    let body = ExportTraceServiceResponse { partial_success: Some(partial) };
                    answer("200 OK", &body.encode_to_vec())
                }
                Answer::Garbage => b"SSH-2.0-none\r\n\r\n".to_vec(),
                // The connection stays open until the client closes it.
                Answer::Nothing => continue,
            };
            if stream.get_mut().write_all(&answer).and_then(|()| stream.get_mut().flush()).is_err() {
                return;
            }
        }
    }
}

/// Reads a request; `None` at the end of the connection.
fn read(stream: &mut impl BufRead) -> Option<(String, BTreeMap<String, String>, Vec<u8>)> {
    let mut line = || {
        let mut line = String::new();
        let length = stream.read_line(&mut line).unwrap_or(0);
        (length > 0).then(|| line.trim_end().to_owned())
    };
    let first = line()?;
    let path = first.strip_prefix("POST ")?.split(' ').next()?.to_owned();
    let mut headers = BTreeMap::new();
    while let Some((name, value)) = line()?.split_once(": ") {
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    Some((path, headers, body))
}

/// Attributes as an object.
pub fn object(attributes: &[KeyValue]) -> Map<String, Value> {
    let value = |value: &Option<AnyValue>| match value.as_ref().unwrap().value.as_ref().unwrap() {
        any_value::Value::StringValue(text) => text.as_str().into(),
        any_value::Value::BoolValue(value) => (*value).into(),
        any_value::Value::IntValue(number) => (*number).into(),
        any_value::Value::DoubleValue(number) => (*number).into(),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(|attribute| (attribute.key.clone(), value(&attribute.value))).collect()
}
