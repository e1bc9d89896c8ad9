//! A git server over HTTP: `git http-backend` behind a small server, with repositories of its own.
//!
//! A test can give it faults: between git and the network, where no real server lets one stand.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};
use tempfile::TempDir;

/// A fault in the answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request is carried out, and the connection closed without an answer.
    Cut,
    /// The connection is closed, and nothing is carried out.
    HangUp,
    /// Nothing happens, while the connection stays open.
    Silence,
    /// An answer with this status, and nothing is carried out.
    Status(u16),
}

type Faults = dyn Fn(&str) -> Option<Fault> + Send + Sync;

/// The server. It runs until the process ends.
pub struct Server {
    pub address: String,
    root: TempDir,
    faults: Arc<Mutex<Arc<Faults>>>,
    next: AtomicU32,
}

static SHARED: LazyLock<Server> = LazyLock::new(Server::new);

/// Returns the URL of a new, empty repository of a server that all tests share.
pub fn repository() -> String {
    SHARED.repository().0
}

impl Server {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let root = tempfile::tempdir().unwrap();
        let none: Arc<Faults> = Arc::new(|_| None);
        let faults = Arc::new(Mutex::new(none));
        let (folder, shared) = (root.path().to_owned(), Arc::clone(&faults));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (folder, faults) = (folder.clone(), Arc::clone(&shared));
                thread::spawn(move || serve(&stream.unwrap(), &folder, &faults));
            }
        });
        Self { address, root, faults, next: AtomicU32::new(0) }
    }

    /// Makes an empty repository, and returns its URL and its path.
    pub fn repository(&self) -> (String, PathBuf) {
        let name = format!("r{}.git", self.next.fetch_add(1, Ordering::Relaxed));
        let path = self.root.path().join(&name);
        git(self.root.path(), &["init", "--quiet", "--bare", &name]);
        for setting in ["http.receivepack", "uploadpack.allowFilter"] {
            git(&path, &["config", setting, "true"]);
        }
        (format!("http://{}/{name}", self.address), path)
    }

    /// Shows each request to `faults` from now on: `GET /r.git/info/refs?service=git-receive-pack`.
    pub fn set_faults(&self, faults: impl Fn(&str) -> Option<Fault> + Send + Sync + 'static) {
        *self.faults.lock().unwrap() = Arc::new(faults);
    }
}

/// Runs git in a folder, and returns its stdout.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Writes a hook of a repository.
pub fn hook(repository: &Path, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = repository.join("hooks").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Answers one request, and closes the connection.
fn serve(stream: &TcpStream, root: &Path, faults: &Mutex<Arc<Faults>>) {
    let mut reader = BufReader::new(stream);
    let Some((line, headers)) = head(&mut reader) else { return };
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    if headers.get("expect").is_some_and(|expect| expect.contains("100")) {
        let _ = (&*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    let body = body(&mut reader, &headers);
    let faults = Arc::clone(&*faults.lock().unwrap());
    let fault = faults(&format!("{method} {target}"));
    match fault {
        Some(Fault::HangUp) => return,
        Some(Fault::Silence) => {
            // Until the client gives up.
            let _ = reader.read(&mut [0]);
            return;
        }
        Some(Fault::Status(status)) => {
            let head = format!("HTTP/1.1 {status} no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = (&*stream).write_all(head.as_bytes());
            return;
        }
        Some(Fault::Cut) | None => {}
    }
    let answer = backend(root, &method, &target, &headers, &body);
    if fault.is_none() {
        let _ = (&*stream).write_all(&answer);
    }
}

fn head(reader: &mut impl BufRead) -> Option<(String, BTreeMap<String, String>)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Some((line.trim().to_owned(), headers))
}

fn body(reader: &mut impl BufRead, headers: &BTreeMap<String, String>) -> Vec<u8> {
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).unwrap();
            let size = u64::from_str_radix(size.trim(), 16).unwrap();
            reader.by_ref().take(size).read_to_end(&mut body).unwrap();
            reader.read_line(&mut String::new()).unwrap();
            if size == 0 {
                return body;
            }
        }
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    reader.take(length).read_to_end(&mut body).unwrap();
    body
}

/// Runs [`git http-backend`](https://git-scm.com/docs/git-http-backend), and returns its answer as HTTP.
fn backend(
    root: &Path,
    method: &str,
    target: &str,
    headers: &BTreeMap<String, String>,
    body: &[u8],
) -> Vec<u8> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("HTTP_GIT_PROTOCOL", header("git-protocol"))
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("REMOTE_USER", "tester")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = body.to_owned();
    let writer = thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let end = output.stdout.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(0);
    let head = String::from_utf8_lossy(&output.stdout[..end]).into_owned();
    let body = &output.stdout[(end + 4).min(output.stdout.len())..];
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    for line in head.lines().filter(|line| !line.starts_with("Status: ")) {
        answer.push_str(line);
        answer.push_str("\r\n");
    }
    answer.push_str("\r\n");
    let mut answer = answer.into_bytes();
    answer.extend(body);
    answer
}
