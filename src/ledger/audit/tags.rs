//! The rules for a package's tags and their log. Pure, as [`examine`](super::examine).

use super::super::{
    fence::still_at,
    items::{self, TagEvent, TagHead, TagItem, VersionItem, encode},
    live,
};
use super::{
    Rule,
    examine::{Entry, Findings, Walked, compare_heads, is_entry, keys_lead_somewhere, number},
    package::{Log, Package},
};
use crate::{
    model::{State, TagKind, Version},
    table::{Action, Change, Condition, Item, Key},
};
use std::collections::BTreeMap;

pub(super) fn tags(package: &Package, versions: &BTreeMap<Version, VersionItem>, findings: &mut Findings) {
    let log = &package.tags;
    let head_key = log.head_key();
    let head = log.head.as_ref().map(|head| findings.read::<TagHead>(&head_key, head));
    let (mut entries, mut events) = (Vec::new(), Vec::new());
    let mut there = BTreeMap::new();
    let before = findings.breaches();
    for (key, item) in &log.items {
        match key.sk.get(..2) {
            Some("E#") => {
                let Some(event) = findings.read::<TagEvent>(key, item) else { continue };
                if number(&key.sk) != Some(event.rev) {
                    findings.add(key, Rule::Form, format!("it calls itself rev {}", event.rev));
                }
                entries.push(Entry::new(key, item, event.rev, event.when, &event.op, &event.chain));
                events.push((key, event));
            }
            Some("t#") => {
                there.insert(key.sk.as_str(), (key, item));
            }
            Some("K#") => {}
            _ => findings.unjudged(key, super::UNKNOWN_ITEM),
        }
    }
    if log.items.iter().any(|(key, item)| is_entry(key) && items::least(item, "read").is_some()) {
        return;
    }
    let mut walked = findings.walk(&log.pk, entries, true);
    events.sort_by_key(|(_, event)| event.rev);
    let by_rev: BTreeMap<u64, &TagEvent> = events.iter().map(|(_, event)| (event.rev, event)).collect();
    let mut last: BTreeMap<String, &TagEvent> = BTreeMap::new();
    for (key, event) in &events {
        if let TagKind::Other(word) = event.kind {
            findings.unknown_word(key, "kind of event", word.as_str());
        }
        let Some(tag) = &event.tag else {
            if !matches!(event.kind, TagKind::Fence | TagKind::Other(_)) {
                findings.add(key, Rule::Form, "it names no tag");
            }
            continue;
        };
        let before = last.insert(format!("t#{tag}"), event);
        if !follows(event, before, &by_rev) {
            findings.add(key, Rule::Tag, "it does not begin where the tag was");
        }
    }
    walked.sound &= findings.breaches() == before;
    for (sk, event) in &last {
        let key = Key::new(&log.pk, sk);
        let there = there.remove(sk.as_str());
        if !there.is_some_and(|(_, item)| log.is_later(item, "set")) {
            compare_tags(&key, there, event, versions, log, &walked, findings);
        }
    }
    for (key, item) in there.into_values() {
        if !log.is_later(item, "set") {
            findings.add(key, Rule::Tag, "no event is about this tag");
        }
    }
    let rest = head.as_ref().and_then(|head| head.as_ref().map(|head| head.rest.clone()));
    let mut rest = rest.unwrap_or_default();
    if let Some(on) = live_tags(&last).filter(|_| head.is_none()) {
        rest.insert(live::LIVE.to_owned(), live::says(walked.rev, on).into());
    }
    let derived =
        walked.when.map(|when| encode(&TagHead { rev: walked.rev, chain: walked.chain.clone(), when, rest }));
    match head {
        // What can't be read was reported.
        Some(None) => {}
        Some(Some(head)) => {
            compare_heads(&head_key, head.rev, Some(&encode(&head)), derived, &walked, findings);
            if walked.sound && walked.rev == head.rev {
                compare_live(&head_key, &head, &last, findings);
            }
        }
        None => compare_heads(&head_key, 0, None, derived, &walked, findings),
    }
    keys_lead_somewhere(log, findings);
}

/// The live tags by the last event of each; `None` where what an event does to a tag is not known.
fn live_tags(last: &BTreeMap<String, &TagEvent>) -> Option<live::Live> {
    if last.values().any(|event| matches!(event.kind, TagKind::Other(_))) {
        return None;
    }
    let on = last.iter().filter_map(|(sk, event)| Some((sk.strip_prefix("t#")?.to_owned(), event.version?)));
    Some(on.collect())
}

