//! Fills a ledger with a million packages, or one package with a million versions, in minutes.
//!
//! ```sh
//! cargo build --release --locked --example seed
//! export SACKER_LEDGER=file:///tmp/many SACKER_STORE=file:///tmp/many
//! echo something > some-file && sacker add first some-file
//! target/release/examples/seed $SACKER_LEDGER packages 1000000    # p1000000/0000000 …, of one version each
//! target/release/examples/seed $SACKER_LEDGER versions 1000000    # v1000000, with that many
//! sacker fsck
//! ```
//!
//! Past the protocol, straight into the table: nobody else may change the ledger meanwhile, and a run that is killed
//! leaves it damaged. But a finished run leaves what the same number of additions of the blob of `first` would have
//! left, chains and counts and all, so `fsck` accepts it. The same thing can be seeded only once.

use futures_util::{StreamExt, TryStreamExt, stream};
use sacker::{
    aws::Aws,
    location::LedgerUrl,
    table::{
        Action, Change, Condition, Item, Key, Table, Transaction, dynamodb::DynamoTable, sqlite::SqliteTable,
    },
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::error::Error;

/// The number of transactions that are under way at a time.
const AT_A_TIME: usize = 4;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: seed LEDGER_URL packages|versions COUNT";
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [ledger, what, count] = &arguments[..] else { return Err(usage.into()) };
    let (table, items): (Box<dyn Table>, usize) = match ledger.parse()? {
        LedgerUrl::Dynamo { table, endpoint, .. } => {
            (Box::new(DynamoTable::new(Aws::standard().dynamodb(&endpoint).await?, table)), 100)
        }
        // It knows no limit, and flushes once for each.
        LedgerUrl::Directory(directory) => (Box::new(SqliteTable::open(&directory)), 1000),
        _ => return Err(usage.into()),
    };
    let count: u64 = count.parse()?;
    let first = table.get(&Key::new("P#first", "V#0000000000000001")).await?;
    let first = Version(first.ok_or("add a first version of the package `first`")?);
    let entries: Entries<'_> = match what.as_str() {
        "packages" => {
            Box::new((0..count).flat_map(|number| first.package(&format!("p{count}/{number:07}"), 1)))
        }
        "versions" => Box::new(first.package(&format!("v{count}"), count)),
        _ => return Err(usage.into()),
    };
    let transactions = Batches { entries, items }.map(|batch| write(&*table, batch));
    stream::iter(transactions).buffer_unordered(AT_A_TIME).try_collect::<()>().await?;
    // Items that all of them need.
    let key = Key::new(format!("B#{}", first.0["sha256"].as_str().unwrap_or_default()), "B");
    let add = [("refs", i64::try_from(count)?)].into();
    let change = Change::Update { set: Item::new(), add };
    let mut needed = Transaction::new(uuid::Uuid::new_v4().to_string());
    needed.push(Action { key, condition: Condition::equals("state", "kept"), change });
    table.transact(&needed).await.map_err(|error| format!("{error:?}").into())
}

/// A version from which the others are made.
struct Version(Item);

impl Version {
    /// Returns the items of a package with `versions` versions; the head comes last.
    fn package<'a>(&'a self, name: &str, versions: u64) -> impl Iterator<Item = (Key, Item)> + use<'a> {
        let (log, directory) = (format!("P#{name}"), directory_key(name));
        let when = self.0["when"].as_u64().unwrap_or_default();
        let (mut chain, mut number) = (String::new(), 0);
        let head = log.clone();
        let entries = std::iter::from_fn(move || {
            number += 1;
            let (key, mut item) = (Key::new(&log, format!("V#{number:016}")), self.0.clone());
            for (name, value) in [
                ("n", json!(number)),
                ("rev", json!(number)),
                ("when", json!(when + number)),
                ("op", op(&key)),
            ] {
                item.insert(name.to_owned(), value);
            }
            chain = next(&chain, &key, &item);
            item.insert("chain".to_owned(), json!(chain));
            Some((key, item))
        });
        let mut last = None;
        let entries = entries.take(usize::try_from(versions).unwrap_or(usize::MAX)).map(Some).chain([None]);
        let all = entries.map(move |entry| match entry {
            Some((key, item)) => {
                last = Some(item.clone());
                (key, item)
            }
            None => (Key::new(&head, "H"), of_head(last.take().unwrap_or_default())),
        });
        std::iter::once((directory, Item::new())).chain(all)
    }
}

/// The head of a package with this last version.
fn of_head(mut last: Item) -> Item {
    let mut head = Item::new();
    let blob = ["sha256", "gen", "size", "filename", "mode"];
    let blob = blob.iter().filter_map(|name| Some(((*name).to_owned(), last.remove(*name)?)));
    head.insert("blob".to_owned(), Value::Object(blob.collect()));
    head.insert("latest".to_owned(), last["n"].clone());
    for name in ["n", "rev", "chain", "when"] {
        head.insert(name.to_owned(), last[name].clone());
    }
    head
}

fn directory_key(package: &str) -> Key {
    Key::new(format!("D#{}", Sha256::digest(package)[0] % 4), package)
}

/// An operation's id, the same for the same key.
fn op(key: &Key) -> Value {
    let digest = Sha256::digest(key.to_string());
    json!(hex::encode(&digest[..16]))
}

/// The chain's next value; see `ARCHITECTURE.md`.
fn next(chain: &str, key: &Key, entry: &Item) -> String {
    let mut entry = entry.clone();
    entry.retain(|name, _| !["chain", "more_labels", "state"].contains(&name.as_str()));
    entry.insert("pk".to_owned(), json!(key.pk));
    entry.insert("sk".to_owned(), json!(key.sk));
    hex::encode(Sha256::digest(format!("{chain}\n{}", Value::Object(entry))))
}

type Entries<'a> = Box<dyn Iterator<Item = (Key, Item)> + 'a>;

struct Batches<'a> {
    entries: Entries<'a>,
    items: usize,
}

impl Iterator for Batches<'_> {
    type Item = Vec<(Key, Item)>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch: Vec<_> = self.entries.by_ref().take(self.items).collect();
        (!batch.is_empty()).then_some(batch)
    }
}

async fn write(table: &dyn Table, batch: Vec<(Key, Item)>) -> Result<(), String> {
    let mut all = Transaction::new(uuid::Uuid::new_v4().to_string());
    for (key, item) in batch {
        all.push(Action { key, condition: Condition::Absent, change: Change::Put(item) });
    }
    table.transact(&all).await.map_err(|error| format!("{error:?}"))
}
