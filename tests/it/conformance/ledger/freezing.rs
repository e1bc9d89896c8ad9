//! Freezes: what they refuse, what they let pass, and that no move lands once a freeze has returned.

use super::{
    concurrent::at_once,
    plans::{apply, applying, moving, undoing},
    rollback::{change, rolling_back},
};
use crate::support::{
    audit::audit,
    world::{
        Tables, World, add, add_many, adding, author, edit, of, read, remove, retry_policy, tag, tagging,
        tags, try_add, untag, write,
    },
};
use futures_util::TryStreamExt;
use sacker::{
    ledger::{
        Error, FreezeRequest, Freezes as _, Invariant, Ledger, NotFound, Refused, Repair, TableLedger,
        ThawRequest,
    },
    model::{EventKind, Freeze, FreezeKind, PackageName, ReleaseChange, Timestamp, Until},
    table::Item,
};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

const OP: &str = "0123456789abcdef0123456789abcdef";

pub fn freezing(prefix: &str) -> FreezeRequest {
    FreezeRequest::new(of(prefix), of("x")).author(author(None)).message(of("the database is full"))
}

pub fn thawing(prefix: &str) -> ThawRequest {
    ThawRequest::new(of(prefix)).author(author(None))
}

/// Returns the freezes that refused a move.
fn met<T: std::fmt::Debug>(moved: Result<T, Error>) -> Vec<Freeze> {
    match moved.unwrap_err() {
        Error::Refused(Refused::Frozen { freezes, .. }) => freezes,
        other => panic!("{other:?}"),
    }
}

pub async fn a_freeze_refuses_every_move_forward(world: &Tables) {
    let ledger = world.ledger();
    for package in ["app", "app-too", "lib"] {
        add_many(&*ledger, package, 3).await;
        tag(&*ledger, package, "1", "live").await;
        tag(&*ledger, package, "2", "live").await;
    }
    let plan = |to| moving(&[("app", "stable", to, ""), ("lib", "stable", to, "")]);
    apply(&*ledger, &applying(&plan("1"))).await;
    let frozen = ledger.freeze(&freezing("app")).await.unwrap();
    assert_eq!((frozen.kind, frozen.rev, frozen.strict, frozen.until), (FreezeKind::Freeze, 1, false, None));
    let other = world.ledger();
    for spec in ["1", "latest", "live~1"] {
        let freezes = met(other.tag(&tagging("app", spec, "canary")).await);
        assert_eq!(freezes.len(), 1);
        assert_eq!((freezes[0].since, freezes[0].by.as_str()), (frozen.at, frozen.by.as_str()));
        assert_eq!(freezes[0].message, Some(of("the database is full")));
    }
    met(other.tag(&tagging("app-too", "1", "live")).await);
    met(try_add(&*other, &adding("app").tags([of("live")]), "more").await);
    met(try_add(&*other, &adding("app-new").tags([of("live")]), "more").await);
    met(try_add(&*other, &adding("app").if_changed(true).tags([of("live")]), "app 3").await);
    let Error::Moves { failed, of: 2 } = other.apply(&applying(&plan("2"))).await.unwrap_err() else {
        panic!()
    };
    assert_eq!((failed.len(), failed[0].package.as_str()), (1, "app"));
    assert_eq!(ledger.freezes().await.unwrap().len(), 1);
    // Where a tag is already, it may be put; and everything that a responder needs works.
    tag(&*other, "app", "2", "live").await;
    tag(&*other, "lib", "3", "live").await;
    add(&*other, "app", "another").await;
    other.rollback(&rolling_back("app", "live")).await.unwrap();
    other.apply(&undoing(&plan("1"))).await.unwrap();
    untag(&*other, "app-too", "live").await;
    change(&*other, 3, ReleaseChange::Yank).await;
    assert_eq!(tags(&*other, "app").await, "latest=4 live=1");
    let thawed = other.thaw(&thawing("app")).await.unwrap();
    assert_eq!((thawed.kind, thawed.rev), (FreezeKind::Thaw, 2));
    tag(&*ledger, "app", "4", "live").await;
    assert!(ledger.freezes().await.unwrap().is_empty());
    let history: Vec<_> = ledger.freeze_history().map_ok(|event| event.kind).try_collect().await.unwrap();
    assert_eq!(history, [FreezeKind::Thaw, FreezeKind::Freeze]);
    for package in ["app", "app-too", "lib"] {
        audit(&*world.table(), package).await;
    }
}

