//! A small proxy of HTTP, of the kind that `HTTP_PROXY` and `HTTPS_PROXY` name.

use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

/// The proxy's treatment of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Takes it to the port that was asked for, on this host, however the host was named.
    Open,
    /// The same, for the user `user` with the password `secret`.
    WithPassword,
    /// Answers that it can't connect.
    Broken,
    /// Takes the request and never answers.
    Silent,
}

/// A proxy that lasts as long as the runtime that it was started on.
pub struct Forward {
    /// Its address as a URL.
    pub url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Forward {
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let log = Arc::clone(&log);
                // Either side may go at any time.
                tokio::spawn(async move { serve(client, manner, &log).await });
            }
        });
        Self { url, asked }
    }

    /// The first request of each connection: a method, and the address without its path.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(mut client: TcpStream, manner: Manner, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if client.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut words = text.split_whitespace();
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let host = target.trim_start_matches("http://").split('/').next().unwrap();
    asked.lock().unwrap().push(format!("{method} {host}"));
    let known = text.to_ascii_lowercase().contains("proxy-authorization: basic dxnlcjpzzwnyzxq=");
    match manner {
        Manner::Silent => std::future::pending().await,
        Manner::Broken => {
            let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            return client.write_all(answer.as_bytes()).await;
        }
        Manner::WithPassword if !known => {
            let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm=\"x\"\r\n\
                          content-length: 0\r\nconnection: close\r\n\r\n";
            return client.write_all(answer.as_bytes()).await;
        }
        Manner::Open | Manner::WithPassword => {}
    }
    let port = host.rsplit(':').next().unwrap();
    let mut server = TcpStream::connect(format!("127.0.0.1:{port}")).await?;
    for socket in [&client, &server] {
        socket.set_nodelay(true)?;
    }
    if method == "CONNECT" {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    } else {
        // A server has to take the address in the first line as it is.
        server.write_all(&head).await?;
    }
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
