//! The invariants of a package's tags and their log. Pure, as [`examine`](super::examine).

use super::{
    facts::{TagFact, unpack_item},
    findings::{Findings, Walked},
    records::{Log, Package, Tag, Tags},
    replay::States,
    violation::Invariant,
    walk::{check_key_targets, compare_heads},
};
use crate::{
    ledger::schema::{TagEvent, TagHead, TagItem, encode, gated, live, still_at},
    model::{Protection, State, TagKind, Version},
    table::{Action, Change, Condition, Item, Key},
};
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};

/// The last event of each tag, by the tag's sort key.
type Last<'a> = BTreeMap<&'a str, &'a TagFact>;

/// Reports the violations of a package's tags; or returns a version whose blob must be read first.
pub(super) fn tags(package: &Package, states: &States<'_>, findings: &mut Findings) -> Result<(), Version> {
    let Tags { log, by_key, .. } = &package.tags;
    let head_key = log.head_key();
    let head = log.head.as_ref().map(|head| findings.read::<TagHead>(&head_key, head));
    let before = findings.violations();
    findings.extend(&log.read);
    if log.closed {
        return Ok(());
    }
    let mut walked = findings.walk(log, true);
    let last = go_through(&package.tags, findings);
    walked.sound &= findings.violations() == before;
    for (sk, tag) in by_key.iter().filter(|(_, tag)| !tag.later) {
        let key = Key::new(&log.pk, &**sk);
        if tag.last.is_none() {
            findings.add(&key, Invariant::Tag, "the log has no event of this tag");
        } else {
            compare_tags(&key, tag, states, log, &walked, findings)?;
        }
    }
    let rest = head.as_ref().and_then(|head| head.as_ref().map(|head| head.rest.clone()));
    let mut rest = rest.unwrap_or_default();
    if let Some(on) = live_tags(&last).filter(|_| head.is_none()) {
        rest.insert(live::LIVE.to_owned(), live::live_tags(walked.rev, on).into());
    }
    if head.is_none() {
        gated::store(&mut rest, &gated_tags(&last));
    }
    let derived = walked
        .when
        .map(|when| encode(&TagHead { rev: walked.rev, chain: walked.chain.to_string(), when, rest }));
    match head {
        // An unreadable tag was reported.
        Some(None) => {}
        Some(Some(head)) => {
            compare_heads(&head_key, head.rev, Some(&encode(&head)), derived, &walked, findings);
            if walked.sound && walked.rev == head.rev {
                compare_live(&head_key, &head, &last, findings);
                compare_gated(&head_key, &head, &last, findings);
            }
        }
        None => compare_heads(&head_key, 0, None, derived, &walked, findings),
    }
    check_key_targets(log, findings);
    Ok(())
}

/// Replays the events, reports those that can't follow the previous ones, and returns the last of each tag.
fn go_through<'a>(tags: &'a Tags, findings: &mut Findings) -> Last<'a> {
    let mut events: Vec<&TagFact> = tags.events.iter().collect();
    events.sort_by_key(|event| event.rev);
    let mut last: Vec<Option<&TagFact>> = vec![None; tags.met];
    let rolled_back = |event: &&&TagFact| event.kind == TagKind::Rollback;
    let rolled_back: HashSet<_> = events.iter().filter(rolled_back).filter_map(|event| event.tag).collect();
    let (mut past, mut tops) = (HashSet::new(), vec![Some(0); tags.met]);
    for event in events {
        let key = &event.place.key(&tags.log.pk);
        if let TagKind::Other(word) = event.kind {
            findings.unknown_word(key, "kind of event", word.as_str());
        }
        let Some(tag) = event.tag else {
            if !matches!(event.kind, TagKind::Fence | TagKind::Other(_)) {
                findings.add(key, Invariant::Form, "it names no tag");
            }
            continue;
        };
        let restores = past.contains(&(tag, event.version, event.back));
        if !follows(event, last[tag], restores) {
            findings.add(key, Invariant::Tag, "its previous version is not the one that the tag was on");
        }
        last[tag] = Some(event);
        tops[tag] = match event.kind {
            TagKind::Other(_) => None,
            _ => tops[tag].map(|top: u64| event.version.map_or(top, |version| top.max(version.get()))),
        };
        if event.top.zip(tops[tag]).is_some_and(|(top, highest)| top != highest) {
            findings.add(key, Invariant::Tag, "its highest version is not that of the tag's events");
        }
        if rolled_back.contains(&tag) {
            past.insert((tag, event.version, event.back));
        }
    }
    tags.by_key.iter().filter_map(|(sk, tag)| Some((&**sk, last[tag.number?]?))).collect()
}

/// Returns the live tags by the last event of each; `None` if the effect of an event on a tag is not known.
fn live_tags(last: &Last<'_>) -> Option<live::Live> {
    if last.values().any(|event| matches!(event.kind, TagKind::Other(_))) {
        return None;
    }
    let on = last.iter().filter_map(|(sk, event)| Some((sk.strip_prefix("t#")?.to_owned(), event.version?)));
    Some(on.collect())
}

/// Compares the live tags in a head with the last event of each.
fn compare_live(key: &Key, head: &TagHead, last: &Last<'_>, findings: &mut Findings) {
    if let Some(correct) = live_tags(last).and_then(|on| live::corrected(head, on)) {
        let set = Item::from_iter([(live::LIVE.to_owned(), correct.into())]);
        let change = Change::Update { set, add: [].into() };
        let fix = vec![Action { key: key.clone(), condition: still_at(head.rev), change }];
        findings.repairable(
            key,
            Invariant::Tag,
            "its list of live tags does not match the events",
            Some(fix),
        );
    }
}

