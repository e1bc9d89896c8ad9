//! Tests that each operation is stopped before sending if it decides on one more item that its transaction does not
//! cover.

mod elsewhere;
mod rules;

use super::*;
use crate::{
    ledger::{
        AddRequest, Added, ApplyRequest, Author, ChangeRequest, Error, Ledger, ProtectRequest, Staged,
        TableLedger,
        changes::{
            add::Addition,
            tagging::TagDependencies,
            tags::{
                destination::{Destination, Move},
                moves::Moving,
                one_move::OneMove,
                undo::Undoing,
            },
            version::Changing,
        },
        engine::{
            attempt::Commit,
            idempotency::decide,
            operation::{Context, Operation, OutcomeRef, Step},
        },
    },
    model::{
        Address, Blob, Digest, Labels, OpId, PackageName, Protection, ReleaseChange, Spec, TagName, Version,
    },
    retry::{Cancellation, RetryPolicy},
    table::{Change, Condition, Item, memory::MemoryTable},
};
use serde_json::json;
use std::{mem, panic::AssertUnwindSafe, sync::Arc, time::Duration};

/// An operation that also decides on an item out of its reach.
struct Reaching<'a, O> {
    inner: &'a O,
    outside: Key,
}

impl<O: Operation> Operation for Reaching<'_, O> {
    type Outcome = O::Outcome;

    fn package(&self) -> Option<&PackageName> {
        self.inner.package()
    }

    fn request_text(&self) -> String {
        self.inner.request_text()
    }

    fn log(&self) -> String {
        self.inner.log()
    }

    fn reads(&self) -> Vec<Key> {
        let mut keys = self.inner.reads();
        if !keys.contains(&self.outside) {
            keys.push(self.outside.clone());
        }
        keys
    }

    fn reads_at_once(&self) -> bool {
        self.inner.reads_at_once()
    }

    fn slots(&self, number: u64) -> Vec<Key> {
        self.inner.slots(number)
    }

    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Step<O::Outcome>, Error> {
        seen.fits(&self.outside, &Condition::Present);
        self.inner.plan(seen, context)
    }

    fn recall(
        &self,
        reference: &OutcomeRef,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Step<O::Outcome>, Error> {
        self.inner.recall(reference, seen, context)
    }
}

fn of<T: std::str::FromStr<Err: fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn version(number: u64) -> Version {
    Version::try_from(number).unwrap()
}

fn author(key: Option<&str>) -> Author {
    Author { key: key.map(of), ..Author::new(of("someone")) }
}

fn blob(content: u8) -> Blob {
    let address = Address { sha256: Digest::from([content; 32]), generation: 0 };
    Blob { address, size: 1, filename: None, mode: None }
}

fn adding(package: &str) -> AddRequest {
    AddRequest {
        package: of(package),
        author: author(None),
        labels: Labels::default(),
        tags: Vec::new(),
        if_changed: false,
        expect_latest: None,
        confirm: Vec::new(),
        overriding: None,
        emergency: None,
    }
}

fn moving(tag: &str, to: Destination) -> Move {
    Move {
        package: of("app"),
        tag: of::<TagName>(tag),
        to,
        expect: None,
        require: Vec::new(),
        overriding: None,
        confirmed: false,
        emergency: None,
    }
}

struct World {
    table: Arc<MemoryTable>,
    ledger: TableLedger,
}

impl World {
    /// Creates `app` with three versions, `live` on 2 and before on 1, `canary` on 1; `other` with one, and a tag on
    /// it.
    async fn new() -> Self {
        let table = Arc::new(MemoryTable::new());
        let retry_policy = RetryPolicy::seeded(Duration::from_secs(20), Cancellation::new(), 7);
        let world = Self { ledger: TableLedger::new(Arc::clone(&table) as _, retry_policy), table };
        for content in 1..=3 {
            world.add("app", content).await;
        }
        world.add("other", 9).await;
        for (package, to, tag) in
            [("app", 1, "live"), ("app", 2, "live"), ("app", 1, "canary"), ("other", 1, "live")]
        {
            let to = Destination::Spec(Spec::Version(version(to)));
            let one = OneMove::new(Move { package: of(package), ..moving(tag, to) }, author(None));
            world.commit(&one, None).await;
        }
        world
    }

    async fn add(&self, package: &str, content: u8) {
        let (request, blob) = (adding(package), blob(content));
        let sha256 = &blob.address.sha256;
        let mut draft = self.ledger.begin_add(&request, Some(sha256)).await.unwrap();
        let staged = self.ledger.stage(&request, sha256, &mut draft).await.unwrap();
        assert!(matches!(staged, Staged::Upload { .. }));
        let added = self.ledger.add(&request, &blob, &mut draft).await.unwrap();
        assert!(matches!(added, Added::Version { .. }));
    }

    async fn commit<O: Operation>(&self, operation: &O, key: Option<&str>) -> O::Outcome {
        let (author, op) = (author(key), OpId::from(self.ledger.retry_policy().random()));
        let commit = Commit { ledger: &self.ledger, operation, author: &author, op: &op };
        commit.run(None).await.unwrap()
    }

