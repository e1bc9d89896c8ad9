//! The history of a package.

use super::{
    plans::{applying, moving},
    rollback::{change, rolling_back},
};
use crate::support::world::{
    Tables, World, add, add_many, adding, author, edit, of, read, remove, retry_policy, tag, tagging,
    try_add, untag, write,
};
use async_trait::async_trait;
use futures_util::TryStreamExt;
use sacker::{
    fault::Fault,
    ledger::{Author, Error, Ledger, NotFound, ProtectRequest, TableLedger},
    model::{Created, Event, EventKind, Labels, Protection, ReleaseChange},
    table::{Item, Key, Page, Query, Table, TransactError, Transaction, memory::MemoryTable},
};
use serde_json::json;
use std::{
    fmt,
    sync::{Arc, Mutex},
};

async fn history(ledger: &dyn Ledger, package: &str, tag: Option<&str>) -> Result<Vec<Event>, Error> {
    ledger.history(&of(package), tag.map(of).as_ref()).try_collect().await
}

fn shown(events: &[Event]) -> Vec<String> {
    let number = |version: Option<_>| version.map_or(0, u64::from);
    let one = |it: &Event| {
        let tag = it.tag.as_ref().map_or(String::new(), |tag| format!("{tag} "));
        let log = if it.kind.is_of_tags() { 't' } else { 'r' };
        format!("{log}{} {} {tag}{}>{}", it.rev, it.kind, number(it.previous), number(it.version))
    };
    events.iter().map(one).collect()
}

pub async fn history_is_newest_first(world: &Tables) {
    let ledger = world.ledger();
    let labels = Labels::parse(["commit=abc"]).unwrap();
    let request = adding("app").labels(labels.clone()).tags([of("canary")]);
    try_add(&*ledger, &request, "one").await.unwrap();
    add(&*ledger, "app", "two").await;
    tag(&*ledger, "app", "1", "live").await;
    let why = Author::new(of("ann@ops")).message(of("a good\nreason"));
    ledger.tag(&tagging("app", "2", "live").author(why)).await.unwrap();
    ledger.rollback(&rolling_back("app", "live")).await.unwrap();
    let protect = |protection| ProtectRequest::new(of("app"), of("live"), protection).author(author(None));
    ledger.protect(&protect(Some(Protection::WriteOnce))).await.unwrap();
    ledger.protect(&protect(None)).await.unwrap();
    untag(&*ledger, "app", "live").await;
    change(&*ledger, 2, ReleaseChange::Label(Labels::parse(["tests=passed"]).unwrap())).await;
    change(&*ledger, 2, ReleaseChange::Yank).await;
    change(&*ledger, 2, ReleaseChange::Unyank).await;
    change(&*ledger, 2, ReleaseChange::Delete).await;
    ledger.apply(&applying(&moving(&[("app", "live", "1", "")]))).await.unwrap();
    let events = history(&*world.ledger(), "app", None).await.unwrap();
    assert!(events.windows(2).all(|pair| pair[0].at >= pair[1].at));
    let mut reported = shown(&events);
    let of_tags: Vec<_> = reported.extract_if(.., |it| it.starts_with('t')).collect();
    assert_eq!(
        of_tags,
        [
            "t8 move live 0>1",
            "t7 untag live 1>0",
            "t6 unprotect live 1>1",
            "t5 protect live 1>1",
            "t4 rollback live 2>1",
            "t3 move live 1>2",
            "t2 move live 0>1",
            "t1 move canary 0>1",
        ]
    );
    let of_releases =
        ["r6 delete 0>2", "r5 unyank 0>2", "r4 yank 0>2", "r3 label 0>2", "r2 add 0>2", "r1 add 0>1"];
    assert_eq!(reported, of_releases);
    let find = |rev, tags| events.iter().find(|it| it.rev == rev && it.kind.is_of_tags() == tags).unwrap();
    let moved = find(3, true);
    assert_eq!((moved.by.as_str(), moved.message.clone()), ("ann@ops", Some(of("a good\nreason"))));
    assert_eq!(find(5, true).protection, Some(Protection::WriteOnce));
    assert_eq!(find(1, false).labels, labels);
    assert_eq!(find(3, false).labels, Labels::parse(["tests=passed"]).unwrap());
    let live = history(&*ledger, "app", Some("live")).await.unwrap();
    assert_eq!(live.len(), 7);
    assert_eq!(shown(&history(&*ledger, "app", Some("canary")).await.unwrap()), ["t1 move canary 0>1"]);
}

