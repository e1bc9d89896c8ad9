//! Releases of this program that share a ledger: this one with an earlier one, and with a made-up newer one.
//!
//! The earlier one is the program of a commit that `scripts/old-release` builds. It knows no rule by which a newer
//! release could make it keep what it does not know: `M`'s schema number serves for that. The newer one is the test
//! itself, which writes attributes, items and events that this release does not know, through the table.

mod newer;
mod old;

use crate::support::{
    backends,
    sandbox::Sandbox,
    world::{of, read, write},
};
use sacker::{
    ledger::Ledger,
    table::{Key, Table, dynamodb::DynamoTable, sqlite::SqliteTable},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    process::{Command, Output},
    sync::Arc,
};

/// A ledger that programs of several releases use, and that the test can change directly.
struct Shared {
    sandbox: Sandbox,
    table: Arc<dyn Table>,
    ledger: String,
    store: String,
}

impl Shared {
    fn embedded() -> Self {
        let sandbox = Sandbox::new();
        let (ledger, store) = (sandbox.path("ledger"), sandbox.path("store"));
        let table = Arc::new(SqliteTable::open(&ledger));
        let (ledger, store) = (format!("file://{}", ledger.display()), format!("file://{}", store.display()));
        Self { sandbox, table, ledger, store }
    }

    async fn dynamodb() -> Self {
        let variable = |name, otherwise: &str| std::env::var(name).unwrap_or_else(|_| otherwise.to_owned());
        let sandbox = Sandbox::new()
            .set("AWS_ACCESS_KEY_ID", variable("AWS_ACCESS_KEY_ID", "sackertest"))
            .set("AWS_SECRET_ACCESS_KEY", variable("AWS_SECRET_ACCESS_KEY", "sackertestsecret"));
        let (name, url) = (backends::unique("releases"), backends::dynamodb());
        let client = backends::aws().dynamodb(&backends::at(url.clone())).await.unwrap();
        let ledger = format!("dynamodb://{name}?region=us-east-1&endpoint={url}");
        let store = format!("file://{}", sandbox.path("store").display());
        Self { sandbox, table: Arc::new(DynamoTable::new(client, name)), ledger, store }
    }

    fn prepared(&self, arguments: &[&str]) -> Command {
        let all = [arguments, &["--ledger", &self.ledger, "--store", &self.store]].concat();
        self.sandbox.command(&all)
    }

    /// Runs this release.
    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.prepared(arguments).output().unwrap())
    }

    /// Runs another program as this release would be run.
    fn run_other(&self, program: &str, arguments: &[&str]) -> Ran {
        let this = self.prepared(arguments);
        let mut other = Command::new(program);
        other.env_clear().args(this.get_args()).current_dir(this.get_current_dir().unwrap());
        other.envs(this.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Ran::of(&other.output().unwrap())
    }

    /// Everything that the ledger holds.
    async fn dump(&self) -> Vec<(Key, Value)> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.table.scan(after.as_ref()).await.unwrap();
            all.extend(page.items.into_iter().map(|(key, item)| (key, Value::Object(item))));
            after = page.next;
            if after.is_none() {
                all.sort_by(|(one, _), (other, _)| one.cmp(other));
                return all;
            }
        }
    }

    async fn item(&self, pk: &str, sk: &str) -> Value {
        read(&*self.table, pk, sk).await.map_or(Value::Null, Value::Object)
    }

    async fn write(&self, pk: &str, sk: &str, item: Value) {
        write(&*self.table, pk, sk, item).await;
    }

    /// Sets attributes of an item, as a newer release does.
    async fn set(&self, pk: &str, sk: &str, more: Value) {
        let mut item = self.item(pk, sk).await;
        item.as_object_mut()
            .unwrap_or_else(|| panic!("no {pk}/{sk}"))
            .extend(more.as_object().unwrap().clone());
        self.write(pk, sk, item).await;
    }

    /// Appends an event that a newer release makes to a log, with its place in the chain, and advances the head.
    async fn append(&self, pk: &str, mut event: Value) {
        let mut head = self.item(pk, "H").await;
        let rev = head["rev"].as_u64().unwrap() + 1;
        let when = head["when"].as_u64().unwrap() + 1;
        let sk = format!("{}#{rev:016}", if pk.starts_with("P#") { 'A' } else { 'E' });
        for (name, value) in [
            ("rev", json!(rev)),
            ("when", json!(when)),
            ("who", json!("newer@host")),
            ("op", json!(format!("{rev:032x}"))),
        ] {
            event[name] = value;
        }
        let mut covered = event.clone();
        (covered["pk"], covered["sk"]) = (json!(pk), json!(sk));
        let before = head["chain"].as_str().unwrap().to_owned();
        let chain = hex::encode(Sha256::digest(format!("{before}\n{covered}")));
        event["chain"] = json!(chain);
        (head["rev"], head["when"], head["chain"]) = (json!(rev), json!(when), json!(chain));
        self.write(pk, &sk, event).await;
        self.write(pk, "H", head).await;
    }
}

/// The exit code and the output of a program.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    #[track_caller]
    fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// It was refused, with this exit code and these words.
    #[track_caller]
    fn refused(self, code: i32, words: &str) {
        assert!(self.code == code && self.err.contains(words), "{self:?}");
    }
}

/// The versions and tags that a ledger shows.
async fn shown(ledger: &dyn Ledger, package: &str) -> Value {
    let tags = ledger.tags(&of(package)).await.unwrap();
    let tags = tags
        .tags
        .iter()
        .map(|moved| (moved.tag.to_string(), json!(moved.version.map(sacker::model::Version::get))));
    Value::Object(tags.collect())
}
