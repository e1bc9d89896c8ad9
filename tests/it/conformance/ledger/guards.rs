//! Guards of a tag's moves: protection and gates.

use super::{
    plans::{applying, moving},
    rollback::rolling_back,
};
use crate::support::{
    audit::audit,
    world::{
        Tables, World, add_many, adding, author, of, tag, tagging, tags, try_add, untag, untagging, version,
    },
};
use sacker::{
    ledger::{ChangeRequest, Error, Ledger, NotFound, ProtectRequest, Refused},
    model::{Gate, Labels, Protection, ReleaseChange, TagKind},
};

fn protecting(tag: &str, protection: Option<Protection>) -> ProtectRequest {
    ProtectRequest::new(of("app"), of(tag), protection).author(author(None))
}

async fn protect(ledger: &dyn Ledger, tag: &str, protection: Protection) {
    let done = ledger.protect(&protecting(tag, Some(protection))).await.unwrap();
    assert_eq!((done.kind, done.protection), (TagKind::Protect, Some(protection)));
}

fn refused(error: &Error) -> Protection {
    match error {
        Error::Refused(Refused::Protected { protection, .. }) => *protection,
        other => panic!("{other:?}"),
    }
}

/// Every way of moving the tag live from version 1; whether each was refused for this protection, in order.
async fn all_ways(ledger: &dyn Ledger, confirm: bool) -> Vec<Option<Protection>> {
    let mut ways = Vec::new();
    let mut outcome = |done: Result<(), Error>| ways.push(done.err().map(|error| refused(&error)));
    outcome(ledger.tag(&tagging("app", "2", "live").confirm(confirm)).await.map(drop));
    outcome(ledger.rollback(&rolling_back("app", "live").confirm(confirm)).await.map(drop));
    outcome(ledger.untag(&untagging("app", "live").confirm(confirm)).await.map(drop));
    let confirmed = if confirm { r#", "confirm": "live""# } else { "" };
    let plan = format!(r#"{{"moves": [{{"package": "app", "tag": "live", "to": 2{confirmed}}}]}}"#);
    outcome(ledger.apply(&applying(&plan)).await.map(drop));
    let undo = applying(&plan).undo(true);
    // What is not applied can't be taken back either way.
    match ledger.apply(&undo).await {
        Err(Error::Conflict(_)) if !confirm => {}
        done => outcome(done.map(drop)),
    }
    let confirm = if confirm { vec![of("live")] } else { Vec::new() };
    let request = {
        let mut it = adding("app").tags([of("live")]);
        it.confirm = confirm;
        it
    };
    outcome(try_add(ledger, &request, "more").await.map(drop));
    ways
}

pub async fn write_once_stays(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    // Before it is on anything it may be put somewhere, once.
    protect(&*ledger, "v1", Protection::WriteOnce).await;
    assert_eq!(tags(&*ledger, "app").await, "latest=2");
    tag(&*ledger, "app", "1", "v1").await;
    assert_eq!(refused(&ledger.tag(&tagging("app", "2", "v1")).await.unwrap_err()), Protection::WriteOnce);
    tag(&*ledger, "app", "2", "live").await;
    tag(&*ledger, "app", "1", "live").await;
    protect(&*ledger, "live", Protection::WriteOnce).await;
    let once = Some(Protection::WriteOnce);
    assert_eq!(all_ways(&*ledger, false).await, vec![once; 5]);
    // Nor does confirming help.
    let confirmed = tagging("app", "2", "live").confirm(true);
    assert_eq!(refused(&ledger.tag(&confirmed).await.unwrap_err()), Protection::WriteOnce);
    // The same again is no move.
    assert_eq!(tag(&*ledger, "app", "1", "live").await.previous, Some(version(1)));
    assert_eq!(tags(&*ledger, "app").await, "latest=2 live=1 v1=1");
    let off = ledger.protect(&protecting("live", None)).await.unwrap();
    assert_eq!((off.kind, off.protection, off.version), (TagKind::Unprotect, None, Some(version(1))));
    tag(&*ledger, "app", "2", "live").await;
    assert_eq!(audit(&*world.table(), "app").await.moves, 7);
}

pub async fn confirm_needs_the_name_again(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    tag(&*ledger, "app", "2", "live").await;
    tag(&*ledger, "app", "1", "live").await;
    protect(&*ledger, "live", Protection::Confirm).await;
    assert_eq!(all_ways(&*ledger, false).await, vec![Some(Protection::Confirm); 5]);
    assert_eq!(tags(&*ledger, "app").await, "latest=2 live=1");
    // Confirmed, every way is open: 2, back, off, planned, planned back; and then with an addition.
    let error = ledger.rollback(&rolling_back("app", "live")).await.unwrap_err();
    assert_eq!(refused(&error), Protection::Confirm);
    assert_eq!(all_ways(&*ledger, true).await, vec![None; 6]);
    assert_eq!(tags(&*ledger, "app").await, "latest=3 live=3");
    // It is protected all along.
    assert_eq!(ledger.tags(&of("app")).await.unwrap().tags[0].protection, Some(Protection::Confirm));
    audit(&*world.table(), "app").await;
}

pub async fn protection_is_an_event(world: &Tables) {
    let ledger = world.ledger();
    let missing = ledger.protect(&protecting("live", Some(Protection::Confirm))).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound(NotFound::Package(_))), "{missing:?}");
    add_many(&*ledger, "app", 2).await;
    let missing = ledger.protect(&protecting("live", None)).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound(NotFound::Tag { .. })), "{missing:?}");
    tag(&*ledger, "app", "1", "live").await;
    tag(&*ledger, "app", "2", "live").await;
    protect(&*ledger, "live", Protection::Confirm).await;
    // Again: nothing. In another way: not without a word.
    let again = ledger.protect(&protecting("live", Some(Protection::Confirm))).await.unwrap();
    assert_eq!((again.rev, again.previous), (3, Some(version(2))));
    let other = ledger.protect(&protecting("live", Some(Protection::WriteOnce))).await.unwrap_err();
    assert_eq!(refused(&other), Protection::Confirm);
    let keyed = protecting("live", None).author(author(Some("k")));
    let off = ledger.protect(&keyed).await.unwrap();
    protect(&*ledger, "live", Protection::WriteOnce).await;
    assert_eq!(world.ledger().protect(&keyed).await.unwrap(), off);
    assert_eq!(ledger.tags(&of("app")).await.unwrap().tags[0].protection, Some(Protection::WriteOnce));
    ledger.protect(&protecting("live", None)).await.unwrap();
    // A rollback goes to where the tag was before, not to where it was protected.
    let moved = ledger.rollback(&rolling_back("app", "live")).await.unwrap();
    assert_eq!((moved.previous, moved.version), (Some(version(2)), Some(version(1))));
    // A tag that is protected and was taken off is still protected.
    tag(&*ledger, "app", "2", "live").await;
    untag(&*ledger, "app", "live").await;
    protect(&*ledger, "live", Protection::Confirm).await;
    assert_eq!(refused(&ledger.tag(&tagging("app", "1", "live")).await.unwrap_err()), Protection::Confirm);
    audit(&*world.table(), "app").await;
}