pub async fn what_is_not_there_has_no_history(world: &Tables) {
    let ledger = world.ledger();
    let missing = async |package: &str, tag| match history(&*ledger, package, tag).await.unwrap_err() {
        Error::NotFound(error) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(missing("app", None).await, NotFound::Package(_)));
    assert!(matches!(missing("app", Some("live")).await, NotFound::Package(_)));
    add(&*ledger, "app", "one").await;
    assert!(matches!(missing("app", Some("live")).await, NotFound::Tag { .. }));
    assert_eq!(history(&*ledger, "app", None).await.unwrap().len(), 1);
}

pub async fn a_long_history_comes_page_by_page(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    for number in 0..world.many / 2 {
        tag(&*ledger, "app", &(number % 2 + 1).to_string(), "live").await;
    }
    let events = history(&*ledger, "app", Some("live")).await.unwrap();
    let revs: Vec<_> = events.iter().map(|it| it.rev).collect();
    assert_eq!(revs, (1..=world.many / 2).rev().collect::<Vec<_>>());
    // A time in its middle is found, too.
    let middle = &events[events.len() / 2];
    let spec = format!("live@{{{}}}", middle.at);
    assert_eq!(Some(ledger.blob(&of("app"), &of(&spec)).await.unwrap().0), middle.version);
}

/// The history as far as it can be read, and the item that the error at its end names.
async fn as_far_as(ledger: &dyn Ledger) -> (Vec<String>, Option<String>) {
    let (package, mut events) = (of("app"), Vec::new());
    let mut history = ledger.history(&package, None);
    loop {
        match history.try_next().await {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (shown(&events), None),
            Err(Error::Damaged { what, .. }) => return (shown(&events), Some(what)),
            Err(other) => panic!("{other:?}"),
        }
    }
}

pub async fn entries_under_a_damaged_or_lost_head_are_shown(world: &Tables) {
    let (ledger, table) = (world.ledger(), world.table());
    add_many(&*ledger, "app", 2).await;
    for version in ["1", "2"] {
        tag(&*ledger, "app", version, "live").await;
    }
    change(&*ledger, 1, ReleaseChange::Yank).await;
    let sound = shown(&history(&*ledger, "app", None).await.unwrap());
    assert_eq!(sound.len(), 5);
    let name = |pk| Some(format!("the ledger's item {pk}/H"));
    for (pk, other, last) in [("P#app", "T#app", "t2"), ("T#app", "P#app", "r3")] {
        let head = read(&*table, pk, "H").await.unwrap();
        edit(&*table, pk, "H", json!({ "rev": "many" })).await;
        assert_eq!(as_far_as(&*ledger).await, (sound.clone(), name(pk)));
        remove(&*table, pk, "H").await;
        assert_eq!(as_far_as(&*ledger).await, (sound.clone(), name(pk)));
        // The other log ends with its head.
        let rev = read(&*table, other, "H").await.unwrap()["rev"].as_u64().unwrap();
        edit(&*table, other, "H", json!({ "rev": rev - 1 })).await;
        let bounded: Vec<_> = sound.iter().filter(|it| !it.starts_with(last)).cloned().collect();
        assert_eq!(as_far_as(&*ledger).await, (bounded, name(pk)));
        // Neither can be read.
        edit(&*table, other, "H", json!({ "rev": null })).await;
        assert_eq!(as_far_as(&*ledger).await.0, sound);
        edit(&*table, other, "H", json!({ "rev": rev })).await;
        write(&*table, pk, "H", head.into()).await;
        assert_eq!(as_far_as(&*ledger).await, (sound.clone(), None));
    }
    // No log of tags has no head, and that is no damage.
    add(&*ledger, "lib", "one").await;
    assert_eq!(shown(&history(&*ledger, "lib", None).await.unwrap()), ["r1 add 0>1"]);
    // A damaged head is named even if its log has nothing that can be shown.
    write(&*table, "T#lib", "H", json!({ "rev": -1 })).await;
    assert!(matches!(history(&*ledger, "lib", None).await, Err(Error::Damaged { .. })));
}

