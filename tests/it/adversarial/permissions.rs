//! The permissions that each command needs on DynamoDB, as `SECURITY.md` lists them: the rows of its table are
//! made here, from the requests.

use crate::{
    conformance::ledger::{
        freezing::{freezing, thawing},
        plans::{applying, moving},
        rollback::rolling_back,
    },
    operations::{Site, collect, gc},
    support::{
        repository::read,
        world::{adding, author, of, retry_policy, tag, tagging, try_add, untagging, version},
    },
};
use async_trait::async_trait;
use futures_util::TryStreamExt;
use sacker::{
    fault::Fault,
    ledger::{
        ChangeRequest, CheckRequest, Ledger, PackageQuery, ProtectRequest, RecallRequest, TableLedger,
        TagRequest,
    },
    model::{Created, Labels, Moment, Protection, ReleaseChange, Retention, RetentionPolicy, Timestamp},
    ops::{Client, Fsck, PruneOptions, PruneScope, StatusQuery, VersionQuery, Wait, Watch, WatchScope},
    table::{Change, Item, Key, Page, Query, Table, TransactError, Transaction},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

/// Returns the actions of the requests, and the kinds of partitions that they are for.
type Asked = BTreeMap<&'static str, BTreeSet<char>>;

/// A table that records its requests by their names in IAM.
#[derive(Debug)]
struct Witness {
    inner: Arc<dyn Table>,
    asked: Mutex<Asked>,
}

impl Witness {
    fn saw<'a>(&self, action: &'static str, pks: impl IntoIterator<Item = &'a str>) {
        let mut asked = self.asked.lock().unwrap();
        asked.entry(action).or_default().extend(pks.into_iter().filter_map(|pk| pk.chars().next()));
    }
}

#[async_trait]
impl Table for Witness {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.inner.create().await
    }

    /// A single key is a `GetItem`, and one of many may be the last one left.
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.saw("read", keys.iter().map(|key| key.pk.as_str()));
        self.inner.get_many(keys).await
    }

    /// [Authorised](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html) as
    /// `GetItem`.
    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.saw("read", keys.iter().map(|key| key.pk.as_str()));
        self.inner.get_transact(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        self.saw("read", [query.pk.as_str()]);
        self.inner.query(query).await
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.saw("`Scan`", []);
        self.inner.scan(after).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        for action in transaction.actions() {
            let name = match action.change {
                Change::Put(_) => "`PutItem`",
                Change::Update { .. } => "`UpdateItem`",
                Change::Delete => "`DeleteItem`",
                Change::Check => "`ConditionCheckItem`",
            };
            self.saw(name, [action.key.pk.as_str()]);
        }
        self.inner.transact(transaction).await
    }
}

/// Runs a command that adds a version or changes a tag. What it needs is done by `direct`.
async fn publish_or_promote(ledger: &dyn Ledger, direct: &dyn Ledger, command: &str) {
    match command {
        "add" => {
            for content in ["one", "two", "one"] {
                let mut request = adding("new");
                request.author.key = Some(of("k"));
                try_add(ledger, &request, content).await.ok();
                try_add(ledger, &adding("app"), content).await.unwrap();
            }
        }
        "add --tag" => {
            let mut request = adding("app");
            request.tags = vec![of("live")];
            try_add(ledger, &request, "two").await.unwrap();
        }
        "tag" => {
            for spec in ["1", "live", "latest"] {
                ledger.tag(&tagging("app", spec, "canary")).await.unwrap();
            }
            let gates = ["label:tests=passed", "soak:canary=100d", "was:beta"].map(of);
            let request = ProtectRequest::new(of("app"), of("gated"), None).author(author(None));
            let request = gates.into_iter().fold(request, ProtectRequest::require);
            ledger.protect(&request).await.unwrap();
            for spec in ["1", "live", "latest"] {
                let request = TagRequest::override_gates(tagging("app", spec, "gated"), of("urgent"));
                ledger.tag(&request).await.unwrap();
            }
        }
        "untag" => drop(ledger.untag(&untagging("app", "live")).await.unwrap()),
        "rollback" => {
            direct.tag(&tagging("app", "1", "live")).await.unwrap();
            ledger.rollback(&rolling_back("app", "live")).await.unwrap();
            direct.tag(&tagging("app", "1", "live")).await.unwrap();
            let to = rolling_back("app", "live").to(version(2));
            ledger.rollback(&to).await.unwrap();
        }
        "apply" => {
            let plan = moving(&[
                ("app", "live", "1", ""),
                ("app", "a", "\"latest\"", ""),
                ("app", "b", "\"live\"", ""),
            ]);
            ledger.apply(&applying(&plan)).await.unwrap();
            ledger.apply(&applying(&plan).undo(true)).await.unwrap();
        }
        "freeze, thaw" => {
            ledger.freeze(&freezing("app")).await.unwrap();
            ledger.thaw(&thawing("app")).await.unwrap();
        }
        "protect, unprotect" => {
            for protection in [Some(Protection::Confirm), None] {
                let request = ProtectRequest::new(of("app"), of("live"), protection).author(author(None));
                ledger.protect(&request).await.unwrap();
            }
        }
        other => panic!("{other}"),
    }
}

