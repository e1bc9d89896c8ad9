//! Gates that are kept with a tag.

use super::{
    plans::{applying, moving},
    rollback::rolling_back,
};
use crate::support::{
    audit::audit,
    world::{Tables, World, add_many, adding, author, of, tag, tagging, tags, try_add, untag, version},
};
use futures_util::TryStreamExt;
use sacker::{
    ledger::{CheckRequest, Error, Ledger, ProtectRequest, Refused, TagRequest},
    model::{Event, EventKind, Gates, Message, Protection, TagKind},
};

fn gating(tag: &str, gates: &[&str]) -> ProtectRequest {
    let request = ProtectRequest::new(of("app"), of(tag), None).author(author(None));
    gates.iter().fold(request, |request, gate| request.require(of(gate)))
}

async fn gate(ledger: &dyn Ledger, tag: &str, gates: &[&str]) {
    let done = ledger.protect(&gating(tag, gates)).await.unwrap();
    assert_eq!((done.kind, done.protection), (TagKind::Protect, Some(Protection::Gates)));
}

fn why() -> Message {
    of("the site is down")
}

/// The gates that refused a change, with what was found; the request may override none of them if `no_override`.
fn refused(error: &Error) -> (Vec<String>, bool) {
    match error {
        Error::Refused(Refused::Gates { failed, no_override, .. }) => {
            let each = failed.iter().map(|failure| format!("{} ({})", failure.gate, failure.found));
            (each.collect(), *no_override)
        }
        other => panic!("{other:?}"),
    }
}

async fn events(ledger: &dyn Ledger, tag: &str) -> Vec<Event> {
    ledger.history(&of("app"), Some(&of(tag))).try_collect().await.unwrap()
}

pub async fn every_move_forward_must_pass(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    tag(&*ledger, "app", "1", "live").await;
    gate(&*ledger, "live", &["tag:canary", "label:tests=passed"]).await;
    let both = ["label:tests=passed (it has no label tests)", "tag:canary (canary is on no version)"];
    // Every spec, every way.
    for spec in ["2", "latest"] {
        let error = ledger.tag(&tagging("app", spec, "live")).await.unwrap_err();
        assert_eq!(refused(&error), (both.map(str::to_owned).to_vec(), false), "{spec}");
    }
    let plan = moving(&[("app", "live", "2", "")]);
    assert_eq!(refused(&ledger.apply(&applying(&plan)).await.unwrap_err()).0, both);
    assert_eq!(refused(&ledger.preview(&applying(&plan)).await.unwrap_err()).0, both);
    let added = try_add(&*ledger, &adding("app").tags([of("live")]), "more").await.unwrap_err();
    assert_eq!(refused(&added).0, both);
    let again = adding("app").tags([of("live")]).if_changed(true);
    assert_eq!(refused(&try_add(&*ledger, &again, "3").await.unwrap_err()).0.len(), 2);
    assert_eq!(tags(&*ledger, "app").await, "latest=3 live=1");
    // Where it is already, nothing moves.
    assert_eq!(tag(&*ledger, "app", "1", "live").await.previous, Some(version(1)));
    // A version passes them all: by number, as a tag, and in a plan.
    let labelled = adding("app").label("tests", "passed").unwrap().tags([of("canary")]);
    try_add(&*ledger, &labelled, "good").await.unwrap();
    assert_eq!(tag(&*ledger, "app", "canary", "live").await.version, Some(version(4)));
    assert_eq!(refused(&ledger.tag(&tagging("app", "2", "live")).await.unwrap_err()).0.len(), 2);
    // Back, off, and back again: these pass.
    let back = ledger.rollback(&rolling_back("app", "live")).await.unwrap();
    assert_eq!((back.version, back.protection), (Some(version(1)), Some(Protection::Gates)));
    untag(&*ledger, "app", "live").await;
    assert_eq!(ledger.rollback(&rolling_back("app", "live")).await.unwrap().version, Some(version(1)));
    let plan = moving(&[("app", "live", "4", "")]);
    ledger.apply(&applying(&plan)).await.unwrap();
    ledger.apply(&applying(&plan).undo(true)).await.unwrap();
    assert_eq!(tags(&*ledger, "app").await, "latest=4 canary=4 live=1");
    audit(&*world.table(), "app").await;
}

