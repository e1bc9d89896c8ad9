//! The tags of many packages at once, now and at a time.

use super::rollback::{change, rolling_back};
use crate::support::world::{
    Tables, World, add, adding, author, edit, of, retry_policy, tag, tagging, try_add, untag,
};
use sacker::{
    ledger::{Error, Ledger, NotFound, ProtectRequest, Refused, TableLedger},
    model::{Moment, PackageName, PackageStatus, Protection, ReleaseChange, Spec, State, TagName, Timestamp},
    table::Table,
};
use serde_json::json;
use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

fn shown(status: &PackageStatus) -> Vec<String> {
    let number = |version: Option<_>| version.map_or(0, u64::from);
    let one = |tag: &sacker::model::TagStatus| {
        let mut text = format!("{} {} r{}", tag.tag, number(tag.version), tag.rev);
        if let Some(protection) = tag.protection {
            let _ = write!(text, " {protection}");
        }
        if let Some(now) = &tag.now {
            let state = now.state.map_or_else(String::new, |state| state.to_string());
            let _ = write!(text, " now {} {state}", number(now.version));
        }
        text.trim_end().to_owned()
    };
    status.tags.iter().map(one).collect()
}

async fn status(ledger: &dyn Ledger, package: &str, tags: &[&str], at: Option<u64>) -> Vec<String> {
    let tags: Vec<TagName> = tags.iter().map(|tag| of(tag)).collect();
    let found = ledger.status(&[of(package)], &tags, at.map(Timestamp::from_millis)).await.unwrap();
    found.first().map(shown).unwrap_or_default()
}

pub async fn a_status_shows_each_tag_with_its_last_move(world: &Tables) {
    let ledger = world.ledger();
    let packages: Vec<PackageName> = ["app", "lib", "nosuch", "web"].map(of).to_vec();
    for name in ["app", "lib", "web"] {
        add(&*ledger, name, "one").await;
    }
    let why = author(None).message(of("first"));
    ledger.tag(&tagging("app", "1", "live").author(why)).await.unwrap();
    let moved = tag(&*ledger, "app", "1", "canary").await;
    add(&*ledger, "app", "two").await;
    tag(&*ledger, "web", "1", "old").await;
    untag(&*ledger, "web", "old").await;
    // A protection is a change of the tag, and no move: the time and the author stay those of the move.
    let protect = ProtectRequest::new(of("app"), of("canary"), Some(Protection::Confirm));
    let guard = ledger.protect(&protect.author(sacker::ledger::Author::new(of("guard@host")))).await.unwrap();
    let found = world.ledger().status(&packages, &[], None).await.unwrap();
    assert_eq!(found.iter().map(|it| it.package.as_str()).collect::<Vec<_>>(), ["app", "lib", "web"]);
    assert_eq!(shown(&found[0]), ["canary 1 r3 confirm", "live 1 r1"]);
    let canary = &found[0].tags[0];
    assert_eq!((canary.since, &canary.by), (moved.moved_at, &moved.moved_by));
    assert!(canary.since < guard.moved_at && canary.rev == guard.rev);
    assert_eq!(found[0].latest, Some(2.try_into().unwrap()));
    assert_eq!(found[0].behind(1.try_into().unwrap()), 1);
    assert!(found[1].tags.is_empty() && found[2].tags.is_empty());
    assert_eq!(status(&*ledger, "app", &["live", "never"], None).await, ["live 1 r1"]);
}

/// A head that an older release wrote names no tags: they are read from their range.
pub async fn a_status_needs_no_list_in_the_head(world: &Tables) {
    let ledger = world.ledger();
    try_add(&*ledger, &adding("app").tags([of("canary"), of("live")]), "one").await.unwrap();
    untag(&*ledger, "app", "canary").await;
    edit(&*world.table(), "T#app", "H", json!({ "live": null })).await;
    assert_eq!(status(&*ledger, "app", &[], None).await, ["live 1 r2"]);
    assert_eq!(status(&*ledger, "app", &["canary"], None).await, [""; 0]);
}

/// A ledger whose clock is set by hand.
struct Timed {
    ledger: TableLedger,
    clock: Arc<AtomicU64>,
}

impl Timed {
    fn new(table: Arc<dyn Table>) -> Self {
        let clock = Arc::new(AtomicU64::new(1000));
        let now = Arc::clone(&clock);
        let clock_now = Arc::new(move || Timestamp::from_millis(now.load(Ordering::Relaxed)));
        Self { ledger: TableLedger::with_clock(table, retry_policy(), clock_now), clock }
    }

    fn at(&self, time: u64) -> &TableLedger {
        self.clock.store(time, Ordering::Relaxed);
        &self.ledger
    }
}

