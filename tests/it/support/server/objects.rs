//! The objects of the server, and its answers when no fault is set.

use super::{Answer, Request, error};
use crc_fast::CrcAlgorithm::Crc64Nvme;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt::Write};

/// A time, as XML has it.
const LONG_AGO: &str = "2026-01-02T03:04:05.000Z";

#[derive(Debug, Clone)]
struct Object {
    bytes: Vec<u8>,
    etag: String,
    checksum: Option<(&'static str, String)>,
}

#[derive(Debug, Default)]
struct Upload {
    key: String,
    parts: BTreeMap<usize, Vec<u8>>,
}

#[derive(Debug, Default)]
pub struct Objects {
    stored: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Upload>,
    counter: usize,
}

impl Objects {
    pub fn answer(&mut self, request: &Request) -> Answer {
        match request.operation {
            "HeadBucket" | "PutBucket" => ok(),
            "HeadObject" => self.get(request, true),
            "GetObject" => self.get(request, false),
            "PutObject" => self.put(request),
            "DeleteObject" => {
                self.stored.remove(&request.key);
                Answer { status: 204, ..Answer::default() }
            }
            "CreateMultipartUpload" => {
                self.counter += 1;
                let id = format!("upload-{}", self.counter);
                self.uploads.insert(id.clone(), Upload { key: request.key.clone(), ..Upload::default() });
                xml("InitiateMultipartUploadResult", &format!("<UploadId>{id}</UploadId>"))
            }
            "UploadPart" => self.part(request),
            "ListParts" => self.parts(request),
            "CompleteMultipartUpload" => self.complete(request),
            "AbortMultipartUpload" => {
                self.uploads.remove(&request.query["uploadId"]);
                Answer { status: 204, ..Answer::default() }
            }
            "ListMultipartUploads" => {
                let mut text = "<IsTruncated>false</IsTruncated>".to_owned();
                for (id, Upload { key, .. }) in &self.uploads {
                    let _ = write!(
                        text,
                        "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{LONG_AGO}</Initiated></Upload>"
                    );
                }
                xml("ListMultipartUploadsResult", &text)
            }
            "ListObjectsV2" => {
                let mut text = "<IsTruncated>false</IsTruncated>".to_owned();
                for (key, object) in &self.stored {
                    let size = object.bytes.len();
                    let _ = write!(
                        text,
                        "<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>{LONG_AGO}</LastModified></Contents>"
                    );
                }
                xml("ListBucketResult", &text)
            }
            // An answer that a table might give.
            "DynamoDB" => Answer { status: 200, body: b"{\"Responses\":{}}".to_vec(), ..Answer::default() },
            _ => error(501, "NotImplemented"),
        }
    }

    fn get(&self, request: &Request, head: bool) -> Answer {
        let Some(object) = self.stored.get(&request.key) else {
            return if head { Answer { status: 404, ..Answer::default() } } else { error(404, "NoSuchKey") };
        };
        if request.headers.get("if-match").is_some_and(|etag| *etag != object.etag) {
            return error(412, "PreconditionFailed");
        }
        let mut headers = vec![("etag", object.etag.clone())];
        if request.headers.contains_key("x-amz-checksum-mode") {
            headers.extend(object.checksum.clone());
            headers.push(("x-amz-checksum-type", "FULL_OBJECT".to_owned()));
        }
        let size = object.bytes.len();
        if head {
            return Answer { status: 200, headers, length: Some(size), body: Vec::new() };
        }
        let range = request.headers.get("range").and_then(|range| range.strip_prefix("bytes="));
        let Some((from, to)) = range.and_then(|range| range.split_once('-')) else {
            return Answer { status: 200, headers, body: object.bytes.clone(), length: None };
        };
        let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse::<usize>().unwrap().min(size - 1));
        headers.push(("content-range", format!("bytes {from}-{to}/{size}")));
        Answer { status: 206, headers, body: object.bytes[from..=to].to_vec(), length: None }
    }