/// What a head says of the live tags, against the last event of each.
fn compare_live(key: &Key, head: &TagHead, last: &BTreeMap<String, &TagEvent>, findings: &mut Findings) {
    if let Some(says) = live_tags(last).and_then(|on| live::corrected(head, on)) {
        let set = Item::from_iter([(live::LIVE.to_owned(), says.into())]);
        let change = Change::Update { set, add: [].into() };
        let mend = vec![Action { key: key.clone(), condition: still_at(head.rev), change }];
        findings.mendable(key, Rule::Tag, "the live tags that it names are others", Some(mend));
    }
}

/// Whether an event of a tag can come after the one before it.
fn follows(event: &TagEvent, before: Option<&TagEvent>, by_rev: &BTreeMap<u64, &TagEvent>) -> bool {
    // What an event of an unknown kind does to a tag is not known, nor what can come after it.
    if [Some(event), before].into_iter().flatten().any(|it| matches!(it.kind, TagKind::Other(_))) {
        return true;
    }
    let was = before.and_then(|it| it.version);
    let protected = before.and_then(|it| it.protection);
    let goes_on = match event.kind {
        TagKind::Move => event.version.is_some() && event.back == before.map(|it| it.rev),
        TagKind::Untag => event.version.is_none() && event.back == before.map(|it| it.rev),
        // It restores an earlier event of the tag, and goes on from there; or undoes the first.
        TagKind::Rollback => {
            let restores =
                |it: &&TagEvent| it.tag == event.tag && (it.version, it.back) == (event.version, event.back);
            let undoes_the_first = event.version.is_none() && before.is_some_and(|it| it.back.is_none());
            by_rev.range(..event.rev).map(|(_, it)| *it).any(|it| restores(&it)) || undoes_the_first
        }
        TagKind::Protect | TagKind::Unprotect => {
            event.version == was && event.back == before.and_then(|it| it.back)
        }
        TagKind::Fence | TagKind::Other(_) => false,
    };
    let protects = match event.kind {
        TagKind::Protect => event.protection.is_some(),
        TagKind::Unprotect => event.protection.is_none() && protected.is_some(),
        _ => event.protection == protected,
    };
    event.previous == was && goes_on && protects
}

/// A tag against its last event.
fn compare_tags(
    key: &Key,
    there: Option<(&Key, &Item)>,
    event: &TagEvent,
    versions: &BTreeMap<Version, VersionItem>,
    log: &Log,
    walked: &Walked,
    findings: &mut Findings,
) {
    if matches!(event.kind, TagKind::Other(_)) {
        return;
    }
    let mut sound = log.may_be_derived(walked);
    let target = event.version.and_then(|version| versions.get(&version));
    if let Some(version) = event.version
        && target.is_none_or(|target| !matches!(target.state, State::Active | State::Other(_)))
    {
        let state = target.map_or_else(|| "not there".to_owned(), |target| target.state.to_string());
        findings.add(key, Rule::Tag, format!("it is on version {version}, which is {state}"));
        sound = false;
    }
    let Some(tag) = event.tag.clone() else { return };
    let (item, seen) = match there {
        None => (None, Condition::Absent),
        Some((key, item)) => {
            let Some(item) = findings.read::<TagItem>(key, item) else { return };
            let seen = Condition::equals("set", item.set);
            (Some(item), seen)
        }
    };
    let seen_blob = item.as_ref().and_then(|item| item.blob.clone());
    let blob = target.map(VersionItem::copied_blob).filter(|_| event.version.is_some()).map(|blob| {
        // Of the same blob, what a newer release wrote in the copy stays.
        seen_blob.filter(|seen| seen.without_rest() == encode(&blob)).unwrap_or(blob)
    });
    let derived = encode(&TagItem {
        tag,
        version: event.version,
        blob,
        previous: event.previous,
        kind: event.kind,
        set: event.rev,
        back: event.back,
        who: event.who.clone(),
        when: event.when,
        message: event.message.clone(),
        protection: event.protection,
        rest: item.as_ref().map(|item| item.rest.clone()).unwrap_or_default(),
    });
    if item.as_ref().map(encode).as_ref() == Some(&derived) {
        return;
    }
    let mend = sound.then(|| {
        vec![Action { key: key.clone(), condition: seen, change: Change::Put(derived) }, log.is_still(walked)]
    });
    let what = if item.is_none() { "the tag is missing" } else { "it is not what its last event says" };
    findings.mendable(key, Rule::Tag, what, mend);
}