pub async fn a_new_version_passes_gates_for_its_labels_alone(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 1).await;
    gate(&*ledger, "tested", &["label:tests=passed"]).await;
    gate(&*ledger, "soaked", &["soak:canary=1h", "was:canary", "age:1h"]).await;
    let labelled = adding("app").label("tests", "passed").unwrap().tags([of("tested")]);
    try_add(&*ledger, &labelled, "good").await.unwrap();
    let failed = adding("app").label("tests", "failed").unwrap().tags([of("tested")]);
    let error = try_add(&*ledger, &failed, "bad").await.unwrap_err();
    assert_eq!(refused(&error).0, ["label:tests=passed (it has tests=failed)"]);
    // On the canary in the same transaction is not on it before.
    let both = adding("app").tags([of("canary"), of("soaked")]);
    let error = try_add(&*ledger, &both, "both").await.unwrap_err();
    let shut = ["age:1h (it was added 0s ago)", "soak:canary=1h (canary was never on it)"];
    assert_eq!(refused(&error).0, [&shut[..], &["was:canary (canary was never on it)"]].concat());
    try_add(&*ledger, &both.override_gates(why()), "both").await.unwrap();
    assert_eq!(tags(&*ledger, "app").await, "latest=3 canary=3 soaked=3 tested=2");
    audit(&*world.table(), "app").await;
}

