//! A server that says what a real one can't be made to say.

use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A server and what was asked of it.
pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Takes every request and never answers.
    pub async fn silent() -> Self {
        Self::new(Vec::new()).await
    }

    /// Answers one request after another with these whole HTTP responses, and the rest as the last.
    pub async fn new(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = asked.clone();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let (answers, log) = (answers.clone(), log.clone());
                tokio::spawn(async move {
                    let Some(request) = request(&mut socket).await else { return };
                    let number = {
                        let mut log = log.lock().unwrap();
                        log.push(request);
                        log.len()
                    };
                    match answers.get(number - 1).or(answers.last()) {
                        // The client may be gone.
                        Some(answer) => drop(socket.write_all(answer.as_bytes()).await),
                        None => std::future::pending().await,
                    }
                });
            }
        });
        Self { url, asked }
    }

    /// Answers with this status line and body.
    pub async fn answering(status: &str, body: &str) -> Self {
        Self::new(vec![response(status, body)]).await
    }

    /// The requests so far, heads with bodies.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// A whole response.
pub fn response(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

/// Reads one request, or nothing where none comes.
async fn request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        // The hello of TLS, after which the client waits.
        if bytes[0] == 22 {
            return Some(String::new());
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text.into_owned());
            }
        }
    }
}