    async fn dump(&self) -> Vec<(Key, Item)> {
        self.table.scan(None).await.unwrap().items
    }

    /// Checks that a transaction of the operation is not sent once the condition of any of its actions is removed,
    /// unless something else covers it: new entries, and items of a log whose head the transaction checks, need none.
    async fn needs_its_conditions<O: Operation>(&self, operation: &O) {
        let mut seen = everything(self).await;
        let absent: Vec<_> = operation.reads().into_iter().filter(|key| !seen.contains(key)).collect();
        let (mut keys, mut items) = (absent.clone(), vec![None; absent.len()]);
        for (key, it) in mem::take(&mut seen.items) {
            keys.push(key);
            items.push(it.item);
        }
        let (author, op) = (author(None), OpId::from(7));
        let seen = Snapshot::new(keys, items, true);
        let context = Context {
            op: &op,
            author: &author,
            now: self.ledger.now(),
            replica: operation.package().map(schema::replica_of),
        };
        let Step::Commit(proposal) = decide(operation, &seen, &context).unwrap() else {
            panic!("{} changes nothing", operation.request_text())
        };
        let attempt = |weak: Option<&Key>| {
            let mut transaction = Transaction::new("t".to_owned());
            for action in &proposal.actions {
                let mut action = action.clone();
                if weak == Some(&action.key) {
                    action.condition = Condition::Always;
                }
                transaction.push(action);
            }
            seen.seal(transaction)
        };
        attempt(None).unwrap();
        let mut needed = 0;
        for Action { key, .. } in &proposal.actions {
            let head = schema::head_key(&key.pk);
            let is_covered =
                schema::is_logged(key) && proposal.actions.iter().any(|action| action.key == head);
            let free = is_covered || key.pk.starts_with("D#");
            assert_eq!(
                attempt(Some(key)).is_ok(),
                free,
                "{} without the condition on {key}",
                operation.request_text()
            );
            needed += usize::from(!free);
        }
        assert!(needed > 0, "{} holds no head", operation.request_text());
    }

    /// Checks that the operation is stopped if it decides on any of these, and if it lacks a condition; and that it
    /// passes unchanged.
    async fn holds<O: Operation>(&self, operation: O, outside: &[(&str, &str)]) {
        self.needs_its_conditions(&operation).await;
        let before = self.dump().await;
        for (pk, sk) in outside {
            let reaching = Reaching { inner: &operation, outside: Key::new(*pk, *sk) };
            let run = AssertUnwindSafe(self.commit(&reaching, None));
            let stopped = futures_util::FutureExt::catch_unwind(run).await;
            let panic =
                stopped.err().unwrap_or_else(|| panic!("{} reached {pk}/{sk}", operation.request_text()));
            let message = panic.downcast::<String>().unwrap();
            assert!(message.contains(&format!("depends on {pk}/{sk}")), "{message}");
            assert_eq!(self.dump().await, before, "{}", operation.request_text());
        }
        self.commit(&operation, None).await;
        assert_ne!(self.dump().await, before, "{} changes nothing", operation.request_text());
    }
}

const RELEASES: (&str, &str) = ("P#app", "H");
const TAGS: (&str, &str) = ("T#app", "H");
const A_TAG: (&str, &str) = ("T#app", "t#live");
const A_VERSION: (&str, &str) = ("P#app", "V#0000000000000001");
const ELSEWHERE: (&str, &str) = ("T#other", "t#live");
const NOWHERE: (&str, &str) = ("P#none", "H");

#[tokio::test]
async fn an_addition_is_held_to_what_it_covers() {
    let world = World::new().await;
    let four = blob(4);
    let request = adding("app");
    let addition = |request, blob: &'static Blob| Addition {
        request,
        sha256: &blob.address.sha256,
        epoch: 0,
        blob: Some(blob),
    };
    let four: &'static Blob = Box::leak(Box::new(four));
    world.holds(addition(&request, four), &[A_TAG, TAGS, ELSEWHERE, NOWHERE]).await;
    let tagged = AddRequest { tags: vec![of("live")], ..adding("app") };
    let five: &'static Blob = Box::leak(Box::new(blob(5)));
    world.holds(addition(&tagged, five), &[ELSEWHERE, NOWHERE]).await;
    let unchanged = AddRequest { if_changed: true, tags: vec![of("canary")], ..adding("app") };
    world.holds(addition(&unchanged, five), &[ELSEWHERE, NOWHERE]).await;
    let six: &'static Blob = Box::leak(Box::new(blob(6)));
    let expects = AddRequest { expect_latest: Some(of("5")), ..adding("app") };
    world.holds(addition(&expects, six), &[A_TAG, TAGS, ELSEWHERE, NOWHERE]).await;
    let begins = adding("begun");
    world.holds(addition(&begins, six), &[A_TAG, TAGS, RELEASES, ELSEWHERE, NOWHERE]).await;
}

