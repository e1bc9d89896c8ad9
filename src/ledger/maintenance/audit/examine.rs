//! The invariants of the items of one package, judged as of one instant: that of its heads. Pure.

use super::{
    findings::Findings,
    records::Package,
    replay::{States, replay},
    tags::tags,
    violation::{Found, Invariant},
    walk::{check_key_targets, compare_heads},
};
use crate::{
    ledger::schema::{self, BlobFields, Head, encode},
    model::Version,
    table::{Action, Change, Condition, Item},
};

/// Returns all violations of a package; or else a version whose blob must be read first.
pub(super) fn examine(package: &Package) -> Result<Vec<Found>, Version> {
    let (releases_log, tags_log) = (&package.releases.log, &package.tags.log);
    let heads = || releases_log.head.iter().chain(&tags_log.head);
    let mut findings = Findings::of(heads());
    if let Some(states) = releases(package, &mut findings)? {
        tags(package, &states, &mut findings)?;
    } else {
        let key = tags_log.head_key();
        findings.unjudged(&key, "the tags of the package were not checked, since its releases were not");
    }
    // A release that may not write the package, or one of its items, does not repair it either.
    let no_writes = heads().any(|head| schema::least(head, "write").is_some());
    let spared = |action: &Action| {
        let log = [releases_log, tags_log].into_iter().find(|log| log.pk == action.key.pk);
        action.change != Change::Check && log.is_some_and(|log| log.spared.contains(&action.key.sk))
    };
    let mut found = findings.found;
    for one in &mut found {
        one.fix = one.fix.take().filter(|actions| !no_writes && !actions.iter().any(spared));
    }
    Ok(found)
}

/// Returns the states of the versions at that instant, if this release can read all entries.
fn releases<'a>(package: &'a Package, findings: &mut Findings) -> Result<Option<States<'a>>, Version> {
    let log = &package.releases.log;
    let head_key = log.head_key();
    let head = log.head.as_ref().map(|head| findings.read::<Head>(&head_key, head));
    let (before, unjudged) = (findings.violations(), findings.unjudged);
    findings.extend(&log.read);
    if log.closed {
        return Ok(None);
    }
    let mut walked = findings.walk(log, false);
    let mut expected = 1;
    for version in &package.releases.versions {
        if version.n.get() != expected {
            let key = schema::version_key(&package.name, version.n.get());
            findings.add(&key, Invariant::Dense, format!("there is no version {expected} before it"));
        }
        expected = version.n.get() + 1;
    }
    walked.sound &= findings.violations() == before;
    let states = replay(package, &walked, findings);
    let latest = states.latest();
    let blob = match latest {
        Some(latest) => states.blob(latest)?,
        None => None,
    };
    let n = package.releases.versions.last().map_or(0, |version| version.n.get());
    let seen = head.as_ref().and_then(Option::as_ref);
    let rest = seen.map(|head| head.rest.clone()).unwrap_or_default();
    // If the copy is of the same blob, the attributes that a newer release wrote in it are kept; and `latest` can't be
    // judged if there is an unknown state or event.
    let as_it_is = seen.filter(|head| {
        let same = |blob: &BlobFields| head.blob.as_ref().is_some_and(|it| it.without_rest() == encode(blob));
        findings.unjudged > unjudged || (head.latest == latest && blob.is_some_and(same))
    });
    let (latest, blob) =
        as_it_is.map_or_else(|| (latest, blob.cloned()), |head| (head.latest, head.blob.clone()));
    let derived = walked.when.map(|when| {
        let (rev, chain) = (walked.rev, walked.chain.to_string());
        encode(&Head { n, latest, blob, rev, chain, when, rest })
    });
    let head = match head {
        // An unreadable head was reported.
        Some(None) => None,
        Some(Some(head)) => Some((head.rev, Some(encode(&head)))),
        None => Some((0, None)),
    };
    if let Some((rev, head)) = head {
        compare_heads(&head_key, rev, head.as_ref(), derived, &walked, findings);
    }
    if n > 0 && !package.listed {
        let key = schema::directory_key(&package.name);
        let fix = vec![
            Action { key: key.clone(), condition: Condition::Always, change: Change::Put(Item::new()) },
            Action { key: head_key, condition: Condition::Present, change: Change::Check },
        ];
        findings.repairable(&key, Invariant::Directory, "the package is not in the directory", Some(fix));
    }
    check_key_targets(log, findings);
    Ok(Some(states))
}
