//! A proxy whose answers are not quite those of the server behind it: for servers that lack something.

use super::proxy::http::Message;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

type Gate = dyn Fn(&Message) -> Option<Message> + Send + Sync;
type Rewrite = dyn Fn(&Message, &mut Message) + Send + Sync;

/// The address of a proxy that passes each request on and hands the answer to `rewrite` before it is sent. It runs
/// until the process ends.
pub fn rewriting(server: &str, rewrite: impl Fn(&Message, &mut Message) + Send + Sync + 'static) -> String {
    guarding(server, |_| None, rewrite)
}

/// As [`rewriting`], but first `gate` may answer instead of the server, which then never sees the request.
pub fn guarding(
    server: &str,
    gate: impl Fn(&Message) -> Option<Message> + Send + Sync + 'static,
    rewrite: impl Fn(&Message, &mut Message) + Send + Sync + 'static,
) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = server.trim_start_matches("http://").to_owned();
    let (gate, rewrite): (Arc<Gate>, Arc<Rewrite>) = (Arc::new(gate), Arc::new(rewrite));
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (gate, rewrite, server) = (Arc::clone(&gate), Arc::clone(&rewrite), server.clone());
                tokio::spawn(async move { serve(client, &server, &*gate, &*rewrite).await });
            }
        });
    });
    url
}

async fn serve(mut client: TcpStream, server: &str, gate: &Gate, rewrite: &Rewrite) -> std::io::Result<()> {
    while let Some(request) = Message::request(&mut client).await? {
        let answer = if let Some(answer) = gate(&request) {
            answer
        } else {
            let mut answer = request.ask(server).await?;
            rewrite(&request, &mut answer);
            answer
        };
        answer.write(&mut client).await?;
        if answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            break;
        }
    }
    Ok(())
}

/// The address of a moto whose answers the SDK can read: it names the root elements of two by other names than S3.
pub fn moto() -> String {
    const WRONG: [(&str, &str); 2] = [
        ("ListPartsResponse", "ListPartsResult"),
        ("GetBucketVersioningResponse", "VersioningConfiguration"),
    ];
    rewriting(&super::backends::moto(), |_, answer| {
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        for (wrong, right) in WRONG {
            if body.contains(&format!("<{wrong} ")) {
                answer.set_body(&body.replace(wrong, right));
            }
        }
    })
}