pub async fn an_emergency_passes_and_is_recorded(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    ledger.freeze(&freezing("")).await.unwrap();
    let urgent = |spec| tagging("app", spec, "live").emergency(of("the fix"));
    ledger.tag(&urgent("1")).await.unwrap();
    let request = adding("app").tags([of("live")]).emergency(of("the fix"));
    try_add(&*ledger, &request, "fixed").await.unwrap();
    let plan = applying(&moving(&[("app", "live", "2", ""), ("app", "canary", "2", "")]));
    ledger.apply(&plan.clone().emergency(of("the plan"))).await.unwrap();
    let events: Vec<_> = ledger.history(&of("app"), None).try_collect().await.unwrap();
    let moves = events.iter().filter(|event| event.kind == EventKind::Move);
    let why: Vec<_> = moves.map(|event| event.emergency.as_ref().map_or("", AsRef::as_ref)).collect();
    assert_eq!(why, ["the plan", "the plan", "the fix", "the fix"]);
    ledger.freeze(&freezing("ap").strict(true)).await.unwrap();
    assert_eq!(met(ledger.tag(&urgent("3")).await).len(), 2);
    ledger.thaw(&thawing("ap")).await.unwrap();
    ledger.thaw(&thawing("")).await.unwrap();
    // No freeze is passed, so none is recorded.
    ledger.tag(&urgent("3")).await.unwrap();
    let events: Vec<_> = ledger.history(&of("app"), Some(&of("live"))).try_collect().await.unwrap();
    assert_eq!(events[0].emergency, None);
    audit(&*world.table(), "app").await;
}

/// The ledger as a client has it whose clock shows this.
fn by_clock(world: &Tables, millis: &Arc<AtomicU64>) -> TableLedger {
    let millis = Arc::clone(millis);
    let clock = move || Timestamp::from_millis(millis.load(Ordering::Relaxed));
    TableLedger::with_clock(world.table(), retry_policy(), Arc::new(clock))
}

pub async fn a_freeze_ends_by_itself(world: &Tables) {
    let millis = Arc::new(AtomicU64::new(1_000_000));
    let ledger = by_clock(world, &millis);
    add_many(&ledger, "app", 2).await;
    let until = |length: &str| freezing("app").until(of::<Until>(length));
    let error = ledger.freeze(&until("1970-01-01T00:00:01Z")).await.unwrap_err();
    assert!(matches!(error, Error::Refused(Refused::PastUntil { .. })), "{error:?}");
    let frozen = ledger.freeze(&until("10s")).await.unwrap();
    assert_eq!(frozen.until, Some(Timestamp::from_millis(1_010_000)));
    millis.store(1_009_999, Ordering::Relaxed);
    met(ledger.tag(&tagging("app", "1", "live")).await);
    // Others can't shorten it by freezing again.
    let error = ledger.freeze(&until("1s")).await.unwrap_err();
    assert!(matches!(error, Error::Refused(Refused::AlreadyFrozen(_))), "{error:?}");
    millis.store(1_010_000, Ordering::Relaxed);
    tag(&ledger, "app", "1", "live").await;
    // It may be frozen again, and thawed.
    assert_eq!(ledger.freeze(&freezing("app")).await.unwrap().rev, 2);
    met(ledger.tag(&tagging("app", "2", "live")).await);
    ledger.thaw(&thawing("app")).await.unwrap();
    tag(&ledger, "app", "2", "live").await;
}

