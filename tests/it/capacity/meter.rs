//! A proxy in front of DynamoDB Local that asks each request what it cost, and adds it up.

use crate::proxy::http::Message;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};

/// What some requests cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    pub requests: usize,
    /// Read and write capacity units.
    pub read: f64,
    pub written: f64,
}

pub struct Meter {
    pub url: String,
    sum: Arc<Mutex<Cost>>,
}

impl Meter {
    pub async fn new(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let sum = Arc::<Mutex<Cost>>::default();
        let (server, adding) = (server.trim_start_matches("http://").to_owned(), Arc::clone(&sum));
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (server, sum) = (server.clone(), Arc::clone(&adding));
                // It ends when the client has gone.
                tokio::spawn(async move { serve(client, &server, &sum).await });
            }
        });
        Self { url, sum }
    }

    /// What was asked since the last time.
    pub fn take(&self) -> Cost {
        std::mem::take(&mut self.sum.lock().unwrap())
    }
}

async fn serve(mut client: TcpStream, server: &str, sum: &Mutex<Cost>) -> std::io::Result<()> {
    while let Some(request) = Message::request(&mut client).await? {
        let kind = request.kind();
        let answer = asking_for_cost(&request).ask(server).await?;
        let units = units(&answer);
        {
            let mut sum = sum.lock().unwrap();
            sum.requests += 1;
            *(if kind == "TransactWriteItems" { &mut sum.written } else { &mut sum.read }) += units;
        }
        answer.write(&mut client).await?;
    }
    Ok(())
}

/// The same request, which also asks what it costs. DynamoDB Local does not check the signature, which it breaks.
fn asking_for_cost(request: &Message) -> Message {
    let mut body: Value = serde_json::from_slice(&request.body).unwrap();
    body["ReturnConsumedCapacity"] = "TOTAL".into();
    let body = body.to_string().into_bytes();
    let mut head = String::new();
    for line in String::from_utf8_lossy(&request.head).split_inclusive("\r\n") {
        if line.to_ascii_lowercase().starts_with("content-length:") {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        } else {
            head.push_str(line);
        }
    }
    Message { head: head.into_bytes(), body }
}

fn units(answer: &Message) -> f64 {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let of = |cost: &Value| cost["CapacityUnits"].as_f64().unwrap_or_default();
    match &body["ConsumedCapacity"] {
        Value::Array(costs) => costs.iter().map(of).sum(),
        cost => of(cost),
    }
}
