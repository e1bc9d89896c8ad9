//! Answers of S3, or of something in its place: a blob is taken for stored only if it is.

#![no_main]

use arbitrary::Arbitrary;
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        StalledStreamProtectionConfig, retry::RetryConfig,
    },
};
use futures_util::StreamExt;
use libfuzzer_sys::fuzz_target;
use sacker::{
    fault::{Fault, FaultKind},
    store::{Put, PutError, Store, s3::S3Store},
};
use sacker_fuzz::{
    blob::Blob,
    http::{Loss, Reply, Server, Status, run},
};
use std::sync::{Arc, LazyLock, Mutex};

#[derive(Arbitrary, Debug)]
struct Input {
    request: Request,
    answers: Vec<Answer>,
}

#[derive(Arbitrary, Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    Put { large: bool, expected: bool },
    Get { empty: bool, etag: bool },
    Stat,
    Delete,
    List,
    Uploads,
    Owner,
    Claim,
}

#[derive(Arbitrary, Debug, Clone)]
enum Answer {
    Lost(Loss),
    /// Success of this request.
    Good,
    /// Success, with the headers of an object.
    Object {
        status: Status,
        size: HeaderValue,
        sha256: HeaderValue,
        crc: HeaderValue,
        composite: bool,
        etag: bool,
        range: HeaderValue,
    },
    Error {
        status: Status,
        code: Code,
        message: Option<String>,
    },
    Raw {
        status: Status,
        body: Vec<u8>,
    },
}

/// Something in an answer.
#[derive(Arbitrary, Debug, Clone, PartialEq, Eq)]
enum HeaderValue {
    Right,
    Absent,
    Any(String),
}

impl HeaderValue {
    /// As a header, which can't hold everything.
    fn text(&self, right: &str) -> Option<String> {
        match self {
            Self::Right => Some(right.to_owned()),
            Self::Absent => None,
            Self::Any(text) => Some(text.chars().filter(char::is_ascii_graphic).collect()),
        }
    }
}

#[derive(Arbitrary, Debug, Clone)]
enum Code {
    Usual(u8),
    Any(String),
}

const CODES: [&str; 20] = [
    "AccessDenied",
    "BadDigest",
    "ConditionalRequestConflict",
    "EntityTooSmall",
    "ExpiredToken",
    "IncompleteBody",
    "InternalError",
    "InvalidPart",
    "InvalidPartOrder",
    "InvalidRange",
    "InvalidRequest",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchUpload",
    "OperationAborted",
    "PreconditionFailed",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "XAmzContentSHA256Mismatch",
];

/// The request to S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Head,
    HeadBucket,
    Get,
    List,
    Put,
    Begin,
    Part,
    Complete,
    Other,
}

/// A request that was answered.
#[derive(Debug)]
struct Exchange {
    asked: Asked,
    /// Returns `true` if a write was sent under a condition.
    conditional: bool,
    answer: Answer,
}

static SMALL: LazyLock<Blob> = LazyLock::new(|| Blob::new(1000));
static LARGE: LazyLock<Blob> = LazyLock::new(|| Blob::new((16 << 20) + 1));
static SERVER: LazyLock<Server> = LazyLock::new(Server::default);
static STORE: LazyLock<S3Store> = LazyLock::new(|| {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new("a", "b", None, None, "fuzz"))
        .region(Region::new("eu-west-1"))
        .endpoint_url("https://s3.invalid")
        .force_path_style(true)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(SERVER.client());
    S3Store::new(Client::from_conf(config.build()), "bucket", "prefix", None)
});

fn asked(method: &str, uri: &str) -> Asked {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let has = |name: &str| query.split('&').any(|pair| pair == name || pair.starts_with(&format!("{name}=")));
    match method {
        "HEAD" if uri.contains("/prefix/") => Asked::Head,
        "HEAD" => Asked::HeadBucket,
        "GET" if has("list-type") || has("uploads") || has("uploadId") => Asked::List,
        "GET" => Asked::Get,
        "PUT" if has("partNumber") => Asked::Part,
        "PUT" => Asked::Put,
        "POST" if has("uploads") => Asked::Begin,
        "POST" if has("uploadId") => Asked::Complete,
        _ => Asked::Other,
    }
}