pub async fn a_repeated_freeze_gives_the_first_outcome(world: &Tables) {
    let ledger = world.ledger();
    // The ledger has no identity yet.
    let first = ledger.freeze(&freezing("app")).await.unwrap();
    assert_eq!(world.ledger().freeze(&freezing("app")).await.unwrap(), first);
    let error = ledger.freeze(&freezing("app").strict(true)).await.unwrap_err();
    assert!(matches!(error, Error::Refused(Refused::AlreadyFrozen(_))), "{error:?}");
    let keyed = |key: &str| freezing("lib").key(of(key));
    let second = ledger.freeze(&keyed("k")).await.unwrap();
    let thaw = thawing("lib").key(of("t"));
    let thawed = ledger.thaw(&thaw).await.unwrap();
    for _ in 0..2 {
        assert_eq!(world.ledger().freeze(&keyed("k")).await.unwrap(), second);
        assert_eq!(world.ledger().thaw(&thaw).await.unwrap(), thawed);
    }
    let error = ledger.thaw(&thawing("lib").key(of("k"))).await.unwrap_err();
    assert!(error.to_string().contains("was used for `freeze lib*`"), "{error}");
    let error = ledger.thaw(&thawing("lib")).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(NotFound::Freeze(_))), "{error:?}");
    // What an unknown outcome left behind is found, or settled and done once.
    let op = read(&*world.table(), "F", "E#0000000000000001").await.unwrap()["op"].clone();
    let resumed = freezing("app").key(of(&format!("{}@1", op.as_str().unwrap())));
    assert_eq!(ledger.freeze(&resumed).await.unwrap(), first);
    let resumed = freezing("web").key(of(&format!("{OP}@4")));
    let third = ledger.freeze(&resumed).await.unwrap();
    assert_eq!(world.ledger().freeze(&resumed).await.unwrap(), third);
    assert_eq!(read(&*world.table(), "F", "E#0000000000000004").await.unwrap()["kind"], "fence");
    assert_eq!(third.rev, 5);
    add_many(&*ledger, "web", 1).await;
    met(ledger.tag(&tagging("web", "1", "live")).await);
    assert!(violations(&*ledger, false).await.is_empty());
}

pub async fn a_freeze_stops_releases_that_do_not_obey_it(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 1).await;
    let table = world.table();
    assert_eq!(read(&*table, "M", "M").await.unwrap().get("needs"), None);
    ledger.freeze(&freezing("app")).await.unwrap();
    ledger.thaw(&thawing("app")).await.unwrap();
    let meta = read(&*table, "M", "M").await.unwrap();
    assert_eq!(meta["needs"], json!({"read": "0.1.0", "write": "0.2.0"}));
    assert_eq!(meta["schema"], 2);
    tag(&*world.ledger(), "app", "1", "live").await;
    // A newer requirement stays.
    edit(&*table, "M", "M", json!({"needs": {"read": "0.1.1", "write": "0.1.5"}})).await;
    ledger.freeze(&freezing("app")).await.unwrap();
    let meta = read(&*table, "M", "M").await.unwrap();
    assert_eq!(meta["needs"], json!({"read": "0.1.1", "write": "0.2.0"}));
}

async fn violations(ledger: &dyn Ledger, repair: bool) -> Vec<(String, Invariant, Repair)> {
    let mut found = Vec::new();
    ledger.audit(repair, &mut |it| found.push((it.place, it.rule, it.repair))).await.unwrap();
    found
}

pub async fn wrong_freezes_are_found(world: &Tables) {
    let ledger = world.ledger();
    let table = world.table();
    add_many(&*ledger, "app", 1).await;
    ledger.freeze(&freezing("app")).await.unwrap();
    ledger.freeze(&freezing("lib").key(of("k"))).await.unwrap();
    assert_eq!(violations(&*ledger, false).await, []);
    // A replica that a freeze did not reach lets moves pass: it is repaired from the log.
    edit(&*table, "F#03", "F", json!({"freezes": {}})).await;
    remove(&*table, "F#31", "F").await;
    let wrong = |repair| ["F#03/F", "F#31/F"].map(|place| (place.to_owned(), Invariant::Head, repair));
    assert_eq!(violations(&*ledger, false).await, wrong(Repair::Possible));
    assert_eq!(violations(&*ledger, true).await, wrong(Repair::Done));
    assert_eq!(violations(&*ledger, false).await, []);
    let entry = read(&*table, "F", "E#0000000000000002").await.unwrap();
    let found = async |rule: Invariant| {
        let found = violations(&*world.ledger(), true).await;
        assert!(
            found.iter().any(|(_, it, repair)| *it == rule && *repair == Repair::Impossible),
            "{found:?}"
        );
    };
    edit(&*table, "F", "E#0000000000000002", json!({"prefix": "li"})).await;
    found(Invariant::Chain).await;
    remove(&*table, "F", "E#0000000000000002").await;
    found(Invariant::Head).await;
    write(&*table, "F", "E#0000000000000002", entry.into()).await;
    assert_eq!(violations(&*ledger, false).await, []);
    edit(&*table, "F", "H", json!({"freezes": {}})).await;
    found(Invariant::Head).await;
    write(&*table, "F", "X", json!({"a": 1})).await;
    found(Invariant::Newer).await;
}

