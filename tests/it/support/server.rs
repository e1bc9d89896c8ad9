//! A small S3 in memory, over the wire, to which faults can be given that no real server has at hand.
//!
//! It knows what the store asks for and no more. Each request is first shown to the test's `Faults`.

mod objects;

use objects::Objects;
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// As S3 names it: `PutObject`.
    pub operation: &'static str,
    /// The key, without the bucket.
    pub key: String,
    pub query: BTreeMap<String, String>,
    /// With names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// The number of earlier requests of this operation.
    pub before: usize,
}

/// A fault that replaces the answer to a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// An error with this status and code.
    Error(u16, &'static str),
    /// The connection is closed.
    HangUp,
    /// Nothing, while the connection stays open.
    Silence,
    /// The first half of the answer, and then nothing.
    Half,
    /// The first half of the answer, and then the connection is closed.
    Cut,
}

type Faults = dyn Fn(&Request) -> Option<Fault> + Send + Sync;

/// The server. It runs until the process ends.
pub struct Server {
    pub endpoint: String,
    shared: Arc<Shared>,
}

struct Shared {
    faults: Mutex<Arc<Faults>>,
    objects: Mutex<Objects>,
    seen: Mutex<Vec<Request>>,
}

/// A status, headers and a body.
#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// A length that is not that of the body: a `HeadObject` has none.
    pub length: Option<usize>,
}

impl Server {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let faults: Arc<Faults> = Arc::new(|_| None);
        let shared = Shared { faults: Mutex::new(faults), objects: Mutex::default(), seen: Mutex::default() };
        let shared = Arc::new(shared);
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let server = Arc::clone(&server);
                thread::spawn(move || server.serve(stream.unwrap()));
            }
        });
        Self { endpoint, shared }
    }

    /// From now on with these faults.
    pub fn faults(&self, faults: impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static) {
        *self.shared.faults.lock().unwrap() = Arc::new(faults);
    }

    /// The requests so far, without their bodies.
    pub fn seen(&self) -> Vec<Request> {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let mut request = read(&mut reader)?;
            {
                let mut seen = self.seen.lock().unwrap();
                request.before = seen.iter().filter(|one| one.operation == request.operation).count();
                seen.push(Request { body: Vec::new(), ..request.clone() });
            }
            let faults = Arc::clone(&self.faults.lock().unwrap());
            let fault = faults(&request);
            let head = request.operation.starts_with("Head");
            let answer = match &fault {
                Some(Fault::Error(status, code)) => error(*status, code),
                Some(Fault::HangUp) => return None,
                Some(Fault::Silence) => loop {
                    thread::sleep(Duration::from_hours(1));
                },
                _ => self.objects.lock().unwrap().answer(&request),
            };
            let length = answer.length.unwrap_or(answer.body.len());
            let mut text = format!("HTTP/1.1 {} Scripted\r\ncontent-length: {length}\r\n", answer.status);
            for (name, value) in &answer.headers {
                text.extend([name, ": ", value, "\r\n"]);
            }
            stream.write_all((text + "\r\n").as_bytes()).ok()?;
            let body = if head { &[][..] } else { &answer.body };
            if matches!(fault, Some(Fault::Half | Fault::Cut)) {
                stream.write_all(&body[..body.len() / 2]).ok()?;
                if matches!(fault, Some(Fault::Cut)) {
                    return None;
                }
                loop {
                    thread::sleep(Duration::from_hours(1));
                }
            }
            stream.write_all(body).ok()?;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        match header.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
            None => break,
        };
    }
    let (method, target) = line.split_once(' ')?;
    let url = url::Url::parse(&format!("http://server{}", target.split(' ').next()?)).ok()?;
    let query: BTreeMap<_, _> =
        url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let key = url.path().trim_start_matches('/').split_once('/').map_or("", |(_, key)| key).to_owned();
    let operation = operation(method, &key, &query, &headers);
    if headers.contains_key("expect") {
        reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { operation, key, query, headers, body, before: 0 })
}

fn operation(
    method: &str,
    key: &str,
    query: &BTreeMap<String, String>,
    headers: &BTreeMap<String, String>,
) -> &'static str {
    let has = |name| query.contains_key(name);
    match (method, key.is_empty()) {
        ("POST", true) if headers.contains_key("x-amz-target") => "DynamoDB",
        ("HEAD", true) => "HeadBucket",
        ("GET", true) if has("uploads") => "ListMultipartUploads",
        ("GET", true) => "ListObjectsV2",
        ("PUT", true) => "PutBucket",
        ("HEAD", _) => "HeadObject",
        ("GET", _) if has("uploadId") => "ListParts",
        ("GET", _) => "GetObject",
        ("PUT", _) if has("partNumber") => "UploadPart",
        ("PUT", _) => "PutObject",
        ("POST", _) if has("uploads") => "CreateMultipartUpload",
        ("POST", _) => "CompleteMultipartUpload",
        ("DELETE", _) if has("uploadId") => "AbortMultipartUpload",
        ("DELETE", _) => "DeleteObject",
        _ => "another",
    }
}

/// An error as S3 writes it.
pub fn error(status: u16, code: &str) -> Answer {
    let text =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>scripted</Message></Error>");
    Answer { status, body: text.into_bytes(), ..Answer::default() }
}