    /// Why a write's condition does not hold, if it does not.
    fn refused(&self, request: &Request) -> Option<Answer> {
        let there = self.stored.get(&request.key);
        if request.headers.contains_key("if-none-match") && there.is_some() {
            return Some(error(412, "PreconditionFailed"));
        }
        match (request.headers.get("if-match"), there) {
            (None, _) => None,
            (Some(_), None) => Some(error(404, "NoSuchKey")),
            (Some(etag), Some(there)) => (*etag != there.etag).then(|| error(412, "PreconditionFailed")),
        }
    }

    fn put(&mut self, request: &Request) -> Answer {
        if let Some(refused) = self.refused(request) {
            return refused;
        }
        let Ok(checksum) = checked(request) else { return error(400, "BadDigest") };
        self.store(request.key.clone(), request.body.clone(), checksum)
    }

    fn store(&mut self, key: String, bytes: Vec<u8>, checksum: Option<(&'static str, String)>) -> Answer {
        let etag = format!("\"{}\"", hex::encode(Sha256::digest(&bytes)));
        self.stored.insert(key, Object { bytes, etag: etag.clone(), checksum });
        Answer { status: 200, headers: vec![("etag", etag)], ..Answer::default() }
    }

    fn part(&mut self, request: &Request) -> Answer {
        if checked(request).is_err() {
            return error(400, "BadDigest");
        }
        let Some(upload) = self.uploads.get_mut(&request.query["uploadId"]) else {
            return error(404, "NoSuchUpload");
        };
        let number: usize = request.query["partNumber"].parse().unwrap();
        upload.parts.insert(number, request.body.clone());
        Answer { status: 200, headers: vec![("etag", format!("\"part-{number}\""))], ..Answer::default() }
    }

    fn parts(&self, request: &Request) -> Answer {
        let Some(upload) = self.uploads.get(&request.query["uploadId"]) else {
            return error(404, "NoSuchUpload");
        };
        let mut text = "<IsTruncated>false</IsTruncated>".to_owned();
        for (number, bytes) in &upload.parts {
            let (size, crc) = (bytes.len(), crc(bytes));
            let _ = write!(
                text,
                "<Part><PartNumber>{number}</PartNumber><ETag>\"part-{number}\"</ETag><Size>{size}</Size>\
                 <ChecksumCRC64NVME>{crc}</ChecksumCRC64NVME><LastModified>{LONG_AGO}</LastModified></Part>"
            );
        }
        xml("ListPartsResult", &text)
    }

    fn complete(&mut self, request: &Request) -> Answer {
        if let Some(refused) = self.refused(request) {
            return refused;
        }
        let Some(upload) = self.uploads.get(&request.query["uploadId"]) else {
            return error(404, "NoSuchUpload");
        };
        let bytes: Vec<u8> = upload.parts.values().flatten().copied().collect();
        let crc = crc(&bytes);
        if request.headers.get("x-amz-checksum-crc64nvme").is_some_and(|named| *named != crc) {
            return error(400, "BadDigest");
        }
        self.uploads.remove(&request.query["uploadId"]);
        self.store(request.key.clone(), bytes, Some(("x-amz-checksum-crc64nvme", crc)));
        xml("CompleteMultipartUploadResult", "")
    }
}

fn ok() -> Answer {
    Answer { status: 200, ..Answer::default() }
}

fn xml(name: &str, inner: &str) -> Answer {
    let text = format!("<?xml version=\"1.0\"?><{name}>{inner}</{name}>");
    Answer { status: 200, body: text.into_bytes(), ..Answer::default() }
}

/// The checksum that goes with a body, if any.
///
/// # Errors
/// It is another body's.
fn checked(request: &Request) -> Result<Option<(&'static str, String)>, ()> {
    let sha256 = base64(&Sha256::digest(&request.body));
    for (name, right) in [("x-amz-checksum-sha256", sha256), ("x-amz-checksum-crc64nvme", crc(&request.body))]
    {
        match request.headers.get(name) {
            Some(named) if *named == right => return Ok(Some((name, right))),
            Some(_) => return Err(()),
            None => {}
        }
    }
    Ok(None)
}

fn crc(bytes: &[u8]) -> String {
    base64(&crc_fast::checksum(Crc64Nvme, bytes).to_be_bytes())
}

fn base64(bytes: &[u8]) -> String {
    aws_smithy_types::base64::encode(bytes)
}
