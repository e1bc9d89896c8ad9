//! `docs/capacity.md`: what each command costs and each item weighs, measured, must be what the page says.
//!
//! To rewrite the page's tables with what is measured now: set `SACKER_WRITE_CAPACITY`, and read the difference.

mod dead;
mod freezes;
mod meter;
mod weight;

use super::generated::Generated;
use crate::support::{
    backends,
    proxy::{Fate, Proxy},
    sandbox::Sandbox,
    servers,
    world::{adding, of},
};
use futures_util::{StreamExt, stream};
use meter::{Cost, Meter};
use sacker::{
    ledger::{Added, Ledger, Staged, TableLedger},
    model::{Address, Blob, Digest},
    ops::{AddInput, Client},
    table::{Table, dynamodb::DynamoTable},
};
use serde_json::json;
use std::{fmt::Write as _, sync::Arc};

/// Runs commands, and notes in a table what each costs.
struct Measuring {
    sandbox: Sandbox,
    /// The URLs of ledger and store, past the meters.
    direct: [String; 2],
    ledger: Meter,
    store: Proxy,
    /// The number of requests of the store that were counted already.
    stored: usize,
    table: String,
}

impl Measuring {
    async fn new() -> Self {
        let ledger = Meter::new(&backends::dynamodb()).await;
        let store = Proxy::new(&backends::s3(), |_| Fate::Passes).await;
        let sandbox = servers::sandbox();
        let direct = ["SACKER_LEDGER", "SACKER_STORE"].map(|name| sandbox.variable(name).to_owned());
        let sandbox = sandbox
            .set("SACKER_LEDGER", direct[0].replace(&backends::dynamodb(), &ledger.url))
            .set("SACKER_STORE", direct[1].replace(&backends::s3(), &store.url));
        let table = "| command | ledger requests | RCU | WCU | store requests |\n|---|---|---|---|---|\n";
        Self { sandbox, direct, ledger, store, stored: 0, table: table.to_owned() }
    }

    /// Adds versions with blobs of their own, unmeasured, with the given concurrency.
    async fn add(&self, packages: impl Iterator<Item = String>, at_once: usize) {
        let [ledger, store] = &self.direct;
        let builder = Client::builder(ledger, store).retry_policy(backends::retry_policy());
        let builder = builder.aws(backends::aws()).temporary_directory(self.sandbox.path("tmp"));
        let client = &builder.build().await.unwrap();
        let add = |(number, package): (usize, String)| async move {
            let bytes = format!("{number} of {package}").into_bytes();
            let input = AddInput::bytes(bytes).filename(of("app.tar.gz"));
            client.add(adding(&package), input).await.unwrap();
        };
        stream::iter(packages.enumerate().map(add)).buffer_unordered(at_once).collect::<Vec<()>>().await;
    }

    /// Forgets what was asked before.
    fn begin(&mut self) {
        self.ledger.take();
        self.stored = self.store.log().len();
    }

    fn costs(&mut self, what: &str, arguments: &[&str]) {
        self.begin();
        self.sandbox.ok(arguments);
        self.note(what);
    }

    fn note(&mut self, what: &str) {
        let Cost { requests, read, written } = self.ledger.take();
        let store = self.store.log().len() - self.stored;
        writeln!(self.table, "| {what} | {requests} | {read} | {written} | {store} |").unwrap();
    }
}

