//! The yardstick of a whole process: what `sacker tag`, `info` and `add` ask of their servers, and nothing else.
//!
//! The same requests in the same order, with the same concurrency, of about the same size, by hand over `std`'s
//! sockets: signed, but with no client library, no configuration, no checks, no recovery, and every answer believed. It
//! reads the items of a true package, but writes under partitions of its own (`bare#…`), and unconditionally: so it
//! damages no ledger, but use it on one for tests all the same.
//!
//! ```sh
//! cargo build --release --locked --example bare
//! bare tag  http://HOST:PORT REGION TABLE ACCESS_KEY SECRET_KEY PACKAGE VERSION TAG
//! bare info http://HOST:PORT REGION TABLE ACCESS_KEY SECRET_KEY PACKAGE VERSION
//! bare add  http://HOST:PORT REGION TABLE ACCESS_KEY SECRET_KEY PACKAGE FILE http://S3HOST:PORT BUCKET/PREFIX
//! ```

use sha2::{Digest, Sha256};
use std::{
    error::Error,
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str =
    "usage: bare tag|info|add ENDPOINT REGION TABLE ACCESS_KEY SECRET_KEY PACKAGE …; see the source";

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [command, endpoint, region, table, access, secret, package, rest @ ..] = &arguments[..] else {
        return Err(USAGE.into());
    };
    let signer = Signer { region, access, secret };
    let ledger = Table { endpoint, name: table, signer, package };
    match (*command, rest) {
        ("tag", [version, tag]) => ledger.tag(version.parse()?, tag),
        ("info", [version]) => ledger.info(version.parse()?),
        ("add", [file, endpoint, place]) => {
            ledger.add(&std::fs::read(file)?, &Bucket { endpoint, place, signer })
        }
        _ => Err(USAGE.into()),
    }
}

/// A key of the ledger, as DynamoDB writes it.
fn key(pk: &str, sk: &str) -> String {
    format!(r#""pk":{{"S":"{pk}"}},"sk":{{"S":"{sk}"}}"#)
}

#[derive(Clone, Copy)]
struct Table<'a> {
    endpoint: &'a str,
    name: &'a str,
    signer: Signer<'a>,
    package: &'a str,
}

impl Table<'_> {
    fn tag(self, version: u64, tag: &str) -> Outcome<()> {
        let Self { package, name: table, .. } = self;
        let mut connection = Connection::open(self.endpoint)?;
        let target = key(&format!("P#{package}"), &format!("V#{version:016}"));
        let tags = format!("T#{package}");
        let keys = [key("M", "M"), key(&tags, "H"), key(&tags, &format!("t#{tag}")), target.clone()];
        self.read(&mut connection, &keys)?;
        let own = format!("bare#{tags}");
        let entry = format!(
            r#","kind":{{"S":"move"}},"tag":{{"S":"{tag}"}},"previous":{{"N":"1"}},"version":{{"N":"{version}"}},{}"#,
            Self::event_fields()
        );
        let actions = [
            self.head(&own),
            self.put(&key(&own, &format!("t#{tag}")), &format!("{entry}{}", Self::blob())),
            self.put(&key(&own, &format!("E#{:016}", now().as_nanos())), &entry),
            format!(
                r#"{{"ConditionCheck":{{"TableName":"{table}","Key":{{{target}}},"ConditionExpression":"attribute_exists(pk)"}}}}"#
            ),
        ];
        self.write(&mut connection, &actions)?;
        println!("{tag}: -> {version}");
        Ok(())
    }

    fn info(self, version: u64) -> Outcome<()> {
        let Self { package, name: table, .. } = self;
        let releases = format!("P#{package}");
        let keys = [key("M", "M"), key(&releases, "H"), key(&releases, &format!("V#{version:016}"))];
        let query = format!(
            r#"{{"TableName":"{table}","ConsistentRead":true,"KeyConditionExpression":"pk = :pk AND sk BETWEEN :from AND :to","ExpressionAttributeValues":{{":pk":{{"S":"T#{package}"}},":from":{{"S":"t#"}},":to":{{"S":"t#~"}}}},"Limit":500}}"#
        );
        let (answer, tags) = thread::scope(|scope| {
            let tags = scope.spawn(|| self.ask(&mut Connection::open(self.endpoint)?, "Query", &query));
            let answer = Connection::open(self.endpoint).and_then(|mut it| self.read(&mut it, &keys));
            (answer, tags.join())
        });
        println!("{}\n{}", answer?, tags.map_err(|_| "a thread panicked")??);
        Ok(())
    }

    fn add(self, bytes: &[u8], bucket: &Bucket<'_>) -> Outcome<()> {
        let (mut connection, sha256) = (Connection::open(self.endpoint)?, hex(&Sha256::digest(bytes)));
        let releases = format!("P#{}", self.package);
        let keys = [key("M", "M"), key(&releases, "H"), key(&format!("B#{sha256}"), "B")];
        let mut store = thread::scope(|scope| {
            let owner = scope.spawn(|| {
                let mut store = Connection::open(bucket.endpoint)?;
                bucket.ask(&mut store, "GET", "OWNER", b"")?;
                Outcome::Ok(store)
            });
            self.read(&mut connection, &keys)?;
            owner.join().map_err(|_| "a thread panicked")?
        })?;
        bucket.ask(&mut store, "PUT", &format!("bare/{sha256}"), bytes)?;
        let own = format!("bare#{releases}");
        let version = format!(r#","n":{{"N":"1"}},"state":{{"S":"active"}},{}"#, Self::event_fields());
        let actions = [
            self.head(&own),
            self.put(
                &key(&own, &format!("V#{:016}", now().as_nanos())),
                &format!("{version}{}", Self::blob()),
            ),
            self.head(&format!("bare#B#{sha256}")),
        ];
        self.write(&mut connection, &actions)?;
        println!("{sha256}");
        Ok(())
    }

    /// The author that is recorded with every change.
    fn event_fields() -> String {
        let (when, digits) = (now().as_millis(), "0".repeat(64));
        format!(
            r#""who":{{"S":"someone@somewhere"}},"when":{{"N":"{when}"}},"op":{{"S":"00000000-0000-0000-0000-000000000000"}},"rev":{{"N":"1"}},"chain":{{"S":"{digits}"}}"#
        )
    }

    fn blob() -> String {
        let digits = "0".repeat(64);
        format!(
            r#","sha256":{{"S":"{digits}"}},"gen":{{"N":"0"}},"size":{{"N":"4096"}},"filename":{{"S":"some-file"}},"mode":{{"N":"420"}}"#
        )
    }

    fn head(self, pk: &str) -> String {
        format!(
            r##"{{"Update":{{"TableName":"{}","Key":{{{}}},"UpdateExpression":"ADD #a0 :v0 SET #a1 = :v1, #a2 = :v2","ExpressionAttributeNames":{{"#a0":"rev","#a1":"chain","#a2":"when"}},"ExpressionAttributeValues":{{":v0":{{"N":"1"}},":v1":{{"S":"{}"}},":v2":{{"N":"{}"}}}}}}}}"##,
            self.name,
            key(pk, "H"),
            "0".repeat(64),
            now().as_millis(),
        )
    }

    fn put(self, key: &str, attributes: &str) -> String {
        format!(r#"{{"Put":{{"TableName":"{}","Item":{{{key}{attributes}}}}}}}"#, self.name)
    }

    fn read(self, connection: &mut Connection, keys: &[String]) -> Outcome<String> {
        let keys: Vec<_> = keys.iter().map(|key| format!("{{{key}}}")).collect();
        let (table, keys) = (self.name, keys.join(","));
        let body = format!(r#"{{"RequestItems":{{"{table}":{{"Keys":[{keys}],"ConsistentRead":true}}}}}}"#);
        self.ask(connection, "BatchGetItem", &body)
    }

    fn write(self, connection: &mut Connection, actions: &[String]) -> Outcome<String> {
        let token = now().as_nanos();
        let body = format!(r#"{{"ClientRequestToken":"{token}","TransactItems":[{}]}}"#, actions.join(","));
        self.ask(connection, "TransactWriteItems", &body)
    }

    fn ask(self, connection: &mut Connection, operation: &str, body: &str) -> Outcome<String> {
        let target = format!("DynamoDB_20120810.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", &target)];
        connection.ask(&self.signer.request(
            "POST",
            self.endpoint,
            "/",
            "dynamodb",
            &headers,
            body.as_bytes(),
        ))
    }
}

#[derive(Clone, Copy)]
struct Bucket<'a> {
    endpoint: &'a str,
    place: &'a str,
    signer: Signer<'a>,
}

impl Bucket<'_> {
    fn ask(self, connection: &mut Connection, method: &str, name: &str, body: &[u8]) -> Outcome<String> {
        let path = format!("/{}/{name}", self.place);
        connection.ask(&self.signer.request(method, self.endpoint, &path, "s3", &[], body))
    }
}