/// A table in small pages, to which another client commits a change before each read.
struct Busy {
    inner: Arc<dyn Table>,
    other: TableLedger,
    /// The revs of both logs after each change.
    states: Mutex<Vec<[u64; 2]>>,
}

impl fmt::Debug for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Busy")
    }
}

impl Busy {
    fn new() -> Self {
        let inner: Arc<dyn Table> = Arc::new(MemoryTable::new());
        let other = TableLedger::new(Arc::clone(&inner), retry_policy());
        Self { inner, other, states: Mutex::default() }
    }

    async fn change(&self) {
        let number = self.states.lock().unwrap().len();
        match number % 4 {
            0 | 2 => drop(add(&self.other, "app", &format!("content {number}")).await),
            1 => drop(tag(&self.other, "app", "latest", "live").await),
            _ => {
                let labels = Labels::parse([format!("round{}=x", number % 100).as_str()]).unwrap();
                change(&self.other, number as u64 / 100 + 1, ReleaseChange::Label(labels)).await;
            }
        }
        let mut revs = [0; 2];
        for (rev, log) in revs.iter_mut().zip(["P#app", "T#app"]) {
            *rev = read(&*self.inner, log, "H").await.map_or(0, |head| head["rev"].as_u64().unwrap());
        }
        self.states.lock().unwrap().push(revs);
    }

    /// Reads the history, which must be as of one instant.
    async fn read_history(self: &Arc<Self>) {
        let ledger = TableLedger::new(Arc::clone(self) as Arc<dyn Table>, retry_policy());
        let events = history(&ledger, "app", None).await.unwrap();
        let mut revs = [false, true].map(|of_tags| {
            let of_log = events.iter().filter(|event| event.kind.is_of_tags() == of_tags);
            of_log.map(|event| event.rev).collect::<Vec<_>>()
        });
        for revs in &mut revs {
            let count = revs.len() as u64;
            revs.sort_unstable();
            assert_eq!(*revs, (1..=count).collect::<Vec<_>>(), "{:?}", shown(&events));
        }
        let last = revs.map(|revs| revs.len() as u64);
        assert!(self.states.lock().unwrap().contains(&last), "{last:?} was never so: {:?}", shown(&events));
        let added = events.iter().filter(|event| event.kind == EventKind::Add).count() as u64;
        assert!(events.iter().all(|event| event.version.is_none_or(|version| version.get() <= added)));
    }
}

#[async_trait]
impl Table for Busy {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.inner.create().await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.change().await;
        self.inner.get_many(keys).await
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.change().await;
        self.inner.get_transact(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        self.change().await;
        self.inner.query(&Query { limit: query.limit.min(3), ..query.clone() }).await
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.inner.scan(after).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        self.inner.transact(transaction).await
    }
}

#[tokio::test]
async fn a_history_is_as_of_one_instant_under_concurrent_commits() {
    let busy = Arc::new(Busy::new());
    for _ in 0..5 {
        busy.change().await;
    }
    for _ in 0..12 {
        busy.read_history().await;
    }
}

/// A log that begins after its head was read is not one that has lost its head.
#[tokio::test]
async fn a_history_is_as_of_one_instant_while_its_logs_begin() {
    for before in 0..2 {
        let busy = Arc::new(Busy::new());
        for _ in 0..before {
            busy.change().await;
        }
        busy.read_history().await;
    }
}
