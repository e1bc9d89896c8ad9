//! A server that takes events: the receiver of the page about `watch`.

use crate::support::sandbox::Sandbox;
use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

/// Starts the server, writes its URL to the file `webhook`, and appends each body that it accepts to `received`. It
/// fails the second request, as a server may.
pub fn prepare(sandbox: &Sandbox) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    sandbox.write("webhook", format!("http://{}/events\n", listener.local_addr().unwrap()));
    let received = sandbox.path("received");
    thread::spawn(move || {
        for (number, connection) in listener.incoming().enumerate() {
            let Ok(mut connection) = connection else { return };
            let body = body(&connection);
            let answer = if number == 1 { "500 Not Now" } else { "204 No Content" };
            if number != 1 {
                // The home is gone once the page has been run.
                let Ok(mut file) = OpenOptions::new().create(true).append(true).open(&received) else {
                    return;
                };
                writeln!(file, "{body}").unwrap();
            }
            let _ = write!(connection, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
}

fn body(connection: &TcpStream) -> String {
    let mut reader = BufReader::new(connection);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}
