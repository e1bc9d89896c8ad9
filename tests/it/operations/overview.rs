//! The tags of many packages, plans that restore them, and finding versions.

use super::Site;
use crate::support::{
    faulty_table::{Fate, Faulty},
    world::{add, adding, author, edit, of, retry_policy, tag, tagging, try_add, untag, version},
};
use futures_util::TryStreamExt;
use sacker::{
    ledger::{ApplyRequest, ChangeRequest, Ledger, ProtectRequest, TableLedger},
    model::{Labels, Moment, Protection, ReleaseChange, State, TagName, Timestamp, Version},
    ops::{Client, Error, ErrorKind, Found, RestoreRequest, Status, StatusQuery, VersionQuery},
    store::memory::MemoryStore,
    table::memory::MemoryTable,
};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

async fn positions(client: &Client, query: &StatusQuery) -> Vec<String> {
    let statuses: Vec<Status> = client.status(query).try_collect().await.unwrap();
    let lines = statuses.into_iter().flat_map(|status| match status {
        Status::Package(status) => {
            let on = |tag: &sacker::model::TagStatus| tag.version.map(Version::get);
            let line =
                |tag: &sacker::model::TagStatus| Some(format!("{} {} {}", status.package, tag.tag, on(tag)?));
            status.tags.iter().filter_map(line).collect::<Vec<_>>()
        }
        Status::Unreadable { package, error } => vec![format!("{package}: {error}")],
        other => panic!("{other:?}"),
    });
    lines.collect()
}

/// A ledger in memory whose clock is set by hand.
struct Timed {
    client: Client,
    clock: Arc<AtomicU64>,
}

impl Timed {
    fn new() -> Self {
        let clock = Arc::new(AtomicU64::new(1000));
        let now = Arc::clone(&clock);
        let time = Arc::new(move || Timestamp::from_millis(now.load(Ordering::Relaxed)));
        let ledger = TableLedger::with_clock(Arc::new(MemoryTable::new()), retry_policy(), time);
        let store = Arc::new(MemoryStore::new());
        Self { client: Client::new(Arc::new(ledger), store, retry_policy(), std::env::temp_dir()), clock }
    }

    fn at(&self, time: u64) -> &dyn Ledger {
        self.clock.store(time, Ordering::Relaxed);
        self.client.ledger()
    }
}

fn moment(time: u64) -> Moment {
    Moment::Time(Timestamp::from_millis(time))
}

#[tokio::test]
async fn many_packages_come_in_order_and_one_that_is_damaged_is_left_out() {
    let site = Site::memory();
    let ledger = site.ledger();
    for number in 0..130 {
        try_add(&*ledger, &adding(&format!("p{number:03}")).tags([of("live")]), "one").await.unwrap();
    }
    let expected: Vec<_> = (0..130).map(|number| format!("p{number:03} live 1")).collect();
    assert_eq!(positions(&site.client(), &StatusQuery::new()).await, expected);
    assert_eq!(positions(&site.client(), &StatusQuery::new().prefix("p00")).await, expected[..10]);
    edit(&*site.table(), "T#p042", "H", json!({ "rev": "x" })).await;
    let found = positions(&site.client(), &StatusQuery::new()).await;
    assert_eq!(found.len(), 130);
    assert!(found[42].starts_with("p042: ") && found[42].contains("damaged"), "{}", found[42]);
    assert_eq!((&found[..42], &found[43..]), (&expected[..42], &expected[43..]));
}

/// The tags of a package are those of one instant: a plan that moves two tags between two reads shows as a whole.
#[tokio::test]
async fn a_move_between_two_reads_is_shown_as_a_whole() {
    for torn in 0..2 {
        let table = Arc::new(MemoryTable::new());
        let sound = Arc::new(TableLedger::new(Arc::clone(&table) as _, retry_policy()));
        try_add(&*sound, &adding("app").tags([of("canary"), of("live")]), "one").await.unwrap();
        add(&*sound, "app", "two").await;
        let faulty = Arc::new(Faulty::new(table, |_, _| Fate::Arrives));
        let ledger = TableLedger::new(Arc::clone(&faulty) as _, retry_policy());
        // The first read is that of the heads, the next one that of the tags.
        ledger.time_of(moment(0)).await.unwrap();
        faulty.set_rival(move |_| {
            let sound = Arc::clone(&sound);
            async move {
                let plan = r#"{"moves":[{"package":"app","tag":"canary","to":2},{"package":"app","tag":"live","to":2}]}"#;
                sound.apply(&ApplyRequest::new(of(plan)).author(author(None))).await.unwrap();
            }
        });
        // Between the two heads, or between the heads and the tags.
        if torn == 0 {
            faulty.tear_next_read(1);
        } else {
            faulty.tear_read_after_next(1);
        }
        let found = ledger.status(&[of("app")], &[], None).await.unwrap();
        let versions: Vec<_> = found[0].tags.iter().map(|tag| tag.version.unwrap().get()).collect();
        assert!(versions == [1, 1] || versions == [2, 2], "{versions:?}");
        let revs: Vec<_> = found[0].tags.iter().map(|tag| tag.rev).collect();
        assert!(revs == [1, 2] || revs == [3, 4], "{revs:?}");
    }
}