pub async fn a_status_of_the_past_comes_from_the_log(world: &Tables) {
    let timed = Timed::new(world.table());
    let ledger = timed.at(1000);
    for content in ["one", "two", "three"] {
        add(ledger, "app", content).await;
    }
    tag(timed.at(2000), "app", "1", "live").await;
    tag(timed.at(3000), "app", "2", "live").await;
    tag(timed.at(3500), "app", "1", "old").await;
    untag(timed.at(4000), "app", "old").await;
    let protect = ProtectRequest::new(of("app"), of("live"), Some(Protection::Confirm)).author(author(None));
    timed.at(5000).protect(&protect).await.unwrap();
    tag(timed.at(6000), "app", "3", "canary").await;
    let roll = rolling_back("app", "live").confirm(true);
    timed.at(7000).rollback(&roll).await.unwrap();
    change(timed.at(8000), 2, ReleaseChange::Yank).await;
    let ledger = timed.at(9000);
    assert_eq!(status(ledger, "app", &[], Some(1500)).await, ["canary 0 r0 now 3", "live 0 r0 now 1"]);
    assert_eq!(
        status(ledger, "app", &[], Some(3600)).await,
        ["canary 0 r0 now 3", "live 2 r2 now 1 yanked", "old 1 r3 now 0 active"]
    );
    assert_eq!(status(ledger, "app", &["live"], Some(5000)).await, ["live 2 r5 confirm now 1 yanked"]);
    assert_eq!(
        status(ledger, "app", &[], Some(9000)).await,
        ["canary 3 r6 now 3 active", "live 1 r7 confirm now 1 active"]
    );
    // The protection at 5000 did not move the tag.
    let then = ledger.status(&[of("app")], &[of("live")], Some(Timestamp::from_millis(5500))).await.unwrap();
    assert_eq!(then[0].tags[0].since, Timestamp::from_millis(3000));
    assert_eq!(then[0].tags[0].now.as_ref().unwrap().state, Some(State::Yanked));
}

/// At each time, each tag is where `TAG@{TIME}` says: two ways of reading the same log.
pub async fn a_status_of_the_past_agrees_with_each_spec(world: &Tables) {
    let timed = Timed::new(world.table());
    for content in ["one", "two", "three"] {
        add(timed.at(1000), "app", content).await;
    }
    let mut random = fastrand::Rng::with_seed(7);
    for step in 1..=30_u64 {
        let ledger = timed.at(1000 + step * 100);
        let name = random.choice(["live", "canary", "beta"]).unwrap();
        if random.u8(0..4) == 0 {
            // A tag that never was can't be removed.
            let _ = ledger.untag(&crate::support::world::untagging("app", name)).await;
        } else {
            tag(ledger, "app", &random.u64(1..4).to_string(), name).await;
        }
    }
    let ledger = timed.at(1_000_000);
    for at in (1050..4300).step_by(175) {
        let found = ledger.status(&[of("app")], &[], Some(Timestamp::from_millis(at))).await.unwrap();
        for name in ["live", "canary", "beta"] {
            let name: TagName = of(name);
            let spec = Spec::At(name.clone(), Moment::Time(Timestamp::from_millis(at)));
            let one = match ledger.position(&of("app"), &spec).await {
                Ok((version, _)) => Some(version),
                Err(Error::NotFound(NotFound::Then { .. } | NotFound::Tag { .. })) => None,
                Err(error) => panic!("{error}"),
            };
            assert_eq!(found[0].tag(&name).and_then(|tag| tag.version), one, "{name} at {at}");
        }
    }
}

/// The rules of `live@{…}` hold: no version is guessed where a clock was wrong.
pub async fn a_status_of_an_uncertain_time_is_refused(world: &Tables) {
    const YEAR: u64 = 365 * 24 * 3600 * 1000;
    let timed = Timed::new(world.table());
    for content in ["one", "two"] {
        add(timed.at(1000), "app", content).await;
    }
    tag(timed.at(2000), "app", "1", "live").await;
    tag(timed.at(2000), "app", "1", "canary").await;
    tag(timed.at(YEAR), "app", "2", "live").await;
    tag(timed.at(3000), "app", "1", "live").await;
    let ledger = timed.at(4000);
    for at in [2500, YEAR + 5] {
        let moment = Moment::Time(Timestamp::from_millis(at));
        let one = ledger.position(&of("app"), &Spec::At(of("live"), moment)).await;
        let all = ledger.status(&[of("app")], &[of("live")], Some(Timestamp::from_millis(at))).await;
        let uncertain =
            |error: Option<Error>| matches!(error, Some(Error::Refused(Refused::UncertainTime(_))));
        assert_eq!((uncertain(one.err()), uncertain(all.err())), (true, true), "{at}");
    }
    assert_eq!(status(ledger, "app", &["canary"], Some(2500)).await, ["canary 1 r2 now 1 active"]);
}
