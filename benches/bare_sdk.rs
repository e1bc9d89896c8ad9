//! The yardstick of a whole process over AWS's client library: what `sacker tag`, `info` and `add` ask of their
//! servers, and nothing else.
//!
//! The same requests in the same order, with the same concurrency, of about the same size, by the SDK that sacker uses:
//! with the credentials, the region and the addresses given, no TLS, no configuration read, no checks, no recovery.
//! The time that `bare` takes less is the SDK's; the time that sacker takes more is its own. Like `bare`, this program
//! writes under partitions of its own.
//!
//! ```sh
//! cargo build --release --locked --example bare_sdk
//! bare_sdk tag  http://HOST:PORT REGION TABLE ACCESS_KEY SECRET_KEY PACKAGE VERSION TAG
//! bare_sdk info http://HOST:PORT REGION TABLE ACCESS_KEY SECRET_KEY PACKAGE VERSION
//! bare_sdk add  http://HOST:PORT REGION TABLE ACCESS_KEY SECRET_KEY PACKAGE FILE http://S3HOST:PORT BUCKET/PREFIX
//! bare_sdk list http://HOST:PORT REGION TABLE ACCESS_KEY SECRET_KEY -       # in the order in which pages come
//! ```

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Region, SharedHttpClient},
    types::{
        AttributeValue as Value, ConditionCheck, KeysAndAttributes, Put, TransactWriteItem as Action, Update,
    },
};
use aws_sdk_s3::config::RequestChecksumCalculation;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    error::Error,
    fmt::Display,
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

type Outcome<T> = Result<T, Box<dyn Error>>;
type Item = HashMap<String, Value>;

const USAGE: &str =
    "usage: bare_sdk tag|info|add|list ENDPOINT REGION TABLE ACCESS_KEY SECRET_KEY PACKAGE …; see the source";

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [command, endpoint, region, table, access, secret, package, rest @ ..] = &arguments[..] else {
        return Err(USAGE.into());
    };
    let http = aws_smithy_http_client::Builder::new().build_http();
    let region = Region::new((*region).to_owned());
    let keys = Credentials::new(*access, *secret, None, None, "given");
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http.clone())
        .region(region.clone())
        .credentials_provider(keys.clone())
        .endpoint_url(*endpoint);
    let ledger = Table { client: Client::from_conf(config.build()), name: table, package };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match (*command, rest) {
            ("tag", [version, tag]) => ledger.tag(version.parse()?, tag).await,
            ("info", [version]) => ledger.info(version.parse()?).await,
            ("add", [file, endpoint, place]) => {
                let bucket = Bucket::new(place, endpoint, http, region, keys)?;
                ledger.add(std::fs::read(file)?, &bucket).await
            }
            ("list", []) => ledger.list().await,
            _ => Err(USAGE.into()),
        }
    })
}

struct Table<'a> {
    client: Client,
    name: &'a str,
    package: &'a str,
}