async fn asked(site: &Site, command: &str) -> Asked {
    let witness = Arc::new(Witness { inner: site.table(), asked: Mutex::default() });
    let ledger: Arc<dyn Ledger> =
        Arc::new(TableLedger::new(Arc::clone(&witness) as Arc<dyn Table>, retry_policy()));
    let client = site.with(Arc::clone(&ledger));
    let change = |change| ChangeRequest::new(of("app"), version(1), change).author(author(None));
    match command {
        "download" => {
            for spec in ["1", "live", "latest"] {
                ledger.blob(&of("app"), &of(spec)).await.unwrap();
            }
        }
        "info" => {
            for spec in ["1", "live", "latest"] {
                ledger.release(&of("app"), &of(spec)).await.unwrap();
            }
        }
        "versions" => drop(ledger.versions(&of("app")).try_collect::<Vec<_>>().await.unwrap()),
        "check" => {
            let request = CheckRequest::new(of("app"), of("latest"), of("live"));
            let gates = ["label:tests=passed", "soak:live=1h", "was:live"].map(of);
            let request = gates.into_iter().fold(request, CheckRequest::require);
            ledger.check(&request).await.unwrap();
        }
        "tags" => drop(ledger.tags(&of("app")).await.unwrap()),
        "list -l" => {
            let query = PackageQuery::default();
            drop(client.list_long(&query, 9).try_collect::<Vec<_>>().await.unwrap());
        }
        "history" => drop(ledger.history(&of("app"), None).try_collect::<Vec<_>>().await.unwrap()),
        "wait" => {
            client.wait(&Wait::new(of("app"), of("live"))).await.unwrap();
        }
        "label" => {
            let labelled = change(ReleaseChange::Label(Labels::parse(["a=b"]).unwrap()));
            ledger.change(&labelled).await.unwrap();
        }
        "recall" => {
            ledger.tag(&tagging("app", "1", "live")).await.unwrap();
            ledger.tag(&tagging("app", "2", "live")).await.unwrap();
            witness.asked.lock().unwrap().clear();
            ledger.recall(&RecallRequest::new(of("app"), version(2)).author(author(None))).await.unwrap();
        }
        "yank, unyank" => {
            ledger.change(&change(ReleaseChange::Yank)).await.unwrap();
            ledger.change(&change(ReleaseChange::Unyank)).await.unwrap();
        }
        "delete" => drop(ledger.change(&change(ReleaseChange::Delete)).await.unwrap()),
        "undelete" | "prune" | "prune --delete" => retain(site, &client, command).await,
        "gc" => drop(gc(&client, collect(false)).await.unwrap()),
        "gc --delete" => {
            site.delete("app", 1).await;
            drop(gc(&client, collect(true)).await.unwrap());
        }
        "fsck" => {
            let fsck = Fsck::new().read_data(100);
            client.fsck(fsck, &mut |_| ()).await.unwrap();
        }
        "audit" => drop(client.heads(None, &mut |_| ()).await.unwrap()),
        "export" => drop(client.export(None).try_collect::<Vec<_>>().await.unwrap()),
        "import, copy" => {
            client.copy_from(&self::site("").await.client(), false, &mut |_| ()).await.map(|_| ()).unwrap();
        }
        "status" | "changes" | "find" | "watch" | "watch --prefix" | "freeze --list" => {
            look(&client, command).await;
        }
        other => publish_or_promote(&*ledger, &*site.ledger(), other).await,
    }
    witness.asked.lock().unwrap().clone()
}