pub async fn an_override_is_recorded(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    tag(&*ledger, "app", "1", "live").await;
    tag(&*ledger, "app", "2", "canary").await;
    gate(&*ledger, "live", &["tag:canary", "label:tests=passed", "was:canary"]).await;
    let over =
        |spec| TagRequest::override_gates(tagging("app", spec, "live").author(author(Some(spec))), why());
    let moved = ledger.tag(&over("2")).await.unwrap();
    let overridden = moved.overridden.clone().unwrap();
    assert_eq!((overridden.why, overridden.gates.to_string()), (why(), "label:tests=passed".to_owned()));
    // The same again is the same, from the key; and without a key nothing moves, so nothing is overridden.
    assert_eq!(world.ledger().tag(&over("2")).await.unwrap(), moved);
    assert_eq!(tag(&*ledger, "app", "2", "live").await.overridden, None);
    let moved = ledger.tag(&over("latest")).await.unwrap();
    assert_eq!(moved.overridden.unwrap().gates.to_string(), "label:tests=passed, tag:canary, was:canary");
    // A gate of the request itself is not overridden.
    let asked = over("1").author(author(None)).require(of("tag:canary"));
    let error = ledger.tag(&asked).await.unwrap_err();
    assert_eq!(refused(&error), (vec!["tag:canary (canary is on 2)".to_owned()], false));
    let plan = moving(&[("app", "live", "1", r#", "override": "the site is down""#)]);
    let moved = ledger.apply(&applying(&plan)).await.unwrap().remove(0);
    assert_eq!(moved.overridden.unwrap().gates.iter().count(), 3);
    let recorded = events(&*ledger, "live").await;
    let gates = |event: &Event| event.overridden.as_ref().map_or(0, |it| it.gates.iter().count());
    assert_eq!(recorded.iter().map(gates).collect::<Vec<_>>(), [3, 3, 1, 0, 0]);
    // What passes needs no override, and records none.
    gate(&*ledger, "beta", &["tag:canary"]).await;
    let passing = TagRequest::override_gates(tagging("app", "2", "beta"), why());
    assert_eq!(ledger.tag(&passing).await.unwrap().overridden, None);
    audit(&*world.table(), "app").await;
}

pub async fn no_override_is_kept_until_all_protection_goes(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    tag(&*ledger, "app", "1", "live").await;
    ledger.protect(&gating("live", &["tag:canary"]).no_override(true)).await.unwrap();
    let over = TagRequest::override_gates(tagging("app", "2", "live"), why());
    let (shut, no_override) = refused(&ledger.tag(&over).await.unwrap_err());
    assert_eq!((shut, no_override), (vec!["tag:canary (canary is on no version)".to_owned()], true));
    // More gates are added, and nothing is taken away: not by another command that leaves it out.
    let more = ledger.protect(&gating("live", &["age:0s", "tag:canary"])).await.unwrap();
    assert_eq!((more.gates.to_string().as_str(), more.no_override), ("age:0s, tag:canary", true));
    let same = ledger.protect(&gating("live", &["tag:canary"])).await.unwrap();
    assert_eq!((same.rev, same.previous), (more.rev, Some(version(1))));
    let confirm = ProtectRequest::new(of("app"), of("live"), Protection::Confirm).author(author(None));
    let both = ledger.protect(&confirm).await.unwrap();
    assert_eq!((both.protection, both.no_override), (Some(Protection::ConfirmGates), true));
    let other = ProtectRequest::new(of("app"), of("live"), Protection::WriteOnce).author(author(None));
    assert!(matches!(ledger.protect(&other).await, Err(Error::Refused(Refused::Protected { .. }))));
    tag(&*ledger, "app", "2", "canary").await;
    let moving = tagging("app", "2", "live");
    assert!(matches!(ledger.tag(&moving).await, Err(Error::Refused(Refused::Protected { .. }))));
    ledger.tag(&moving.confirm(true)).await.unwrap();
    let off = ProtectRequest::new(of("app"), of("live"), None).author(author(Some("off")));
    let off_once = ledger.protect(&off).await.unwrap();
    assert_eq!((off_once.protection, off_once.gates, off_once.no_override), (None, Gates::default(), false));
    tag(&*ledger, "app", "3", "live").await;
    assert_eq!(world.ledger().protect(&off).await.unwrap().rev, off_once.rev);
    let kinds: Vec<_> = events(&*ledger, "live").await.iter().map(|event| event.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::Protect).count(), 3);
    let many = (0..17).map(|n| format!("age:{n}h")).collect::<Vec<_>>();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let error = ledger.protect(&gating("live", &many)).await.unwrap_err();
    assert!(matches!(error, Error::Refused(Refused::TooManyGates { .. })), "{error:?}");
    for n in 0..50 {
        gate(&*ledger, &format!("tag-{n}"), &["tag:canary"]).await;
    }
    let error = ledger.protect(&gating("tag-50", &["tag:canary"])).await.unwrap_err();
    assert!(error.to_string().ends_with("50 tags of the package have gates already"), "{error}");
    gate(&*ledger, "tag-49", &["tag:live"]).await;
    audit(&*world.table(), "app").await;
}

pub async fn a_version_that_was_overwritten_keeps_its_credit(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    gate(&*ledger, "live", &["soak:canary=0s", "was:canary"]).await;
    let shut = refused(&ledger.tag(&tagging("app", "2", "live")).await.unwrap_err()).0;
    // It stood there for no time, which is as long as the first asks for.
    assert_eq!(shut, ["was:canary (canary was never on it)"]);
    tag(&*ledger, "app", "2", "canary").await;
    tag(&*ledger, "app", "3", "canary").await;
    for n in 0..20 {
        tag(&*ledger, "app", if n % 2 == 0 { "1" } else { "3" }, "beta").await;
    }
    untag(&*ledger, "app", "canary").await;
    tag(&*ledger, "app", "2", "live").await;
    tag(&*ledger, "app", "3", "live").await;
    assert_eq!(refused(&ledger.tag(&tagging("app", "1", "live")).await.unwrap_err()).0.len(), 1);
    let asked = tagging("app", "2", "beta").require(of("soak:canary=100d")).require(of("was:live"));
    let shut = refused(&ledger.tag(&asked).await.unwrap_err()).0;
    let [shut] = &shut[..] else { panic!("{shut:?}") };
    assert!(shut.starts_with("soak:canary=2400h (canary was on it for "), "{shut}");
    assert!(shut.ends_with(" are missing)"), "{shut}");
    audit(&*world.table(), "app").await;
}

pub async fn a_check_changes_nothing(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    tag(&*ledger, "app", "2", "canary").await;
    tag(&*ledger, "app", "1", "live").await;
    gate(&*ledger, "live", &["tag:canary", "label:tests=passed", "was:canary"]).await;
    let check = async |spec: &str| {
        ledger.check(&CheckRequest::new(of("app"), of(spec), of("live")).require(of("age:0s"))).await
    };
    let passed = |report: &sacker::ledger::CheckReport| {
        let line = |it: &sacker::model::GateCheck| format!("{} {} {}", it.gate, it.standing, it.passed);
        report.checks.iter().map(line).collect::<Vec<_>>()
    };
    let before = events(&*ledger, "live").await;
    let report = check("canary").await.unwrap();
    let expected = [
        "label:tests=passed true false",
        "tag:canary true true",
        "was:canary true true",
        "age:0s false true",
    ];
    assert_eq!(passed(&report), expected);
    let refusal = refused(&report.refusal().unwrap());
    assert_eq!(refusal, (vec!["label:tests=passed (it has no label tests)".to_owned()], false));
    // Where it is already, a move would change nothing.
    let report = check("1").await.unwrap();
    assert!(report.in_place && report.refusal().is_none(), "{report:?}");
    assert!(matches!(check("7").await, Err(Error::NotFound(_))));
    assert_eq!(events(&*ledger, "live").await, before);
    // All gated tags are shown with a version, also those that are on none.
    gate(&*ledger, "next", &["tag:live"]).await;
    let shown = ledger.release(&of("app"), &of("2")).await.unwrap().gates;
    let tags: Vec<_> = shown.iter().map(|gates| (gates.tag.as_str(), gates.checks.len())).collect();
    assert_eq!(tags, [("live", 3), ("next", 1)]);
    assert!(ledger.release(&of("app"), &of("canary")).await.unwrap().gates == shown);
    let off = ProtectRequest::new(of("app"), of("live"), None).author(author(None));
    ledger.protect(&off).await.unwrap();
    let shown = ledger.release(&of("app"), &of("latest")).await.unwrap().gates;
    assert_eq!(shown.iter().map(|gates| gates.tag.as_str()).collect::<Vec<_>>(), ["next"]);
    audit(&*world.table(), "app").await;
}