/// A connection that is kept.
struct Connection(TcpStream);

impl Connection {
    fn open(endpoint: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(host(endpoint))?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Sends a request and returns the answer's body.
    fn ask(&mut self, request: &[u8]) -> Outcome<String> {
        self.0.write_all(request)?;
        let (mut answer, mut buffer) = (Vec::new(), [0; 16384]);
        let (head, body) = loop {
            let read = self.0.read(&mut buffer)?;
            if read == 0 {
                return Err("the connection was closed".into());
            }
            answer.extend_from_slice(&buffer[..read]);
            let Some(end) = answer.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&answer[..end])?.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.ok_or("an answer without a length")?.trim().parse()?;
            if answer.len() >= end + 4 + length {
                break (head, String::from_utf8_lossy(&answer[end + 4..]).into_owned());
            }
        };
        match head.split(' ').nth(1) {
            Some("200") => Ok(body),
            _ => Err(format!("{head}\n{body}").into()),
        }
    }
}

fn host(endpoint: &str) -> &str {
    endpoint.trim_start_matches("http://").trim_end_matches('/')
}

/// Signs by [version 4](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html).
#[derive(Clone, Copy)]
struct Signer<'a> {
    region: &'a str,
    access: &'a str,
    secret: &'a str,
}

impl Signer<'_> {
    /// A whole request.
    fn request(
        self,
        method: &str,
        endpoint: &str,
        path: &str,
        service: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<u8> {
        let Self { region, access, secret } = self;
        let (host, date, digest) = (host(endpoint), date(), hex(&Sha256::digest(body)));
        let day = &date[..8];
        let own = [("host", host), ("x-amz-content-sha256", &digest), ("x-amz-date", &date)];
        let mut headers: Vec<_> = headers.iter().chain(&own).collect();
        headers.sort_unstable();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines =
            headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect::<Vec<_>>().concat();
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let canonical = hex(&Sha256::digest(format!("{method}\n{path}\n\n{lines}\n{names}\n{digest}")));
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{canonical}");
        let parts = [day, region, service, "aws4_request", &text];
        let signature = parts.iter().fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac(&key, part));
        let signature = hex(&signature);
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\n{}authorization: AWS4-HMAC-SHA256 Credential={access}/{scope}, \
             SignedHeaders={names}, Signature={signature}\r\ncontent-length: {}\r\n\r\n",
            lines.replace('\n', "\r\n"),
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        request
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut padded = [0; 64];
    if key.len() > 64 {
        padded[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        padded[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(padded.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(padded.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn date() -> String {
    jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}
