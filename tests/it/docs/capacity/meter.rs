//! A proxy in front of DynamoDB Local that asks for the cost of each request, and adds the costs up.
//!
//! DynamoDB Local reports for a writing transaction the cost of its last item alone, for a refused one nothing, and for
//! a key in a batch that is not there nothing; so these are counted here, as AWS does.

use crate::support::proxy::http::Message;
use sacker::table::Item;
use serde_json::Value;
use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
};
use tokio::net::{TcpListener, TcpStream};

/// The cost of some requests.
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

    /// Returns the requests since the last call.
    pub fn take(&self) -> Cost {
        std::mem::take(&mut self.sum.lock().unwrap())
    }
}

async fn serve(mut client: TcpStream, server: &str, sum: &Mutex<Cost>) -> std::io::Result<()> {
    while let Some(request) = Message::request(&mut client).await? {
        let kind = request.kind();
        let (answer, asked) = (asking_for_cost(&request).ask(server).await?, value(&request));
        {
            let mut sum = sum.lock().unwrap();
            sum.requests += 1;
            match kind.as_str() {
                "TransactWriteItems" => sum.written += written(&asked),
                "BatchGetItem" => sum.read += units(&answer) + missing(&asked, &value(&answer)),
                _ => sum.read += units(&answer),
            }
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
            write!(head, "content-length: {}\r\n", body.len()).unwrap();
        } else {
            head.push_str(line);
        }
    }
    Message { head: head.into_bytes(), body }
}

fn value(message: &Message) -> Value {
    serde_json::from_slice(&message.body).unwrap_or_default()
}

/// Returns the cost that the server states.
fn units(answer: &Message) -> f64 {
    let body = value(answer);
    let of = |cost: &Value| cost["CapacityUnits"].as_f64().unwrap_or_default();
    match &body["ConsumedCapacity"] {
        Value::Array(costs) => costs.iter().map(of).sum(),
        cost => of(cost),
    }
}

/// Returns the cost of a transaction: 2 for each begun KiB of each item. Only what is put whole is ever larger than one
/// here.
fn written(asked: &Value) -> f64 {
    let actions = asked["TransactItems"].as_array().unwrap();
    let of = |action: &Value| 2.0 * (weight(&action["Put"]["Item"]) / 1024.0).ceil().max(1.0);
    actions.iter().map(of).sum()
}

/// The bytes of an item as it is sent. Where nothing is put, none.
fn weight(item: &Value) -> f64 {
    let attributes = match item {
        Value::Null => Item::new(),
        sent => {
            let sent: serde_dynamo::Item = serde_json::from_value(sent.clone()).unwrap();
            serde_dynamo::from_item(sent).unwrap()
        }
    };
    f64::from(u32::try_from(super::weight::weight(&attributes)).unwrap())
}

/// 1 for each key of a batch that is not there.
fn missing(asked: &Value, answer: &Value) -> f64 {
    let count = |lists: &Value, at: fn(&Value) -> &Value| -> usize {
        let tables = lists.as_object().into_iter().flatten();
        tables.map(|(_, list)| at(list).as_array().map_or(0, Vec::len)).sum()
    };
    let [keys, items, later] = [
        count(&asked["RequestItems"], |table| &table["Keys"]),
        count(&answer["Responses"], |items| items),
        count(&answer["UnprocessedKeys"], |table| &table["Keys"]),
    ];
    f64::from(u32::try_from(keys - items - later).unwrap())
}
