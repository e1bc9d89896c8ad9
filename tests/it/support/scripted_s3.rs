//! A server in the place of S3 that answers from a script, over the wire.

use super::backends::s3_client;
use aws_smithy_types::{DateTime, date_time::Format};
use sacker::store::s3::S3Store;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    time::SystemTime,
};

/// A status and a body.
pub type Answer = (u16, String);

type Script = dyn Fn(&str, usize) -> Answer + Send + Sync;

/// A server that reads every request to its end, records it and answers by its script, which gets the request
/// and how many of the kind came before.
pub struct Server {
    pub endpoint: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn new(script: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::with_clock(|| DateTime::from(SystemTime::now()).fmt(Format::HttpDate).unwrap(), script)
    }

    /// A server with this clock, which states the time as the header `Date` does.
    pub fn with_clock(
        clock: impl Fn() -> String + Send + Sync + 'static,
        script: impl Fn(&str, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, notes): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&seen));
        let clock = Arc::new(clock);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, notes, clock) = (Arc::clone(&script), Arc::clone(&notes), Arc::clone(&clock));
                std::thread::spawn(move || answer(stream.unwrap(), &*script, &notes, &clock()));
            }
        });
        Self { endpoint, seen }
    }

    pub async fn store(&self) -> S3Store {
        S3Store::new(s3_client(&self.endpoint).await, "bucket", "prefix", None)
    }

    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: std::net::TcpStream,
    script: &Script,
    notes: &Mutex<Vec<String>>,
    date: &str,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let (mut length, mut condition) = (0, "");
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let (name, value) = header.trim_end().split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "" => break,
            "content-length" => length = value.trim().parse().ok()?,
            "if-match" => condition = " if-match",
            "if-none-match" => condition = " if-none-match",
            _ => {}
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).ok()?;
    let request = operation(&line)? + condition;
    let before = {
        let mut notes = notes.lock().unwrap();
        notes.push(request.clone());
        notes.iter().filter(|note| **note == request).count() - 1
    };
    let (status, mut body) = script(&request, before);
    let (mut headers, mut length) = (String::new(), body.len());
    if request == "HeadObject" {
        // A script's answer to it is the object's checksum; its size is one byte.
        headers = format!("etag: \"{request}\"\r\nx-amz-checksum-sha256: {}\r\n", std::mem::take(&mut body));
        length = 1;
    } else if request == "UploadPart" {
        headers.push_str("etag: \"part\"\r\n");
    }
    let head = format!(
        "HTTP/1.1 {status} Scripted\r\ndate: {date}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    stream.write_all((head + &body).as_bytes()).ok()
}

/// `PUT /bucket/key?partNumber=1&… HTTP/1.1` as S3 names it.
fn operation(line: &str) -> Option<String> {
    let mut words = line.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let name = match method {
        "HEAD" => "HeadObject",
        "PUT" if query.contains("partNumber") => "UploadPart",
        "PUT" => "PutObject",
        "POST" if query.contains("uploads") => "CreateMultipartUpload",
        "POST" => "CompleteMultipartUpload",
        "DELETE" if query.contains("uploadId") => "AbortMultipartUpload",
        "GET" if query.contains("uploads") => return Some(listing(target)),
        "GET" if query.contains("list-type") => "ListObjects",
        "GET" if query.contains("uploadId") => return Some(parts_of(target)),
        _ => "another",
    };
    Some(name.to_owned())
}

/// `ListMultipartUploads`, and where it goes on.
fn listing(target: &str) -> String {
    let url = url::Url::parse(&format!("http://server{target}")).unwrap();
    let marker = |name: &str| url.query_pairs().find(|(asked, _)| asked == name).map(|(_, value)| value);
    let from = marker("key-marker").zip(marker("upload-id-marker"));
    from.map_or_else(
        || "ListMultipartUploads".to_owned(),
        |(key, id)| format!("ListMultipartUploads after {key} {id}"),
    )
}

/// `ListParts` of an upload, and where it goes on.
fn parts_of(target: &str) -> String {
    let url = url::Url::parse(&format!("http://server{target}")).unwrap();
    let asked =
        |name: &str| url.query_pairs().find(|(asked, _)| asked == name).map(|(_, value)| value.into_owned());
    let after = asked("part-number-marker").map_or_else(String::new, |after| format!(" after {after}"));
    format!("ListParts {}{after}", asked("uploadId").unwrap_or_default())
}

pub fn nothing() -> Answer {
    (404, String::new())
}

pub fn error(status: u16, code: &str) -> Answer {
    (status, format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>scripted</Message></Error>"))
}

/// A page of a bucket's unfinished uploads, as S3 writes it: all begun a day ago.
pub fn uploads(listed: &[(&str, &str)], truncated: bool) -> Answer {
    let upload = |(key, id): &(&str, &str)| {
        let since = "2026-01-02T03:04:05.000Z";
        format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{since}</Initiated></Upload>")
    };
    let listing: String = listed.iter().map(upload).collect();
    // The markers are those of the last one listed.
    let (key, id) = listed.last().copied().unwrap_or_default();
    let next = format!("<NextKeyMarker>{key}</NextKeyMarker><NextUploadIdMarker>{id}</NextUploadIdMarker>");
    let truncated = format!("<IsTruncated>{truncated}</IsTruncated>");
    let name = "ListMultipartUploadsResult";
    (200, format!("<?xml version=\"1.0\"?><{name}>{listing}{next}{truncated}</{name}>"))
}