async fn gated(ledger: &dyn Ledger, spec: &str, gates: &[&str]) -> Result<u64, Vec<(Gate, String)>> {
    let require = gates.iter().map(|gate| of(gate)).collect();
    match ledger
        .tag(&{
            let mut it = tagging("app", spec, "live");
            it.require = require;
            it
        })
        .await
    {
        Ok(moved) => Ok(moved.version.unwrap().get()),
        Err(Error::Refused(Refused::Gates { failed, .. })) => {
            Err(failed.into_iter().map(|failure| (failure.gate, failure.found)).collect())
        }
        Err(other) => panic!("{other:?}"),
    }
}

pub async fn gates_are_conditions_of_the_move(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    tag(&*ledger, "app", "1", "canary").await;
    let shut = gated(&*ledger, "2", &["label:tests=passed", "tag:canary", "age:2h", "age:0s", "tag:beta"]);
    let shut = shut.await.unwrap_err();
    let gates: Vec<_> = shut.iter().map(|(gate, _)| gate.to_string()).collect();
    assert_eq!(gates, ["label:tests=passed", "tag:canary", "age:2h", "tag:beta"]);
    assert_eq!(shut[0].1, "it has no label tests");
    assert_eq!(shut[1].1, "canary is on 1");
    assert!(shut[2].1.starts_with("it was added "), "{}", shut[2].1);
    assert_eq!(shut[3].1, "beta is on no version");
    assert_eq!(tags(&*ledger, "app").await, "latest=2 canary=1");
    let labels = ReleaseChange::Label(Labels::parse(["tests=failed"]).unwrap());
    let request = ChangeRequest::new(of("app"), version(2), labels).author(author(None));
    ledger.change(&request).await.unwrap();
    let shut = gated(&*ledger, "2", &["label:tests=passed"]).await.unwrap_err();
    assert_eq!(shut[0].1, "it has tests=failed");
    // By number, by tag and as latest; each gate by itself, and all at once.
    assert_eq!(gated(&*ledger, "1", &["tag:canary"]).await, Ok(1));
    assert_eq!(gated(&*ledger, "latest", &["label:tests=failed", "age:0s"]).await, Ok(2));
    assert_eq!(gated(&*ledger, "canary", &["tag:canary", "age:0s"]).await, Ok(1));
    // Where it is already, a gate is shut all the same.
    gated(&*ledger, "1", &["age:2h"]).await.unwrap_err();
    // A rollback's past passes them like any version.
    assert_eq!(gated(&*ledger, "live~1", &["label:tests=failed"]).await, Ok(2));
    audit(&*world.table(), "app").await;
}

pub async fn gates_in_a_plan(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    add_many(&*ledger, "web", 1).await;
    let plan = moving(&[("web", "live", "1", ""), ("app", "live", "2", r#", "require": ["tag:canary"]"#)]);
    let error = ledger.apply(&applying(&plan)).await.unwrap_err();
    let Error::Moves { failed, of: 2 } = error else { panic!("{error:?}") };
    assert!(matches!(&failed[..], [one] if matches!(one.error, Error::Refused(Refused::Gates { .. }))));
    assert_eq!(tags(&*ledger, "web").await, "latest=1");
    tag(&*ledger, "app", "2", "canary").await;
    ledger.apply(&applying(&plan)).await.unwrap();
    assert_eq!(
        [tags(&*ledger, "web").await, tags(&*ledger, "app").await],
        ["latest=1 live=1", "latest=2 canary=2 live=2"]
    );
}