/// Returns the tags that have standing gates by the last event of each.
fn gated_tags(last: &Last<'_>) -> gated::Gated {
    let has_gates = |event: &TagFact| event.protection.is_some_and(Protection::has_gates);
    let with_gates = last.iter().filter(|(_, event)| has_gates(event));
    with_gates.filter_map(|(sk, _)| sk.strip_prefix("t#")?.parse().ok()).collect()
}

/// Compares the tags with standing gates in a head with the last event of each.
fn compare_gated(key: &Key, head: &TagHead, last: &Last<'_>, findings: &mut Findings) {
    let correct = gated_tags(last);
    let mut rest = head.rest.clone();
    gated::store(&mut rest, &correct);
    if rest.get(gated::GATED) == head.rest.get(gated::GATED) {
        return;
    }
    let put = encode(&TagHead { rest, ..head.clone() });
    let fix = vec![Action { key: key.clone(), condition: still_at(head.rev), change: Change::Put(put) }];
    let what = "its list of tags with gates does not match the events";
    findings.repairable(key, Invariant::Tag, what, Some(fix));
}

/// Returns true if an event of a tag can follow the previous one. `restores` is true if an earlier event has its
/// version and `back`.
fn follows(event: &TagFact, before: Option<&TagFact>, restores: bool) -> bool {
    // The effect of an event of an unknown kind on a tag is not known, and neither are the events that can follow it.
    if [Some(event), before].into_iter().flatten().any(|it| matches!(it.kind, TagKind::Other(_))) {
        return true;
    }
    let was = before.and_then(|it| it.version);
    let protected = before.and_then(|it| it.protection);
    let continues = match event.kind {
        TagKind::Move => event.version.is_some() && event.back == before.map(|it| it.rev),
        TagKind::Untag => event.version.is_none() && event.back == before.map(|it| it.rev),
        // A rollback restores an earlier event of the tag, and continues from there; or undoes the first.
        TagKind::Rollback => {
            let undoes_the_first = event.version.is_none() && before.is_some_and(|it| it.back.is_none());
            restores || undoes_the_first
        }
        TagKind::Protect | TagKind::Unprotect => {
            event.version == was && event.back == before.and_then(|it| it.back)
        }
        TagKind::Fence | TagKind::Other(_) => false,
    };
    let gates = before.and_then(|it| it.gates.as_ref());
    let protects = match event.kind {
        TagKind::Protect => event.protection.is_some(),
        TagKind::Unprotect => event.protection.is_none() && protected.is_some(),
        _ => event.protection == protected && event.gates.as_ref() == gates,
    };
    let unknown = matches!(event.protection, Some(Protection::Other(_)));
    let has_gates = event.protection.is_some_and(Protection::has_gates);
    event.previous == was && continues && protects && (unknown || has_gates == event.gates.is_some())
}

/// Compares a tag with its last event.
fn compare_tags(
    key: &Key,
    tag: &Tag,
    states: &States<'_>,
    log: &Log,
    walked: &Walked,
    findings: &mut Findings,
) -> Result<(), Version> {
    let event = tag.last.as_ref().map(|(_, _, event)| unpack_item(event));
    // The event was readable once.
    let Some(event) = event.and_then(|event| TagEvent::deserialize(event).ok()) else { return Ok(()) };
    if matches!(event.kind, TagKind::Other(_)) {
        return Ok(());
    }
    let mut sound = log.may_be_derived(walked);
    let target = event.version.and_then(|version| Some((version, states.get(version)?)));
    if let Some(version) = event.version
        && target.is_none_or(|(_, state)| !matches!(state, State::Active | State::Other(_)))
    {
        let state = target.map_or_else(|| "missing".to_owned(), |(_, state)| state.to_string());
        findings.add(key, Invariant::Tag, format!("it is on version {version}, which is {state}"));
        sound = false;
    }
    let Some(name) = event.tag.clone() else { return Ok(()) };
    let (item, seen) = match &tag.item {
        None => (None, Condition::Absent),
        Some(item) => {
            let Some(item) = findings.read::<TagItem>(key, &unpack_item(item)) else { return Ok(()) };
            let seen = Condition::equals("set", item.set);
            (Some(item), seen)
        }
    };
    let seen_blob = item.as_ref().and_then(|item| item.blob.clone());
    let blob = match target {
        Some((version, _)) => states.blob(version)?,
        None => None,
    };
    let blob = blob.map(|blob| {
        // If the copy is of the same blob, the attributes that a newer release wrote in it are kept.
        seen_blob.filter(|seen| seen.without_rest() == encode(blob)).unwrap_or_else(|| blob.clone())
    });
    let rest = item.as_ref().map(|item| item.rest.clone()).unwrap_or_default();
    let derived = encode(&event.into_item(name, blob, rest));
    if item.as_ref().map(encode).as_ref() == Some(&derived) {
        return Ok(());
    }
    let fix = sound.then(|| {
        vec![Action { key: key.clone(), condition: seen, change: Change::Put(derived) }, log.is_still(walked)]
    });
    let what = if item.is_none() { "the tag is missing" } else { "it does not match its last event" };
    findings.repairable(key, Invariant::Tag, what, fix);
    Ok(())
}