impl Answer {
    fn reply(&self, asked: Asked, blob: &Blob) -> Reply {
        let head = matches!(asked, Asked::Head | Asked::HeadBucket);
        match self {
            Self::Lost(loss) => Reply::Lost(*loss),
            Self::Good => {
                let body = match asked {
                    Asked::Begin => {
                        "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
                    }
                    Asked::Complete => {
                        "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"
                    }
                    Asked::List => "<Result><IsTruncated>false</IsTruncated></Result>",
                    _ => "",
                };
                let mut headers = vec![("etag", "\"e\"".to_owned())];
                if asked == Asked::Head {
                    headers.push(("content-length", blob.content.size().to_string()));
                    headers.push(("x-amz-checksum-sha256", blob.sha256.clone()));
                }
                Reply::Answer { status: 200, headers, body: body.into() }
            }
            Self::Object { status, size, sha256, crc, composite, etag, range } => {
                let mut headers = Vec::new();
                let size_of_all = blob.content.size().to_string();
                for (name, value, right) in [
                    ("content-length", size, &size_of_all),
                    ("x-amz-checksum-sha256", sha256, &blob.sha256),
                    ("x-amz-checksum-crc64nvme", crc, &blob.crc),
                    ("content-range", range, &format!("bytes 0-9/{size_of_all}")),
                ] {
                    headers.extend(value.text(right).map(|text| (name, text)));
                }
                if *composite {
                    headers.push(("x-amz-checksum-type", "COMPOSITE".to_owned()));
                }
                if *etag {
                    headers.push(("etag", "\"e\"".to_owned()));
                }
                let body = if head { Vec::new() } else { vec![7; 10] };
                Reply::Answer { status: status.code(), headers, body }
            }
            Self::Error { status, code, message } => {
                let code = code.text();
                let message = message.as_deref().unwrap_or_default();
                let xml = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
                let body = if head { Vec::new() } else { xml.into_bytes() };
                Reply::Answer { status: status.code(), headers: Vec::new(), body }
            }
            Self::Raw { status, body } => {
                Reply::Answer { status: status.code(), headers: Vec::new(), body: body.clone() }
            }
        }
    }

    fn status(&self) -> Option<u16> {
        match self {
            Self::Lost(_) => None,
            Self::Good => Some(200),
            Self::Object { status, .. } | Self::Error { status, .. } | Self::Raw { status, .. } => {
                Some(status.code())
            }
        }
    }

    fn is_success(&self) -> bool {
        self.status().is_some_and(|status| status < 300)
    }

    /// Returns `true` if it is an answer to `HeadObject` that proves the blob to be there.
    fn proves(&self, blob: &Blob) -> bool {
        let is = |value: &HeaderValue, right: &str| value.text(right).as_deref() == Some(right);
        match self {
            Self::Good => true,
            Self::Object { size, sha256, crc, composite, .. } => {
                let checksum = match sha256 {
                    HeaderValue::Absent => is(crc, &blob.crc),
                    sha256 => is(sha256, &blob.sha256),
                };
                self.is_success() && is(size, &blob.content.size().to_string()) && checksum && !composite
            }
            _ => false,
        }
    }

    /// The code that it holds, if it is an error that can be read.
    fn code(&self) -> Option<String> {
        match self {
            Self::Error { code, .. } => Some(code.text()),
            _ => None,
        }
    }
}

impl Code {
    fn text(&self) -> String {
        match self {
            Self::Usual(index) => CODES[usize::from(*index) % CODES.len()].to_owned(),
            Self::Any(text) => text.clone(),
        }
    }
}