pub async fn a_repeat_completes_a_freeze(world: &Tables) {
    let ledger = world.ledger();
    let table = world.table();
    add_many(&*ledger, "app", 3).await;
    ledger.freeze(&freezing("lib")).await.unwrap();
    let put_all = async |replica: &Item| {
        for number in 0..32 {
            write(&*table, &format!("F#{number:02}"), "F", replica.clone().into()).await;
        }
    };
    let before = read(&*table, "F#07", "F").await.unwrap();
    let first = ledger.freeze(&freezing("")).await.unwrap();
    let after = read(&*table, "F#07", "F").await.unwrap();
    // As if it had been interrupted after its log.
    put_all(&before).await;
    assert_eq!(violations(&*ledger, false).await.len(), 32);
    tag(&*ledger, "app", "1", "live").await;
    assert_eq!(world.ledger().freeze(&freezing("")).await.unwrap(), first);
    met(ledger.tag(&tagging("app", "2", "live")).await);
    assert_eq!(violations(&*ledger, false).await, []);
    // A thaw, too, although there is nothing to thaw any more.
    ledger.thaw(&thawing("")).await.unwrap();
    put_all(&after).await;
    met(ledger.tag(&tagging("app", "2", "live")).await);
    let error = ledger.thaw(&thawing("")).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(NotFound::Freeze(_))), "{error:?}");
    tag(&*ledger, "app", "2", "live").await;
    // So does a repair.
    put_all(&after).await;
    let found = violations(&*ledger, true).await;
    assert!(found.len() == 32 && found.iter().all(|(.., repair)| *repair == Repair::Done), "{found:?}");
    tag(&*ledger, "app", "3", "live").await;
    assert_eq!(violations(&*ledger, false).await, []);
}

/// Moves a tag back and forth until a freeze refuses it.
async fn move_until_frozen(ledger: &dyn Ledger, package: &str) -> u64 {
    let mut moves = 0;
    loop {
        let spec = if moves % 2 == 0 { "1" } else { "2" };
        match ledger.tag(&tagging(package, spec, "live")).await {
            Ok(_) => moves += 1,
            Err(Error::Refused(Refused::Frozen { .. })) => return moves,
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Eight clients move tags as fast as they can. Once a freeze has returned, no move lands.
pub async fn no_move_lands_after_a_freeze(world: &Tables) {
    let movers: Vec<_> = (0..8).map(|_| world.ledger()).collect();
    freeze_among(world.ledger(), movers).await;
}

/// Freezes while these clients move the tags of a package each; checks that nothing landed after the freeze returned.
pub async fn freeze_among(ledger: Arc<dyn Ledger>, movers: Vec<Arc<dyn Ledger>>) {
    let packages: Vec<PackageName> = (0..movers.len()).map(|number| of(&format!("app-{number}"))).collect();
    for package in &packages {
        add_many(&*ledger, package.as_str(), 2).await;
        tag(&*ledger, package.as_str(), "2", "live").await;
    }
    let moving = movers.into_iter().zip(packages.clone());
    let moving = moving.map(|(mover, package)| {
        Box::pin(async move { Some(move_until_frozen(&*mover, package.as_str()).await) })
            as std::pin::Pin<Box<dyn Future<Output = Option<u64>> + Send>>
    });
    let all = packages.clone();
    let freezing = Box::pin(async move {
        // They are under way.
        while ledger.positions(&all).await.unwrap().iter().any(|it| it.tags.rev < 3) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ledger.freeze(&freezing("app")).await.unwrap();
        let then = ledger.positions(&all).await.unwrap();
        // The others end by meeting it.
        (then, ledger, all)
    });
    let frozen = tokio::spawn(freezing);
    let outcomes = at_once(moving).await;
    let (then, ledger, all) = frozen.await.unwrap();
    let moved = |positions: &[sacker::ledger::Positions]| -> Vec<_> {
        positions.iter().map(|it| it.tags.rev).collect()
    };
    let now = ledger.positions(&all).await.unwrap();
    println!("{}: {outcomes:?} outcomes", ledger.describe());
    // A fence may follow, a move may not.
    for ((package, then), now) in packages.iter().zip(moved(&then)).zip(moved(&now)) {
        let events: Vec<_> = ledger.history(package, None).try_collect().await.unwrap();
        let later = events.iter().filter(|event| event.kind == EventKind::Move && event.rev > then);
        assert_eq!(later.count(), 0, "{package} moved after the freeze: {then} and {now}");
    }
}
