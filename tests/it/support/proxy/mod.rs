//! A proxy in front of a server that loses, delays, doubles, cuts and corrupts messages.

pub mod fate;
pub mod http;

use fate::is_dynamodb;
pub use fate::{Answer, Fate};
use http::Message;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

/// The delay of a delayed request.
const DELAY: Duration = Duration::from_millis(30);
/// The delay of a late one: the client has often continued by then.
const LATE: Duration = Duration::from_millis(150);

type Fates = dyn Fn(&Message) -> Fate + Send + Sync;

/// A proxy in front of a server, and what it did.
pub struct Proxy {
    pub url: String,
    log: Log,
}

type Log = Arc<Mutex<Vec<(String, Fate)>>>;

impl Proxy {
    pub async fn new(server: &str, fates: impl Fn(&Message) -> Fate + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log = Log::default();
        let (fates, notes): (Arc<Fates>, _) = (Arc::new(fates), Arc::clone(&log));
        let server = server.trim_start_matches("http://").to_owned();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (fates, notes, server) = (Arc::clone(&fates), Arc::clone(&notes), server.clone());
                // It ends when either side has gone.
                tokio::spawn(async move { serve(client, &server, &*fates, &notes).await });
            }
        });
        Self { url, log }
    }

    /// Each request's kind and what befell it.
    pub fn log(&self) -> Vec<(String, Fate)> {
        self.log.lock().unwrap().clone()
    }
}

/// Serves one connection until it breaks: as an error, or as part of a fate.
async fn serve(mut client: TcpStream, server: &str, fates: &Fates, log: &Log) -> std::io::Result<()> {
    while let Some(mut request) = Message::request(&mut client).await? {
        let fate = fates(&request);
        log.lock().unwrap().push((request.kind(), fate));
        let answer = match fate {
            Fate::IsLost => return Ok(()),
            Fate::LosesReply => {
                request.ask(server).await?;
                return Ok(());
            }
            Fate::ArrivesLate => {
                let server = server.to_owned();
                tokio::spawn(async move {
                    tokio::time::sleep(LATE).await;
                    request.ask(&server).await
                });
                return Ok(());
            }
            Fate::IsAnswered(answer) => answer.to(&request),
            Fate::IsDoneAndAnswered(answer) => {
                request.ask(server).await?;
                answer.to(&request)
            }
            Fate::IsDoubled => {
                request.ask(server).await?;
                request.ask(server).await?
            }
            Fate::IsDelayed => {
                tokio::time::sleep(DELAY).await;
                request.ask(server).await?
            }
            Fate::LosesHalfTheReply => {
                let mut answer = request.ask(server).await?;
                if answer.body.is_empty() {
                    answer.head.truncate(answer.head.len() / 2);
                }
                answer.body.truncate(answer.body.len() / 2);
                answer.write(&mut client).await?;
                return client.shutdown().await;
            }
            Fate::FlipsReply => {
                let mut answer = request.ask(server).await?;
                // Unlike DynamoDB, DynamoDB Local sends no checksum with a refusal: nobody could see it.
                if !is_dynamodb(&request.kind()) || answer.header("x-amz-crc32").is_some() {
                    flip(&mut answer.body);
                }
                answer
            }
            Fate::IsDatedAhead(days) => {
                let mut answer = request.ask(server).await?;
                answer.set_date(days);
                answer
            }
            Fate::FlipsRequest => {
                flip(&mut request.body);
                request.ask(server).await?
            }
            Fate::Passes => request.ask(server).await?,
        };
        answer.write(&mut client).await?;
    }
    Ok(())
}

fn flip(bytes: &mut [u8]) {
    if !bytes.is_empty() {
        let at = fastrand::usize(..bytes.len());
        bytes[at] ^= 1 << fastrand::u8(..8);
    }
}