#[tokio::test]
async fn moves_are_held_to_what_they_cover() {
    let world = World::new().await;
    let one = |tag, to| OneMove::new(moving(tag, to), author(None));
    let all = [RELEASES, A_VERSION, ELSEWHERE, NOWHERE];
    world.holds(one("live", Destination::Spec(Spec::Version(version(3)))), &all).await;
    world.holds(one("live", Destination::Spec(of("canary"))), &all).await;
    world.holds(one("live", Destination::Spec(Spec::Latest)), &[A_VERSION, ELSEWHERE]).await;
    world.holds(one("live", Destination::Back), &[RELEASES, ELSEWHERE, NOWHERE]).await;
    world.holds(one("canary", Destination::Off), &all).await;
    // The fourth entry put `live` on version 3.
    world.holds(one("live", Destination::Earlier(version(3), 4)), &[RELEASES, ELSEWHERE, NOWHERE]).await;
    let gated = Move {
        require: vec![of("label:tests=passed"), of("tag:canary"), of("age:0s")],
        ..moving("live", Destination::Spec(Spec::Version(version(2))))
    };
    world.commit(&one("canary", Destination::Spec(Spec::Version(version(2)))), None).await;
    let label = ReleaseChange::Label(Labels::parse(["tests=passed"]).unwrap());
    let label = ChangeRequest::new(of("app"), version(2), label).author(author(None));
    world.ledger.change(&label).await.unwrap();
    world.holds(OneMove::new(gated, author(None)), &all).await;
    let moves = || {
        vec![
            moving("live", Destination::Spec(Spec::Version(version(3)))),
            moving("beta", Destination::Spec(Spec::Version(version(2)))),
        ]
    };
    world.holds(Moving::plan(moves(), author(None)).unwrap(), &all).await;
    let plan = r#"{"moves": [{"package": "app", "tag": "live", "to": "3"}, {"package": "app", "tag": "beta", "to": "2"}]}"#;
    let request = ApplyRequest { plan: of(plan), undo: true, emergency: None, author: author(None) };
    world.holds(Undoing::new(&request, moves()).unwrap(), &[RELEASES, ELSEWHERE, NOWHERE]).await;
    let protect = ProtectRequest {
        package: of("app"),
        tag: of("live"),
        protection: Some(Protection::Confirm),
        require: vec![of("label:scan=passed"), of("tag:beta"), of("was:beta"), of("soak:beta=1h")],
        no_override: false,
        author: author(None),
    };
    let unprotect = ProtectRequest { protection: None, require: Vec::new(), ..protect.clone() };
    world.holds(protect, &all).await;
    // A gate that is passed over is still closed at the commit: for a label, the version's item is checked, too.
    let over = |to: &str| {
        let to = Destination::Spec(of(to));
        Move { overriding: Some(of("urgent")), confirmed: true, ..moving("live", to) }
    };
    for spec in ["3", "canary"] {
        world.holds(OneMove::new(over(spec), author(None)), &all).await;
    }
    world.holds(unprotect, &all).await;
}

#[tokio::test]
async fn changes_of_a_version_are_held_to_what_they_cover() {
    let world = World::new().await;
    let label = ReleaseChange::Label(Labels::parse(["a=b"]).unwrap());
    let changes =
        [label, ReleaseChange::Yank, ReleaseChange::Unyank, ReleaseChange::Yank, ReleaseChange::Delete];
    for change in changes {
        let withdraws = matches!(change, ReleaseChange::Yank | ReleaseChange::Delete);
        let blob = (change == ReleaseChange::Delete).then(|| blob(3).address);
        let request = ChangeRequest::new(of("app"), version(3), change).author(author(None));
        let head = world.table.get(&Key::new(TAGS.0, TAGS.1)).await.unwrap().unwrap();
        let rev = head["rev"].as_u64().unwrap();
        let tags = TagDependencies { rev, on: Vec::new(), back: Vec::new(), unreadable: None };
        let changing = Changing { request: &request, tags, blob, deletion: None, guard: None };
        let outside: &[_] =
            if withdraws { &[ELSEWHERE, NOWHERE] } else { &[TAGS, A_TAG, ELSEWHERE, NOWHERE] };
        world.holds(changing, outside).await;
    }
}

/// Returns a snapshot of everything, read at one instant.
async fn everything(world: &World) -> Snapshot {
    let (mut keys, mut items) = (vec![Key::new(NOWHERE.0, NOWHERE.1)], vec![None]);
    for (key, item) in world.dump().await {
        keys.push(key);
        items.push(Some(item));
    }
    Snapshot::new(keys, items, true)
}

#[tokio::test]
async fn a_tag_that_stays_on_latest_holds_the_plan_to_it() {
    let world = World::new().await;
    let latest = || Destination::Spec(Spec::Latest);
    world.commit(&OneMove::new(moving("live", latest()), author(None)), None).await;
    let stays = Moving::plan(
        vec![moving("live", latest()), moving("beta", Destination::Spec(of("canary")))],
        author(None),
    );
    let moved = world.commit(&stays.unwrap(), None).await;
    assert_eq!((moved[0].previous, moved[0].version), (Some(version(3)), Some(version(3))));
    // With a key, the check is needed also if nothing is changed.
    world.commit(&OneMove::new(moving("live", latest()), author(Some("job"))), Some("job")).await;
}