/// Every command line is run in a ledger where all those above it were run.
#[tokio::test(flavor = "multi_thread")]
async fn what_each_command_costs() {
    let mut m = Measuring::new().await;
    for name in ["one", "two", "three"] {
        m.sandbox.write(name, name);
    }
    m.sandbox.ok(&["init"]);
    m.costs("`add app FILE`, the first", &["add", "app", "one"]);
    m.costs("`add app FILE`, the next", &["add", "app", "two"]);
    m.costs("`add app FILE`, bytes that are there", &["add", "app", "two"]);
    m.costs("`add app FILE --if-changed`, nothing changed", &["add", "app", "two", "--if-changed"]);
    m.costs("`add app FILE --tag live`", &["add", "app", "three", "--tag", "live"]);
    m.costs("`add app FILE --key K`", &["add", "app", "one", "--key", "job"]);
    m.costs("`add app FILE --key K`, again", &["add", "app", "one", "--key", "job"]);
    m.costs("`tag app 2 live`", &["tag", "app", "2", "live"]);
    m.costs("`tag app 2 live`, there already", &["tag", "app", "2", "live"]);
    m.costs("`tag app live canary`", &["tag", "app", "live", "canary"]);
    m.costs("`tag app latest live`", &["tag", "app", "latest", "live"]);
    m.costs("`rollback app live`", &["rollback", "app", "live"]);
    m.costs("`protect app live --confirm`", &["protect", "app", "live", "--confirm"]);
    m.costs("`unprotect app live`", &["unprotect", "app", "live"]);
    gates(&mut m);
    m.sandbox.ok(&["unprotect", "app", "live"]);
    m.costs("`untag app canary`", &["untag", "app", "canary"]);
    m.costs("`freeze --prefix x -m WHY`, the first", &["freeze", "--prefix", "x", "-m", "why"]);
    m.costs("`thaw --prefix x`", &["thaw", "--prefix", "x"]);
    m.costs("`freeze --list`", &["freeze", "--list"]);
    m.sandbox.ok(&["add", "bad", "one", "--tag", "live", "--tag", "canary"]);
    m.sandbox.ok(&["add", "bad", "two", "--tag", "live", "--tag", "canary"]);
    m.costs("`recall bad 2`, two tags", &["recall", "bad", "2"]);
    m.costs("`info app 2`", &["info", "app", "2"]);
    m.costs("`info app live`", &["info", "app", "live"]);
    m.costs("`tags app`", &["tags", "app"]);
    m.costs("`wait app live`, there already", &["wait", "app", "live"]);
    m.costs("`download app 2`", &["download", "app", "2", "-o", "by-number"]);
    m.costs("`download app live`", &["download", "app", "live", "-o", "by-tag"]);
    m.costs("`download app live`, the file is there", &["download", "app", "live", "-o", "by-tag"]);
    m.costs("`download app live~1`", &["download", "app", "live~1", "-o", "by-past"]);
    m.costs("`yank app 3`", &["yank", "app", "3"]);
    m.costs("`unyank app 3`", &["unyank", "app", "3"]);
    m.costs("`label app 3 tested=yes`", &["label", "app", "3", "tested=yes"]);
    m.costs("`delete app 3`", &["delete", "app", "3"]);
    m.costs("`undelete app 3`", &["undelete", "app", "3"]);
    m.costs("`delete app 3 --force`", &["delete", "app", "3", "--force"]);
    m.add((0..24).map(|number| format!("plan-{number:02}")), 8).await;
    let moves = |version: &str| {
        let one = |number| json!({ "package": format!("plan-{number:02}"), "tag": "live", "to": version });
        json!({ "moves": (0..24).map(one).collect::<Vec<_>>() }).to_string()
    };
    m.sandbox.write("plan.json", moves("latest"));
    m.costs("`apply`, 24 packages", &["apply", "plan.json"]);
    m.costs("`apply --undo`, 24 packages", &["apply", "plan.json", "--undo"]);
    m.add((0..50).map(|_| "many".to_owned()), 1).await;
    m.costs("`versions many`, 50 versions", &["versions", "many"]);
    m.costs("`history many`, 50 events", &["history", "many"]);
    m.add((0..23).map(|number| format!("package-{number:02}")), 8).await;
    m.costs("`list`, 50 packages", &["list"]);
    m.costs("`list -l`, 50 packages", &["list", "-l"]);
    overviews(&mut m);
    m.costs("`prune many --keep 40`, 50 versions", &["prune", "many", "--keep", "40"]);
    m.costs("`prune many --keep 49 --delete`, one to delete", &["prune", "many", "--keep", "49", "--delete"]);
    m.costs("`gc`, 102 blobs", &["gc", "--min-age", "0s"]);
    m.costs("`fsck`, 104 versions", &["fsck"]);
    lost_race(&mut m).await;
    check("costs", &m.table);
}

/// Changes and reads of a tag with gates.
fn gates(m: &mut Measuring) {
    m.costs(
        "`protect app live --require was:canary`",
        &["protect", "app", "live", "--require", "was:canary"],
    );
    m.costs("`check app 2 live`", &["check", "app", "2", "live"]);
    let over = ["tag", "app", "1", "live", "--override", "urgent"];
    m.costs("`tag app 1 live --override WHY`, a gate on the past of a tag", &over);
    m.costs("`tag app canary live`, a gate on `canary`", &["tag", "app", "canary", "live"]);
    m.costs("`info app 2`, a tag with a gate", &["info", "app", "2"]);
}

