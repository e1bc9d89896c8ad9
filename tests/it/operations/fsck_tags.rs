//! The rules of a tag's log that `fsck` checks: rollbacks, protection, plans.

use super::{
    Site,
    fsck::{ALL, fsck},
};
use crate::{
    conformance::ledger::{
        plans::{applying, moving},
        rollback::rolling_back,
    },
    support::world::{author, edit, of, read, tag, tagging, untag, version},
};
use sacker::{
    ledger::{Invariant, ProtectRequest, Repair, TagRequest},
    model::Protection,
    ops::Fsck,
};
use serde_json::{Value, json};

/// All that can happen to tags. The log of `app`: 1–3 moves, 4 rollback, 5 rollback `--to`, 6 untag, 7 rollback, 8
/// protect, 9 a confirmed move, 10 unprotect, 11–12 a plan, 13–14 taken back, 15 protect, 16 gates, 17 an override.
async fn populate(site: &Site) {
    for content in ["one", "two", "three"] {
        site.add("app", content).await;
        site.add("web", content).await;
    }
    let ledger = site.ledger();
    for spec in ["1", "2", "3"] {
        tag(&*ledger, "app", spec, "live").await;
    }
    ledger.rollback(&rolling_back("app", "live")).await.unwrap();
    let to = rolling_back("app", "live").to(version(3));
    ledger.rollback(&to).await.unwrap();
    untag(&*ledger, "app", "live").await;
    ledger.rollback(&rolling_back("app", "live")).await.unwrap();
    let protect = |protection| ProtectRequest::new(of("app"), of("live"), protection).author(author(None));
    ledger.protect(&protect(Some(Protection::Confirm))).await.unwrap();
    ledger.tag(&tagging("app", "1", "live").confirm(true)).await.unwrap();
    ledger.protect(&protect(None)).await.unwrap();
    let plan =
        moving(&[("web", "live", "2", ""), ("app", "live", r#""latest""#, ""), ("app", "first", "1", "")]);
    let keyed = applying(&plan).author(author(Some("release 7")));
    ledger.apply(&keyed).await.unwrap();
    ledger.apply(&applying(&plan).undo(true)).await.unwrap();
    let unset = {
        let mut it = protect(Some(Protection::WriteOnce));
        it.tag = of("v1");
        it
    };
    ledger.protect(&unset).await.unwrap();
    let gates =
        ProtectRequest::new(of("app"), of("beta"), None).require(of("was:live")).require(of("age:9h"));
    ledger.protect(&gates.author(author(None))).await.unwrap();
    let over = TagRequest::override_gates(tagging("app", "2", "beta"), of("urgent"));
    assert!(ledger.tag(&over).await.unwrap().overridden.is_some());
}

async fn sound(site: &Site) {
    populate(site).await;
    assert_eq!(fsck(site, ALL).await.1, []);
    let (checked, _) = fsck(site, Fsck::new().repair(true).read_data(0)).await;
    assert_eq!((checked.violations, checked.repaired), (0, 0));
}

#[tokio::test]
async fn all_that_can_happen_to_tags_is_sound_in_memory() {
    sound(&Site::memory()).await;
}

#[tokio::test]
async fn all_that_can_happen_to_tags_is_sound_locally() {
    sound(&Site::local()).await;
}

#[tokio::test]
async fn all_that_can_happen_to_tags_is_sound_in_the_cloud() {
    sound(&Site::cloud(true).await).await;
}

#[tokio::test]
async fn an_event_that_can_not_follow_the_one_before_is_named() {
    let edits: [(u64, Value); 15] = [
        // A move goes back to where the tag was, and is one to a version.
        (2, json!({ "back": null })),
        (2, json!({ "version": null })),
        // A rollback restores what was there, and goes on from there.
        (4, json!({ "version": 1 })),
        (5, json!({ "back": 4 })),
        (7, json!({ "previous": 2 })),
        // Protection is an event, and leaves a tag where it is.
        (8, json!({ "protection": null })),
        (8, json!({ "version": 1 })),
        (9, json!({ "protection": null })),
        (10, json!({ "protection": "confirm" })),
        // So are gates, which come with a protection that has gates.
        (16, json!({ "protection": "confirm" })),
        (16, json!({ "gates": null })),
        (17, json!({ "gates": ["age:9h"] })),
        (17, json!({ "no_override": true })),
        // The highest version so far is that of the tag's events.
        (17, json!({ "top": 3 })),
        (3, json!({ "top": 2 })),
    ];
    for (rev, changes) in edits {
        let site = Site::memory();
        populate(&site).await;
        let sk = format!("E#{rev:016}");
        edit(&*site.table(), "T#app", &sk, changes.clone()).await;
        let (_, found) = fsck(&site, ALL).await;
        let place = format!("T#app/{sk}");
        let named = found.iter().any(|it| it.rule == Invariant::Tag && it.place == place);
        assert!(named, "{place} {changes}: {found:#?}");
    }
}

#[tokio::test]
async fn protection_that_was_taken_away_by_hand_is_put_back() {
    let site = Site::memory();
    populate(&site).await;
    let before = read(&*site.table(), "T#app", "t#v1").await;
    edit(&*site.table(), "T#app", "t#v1", json!({ "protection": null })).await;
    let (_, found) = fsck(&site, ALL).await;
    assert!(
        matches!(&found[..], [one] if one.rule == Invariant::Tag && one.repair == Repair::Possible),
        "{found:#?}"
    );
    let (checked, _) = fsck(&site, Fsck::new().repair(true).read_data(0)).await;
    assert_eq!((checked.violations, checked.repaired), (1, 1));
    assert_eq!(read(&*site.table(), "T#app", "t#v1").await, before);
}

#[tokio::test]
async fn gates_that_were_taken_away_by_hand_are_put_back() {
    for changes in [json!({ "gates": null }), json!({ "no_override": true }), json!({ "protection": null })] {
        let site = Site::memory();
        populate(&site).await;
        let before = read(&*site.table(), "T#app", "t#beta").await;
        edit(&*site.table(), "T#app", "t#beta", changes.clone()).await;
        // Nothing passes until then, because protection and gates contradict each other, or a gate is closed.
        site.ledger().tag(&tagging("app", "1", "beta")).await.unwrap_err();
        let (_, found) = fsck(&site, ALL).await;
        assert!(
            matches!(&found[..], [one] if one.rule == Invariant::Tag && one.repair == Repair::Possible),
            "{found:#?}"
        );
        fsck(&site, Fsck::new().repair(true).read_data(0)).await;
        assert_eq!(read(&*site.table(), "T#app", "t#beta").await, before);
    }
}

#[tokio::test]
async fn tags_with_gates_in_a_head_that_are_others_are_repaired() {
    let site = Site::memory();
    populate(&site).await;
    for said in [json!(["live"]), Value::Null, json!("beta")] {
        edit(&*site.table(), "T#app", "H", json!({ "gated": said })).await;
        let (_, violations) = fsck(&site, ALL).await;
        let found: Vec<_> = violations.iter().map(|it| (it.rule, it.place.as_str(), it.repair)).collect();
        assert_eq!(found, [(Invariant::Tag, "T#app/H", Repair::Possible)], "{said}");
        fsck(&site, Fsck::new().repair(true).read_data(0)).await;
        assert_eq!(read(&*site.table(), "T#app", "H").await.unwrap()["gated"], json!(["beta"]));
        assert_eq!(fsck(&site, ALL).await.1, []);
    }
}

#[tokio::test]
async fn live_tags_of_a_head_that_are_others_are_repaired() {
    let site = Site::memory();
    let ledger = site.ledger();
    site.add("app", "one").await;
    site.add("app", "two").await;
    tag(&*ledger, "app", "2", "live").await;
    tag(&*ledger, "app", "1", "canary").await;
    let right = read(&*site.table(), "T#app", "H").await.unwrap();
    for on in
        [json!({ "live": 1, "canary": 1 }), json!({ "live": 2 }), json!({ "canary": 1, "live": 2, "x": 1 })]
    {
        let count = on.as_object().unwrap().len();
        let rev = read(&*site.table(), "T#app", "H").await.unwrap()["rev"].clone();
        edit(&*site.table(), "T#app", "H", json!({ "live": { "rev": rev, "count": count, "on": on } })).await;
        let (_, violations) = fsck(&site, ALL).await;
        let found: Vec<_> = violations.iter().map(|it| (it.rule, it.place.as_str(), it.repair)).collect();
        assert_eq!(found, [(Invariant::Tag, "T#app/H", Repair::Possible)]);
        fsck(&site, Fsck::new().repair(true).read_data(0)).await;
        // With a fence after it.
        let repaired = read(&*site.table(), "T#app", "H").await.unwrap();
        assert_eq!(repaired["rev"].as_u64().unwrap(), rev.as_u64().unwrap() + 1);
        assert_eq!(repaired["live"]["rev"], repaired["rev"]);
        assert_eq!(repaired["live"]["on"], right["live"]["on"]);
        assert_eq!(repaired["live"]["count"], right["live"]["count"]);
    }
    // Where it is absent, or of another time, nothing is wrong.
    for said in [Value::Null, json!({ "rev": 1, "count": 0, "on": {} })] {
        edit(&*site.table(), "T#app", "H", json!({ "live": said })).await;
        assert_eq!(fsck(&site, ALL).await.1, []);
    }
}
