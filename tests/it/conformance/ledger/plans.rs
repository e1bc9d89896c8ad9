//! Moving tags of many packages together, and taking that back.

use super::{concurrent::at_once, rollback::change};
use crate::support::{
    audit::audit,
    world::{Tables, World, add_many, author, of, read, tag, tagging, tags, untag, version},
};
use sacker::{
    ledger::{ApplyRequest, Conflict, Error, Failed, Ledger, NotFound, Refused},
    model::{ReleaseChange, State, TagKind, TagMove},
    table::Key,
};
use std::{fmt::Write as _, sync::Arc};

/// A plan of these moves: package, tag, to (as JSON), and more.
pub fn moving(moves: &[(&str, &str, &str, &str)]) -> String {
    let moves = moves.iter().map(|(package, tag, to, more)| {
        format!(r#"{{"package": "{package}", "tag": "{tag}", "to": {to}{more}}}"#)
    });
    format!(r#"{{"moves": [{}]}}"#, moves.collect::<Vec<_>>().join(","))
}

pub fn applying(plan: &str) -> ApplyRequest {
    ApplyRequest::new(of(plan)).author(author(None))
}

pub fn undoing(plan: &str) -> ApplyRequest {
    applying(plan).undo(true)
}

pub fn keyed(request: ApplyRequest, key: &str) -> ApplyRequest {
    request.author(author(Some(key)))
}

/// Formats the moves of a plan: `web live 1>2`.
pub fn shown(moves: &[TagMove]) -> String {
    let mut all = String::new();
    for it in moves {
        let number = |version: Option<_>| version.map_or(0, u64::from);
        write!(all, "{} {} {}>{} ", it.package, it.tag, number(it.previous), number(it.version)).unwrap();
    }
    all.trim_end().to_owned()
}

pub async fn apply(ledger: &dyn Ledger, request: &ApplyRequest) -> String {
    shown(&ledger.apply(request).await.unwrap())
}

/// Returns the reason why each move of a plan can't be made.
pub async fn refused(ledger: &dyn Ledger, request: &ApplyRequest) -> Vec<(String, Error)> {
    // It is foreseen as it then is.
    let previewed = ledger.preview(request).await.unwrap_err();
    match ledger.apply(request).await.unwrap_err() {
        Error::Moves { failed, of } => {
            assert!(of > 1);
            let Error::Moves { failed: first, .. } = previewed else { panic!("{previewed:?}") };
            let said = |all: &[Failed]| all.iter().map(|it| it.error.to_string()).collect::<Vec<_>>();
            assert_eq!(said(&first), said(&failed));
            failed.into_iter().map(|it| (format!("{} {}", it.package, it.tag), it.error)).collect()
        }
        other => panic!("{other:?}"),
    }
}

pub async fn everything(world: &Tables, packages: &[&str]) -> String {
    let mut all = String::new();
    for package in packages {
        write!(all, "{package}: {} / ", tags(&*world.ledger(), package).await).unwrap();
        audit(&*world.table(), package).await;
    }
    all.trim_end_matches(" / ").to_owned()
}

pub async fn three(ledger: &dyn Ledger) {
    for package in ["app", "web", "old"] {
        add_many(ledger, package, 3).await;
        tag(ledger, package, "1", "live").await;
    }
    tag(ledger, "web", "2", "canary").await;
}

pub const PACKAGES: [&str; 3] = ["app", "old", "web"];

pub async fn all_moves_are_made(world: &Tables) {
    let ledger = world.ledger();
    three(&*ledger).await;
    let plan = moving(&[
        ("web", "live", r#""canary""#, r#", "expect": 1"#),
        ("old", "live", "null", ""),
        ("app", "live", r#""latest""#, ""),
        ("app", "canary", r#""live""#, r#", "expect": "none""#),
    ]);
    let before = everything(world, &PACKAGES).await;
    let expected = "web live 1>2 old live 1>0 app live 1>3 app canary 0>1";
    assert_eq!(shown(&ledger.preview(&applying(&plan)).await.unwrap()), expected);
    assert_eq!(everything(world, &PACKAGES).await, before);
    let request = applying(&plan).author(author(None).message(of("release 7")));
    let moved = ledger.apply(&request).await.unwrap();
    // All are resolved against the state before: canary is on what live was on.
    assert_eq!(shown(&moved), expected);
    assert!(moved.iter().all(|it| it.message == Some(of("release 7"))));
    assert_eq!(moved.iter().map(|it| it.rev).collect::<Vec<_>>(), [3, 2, 2, 3]);
    let kinds: Vec<_> = moved.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [TagKind::Move, TagKind::Untag, TagKind::Move, TagKind::Move]);
    let after = "app: latest=3 canary=1 live=3 / old: latest=3 / web: latest=3 canary=2 live=2";
    assert_eq!(everything(world, &PACKAGES).await, after);
}

pub async fn or_none_and_every_reason_is_named(world: &Tables) {
    let ledger = world.ledger();
    three(&*ledger).await;
    change(&*ledger, 2, ReleaseChange::Yank).await;
    let before = everything(world, &PACKAGES).await;
    let plan = moving(&[
        ("web", "live", r#""canary""#, ""),
        ("app", "live", "2", ""),
        ("app", "canary", "9", ""),
        ("nope", "live", "1", ""),
        ("old", "live", "2", r#", "expect": 3"#),
        ("old", "beta", "null", ""),
        ("old", "canary", r#""beta""#, ""),
    ]);
    let reasons = refused(&*ledger, &applying(&plan)).await;
    let named: Vec<_> = reasons.iter().map(|(tag, _)| tag.as_str()).collect();
    assert_eq!(named, ["app live", "app canary", "nope live", "old live", "old beta", "old canary"]);
    let mut errors = reasons.into_iter().map(|(_, error)| error);
    let mut next = || errors.next().unwrap();
    assert!(matches!(next(), Error::Refused(Refused::NotActive { state: State::Yanked, .. })));
    assert!(matches!(next(), Error::NotFound(NotFound::Version { .. })));
    assert!(matches!(next(), Error::NotFound(NotFound::Package(_))));
    match next() {
        Error::Conflict(Conflict::Tag { found, by, .. }) => {
            assert_eq!((found, by.is_some()), (Some(version(1)), true));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(next(), Error::NotFound(NotFound::Tag { .. })));
    assert!(matches!(next(), Error::NotFound(NotFound::Tag { .. })));
    assert_eq!(everything(world, &PACKAGES).await, before);
    // Of one move alone, it is that move's own reason.
    let error = ledger.apply(&applying(&moving(&[("nope", "live", "1", "")]))).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(NotFound::Package(_))), "{error:?}");
}

pub async fn tags_already_in_place_stay(world: &Tables) {
    let ledger = world.ledger();
    three(&*ledger).await;
    let plan = moving(&[("app", "live", "1", ""), ("web", "live", "2", ""), ("old", "live", "1", "")]);
    assert_eq!(apply(&*ledger, &applying(&plan)).await, "app live 1>1 web live 1>2 old live 1>1");
    assert_eq!(apply(&*ledger, &applying(&plan)).await, "app live 1>1 web live 2>2 old live 1>1");
    let after = "app: latest=3 live=1 / old: latest=3 live=1 / web: latest=3 canary=2 live=2";
    assert_eq!(everything(world, &PACKAGES).await, after);
    assert_eq!(audit(&*world.table(), "app").await.moves, 1);
    // What it found in place counts as applied, and is left there.
    assert_eq!(apply(&*ledger, &undoing(&plan)).await, "app live 1>1 web live 2>1 old live 1>1");
}

pub async fn two_tags_change_places(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    tag(&*ledger, "app", "1", "blue").await;
    tag(&*ledger, "app", "2", "green").await;
    let plan = moving(&[("app", "blue", r#""green""#, ""), ("app", "green", r#""blue""#, "")]);
    assert_eq!(apply(&*ledger, &applying(&plan)).await, "app blue 1>2 app green 2>1");
    assert_eq!(apply(&*ledger, &applying(&plan)).await, "app blue 2>1 app green 1>2");
    assert_eq!(apply(&*ledger, &undoing(&plan)).await, "app blue 1>2 app green 2>1");
    assert_eq!(everything(world, &["app"]).await, "app: latest=2 blue=2 green=1");
}

pub async fn a_repeated_plan_gives_the_first_outcome(world: &Tables) {
    let ledger = world.ledger();
    three(&*ledger).await;
    // The first package by name has nothing to change.
    let plan =
        moving(&[("web", "live", r#""canary""#, ""), ("app", "live", "1", ""), ("old", "live", "null", "")]);
    let first = ledger.apply(&keyed(applying(&plan), "k")).await.unwrap();
    assert_eq!(shown(&first), "web live 1>2 app live 1>1 old live 1>0");
    let unchanged = ledger.apply(&keyed(applying(&plan), "again")).await.unwrap();
    assert_eq!(shown(&unchanged), "web live 2>2 app live 1>1 old live 0>0");
    tag(&*ledger, "web", "3", "live").await;
    tag(&*ledger, "app", "3", "live").await;
    tag(&*ledger, "old", "3", "live").await;
    assert_eq!(world.ledger().apply(&keyed(applying(&plan), "k")).await.unwrap(), first);
    assert_eq!(world.ledger().apply(&keyed(applying(&plan), "again")).await.unwrap(), unchanged);
    // By its slot it is found as well, though another package's log was the first to get an entry.
    let op = read(&*world.table(), "T#old", "E#0000000000000002").await.unwrap()["op"].clone();
    let resumed = keyed(applying(&plan), &format!("{}@2", op.as_str().unwrap()));
    assert_eq!(world.ledger().apply(&resumed).await.unwrap(), first);
    // A key is good for one plan.
    let other = moving(&[("web", "live", "1", ""), ("app", "live", "1", ""), ("old", "live", "null", "")]);
    for request in [keyed(applying(&other), "k"), keyed(undoing(&plan), "k")] {
        let error = ledger.apply(&request).await.unwrap_err();
        assert!(matches!(error, Error::Conflict(Conflict::Key { .. })), "{error:?}");
    }
    assert_eq!(
        everything(world, &PACKAGES).await,
        "app: latest=3 live=3 / old: latest=3 live=3 / web: latest=3 canary=2 live=3"
    );
}

pub async fn a_plan_that_did_not_land_is_resumed_once(world: &Tables) {
    let ledger = world.ledger();
    three(&*ledger).await;
    let plan = moving(&[("web", "live", "2", ""), ("app", "live", "2", "")]);
    let resumed = keyed(applying(&plan), &format!("{}@2", "a".repeat(32)));
    let first = ledger.apply(&resumed).await.unwrap();
    assert_eq!(shown(&first), "web live 1>2 app live 1>2");
    assert_eq!(world.ledger().apply(&resumed).await.unwrap(), first);
    // Every log that the first run could have tried is fenced.
    let fences = [audit(&*world.table(), "web").await.fences, audit(&*world.table(), "app").await.fences];
    assert!(fences.iter().sum::<usize>() >= 1, "{fences:?}");
    assert_eq!(
        everything(world, &["app", "web"]).await,
        "app: latest=3 live=2 / web: latest=3 canary=2 live=2"
    );
}

pub async fn a_resumed_plan_is_found_by_any_of_its_entries(world: &Tables) {
    let ledger = world.ledger();
    three(&*ledger).await;
    tag(&*ledger, "app", "1", "first").await;
    let plan = moving(&[("old", "live", "2", ""), ("app", "live", "2", "")]);
    for (request, slot) in [(applying(&plan), 3), (undoing(&plan), 5)] {
        // The log of `app` is fenced in that slot, and the entry of `old` comes to be in the one of that number.
        let resumed = keyed(request, &format!("{slot:032x}@{slot}"));
        let first = ledger.apply(&resumed).await.unwrap();
        let at = format!("E#{slot:016}");
        assert_eq!(read(&*world.table(), "T#app", &at).await.unwrap()["kind"], "fence");
        assert!(read(&*world.table(), "T#old", &at).await.unwrap()["led_by"]["app"].is_number());
        for _ in 0..2 {
            assert_eq!(world.ledger().apply(&resumed).await.unwrap(), first);
        }
    }
    everything(world, &PACKAGES).await;
}

pub async fn limits_are_checked_first(world: &Tables) {
    let ledger = world.ledger();
    let names: Vec<_> = (10..36).map(|number| format!("p{number}")).collect();
    let plan_of = |count: usize, to: &str| {
        let moves: Vec<_> = names[..count].iter().map(|name| (name.as_str(), "live", to, "")).collect();
        moving(&moves)
    };
    // Nothing is there, and yet that is not what is wrong.
    let too_many: Result<sacker::model::Plan, _> = plan_of(26, "1").parse();
    assert!(too_many.unwrap_err().to_string().contains("more than 25"));
    let error = ledger.apply(&keyed(applying(&plan_of(25, "1")), "k")).await.unwrap_err();
    assert!(matches!(error, Error::Refused(Refused::TooLarge { needed: 102, most: 100 })), "{error:?}");
    let error = ledger.apply(&applying(&plan_of(25, "1"))).await.unwrap_err();
    assert!(matches!(error, Error::Refused(Refused::TooLarge { needed: 101, most: 100 })), "{error:?}");
    for name in &names[..25] {
        add_many(&*ledger, name, 2).await;
    }
    assert_eq!(ledger.apply(&applying(&plan_of(24, "1"))).await.unwrap().len(), 24);
    assert_eq!(ledger.apply(&applying(&plan_of(24, r#""latest""#))).await.unwrap().len(), 24);
    assert_eq!(ledger.apply(&undoing(&plan_of(24, r#""latest""#))).await.unwrap().len(), 24);
    // A promotion needs no check of its version, so it makes room for the check of the freezes.
    tag(&*ledger, "p34", "1", "live").await;
    tag(&*ledger, "p10", "1", "canary").await;
    let promotion = plan_of(25, "1").replacen("\"to\": 1", "\"to\": \"canary\"", 1);
    assert_eq!(ledger.apply(&applying(&promotion)).await.unwrap().len(), 25);
    assert_eq!(ledger.apply(&keyed(applying(&plan_of(24, "2")), "k")).await.unwrap().len(), 24);
    for name in &names[..25] {
        audit(&*world.table(), name).await;
    }
    assert_eq!(tags(&*ledger, "p10").await, "latest=2 canary=1 live=2");
    assert_eq!(tags(&*ledger, "p34").await, "latest=2 live=1");
}

/// The version that a tag is on in each package, read as one snapshot.
async fn snapshot(world: &Tables, packages: &[&str]) -> Vec<u64> {
    let keys: Vec<_> = packages.iter().map(|package| Key::new(format!("T#{package}"), "t#live")).collect();
    let table = world.table();
    let items =
        crate::support::world::retry_policy().run("reading", || table.get_transact(&keys)).await.unwrap();
    items.into_iter().map(|item| item.unwrap()["version"].as_u64().unwrap()).collect()
}

pub async fn no_snapshot_ever_sees_half(world: &Tables) {
    const APPLIERS: u64 = 8;
    let ledger = world.ledger();
    let packages = ["app", "old", "web"];
    for package in packages {
        add_many(&*ledger, package, APPLIERS).await;
        tag(&*ledger, package, "1", "live").await;
    }
    let appliers = (1..=APPLIERS).map(|number| {
        let ledger: Arc<dyn Ledger> = world.ledger();
        // Each in an order of its own.
        let order = if number.is_multiple_of(2) { ["web", "app", "old"] } else { packages };
        let number = number.to_string();
        let plan = moving(&order.map(|package| (package, "live", number.as_str(), "")));
        async move { ledger.apply(&applying(&plan)).await.unwrap() }
    });
    let done = at_once(appliers);
    tokio::pin!(done);
    let mut seen = 0;
    let moved = loop {
        tokio::select! {
            biased;
            versions = snapshot(world, &packages) => {
                assert!(versions.iter().all(|it| *it == versions[0]), "half of a plan: {versions:?}");
                seen += 1;
            }
            moved = &mut done => break moved,
        }
        if seen > 100_000 {
            break (&mut done).await;
        }
    };
    println!("{APPLIERS} plans at once, {seen} snapshots, none of half of one");
    // Those who found it there changed nothing; every other one moved all three.
    let real = moved.iter().filter(|moves| moves.iter().all(|it| it.previous != it.version)).count();
    assert!(
        moved.iter().all(|moves| moves
            .iter()
            .all(|it| (it.previous, it.version) == (moves[0].previous, moves[0].version))),
        "{moved:?}"
    );
    for package in packages {
        assert_eq!(audit(&*world.table(), package).await.moves, real + 1);
    }
}

pub async fn a_plan_and_single_moves_exclude_each_other(world: &Tables) {
    let ledger = world.ledger();
    three(&*ledger).await;
    let plan = moving(&[("web", "live", r#""canary""#, ""), ("app", "live", "2", "")]);
    let planned = (0..3).map(|_| {
        let (ledger, plan) = (world.ledger(), plan.clone());
        Box::pin(async move {
            ledger.apply(&applying(&plan)).await.unwrap();
        }) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
    });
    let single = (0..6).map(|number: u64| {
        let ledger = world.ledger();
        Box::pin(async move {
            let spec = (number % 3 + 1).to_string();
            let package = if number.is_multiple_of(2) { "web" } else { "app" };
            ledger.tag(&tagging(package, &spec, "live")).await.unwrap();
        }) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
    });
    at_once(planned.chain(single)).await;
    // The audit checks that every move began where the one before it ended.
    everything(world, &PACKAGES).await;
    untag(&*ledger, "web", "live").await;
}