/// Reads of many packages and versions.
fn overviews(m: &mut Measuring) {
    m.costs("`status`, 50 packages, 25 live tags", &["status", "--tag", "live"]);
    m.costs("`status --at`, nothing moved since", &["status", "--tag", "live", "--at", "0s ago"]);
    m.costs(
        "`status --at`, all 25 tags moved since",
        &["status", "--tag", "live", "--at", "2020-01-01T00:00:00Z"],
    );
    m.costs("`find`, 50 packages, 103 versions", &["find", "--label", "commit=3f2a91c"]);
    m.costs("`versions many 41..50`", &["versions", "many", "41..50"]);
    m.costs("`changes many 41..latest`", &["changes", "many", "41..latest"]);
    m.costs("`watch app`, nothing new", &["watch", "app", "--once"]);
    m.costs("`watch many`, 50 new events", &["watch", "many", "--after-rev", "t0,r0", "--once"]);
    m.costs("`watch --prefix`, 50 packages, nothing new", &["watch", "--prefix", "", "--once"]);
}

/// An addition whose transaction comes second, once: from its commit on.
async fn lost_race(m: &mut Measuring) {
    let table = m.direct[0].split("://").nth(1).unwrap().split('?').next().unwrap().to_owned();
    let ledger = async |url: &str| {
        let client = backends::aws().dynamodb(&backends::at(url.to_owned())).await.unwrap();
        let table: Arc<dyn Table> = Arc::new(DynamoTable::new(client, table.clone()));
        TableLedger::new(table, backends::retry_policy())
    };
    let (late, rival) = (ledger(&m.ledger.url).await, ledger(&backends::dynamodb()).await);
    let begin = async |ledger: &TableLedger, sha256: u8| {
        let sha256 = Digest::from([sha256; 32]);
        let mut draft = ledger.begin_add(&adding("app"), None).await.unwrap();
        let staged = ledger.stage(&adding("app"), &sha256, &mut draft).await.unwrap();
        let Staged::Upload { generation, .. } = staged else { panic!("{staged:?}") };
        (draft, Blob { address: Address { sha256, generation }, size: 1, filename: None, mode: None })
    };
    let (mut draft, blob) = begin(&late, 1).await;
    let (mut first, its) = begin(&rival, 2).await;
    rival.add(&adding("app"), &its, &mut first).await.unwrap();
    m.begin();
    let added = late.add(&adding("app"), &blob, &mut draft).await.unwrap();
    assert!(matches!(added, Added::Version { new: true, .. }));
    m.note("the commit of an `add` that loses a race once");
}

/// The cells of a row.
fn cells(row: &str) -> Vec<&str> {
    row.split('|').map(str::trim).collect()
}

/// Returns `true` if a row of the page agrees with the measurement. Sizes of large reads differ a little from run to
/// run: a number takes fewer bytes if it ends in zeros.
fn agree(said: &str, measured: &str) -> bool {
    let (said, measured) = (cells(said), cells(measured));
    said.len() == measured.len()
        && said.iter().zip(&measured).all(|(said, measured)| {
            match (said.parse::<f64>(), measured.parse::<f64>()) {
                (Ok(said), Ok(measured)) if measured > 10.0 => (said - measured).abs() <= measured * 0.05,
                _ => said == measured,
            }
        })
}

/// Compares a table of the page with what was measured, or writes it there.
fn check(name: &str, measured: &str) {
    let part = Generated::find("capacity.md", name);
    if std::env::var_os("SACKER_WRITE_CAPACITY").is_some() {
        return part.write(measured);
    }
    let rows = |table: &str| table.lines().map(str::to_owned).collect::<Vec<_>>();
    let (said, measured) = (rows(&part.text), rows(measured));
    assert_eq!(said.len(), measured.len(), "other commands are measured than docs/capacity.md lists");
    let wrong: Vec<_> =
        said.iter().zip(&measured).filter(|(said, measured)| !agree(said, measured)).collect();
    assert!(wrong.is_empty(), "docs/capacity.md says, and measured was: {wrong:#?}");
}