impl Table<'_> {
    async fn tag(&self, version: u64, tag: &str) -> Outcome<()> {
        let target = key(&format!("P#{}", self.package), &format!("V#{version:016}"));
        let tags = format!("T#{}", self.package);
        let keys = vec![key("M", "M"), key(&tags, "H"), key(&tags, &format!("t#{tag}")), target.clone()];
        self.read(keys).await?;
        let own = format!("bare#{tags}");
        let entry = |sk: &str| {
            let mut item = key(&own, sk);
            item.extend(event_fields());
            item.insert("kind".to_owned(), text("move"));
            item.insert("tag".to_owned(), text(tag));
            item.insert("version".to_owned(), number(version));
            item.insert("previous".to_owned(), number(1));
            item
        };
        let mut tag_item = entry(&format!("t#{tag}"));
        tag_item.extend(blob());
        let check = ConditionCheck::builder()
            .table_name(self.name)
            .set_key(Some(target))
            .condition_expression("attribute_exists(pk)");
        self.write(vec![
            self.head(&own)?,
            self.put(tag_item)?,
            self.put(entry(&format!("E#{:016}", now().as_nanos())))?,
            Action::builder().condition_check(check.build()?).build(),
        ])
        .await?;
        println!("{tag}: -> {version}");
        Ok(())
    }

    async fn info(&self, version: u64) -> Outcome<()> {
        let releases = format!("P#{}", self.package);
        let keys = vec![key("M", "M"), key(&releases, "H"), key(&releases, &format!("V#{version:016}"))];
        let tags = self
            .client
            .query()
            .table_name(self.name)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", text(format!("T#{}", self.package)))
            .expression_attribute_values(":from", text("t#"))
            .expression_attribute_values(":to", text("t#~"))
            .limit(500)
            .send();
        let (items, tags) = tokio::join!(self.read(keys), tags);
        println!("{:?}\n{:?}", items?, tags?.items);
        Ok(())
    }

    async fn add(&self, bytes: Vec<u8>, bucket: &Bucket) -> Outcome<()> {
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let releases = format!("P#{}", self.package);
        let keys = vec![key("M", "M"), key(&releases, "H"), key(&format!("B#{sha256}"), "B")];
        let (read, owner) = tokio::join!(self.read(keys), bucket.get("OWNER"));
        read?;
        owner?;
        bucket.put(&format!("bare/{sha256}"), bytes).await?;
        let own = format!("bare#{releases}");
        let mut version = key(&own, &format!("V#{:016}", now().as_nanos()));
        version.extend(event_fields());
        version.extend(blob());
        version.insert("n".to_owned(), number(1));
        version.insert("state".to_owned(), text("active"));
        let actions = vec![self.head(&own)?, self.put(version)?, self.head(&format!("bare#B#{sha256}"))?];
        self.write(actions).await?;
        println!("{sha256}");
        Ok(())
    }

    async fn list(&self) -> Outcome<()> {
        let partitions = ["D#0", "D#1", "D#2", "D#3"].map(|pk| Box::pin(self.names(pk)));
        futures_util::future::try_join_all(partitions).await?;
        Ok(())
    }

    /// Prints a partition of the directory of packages, a page of 2,000 after another.
    async fn names(&self, pk: &str) -> Outcome<()> {
        let mut from = None;
        loop {
            let page = self.client.query().table_name(self.name).consistent_read(true).limit(2000);
            let page = page.key_condition_expression("pk = :pk").expression_attribute_values(":pk", text(pk));
            let page = page.set_exclusive_start_key(from).send().await?;
            let mut out = std::io::stdout().lock();
            for item in page.items() {
                writeln!(out, "{}", item["sk"].as_s().map_or("", String::as_str))?;
            }
            match page.last_evaluated_key {
                Some(last) => from = Some(last),
                None => return Ok(()),
            }
        }
    }

    fn head(&self, pk: &str) -> Outcome<Action> {
        let update = Update::builder()
            .table_name(self.name)
            .set_key(Some(key(pk, "H")))
            .update_expression("ADD #a0 :v0 SET #a1 = :v1, #a2 = :v2")
            .expression_attribute_names("#a0", "rev")
            .expression_attribute_names("#a1", "chain")
            .expression_attribute_names("#a2", "when")
            .expression_attribute_values(":v0", number(1))
            .expression_attribute_values(":v1", text("0".repeat(64)))
            .expression_attribute_values(":v2", number(now().as_millis()));
        Ok(Action::builder().update(update.build()?).build())
    }

    fn put(&self, item: Item) -> Outcome<Action> {
        let put = Put::builder().table_name(self.name).set_item(Some(item));
        Ok(Action::builder().put(put.build()?).build())
    }

    async fn read(&self, keys: Vec<Item>) -> Outcome<Vec<Item>> {
        let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build()?;
        let answer = self.client.batch_get_item().request_items(self.name, keys).send().await?;
        Ok(answer.responses.unwrap_or_default().remove(self.name).unwrap_or_default())
    }

    async fn write(&self, actions: Vec<Action>) -> Outcome<()> {
        let token = now().as_nanos().to_string();
        let write = self.client.transact_write_items().client_request_token(token);
        write.set_transact_items(Some(actions)).send().await?;
        Ok(())
    }
}

struct Bucket {
    client: aws_sdk_s3::Client,
    name: String,
    prefix: String,
}

impl Bucket {
    fn new(
        place: &str,
        endpoint: &str,
        http: SharedHttpClient,
        region: Region,
        keys: Credentials,
    ) -> Outcome<Self> {
        let (name, prefix) = place.split_once('/').ok_or(USAGE)?;
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .http_client(http)
            .region(region)
            .credentials_provider(keys)
            .endpoint_url(endpoint)
            .force_path_style(true)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        let client = aws_sdk_s3::Client::from_conf(config.build());
        Ok(Self { client, name: name.to_owned(), prefix: prefix.to_owned() })
    }

    async fn get(&self, name: &str) -> Outcome<()> {
        let key = format!("{}/{name}", self.prefix);
        self.client.get_object().bucket(&self.name).key(key).send().await?.body.collect().await?;
        Ok(())
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) -> Outcome<()> {
        let key = format!("{}/{name}", self.prefix);
        self.client.put_object().bucket(&self.name).key(key).body(bytes.into()).send().await?;
        Ok(())
    }
}

/// A key of the ledger.
fn key(pk: &str, sk: &str) -> Item {
    HashMap::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

fn text(text: impl Into<String>) -> Value {
    Value::S(text.into())
}

fn number(number: impl Display) -> Value {
    Value::N(number.to_string())
}

/// The author that is recorded with every change.
fn event_fields() -> Item {
    let said = [
        ("who", text("someone@somewhere")),
        ("when", number(now().as_millis())),
        ("op", text("00000000-0000-0000-0000-000000000000")),
        ("rev", number(1)),
        ("chain", text("0".repeat(64))),
    ];
    said.map(|(name, value)| (name.to_owned(), value)).into()
}

fn blob() -> Item {
    let said = [
        ("sha256", text("0".repeat(64))),
        ("gen", number(0)),
        ("size", number(4096)),
        ("filename", text("some-file")),
        ("mode", number(420)),
    ];
    said.map(|(name, value)| (name.to_owned(), value)).into()
}

fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