fuzz_target!(|input: Input| {
    let Input { request, answers } = input;
    let blob = if request == (Request::Put { large: true, expected: true })
        || request == (Request::Put { large: true, expected: false })
    {
        &*LARGE
    } else {
        &*SMALL
    };
    let log = Arc::new(Mutex::new(Vec::new()));
    let (reported, mut answers) = (Arc::clone(&log), answers.into_iter());
    SERVER.answer(move |request| {
        let asked = asked(request.method(), request.uri());
        let headers = request.headers();
        let conditional = headers.get("if-none-match") == Some("*") || headers.get("if-match").is_some();
        let answer = answers.next().unwrap_or(Answer::Lost(Loss::Io));
        let reply = answer.reply(asked, blob);
        reported.lock().expect("no panic").push(Exchange { asked, conditional, answer });
        reply
    });
    let at = &blob.address;
    let log = || std::mem::take(&mut *log.lock().expect("no panic"));
    match request {
        Request::Put { expected, .. } => {
            let put = run(STORE.put(at, &blob.content, expected, &|_| ()));
            stored(&put, &log(), blob);
        }
        Request::Get { empty, etag } => {
            let range = if empty { 0..0 } else { 0..10 };
            let got = run(async {
                let body = STORE.get(at, range.clone(), etag.then_some("\"e\"")).await;
                match body {
                    Ok(Some(body)) => Ok(Some(body.stream.collect::<Vec<_>>().await)),
                    Ok(None) => Ok(None),
                    Err(fault) => Err(fault),
                }
            });
            match got {
                Ok(Some(parts)) if parts.iter().all(Result::is_ok) => {
                    let bytes: usize = parts.iter().flatten().map(bytes_len).sum();
                    assert_eq!(bytes as u64, range.end - range.start);
                }
                Ok(Some(parts)) => parts.into_iter().filter_map(Result::err).for_each(|fault| shown(&fault)),
                Ok(None) => gone(&log()),
                Err(fault) => shown(&fault),
            }
        }
        Request::Stat => match run(STORE.stat(at)) {
            Ok(Some(_)) => assert!(log().last().is_some_and(|last| last.answer.is_success())),
            Ok(None) => gone(&log()),
            Err(fault) => shown(&fault),
        },
        Request::Delete => match run(STORE.delete(at)) {
            Ok(()) => assert!(log().last().is_some_and(|last| last.answer.is_success())),
            Err(fault) => shown(&fault),
        },
        Request::List => run(STORE.list(None)).map_or_else(|fault| shown(&fault), drop),
        Request::Uploads => run(STORE.uploads(None)).map_or_else(|fault| shown(&fault), drop),
        Request::Owner => run(STORE.owner()).map_or_else(|fault| shown(&fault), drop),
        Request::Claim => match run(STORE.claim("ledger")) {
            Ok(_) => assert!(log().last().is_some_and(|last| last.answer.is_success())),
            Err(fault) => shown(&fault),
        },
    }
});

fn bytes_len(bytes: &impl AsRef<[u8]>) -> usize {
    bytes.as_ref().len()
}

/// A line for people.
fn shown(fault: &Fault) {
    let shown = format!("{fault}: {}", fault.source);
    assert!(!shown.contains('\n'), "{shown:?}");
}

/// Checks that an answer said that a blob is not there.
fn gone(log: &[Exchange]) {
    let said =
        |it: &Exchange| it.answer.status() == Some(404) || it.answer.code().as_deref() == Some("NoSuchKey");
    assert!(log.iter().any(said), "not there, says {log:?}");
}

/// A blob is there only if S3 took it under a condition, or has shown its size and checksum.
fn stored(put: &Result<Put, PutError>, log: &[Exchange], blob: &Blob) {
    let writes = |it: &&Exchange| matches!(it.asked, Asked::Put | Asked::Complete);
    for write in log.iter().filter(writes) {
        assert!(write.conditional, "an unconditional write: {write:?}");
    }
    let last = log.last();
    // The upload that was not needed is aborted after it.
    let shown_last = log.iter().rfind(|it| it.asked != Asked::Other);
    let proof = shown_last.is_some_and(|it| it.asked == Asked::Head && it.answer.proves(blob));
    let taken = log.iter().rfind(writes).is_some_and(|write| {
        // A completion may say in an answer of 200 that it failed.
        let failed = write.asked == Asked::Complete && write.answer.code().is_some();
        write.answer.is_success() && !failed
    });
    match put {
        Ok(Put::Stored) => assert!(taken || proof, "stored, says {log:?}"),
        Ok(Put::Replaced) => assert!(taken, "replaced, says {log:?}"),
        Ok(Put::Present) => assert!(proof, "there, says {log:?}"),
        Err(PutError::Changed(path)) => panic!("{} has not changed: {log:?}", path.display()),
        Err(PutError::Fault(fault)) => {
            shown(fault);
            let refused = last.filter(|last| writes(last)).and_then(|last| last.answer.status());
            if refused == Some(409) {
                assert!(fault.kind.is_transient(), "{:?} after {log:?}", fault.kind);
            }
            // After parts, which are sent side by side, and before the upload is aborted.
            let alone = |it: &&Exchange| !matches!(it.asked, Asked::Part | Asked::Other);
            if last.filter(alone).is_some_and(|last| matches!(last.answer, Answer::Lost(_))) {
                assert_eq!(fault.kind, FaultKind::Unavailable, "after {log:?}");
            }
        }
    }
}