/// Runs a command that deletes versions by rules, or brings one back.
async fn retain(site: &Site, client: &Client, command: &str) {
    if command == "undelete" {
        site.delete("app", 1).await;
        let request = ChangeRequest::new(of("app"), version(1), ReleaseChange::Undelete);
        return drop(client.change(&request.author(author(None))).await.unwrap());
    }
    let rules = RetentionPolicy::for_all(Retention::new(Some(0), None).unwrap());
    let options = PruneOptions::new(PruneScope::Prefix(String::new()), rules).author(author(None));
    let options = options.delete(command == "prune --delete");
    drop(client.prune(&options).try_collect::<Vec<_>>().await.unwrap());
}

/// Runs a command that reads many packages, or the logs of one.
async fn look(client: &Client, command: &str) {
    match command {
        "status" => {
            // Also as of a time before the last change, from the log.
            for at in [None, Some(Timestamp::from_millis(1))] {
                let query = match at {
                    Some(at) => StatusQuery::new().at(Moment::Time(at)),
                    None => StatusQuery::new(),
                };
                drop(client.status(&query).try_collect::<Vec<_>>().await.unwrap());
            }
        }
        "changes" => {
            let changes = client.changes(&of("app"), &of("1"), &of("live")).await.unwrap();
            drop(changes.versions.try_collect::<Vec<_>>().await.unwrap());
        }
        "find" => drop(client.find("", &VersionQuery::new()).try_collect::<Vec<_>>().await.unwrap()),
        "watch" => {
            let watch = Watch::new(WatchScope::Package(of("app"))).once(true);
            drop(client.watch(watch).try_collect::<Vec<_>>().await.unwrap());
        }
        "watch --prefix" => {
            let watch = Watch::new(WatchScope::Prefix("a".to_owned())).once(true);
            drop(client.watch(watch).try_collect::<Vec<_>>().await.unwrap());
        }
        "freeze --list" => {
            client.freezes().await.unwrap();
            drop(client.freeze_history().try_collect::<Vec<_>>().await.unwrap());
        }
        other => panic!("{other}"),
    }
}

/// The package `app` of two versions, `live` on the second unless the first is to be taken away, and a blob too many.
async fn site(command: &str) -> Site {
    let site = Site::memory();
    if command == "import, copy" {
        return site;
    }
    site.add("app", "one").await;
    site.add("app", "two").await;
    site.put("orphan", 0).await;
    // A tag that is on neither version blocks nothing.
    let on = if command == "tag" { "2" } else { "latest" };
    tag(&*site.ledger(), "app", on, "live").await;
    site
}

fn row(command: &str, asked: &Asked) -> String {
    let of = |kinds: &BTreeSet<char>| kinds.iter().map(char::to_string).collect::<Vec<_>>().join(" ");
    let read = asked.get("read").map(of).unwrap_or_default();
    let mut writes: Vec<_> = asked
        .iter()
        .filter(|(action, _)| **action != "read")
        .map(|(action, kinds)| format!("{action} {}", of(kinds)).trim_end().to_owned())
        .collect();
    if writes.is_empty() {
        writes.push("–".to_owned());
    }
    format!("| `{command}` | {read} | {} |", writes.join(", "))
}

#[tokio::test]
async fn the_actions_of_dynamodb_are_those_that_are_documented() {
    let page = read("SECURITY.md");
    let mut missing = Vec::new();
    for command in [
        "download",
        "info",
        "versions",
        "tags",
        "check",
        "list -l",
        "add",
        "add --tag",
        "tag",
        "untag",
        "rollback",
        "apply",
        "protect, unprotect",
        "status",
        "changes",
        "find",
        "freeze, thaw",
        "freeze --list",
        "history",
        "wait",
        "watch",
        "watch --prefix",
        "label",
        "recall",
        "yank, unyank",
        "delete",
        "undelete",
        "prune",
        "prune --delete",
        "gc",
        "gc --delete",
        "fsck",
        "audit",
        "export",
        "import, copy",
    ] {
        let row = row(command, &asked(&site(command).await, command).await);
        if !page.contains(&row) {
            missing.push(row);
        }
    }
    assert!(missing.is_empty(), "SECURITY.md lacks:\n{}", missing.join("\n"));
}
