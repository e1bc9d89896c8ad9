//! The evaluator of IAM policies: a server, which `scripts/backends` starts, and the answers that it gave before.

use super::Ask;
use crate::support::backends;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::{Read, Write},
    net::TcpStream,
    sync::{LazyLock, Mutex},
};

/// The verdict that a policy allows a request, and none forbids it.
pub const ALLOWED: &str = "Allowed";
/// The verdict that a policy forbids a request, whatever others allow.
pub const FORBIDDEN: &str = "ExplicitlyDenied";

/// The policies that a request is judged by.
#[derive(Debug, Clone, PartialEq)]
pub struct Policies {
    /// The policies of the role.
    pub role: Vec<Value>,
    /// The policy of the bucket, or the trust policy of the role that is assumed.
    pub resource: Option<Value>,
    pub boundary: Option<Value>,
}

impl Policies {
    pub fn of(document: &Value) -> Self {
        Self { role: vec![document.clone()], resource: None, boundary: None }
    }

    /// Returns whether each request is allowed.
    pub fn allow(&self, asks: &[Ask]) -> Vec<bool> {
        self.judge(asks).iter().map(|verdict| verdict == ALLOWED).collect()
    }

    /// Returns the verdict on each request: [`ALLOWED`], [`FORBIDDEN`], or another word if no policy allows it. The policy
    /// of the resource is that of the bucket, or of the role that is assumed.
    pub fn judge(&self, asks: &[Ask]) -> Vec<String> {
        if self.resource.is_some() && !asks.iter().all(Ask::has_resource_policy) {
            let others = Self { resource: None, ..self.clone() };
            let one = |ask: &Ask| {
                let policies = if ask.has_resource_policy() { self } else { &others };
                policies.judge(std::slice::from_ref(ask)).remove(0)
            };
            return asks.iter().map(one).collect();
        }
        let mut policies = json!({ "policies": self.role });
        for (name, policy) in [("resource_policy", &self.resource), ("boundary", &self.boundary)] {
            if let Some(policy) = policy {
                policies[name] = policy.clone();
            }
        }
        let key = |ask: &Ask| format!("{policies} {}", ask.json());
        let new: Vec<_> = {
            let known = KNOWN.lock().unwrap();
            asks.iter().filter(|ask| !known.contains_key(&key(ask))).collect()
        };
        if !new.is_empty() {
            let mut body = policies.clone();
            body["requests"] = new.iter().map(|ask| ask.json()).collect();
            let answers = post(&body);
            let mut known = KNOWN.lock().unwrap();
            for (ask, verdict) in new.iter().zip(answers) {
                known.insert(key(ask), verdict);
            }
        }
        let known = KNOWN.lock().unwrap();
        asks.iter().map(|ask| known[&key(ask)].clone()).collect()
    }
}

static KNOWN: LazyLock<Mutex<HashMap<String, String>>> = LazyLock::new(Mutex::default);

fn post(body: &Value) -> Vec<String> {
    let body = body.to_string();
    let url = backends::iam();
    let mut server = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: iam\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    server.write_all(head.as_bytes()).unwrap();
    server.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    server.read_to_string(&mut answer).unwrap();
    // In one chunk or in several: an answer is one line of JSON.
    let line = answer.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{answer}"));
    let answer: Value = serde_json::from_str(line).unwrap();
    let Some(verdicts) = answer["verdicts"].as_array() else { panic!("{answer}: {body}") };
    verdicts.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}
