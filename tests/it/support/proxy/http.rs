//! As much of HTTP/1.1 as it takes to stand between a client and a server.

use std::io::{Error, ErrorKind, Result};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A request or a response, as it goes over the wire.
#[derive(Debug, Clone)]
pub struct Message {
    /// With the empty line at its end.
    pub head: Vec<u8>,
    pub body: Vec<u8>,
}

impl Message {
    pub fn response(status: &str, headers: &str, body: &str) -> Self {
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nx-amzn-requestid: proxy\r\n{headers}\r\n",
            body.len()
        );
        Self { head: head.into_bytes(), body: body.as_bytes().to_vec() }
    }

    pub fn header(&self, name: &str) -> Option<String> {
        let head = String::from_utf8_lossy(&self.head);
        let of = |line: &str| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        head.lines().find_map(of)
    }

    /// Takes a header away.
    pub fn remove(&mut self, name: &str) {
        let head = String::from_utf8_lossy(&self.head).into_owned();
        let is =
            |line: &&str| line.split_once(':').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name));
        self.head = head.split_inclusive("\r\n").filter(|line| !is(line)).collect::<String>().into_bytes();
    }

    /// Puts another body in the place of the one that it has.
    pub fn set_body(&mut self, body: &str) {
        self.remove("content-length");
        self.head.truncate(self.head.len() - 2);
        self.head.extend(format!("content-length: {}\r\n\r\n", body.len()).bytes());
        self.body = body.as_bytes().to_vec();
    }

    /// Puts its `Date` this many days ahead of this machine's.
    pub fn set_date(&mut self, days: i64) {
        let date = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date).unwrap();
        self.remove("date");
        self.head.truncate(self.head.len() - 2);
        self.head.extend(format!("date: {date}\r\n\r\n").bytes());
    }

    /// The first line's word of that number.
    fn word(&self, number: usize) -> String {
        let head = String::from_utf8_lossy(&self.head);
        head.split([' ', '\r']).nth(number).unwrap_or_default().to_owned()
    }

    /// Returns the kind of this request, as AWS names it.
    pub fn kind(&self) -> String {
        if let Some(target) = self.header("x-amz-target") {
            return target.rsplit('.').next().unwrap_or_default().to_owned();
        }
        let (method, target) = (self.word(0), self.word(1));
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let kind = match (method.as_str(), query) {
            ("PUT", query) if query.contains("partNumber") => "UploadPart",
            ("PUT", _) => "PutObject",
            ("GET", query) if query.contains("uploadId") => "ListParts",
            ("GET", _) if target.contains("/OWNER") => "GetOwner",
            ("GET", _) => "GetObject",
            ("HEAD", _) => "HeadObject",
            ("POST", query) if query.contains("uploadId") => "CompleteMultipartUpload",
            ("POST", query) if query.contains("uploads") => "CreateMultipartUpload",
            ("DELETE", query) if query.contains("uploadId") => "AbortMultipartUpload",
            (method, _) => method,
        };
        kind.to_owned()
    }

    /// Reads a request, or nothing where the client has gone.
    pub async fn request(client: &mut TcpStream) -> Result<Option<Self>> {
        let head = match read_head(client).await {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            head => head?,
        };
        let mut request = Self { head, body: Vec::new() };
        if request.header("expect").is_some() {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        request.body = request.read_body(client).await?;
        Ok(Some(request))
    }

    /// Sends it on and reads the answer.
    pub async fn ask(&self, server: &str) -> Result<Self> {
        let mut socket = TcpStream::connect(server).await?;
        socket.write_all(&self.head).await?;
        // A server may answer, and close, before it has read all.
        let sent = socket.write_all(&self.body).await;
        loop {
            let head = match (read_head(&mut socket).await, &sent) {
                (Err(_), Err(error)) => return Err(Error::new(error.kind(), "the server hung up")),
                (head, _) => head?,
            };
            let mut answer = Self { head, body: Vec::new() };
            let status = answer.word(1);
            if status.starts_with('1') {
                continue;
            }
            if self.word(0) != "HEAD" && !["204", "304"].contains(&status.as_str()) {
                answer.body = answer.read_body(&mut socket).await?;
            }
            return Ok(answer);
        }
    }

    pub async fn write(&self, socket: &mut TcpStream) -> Result<()> {
        socket.write_all(&self.head).await?;
        socket.write_all(&self.body).await
    }

    async fn read_body(&self, from: &mut TcpStream) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        if self.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            // As it is, chunk heads and all.
            loop {
                let line = read_until(from, b"\r\n").await?;
                let size = String::from_utf8_lossy(&line);
                let size = size.split([';', '\r']).next().unwrap_or_default();
                let size = usize::from_str_radix(size, 16).map_err(Error::other)?;
                body.extend(line);
                let start = body.len();
                body.resize(start + size + 2, 0);
                from.read_exact(&mut body[start..]).await?;
                if size == 0 {
                    return Ok(body);
                }
            }
        }
        let length = self.header("content-length").map_or(Ok(0), |length| length.parse());
        body.resize(length.map_err(Error::other)?, 0);
        from.read_exact(&mut body).await?;
        Ok(body)
    }
}

async fn read_head(from: &mut TcpStream) -> Result<Vec<u8>> {
    read_until(from, b"\r\n\r\n").await
}

async fn read_until(from: &mut (impl AsyncRead + Unpin), end: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        bytes.push(from.read_u8().await?);
    }
    Ok(bytes)
}
