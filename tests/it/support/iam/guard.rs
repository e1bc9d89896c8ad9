//! The proxies before DynamoDB and S3 that let through what a role's policies allow.

use super::{
    Ask, Policies,
    ask::Setting,
    evaluator::{ALLOWED, FORBIDDEN},
};
use crate::support::{backends, proxy::http::Message, rewriting::guarding, sandbox::Sandbox};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// The two proxies of one ledger and store. All commands through them are those of one role at a time.
#[derive(Debug, Clone)]
pub struct Guard {
    state: Arc<Mutex<State>>,
    flags: [String; 4],
}

/// A request that was denied.
#[derive(Debug, Clone)]
pub struct Denied {
    /// The first that is not allowed of what it needed.
    pub ask: Ask,
    /// All that it needed with that action.
    pub asks: Vec<Ask>,
    verdict: String,
}

#[derive(Debug)]
struct State {
    setting: Setting,
    /// Without policies, everything is allowed.
    policies: Option<Policies>,
    seen: Vec<Ask>,
    denied: Vec<Denied>,
    /// Requests that are refused whatever the policies say, by a part of their first line.
    refused: Option<&'static str>,
    /// The list of unfinished uploads, which MinIO does not give.
    uploads: Option<String>,
}

impl State {
    /// Returns the denial, if one of these is not allowed.
    fn judge(&mut self, asks: Vec<Ask>) -> Option<Denied> {
        let allowed = || vec![ALLOWED.to_owned(); asks.len()];
        let verdicts = self.policies.as_ref().map_or_else(allowed, |policies| policies.judge(&asks));
        let denied = asks.iter().zip(verdicts).find(|(_, verdict)| verdict != ALLOWED);
        let denied = denied.map(|(ask, verdict)| Denied {
            ask: ask.clone(),
            asks: asks.iter().filter(|other| other.action == ask.action).cloned().collect(),
            verdict,
        });
        self.seen.extend(asks);
        self.denied.extend(denied.clone());
        denied
    }
}

impl Guard {
    /// Guards the ledger and the store of a sandbox on the real servers.
    pub fn new(sandbox: &Sandbox) -> Self {
        let (ledger, store) = (sandbox.variable("SACKER_LEDGER"), sandbox.variable("SACKER_STORE"));
        let context = BTreeMap::from([("aws:SecureTransport".to_owned(), "true".to_owned())]);
        let setting = Setting {
            table: name(ledger).to_owned(),
            bucket: name(store).to_owned(),
            prefix: "blobs".to_owned(),
            context,
            encrypted: false,
        };
        let state = State {
            setting,
            policies: None,
            seen: Vec::new(),
            denied: Vec::new(),
            refused: None,
            uploads: None,
        };
        let state = Arc::new(Mutex::new(state));
        let gate = |state: Arc<Mutex<State>>| {
            move |request: &Message| {
                let mut state = state.lock().unwrap();
                let line = String::from_utf8_lossy(&request.head);
                if state.refused.is_some_and(|part| line.lines().next().unwrap_or_default().contains(part)) {
                    let ask = state.setting.listing();
                    return Some(denial(request, &Denied { ask, asks: vec![], verdict: String::new() }));
                }
                let asks = state.setting.asks(request);
                state.judge(asks).map(|denied| denial(request, &denied))
            }
        };
        let changed = {
            let state = Arc::clone(&state);
            move |request: &Message, answer: &mut Message| {
                let mut state = state.lock().unwrap();
                let asks = state.setting.asks(request);
                if let Some(uploads) = &state.uploads
                    && asks.iter().any(|ask| ask.action == "s3:ListBucketMultipartUploads")
                {
                    answer.set_body(uploads);
                }
                // An object that does not exist looks forbidden to those who may not list.
                let is_object = asks.iter().any(|ask| ask.action == "s3:GetObject");
                if is_object && answer.head.starts_with(b"HTTP/1.1 404") {
                    let listing = state.setting.listing();
                    if let Some(denied) = state.judge(vec![listing]) {
                        *answer = denial(request, &denied);
                    }
                }
            }
        };
        let dynamodb = guarding(&backends::dynamodb(), gate(Arc::clone(&state)), |_, _| ());
        let s3 = guarding(&backends::s3(), gate(Arc::clone(&state)), changed);
        let ledger = ledger.replace(&backends::dynamodb(), &dynamodb);
        let store = store.replace(&backends::s3(), &s3);
        let flags = ["--ledger".to_owned(), ledger, "--store".to_owned(), store];
        Self { state, flags }
    }

    /// Judges the next commands by these policies.
    pub fn set(&self, policies: Option<&Policies>) {
        let mut state = self.state.lock().unwrap();
        state.policies = policies.cloned();
        state.seen.clear();
        state.denied.clear();
    }

    /// Changes the circumstances of the next requests.
    pub fn setting(&self, change: impl FnOnce(&mut Setting)) {
        change(&mut self.state.lock().unwrap().setting);
    }

    /// Refuses the next requests with this in their first line, or none.
    pub fn refuse(&self, part: Option<&'static str>) {
        self.state.lock().unwrap().refused = part;
    }

    /// Lists an upload as unfinished, since 2010.
    pub fn list_upload(&self, key: &str, id: &str) {
        let list = format!(
            "<?xml version=\"1.0\"?><ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload><Key>{key}</Key>\
             <UploadId>{id}</UploadId><Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload></ListMultipartUploadsResult>"
        );
        self.state.lock().unwrap().uploads = Some(list);
    }

    /// Returns what was asked for since the last call, and the requests that were denied.
    pub fn asked(&self) -> (Vec<Ask>, Vec<Denied>) {
        let mut state = self.state.lock().unwrap();
        (std::mem::take(&mut state.seen), std::mem::take(&mut state.denied))
    }

    /// Returns the URLs of the ledger and the store through the proxies.
    pub fn urls(&self) -> [&str; 2] {
        let [_, ledger, _, store] = &self.flags;
        [ledger, store]
    }

    /// Returns a command line with the addresses of the proxies, unless it names a ledger itself.
    pub fn line(&self, line: &str) -> Vec<String> {
        let [_, ledger, _, store] = &self.flags;
        let words = line.split(' ').map(|word| word.replace("{ledger}", ledger).replace("{store}", store));
        let flags = self.flags.iter().filter(|_| !line.contains(" --ledger ")).cloned();
        words.chain(flags).collect()
    }
}

/// Returns the answer of AWS to a request that no policy allows.
fn denial(request: &Message, denied: &Denied) -> Message {
    let (action, resource) = (&denied.ask.action, &denied.ask.resource);
    let because = if denied.verdict == FORBIDDEN {
        "with an explicit deny in a resource-based policy".to_owned()
    } else {
        format!("because no identity-based policy allows the {action} action")
    };
    let why = format!(
        "User: arn:aws:sts::111122223333:assumed-role/sacker/tester is not authorized to perform: {action} on resource: \
         {resource} {because}"
    );
    if request.header("x-amz-target").is_some() {
        let body = json!({ "__type": "com.amazon.coral.service#AccessDeniedException", "Message": why });
        let kind = "content-type: application/x-amz-json-1.0\r\n";
        return Message::response("400 Bad Request", kind, &body.to_string());
    }
    if request.head.starts_with(b"HEAD") {
        return Message::response("403 Forbidden", "", "");
    }
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>{why}</Message></Error>");
    Message::response("403 Forbidden", "content-type: application/xml\r\n", &body)
}

/// The table or bucket of a URL.
pub fn name(url: &str) -> &str {
    url.split("://").nth(1).unwrap().split(['?', '/']).next().unwrap()
}