#[tokio::test]
async fn a_plan_restores_the_tags_of_a_time() {
    let timed = Timed::new();
    for name in ["app", "lib", "web"] {
        for content in ["one", "two"] {
            add(timed.at(1000), name, content).await;
        }
        tag(timed.at(2000), name, "1", "live").await;
    }
    tag(timed.at(3000), "app", "2", "live").await;
    untag(timed.at(3000), "lib", "live").await;
    tag(timed.at(3000), "web", "2", "beta").await;
    let ledger = timed.at(9000);
    let query = StatusQuery::new();
    let request = RestoreRequest::new(query.clone(), moment(2500));
    let plans = timed.client.plan_restore(&request).await.unwrap();
    let [plan] = plans.as_slice() else { panic!("{plans:?}") };
    assert_eq!(plan.moves().len(), 3);
    // A tag that moves before the plan is applied refuses all of it.
    tag(ledger, "web", "1", "beta").await;
    let apply = ApplyRequest::new(plan.clone()).author(author(None));
    assert_eq!(timed.client.apply(&apply).await.unwrap_err().kind(), ErrorKind::Conflict);
    let plans = timed.client.plan_restore(&request).await.unwrap();
    timed.client.apply(&ApplyRequest::new(plans[0].clone()).author(author(None))).await.unwrap();
    let then = positions(&timed.client, &query.clone().at(moment(2500))).await;
    assert_eq!(positions(&timed.client, &query).await, then);
    assert_eq!(then, ["app live 1", "lib live 1", "web live 1"]);
    assert!(timed.client.plan_restore(&request).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_can_not_be_restored_is_named_and_nothing_is_planned() {
    let timed = Timed::new();
    for content in ["one", "two"] {
        add(timed.at(1000), "app", content).await;
        add(timed.at(1000), "lib", content).await;
    }
    tag(timed.at(2000), "app", "1", "live").await;
    tag(timed.at(3000), "app", "2", "live").await;
    let ledger = timed.at(4000);
    let yank = ChangeRequest::new(of("app"), version(1), ReleaseChange::Yank).author(author(None));
    ledger.change(&yank).await.unwrap();
    let protect = ProtectRequest::new(of("lib"), of("v2"), Some(Protection::WriteOnce)).author(author(None));
    ledger.protect(&protect).await.unwrap();
    tag(ledger, "lib", "2", "v2").await;
    let gated = ProtectRequest::new(of("lib"), of("v3"), Some(Protection::WriteOnce)).require(of("tag:v2"));
    ledger.protect(&gated.author(author(None))).await.unwrap();
    tag(ledger, "lib", "2", "v3").await;
    let request = RestoreRequest::new(StatusQuery::new(), moment(2500));
    let error = timed.client.plan_restore(&request).await.unwrap_err();
    let Error::NotRestorable { obstacles } = &error else { panic!("{error}") };
    let named: Vec<_> = obstacles.iter().map(ToString::to_string).collect();
    assert_eq!(
        named,
        [
            "app live: 1 is yanked now",
            "lib v2: the tag is write-once, so it never moves again",
            "lib v3: the tag is write-once, so it never moves again",
        ]
    );
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn a_large_plan_is_split_only_on_request() {
    let timed = Timed::new();
    for number in 0..30 {
        let name = format!("p{number:02}");
        add(timed.at(1000), &name, "one").await;
        add(timed.at(1000), &name, "two").await;
        tag(timed.at(2000), &name, "1", "live").await;
        let confirm = ProtectRequest::new(of(&name), of("live"), Some(Protection::Confirm));
        timed.at(2100).protect(&confirm.author(author(None))).await.unwrap();
        let confirmed = tagging(&name, "2", "live").confirm(true).author(author(None));
        timed.at(3000).tag(&confirmed).await.unwrap();
    }
    timed.at(9000);
    let request = RestoreRequest::new(StatusQuery::new(), moment(2500)).confirm(of("live"));
    let error = timed.client.plan_restore(&request).await.unwrap_err();
    assert!(matches!(error, Error::NeedsSplit { packages: 30, plans: 2 }), "{error}");
    for (number, plan) in
        timed.client.plan_restore(&request.split(true)).await.unwrap().into_iter().enumerate()
    {
        // A key is one item more, and still fits.
        let mut author = author(None);
        author.key = Some(of(&format!("restore-{number}")));
        timed.client.apply(&ApplyRequest::new(plan).author(author)).await.unwrap();
    }
    let now = positions(&timed.client, &StatusQuery::new()).await;
    assert!(now.iter().all(|line| line.ends_with("live 1")) && now.len() == 30, "{now:?}");
}

#[tokio::test]
async fn versions_are_found_by_range_label_state_and_time() {
    let timed = Timed::new();
    for number in 1..=9_u64 {
        let labels = Labels::parse([if number % 3 == 0 { "kind=full" } else { "kind=part" }]).unwrap();
        for name in ["app", "lib"] {
            let request = adding(name).labels(labels.clone());
            try_add(timed.at(number * 1000), &request, &format!("{name} {number}")).await.unwrap();
        }
    }
    let later = Labels::parse(["scan=passed"]).unwrap();
    let ledger = timed.at(10_000);
    let label = ChangeRequest::new(of("app"), version(6), ReleaseChange::Label(later.clone()));
    ledger.change(&label.author(author(None))).await.unwrap();
    let yank = ChangeRequest::new(of("app"), version(9), ReleaseChange::Yank).author(author(None));
    ledger.change(&yank).await.unwrap();
    let numbers = async |query: VersionQuery| {
        let found: Vec<_> = timed.client.find_versions(&of("app"), &query).try_collect().await.unwrap();
        found.iter().map(|release| release.version.get()).collect::<Vec<_>>()
    };
    let full = Labels::parse(["kind=full"]).unwrap();
    assert_eq!(numbers(VersionQuery::new().range(of("3..5"))).await, [5, 4, 3]);
    assert_eq!(numbers(VersionQuery::new().labels(full.clone())).await, [9, 6, 3]);
    assert_eq!(numbers(VersionQuery::new().labels(full.clone()).state(State::Active)).await, [6, 3]);
    assert_eq!(numbers(VersionQuery::new().labels(later)).await, [6]);
    assert_eq!(numbers(VersionQuery::new().since(moment(8000))).await, [9, 8]);
    assert_eq!(numbers(VersionQuery::new().range(of("..4")).since(moment(3000))).await, [4, 3]);
    let found: Vec<_> = timed.client.find("", &VersionQuery::new().labels(full)).try_collect().await.unwrap();
    let mut found: Vec<_> = found
        .into_iter()
        .map(|found| match found {
            Found::Version(release) => format!("{} {}", release.package, release.version),
            other => panic!("{other:?}"),
        })
        .collect();
    found.sort();
    assert_eq!(found, ["app 3", "app 6", "app 9", "lib 3", "lib 6", "lib 9"]);
}

#[tokio::test]
async fn changes_are_what_one_spec_adds_to_the_other() {
    let site = Site::memory();
    for content in ["one", "two", "three", "four"] {
        site.add("app", content).await;
    }
    let ledger = site.ledger();
    tag(&*ledger, "app", "1", "live").await;
    tag(&*ledger, "app", "3", "canary").await;
    for (from, to, backwards, expected) in [
        ("live", "canary", false, vec![3, 2]),
        ("canary", "live", true, vec![3, 2]),
        ("live", "live", false, vec![]),
        ("2", "latest", false, vec![4, 3]),
    ] {
        let changes = site.client();
        let changes = changes.changes(&of("app"), &of(from), &of(to)).await.unwrap();
        assert_eq!(changes.backwards, backwards, "{from}..{to}");
        let versions: Vec<_> = changes.versions.try_collect().await.unwrap();
        let numbers: Vec<u64> = versions.iter().map(|release| release.version.get()).collect();
        assert_eq!(numbers, expected, "{from}..{to}");
    }
    let missing: TagName = of("never");
    let error = site.client().changes(&of("app"), &of("1"), &missing.into()).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
