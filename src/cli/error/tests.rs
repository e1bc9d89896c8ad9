//! Every error of the library, as it is shown.

mod operations;

use super::*;
use crate::{
    cli::{
        config::{Origin, Settings},
        environment::Environment,
    },
    fault::FaultKind,
    ledger::{Conflict, Failed, GateFailure, NotFound, Refused},
    model::{
        Actor, Address, Expectation, PackageName, Protection, State, TagKind, TagName, Timestamp, Version,
    },
};
use insta::assert_snapshot;

fn places(ledger: &str, store: &str) -> Places {
    let settings = Settings {
        ledger: ledger.parse().unwrap(),
        store: store.parse().unwrap(),
        embedded: None,
        origins: [Origin::Default, Origin::Default],
    };
    Places::new(&settings, &Environment::new(|_| None))
}

fn cloud() -> Places {
    places("dynamodb://table", "s3://bucket/blobs")
}

fn show(error: &ops::Error, places: &Places) -> String {
    let Failure { kind, message, hints, .. } = Failure::of_operation(error, "doing it", places);
    let first = format!("{} {}: {message}", kind.exit_code(), kind.name());
    format!("{}\n", [first].into_iter().chain(hints).collect::<Vec<_>>().join("\n  "))
}

fn all(errors: impl IntoIterator<Item = ops::Error>, places: &Places) -> String {
    errors.into_iter().map(|error| show(&error, places)).collect()
}

fn app() -> PackageName {
    "app".parse().unwrap()
}

fn live() -> TagName {
    "live".parse().unwrap()
}

fn version(number: u64) -> Version {
    Version::try_from(number).unwrap()
}

fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "talking to it", io::Error::other("the root of it"))
}

const FAULTS: [FaultKind; 11] = [
    FaultKind::Throttled,
    FaultKind::Contended,
    FaultKind::Unavailable,
    FaultKind::Unsent,
    FaultKind::Denied,
    FaultKind::Missing,
    FaultKind::Misconfigured,
    FaultKind::Full,
    FaultKind::Disk,
    FaultKind::Corrupt,
    FaultKind::Unexpected,
];

#[test]
fn faults_of_the_ledger() {
    let faults = FAULTS.map(|kind| ops::Error::Ledger(fault(kind).into()));
    assert_snapshot!(all(faults, &cloud()), @"
    7 unavailable: doing it in dynamodb://table: talking to it: too many requests: the root of it
      nothing was changed; run it again, or use a longer --deadline
    5 conflict: doing it in dynamodb://table: talking to it: another client is changing it: the root of it
      nothing was changed; run it again, or use a longer --deadline
    7 unavailable: doing it in dynamodb://table: talking to it: no usable answer: the root of it
      nothing was changed; check the region and the network, then run it again
    7 unavailable: doing it in dynamodb://table: talking to it: the request could not be made yet: the root of it
      nothing was changed; run it again, or use a longer --deadline
    10 denied: doing it in dynamodb://table: talking to it: access denied: the root of it
      provide credentials that allow this: AWS_PROFILE, AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, `aws sso login`, or a role
    2 invalid: doing it in dynamodb://table: talking to it: it does not exist: the root of it
      run `sacker init` to create it, or check its name and region
    2 invalid: doing it in dynamodb://table: talking to it: it can't be used with these settings: the root of it
      check the region and the address: AWS_REGION, the profile, `region` and `endpoint` in dynamodb://table
    7 unavailable: doing it in dynamodb://table: talking to it: it is full: the root of it
      free space at dynamodb://table, then run it again
    2 invalid: doing it in dynamodb://table: talking to it: the local disk failed: the root of it
      check the file and the local disk
    8 integrity: doing it in dynamodb://table: talking to it: the stored data is damaged: the root of it
      dynamodb://table is damaged: inspect it, or restore it from a backup
    1 internal: doing it in dynamodb://table: talking to it: unexpected answer: the root of it
      -v shows the requests; if this looks like a bug, please report it
    ");
    let faults = FAULTS.map(|kind| ops::Error::Ledger(fault(kind).into()));
    assert_snapshot!(all(faults, &places("file:///l", "s3://bucket")), @"
    7 unavailable: doing it in file:///l: talking to it: too many requests: the root of it
      nothing was changed; run it again, or use a longer --deadline
    5 conflict: doing it in file:///l: talking to it: another client is changing it: the root of it
      nothing was changed; run it again, or use a longer --deadline
    7 unavailable: doing it in file:///l: talking to it: no usable answer: the root of it
      nothing was changed; check the region and the network, then run it again
    7 unavailable: doing it in file:///l: talking to it: the request could not be made yet: the root of it
      nothing was changed; run it again, or use a longer --deadline
    10 denied: doing it in file:///l: talking to it: access denied: the root of it
      check the permissions of file:///l
    2 invalid: doing it in file:///l: talking to it: it does not exist: the root of it
      run `sacker init` to create it, or check its name and region
    2 invalid: doing it in file:///l: talking to it: it can't be used with these settings: the root of it
      check file:///l
    7 unavailable: doing it in file:///l: talking to it: it is full: the root of it
      free space at file:///l, then run it again
    2 invalid: doing it in file:///l: talking to it: the local disk failed: the root of it
      check the disk that holds file:///l
    8 integrity: doing it in file:///l: talking to it: the stored data is damaged: the root of it
      file:///l is damaged: inspect it, or restore it from a backup
    1 internal: doing it in file:///l: talking to it: unexpected answer: the root of it
      -v shows the requests; if this looks like a bug, please report it
    ");
}

#[test]
fn faults_of_the_store() {
    let address = "s3://bucket/blobs?endpoint=http://127.0.0.1:9";
    let faults = FAULTS.map(|kind| ops::Error::Store(fault(kind)));
    assert_snapshot!(all(faults, &places("dynamodb://table", address)), @"
    7 unavailable: doing it in s3://bucket/blobs?endpoint=http://127.0.0.1:9: talking to it: too many requests: the root of it
      nothing was changed; run it again, or use a longer --deadline
    5 conflict: doing it in s3://bucket/blobs?endpoint=http://127.0.0.1:9: talking to it: another client is changing it: the root of it
      nothing was changed; run it again, or use a longer --deadline
    7 unavailable: doing it in s3://bucket/blobs?endpoint=http://127.0.0.1:9: talking to it: no usable answer: the root of it
      nothing was changed; check that http://127.0.0.1:9 (`endpoint` in s3://bucket/blobs?endpoint=http://127.0.0.1:9) is correct and reachable
    7 unavailable: doing it in s3://bucket/blobs?endpoint=http://127.0.0.1:9: talking to it: the request could not be made yet: the root of it
      nothing was changed; run it again, or use a longer --deadline
    10 denied: doing it in s3://bucket/blobs?endpoint=http://127.0.0.1:9: talking to it: access denied: the root of it
      provide credentials that allow this: AWS_PROFILE, AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, `aws sso login`, or a role
    2 invalid: doing it in s3://bucket/blobs?endpoint=http://127.0.0.1:9: talking to it: it does not exist: the root of it
      run `sacker init` to create it, or check its name and region
    2 invalid: doing it in s3://bucket/blobs?endpoint=http://127.0.0.1:9: talking to it: it can't be used with these settings: the root of it
      check the region and the address: AWS_REGION, the profile, `region` and `endpoint` in s3://bucket/blobs?endpoint=http://127.0.0.1:9
    7 unavailable: doing it in s3://bucket/blobs?endpoint=http://127.0.0.1:9: talking to it: it is full: the root of it
      free space at s3://bucket/blobs?endpoint=http://127.0.0.1:9, then run it again
    2 invalid: doing it in s3://bucket/blobs?endpoint=http://127.0.0.1:9: talking to it: the local disk failed: the root of it
      check the file and the local disk
    8 integrity: doing it in s3://bucket/blobs?endpoint=http://127.0.0.1:9: talking to it: the stored data is damaged: the root of it
      s3://bucket/blobs?endpoint=http://127.0.0.1:9 is damaged: inspect it, or restore it from a backup
    1 internal: doing it in s3://bucket/blobs?endpoint=http://127.0.0.1:9: talking to it: unexpected answer: the root of it
      -v shows the requests; if this looks like a bug, please report it
    ");
    let full = Fault::new(FaultKind::Disk, "storing it", io::Error::from(io::ErrorKind::StorageFull));
    assert_snapshot!(show(&ops::Error::Store(full), &places("file:///l", "file:///s")), @"
    2 invalid: doing it in file:///s: storing it: the local disk failed: no storage space
      free space at file:///s
    ");
}

#[test]
fn what_the_ledger_answers() {
    let tag = |found| Conflict::Tag {
        package: app(),
        tag: live(),
        expected: Expectation::Version(version(40)),
        found,
        kind: None,
        by: None,
    };
    let answers: Vec<ledger::Error> = vec![
        NotFound::Package("web/front".parse().unwrap()).into(),
        NotFound::Version { package: app(), version: version(9), last: version(3) }.into(),
        NotFound::Deleted { package: app(), version: version(2) }.into(),
        NotFound::Tag { package: app(), tag: live() }.into(),
        NotFound::Latest(app()).into(),
        tag(Some(version(41))).into(),
        tag(None).into(),
        Conflict::Latest { package: app(), expected: Expectation::None, found: Some(version(3)) }.into(),
        Conflict::Key { key: "k".to_owned(), first: "tag 1 live".to_owned(), now: "tag 2 live".to_owned() }
            .into(),
        Conflict::Contention(app()).into(),
        Refused::NotActive { package: app(), version: version(2), state: State::Yanked }.into(),
        Refused::Protected { package: app(), tag: live(), protection: Protection::WriteOnce }.into(),
        Refused::Protected { package: app(), tag: live(), protection: Protection::Confirm }.into(),
        Refused::Full(app()).into(),
        ledger::Error::Unknown {
            key: "0123456789abcdef0123456789abcdef@42".parse().unwrap(),
            source: fault(FaultKind::Unavailable),
        },
        ledger::Error::Interrupted,
        ledger::Error::Damaged { what: "the item X".to_owned(), why: "it is odd".to_owned() },
        ledger::Error::Schema { found: 2, known: 1 },
        ledger::Error::Copy { id: "0123".to_owned(), home: "dynamodb:eu-west-1/table".to_owned() },
    ];
    assert_snapshot!(all(answers.into_iter().map(ops::Error::Ledger), &cloud()), @r#"
    4 not_found: doing it in dynamodb://table: there is no package web/front
      `sacker list --prefix web/` lists packages with similar names
    4 not_found: doing it in dynamodb://table: app has no version 9; its last is 3
      `sacker versions app` lists its versions
    4 not_found: doing it in dynamodb://table: app 2 was deleted
      `sacker versions app` lists its versions; `sacker undelete app 2` brings it back until it is collected
    4 not_found: doing it in dynamodb://table: app has no tag live
      `sacker tags app` lists its tags
    4 not_found: doing it in dynamodb://table: app has no active version, so it has no latest
      `sacker versions app` lists its versions
    5 conflict: doing it in dynamodb://table: app live is on 41, not on 40
      nothing was changed; `sacker info app live` shows its version
    5 conflict: doing it in dynamodb://table: app live is on none, not on 40
      nothing was changed; `sacker tags app` lists its tags
    5 conflict: doing it in dynamodb://table: app latest is 3, not none
      nothing was added; `sacker versions app --limit 5` lists the last versions
    5 conflict: doing it in dynamodb://table: the key "k" was used for `tag 1 live`, not for `tag 2 live`
      nothing was changed; a key identifies one change permanently: use a new key for another change
    5 conflict: doing it in dynamodb://table: other writers kept changing app until the deadline
      nothing was changed; run it again, or use a longer --deadline
    6 refused: doing it in dynamodb://table: app 2 is yanked and can't be tagged
      nothing was changed; `sacker versions app` lists the active versions
    6 refused: doing it in dynamodb://table: app live is protected (write-once)
      nothing was changed; to move it anyway, run `sacker unprotect app live` first
    6 refused: doing it in dynamodb://table: app live is protected (confirm)
      nothing was changed; to confirm the move, add `--confirm live`, or `confirm` in a plan
    6 refused: doing it in dynamodb://table: app has used up its version numbers
      nothing was changed
    9 unknown: doing it in dynamodb://table: the outcome is unknown: talking to it: no usable answer: the root of it
      run it again with `--key 0123456789abcdef0123456789abcdef@42` to find out; the change is never made twice
    130 interrupted: doing it: interrupted before anything was committed
    8 integrity: doing it in dynamodb://table: the item X is damaged: it is odd
      it was changed by hand, or by a program other than sacker: inspect it, or restore it from a backup
    2 invalid: doing it in dynamodb://table: the ledger has schema 2; this program knows schema 1
      use a release of sacker that supports schema 2
    2 invalid: doing it in dynamodb://table: this is a copy of the ledger 0123 in dynamodb:eu-west-1/table
      use the ledger that this is a copy of; only to replace that ledger, run `sacker init --adopt-store`
    "#);
}

fn by() -> (Actor, Timestamp) {
    ("ann@host".parse().unwrap(), Timestamp::from_millis(1_777_629_600_000))
}

#[test]
fn what_the_ledger_answers_of_a_tag() {
    let tag = |kind| Conflict::Tag {
        package: app(),
        tag: live(),
        expected: Expectation::None,
        found: Some(version(41)),
        kind: Some(kind),
        by: Some(by()),
    };
    let back = |to, nearest| Refused::Rollback { package: app(), tag: live(), to, nearest };
    let yanked = Some((version(2), State::Yanked));
    let gate = |gate: &str, found: &str| GateFailure {
        gate: gate.parse().unwrap(),
        found: found.to_owned(),
        standing: false,
    };
    let standing = |no_override| Refused::Gates {
        package: app(),
        tag: live(),
        version: version(3),
        failed: vec![GateFailure { standing: true, ..gate("was:canary", "canary was never on it") }],
        no_override,
    };
    let answers: Vec<ledger::Error> = vec![
        NotFound::Unset { package: app(), tag: live(), rev: 7 }.into(),
        NotFound::Past { package: app(), tag: live(), steps: 1 }.into(),
        NotFound::Past { package: app(), tag: live(), steps: 3 }.into(),
        NotFound::Then { package: app(), tag: live(), at: Timestamp::from_millis(0) }.into(),
        NotFound::Never { package: app(), tag: live(), version: version(4) }.into(),
        tag(TagKind::Move).into(),
        tag(TagKind::Rollback).into(),
        tag(TagKind::Protect).into(),
        tag(TagKind::Unprotect).into(),
        back(yanked, Some(version(1))).into(),
        back(yanked, None).into(),
        back(None, None).into(),
        Refused::Gates {
            package: app(),
            tag: live(),
            version: version(3),
            failed: vec![
                gate("label:tests=passed", "it has no label tests"),
                gate("age:90m", "it was added 5s ago"),
            ],
            no_override: false,
        }
        .into(),
        standing(false).into(),
        standing(true).into(),
    ];
    assert_snapshot!(all(answers.into_iter().map(ops::Error::Ledger), &cloud()), @"
    4 not_found: doing it in dynamodb://table: app live is on no version since revision 7
      `sacker history app live` shows its moves
    4 not_found: doing it in dynamodb://table: app live was on no version before
      `sacker history app live` shows its moves
    4 not_found: doing it in dynamodb://table: app live was on no version 3 moves ago
      `sacker history app live` shows its moves
    4 not_found: doing it in dynamodb://table: app live was on no version at 1970-01-01T00:00:00.000Z
      `sacker history app live` shows its moves
    4 not_found: doing it in dynamodb://table: app live was never on 4
      `sacker history app live` shows its moves
    5 conflict: doing it in dynamodb://table: app live is on 41, not on none; ann@host moved it at 2026-05-01T10:00:00.000Z
      nothing was changed; `sacker info app live` shows its version
    5 conflict: doing it in dynamodb://table: app live is on 41, not on none; ann@host moved it at 2026-05-01T10:00:00.000Z
      nothing was changed; `sacker info app live` shows its version
    5 conflict: doing it in dynamodb://table: app live is on 41, not on none; ann@host protected it at 2026-05-01T10:00:00.000Z
      nothing was changed; `sacker info app live` shows its version
    5 conflict: doing it in dynamodb://table: app live is on 41, not on none; ann@host unprotected it at 2026-05-01T10:00:00.000Z
      nothing was changed; `sacker info app live` shows its version
    6 refused: doing it in dynamodb://table: app live can't be rolled back to 2, which is yanked
      nothing was changed; the nearest active version: `sacker rollback app live --to 1`
    6 refused: doing it in dynamodb://table: app live can't be rolled back to 2, which is yanked
      nothing was changed; `sacker history app live` shows its moves
    6 refused: doing it in dynamodb://table: app live can't be rolled back: it was on no version before
      nothing was changed; `sacker history app live` shows its moves
    6 refused: doing it in dynamodb://table: app 3 does not pass label:tests=passed (it has no label tests), age:1h 30m (it was added 5s ago)
      nothing was changed; `sacker info app 3` shows the version
    6 refused: doing it in dynamodb://table: app 3 does not pass was:canary (canary was never on it)
      nothing was changed; `sacker check app 3 live` shows the gates; `--override WHY` passes them, and is recorded
    6 refused: doing it in dynamodb://table: app 3 does not pass was:canary (canary was never on it); live allows no override
      nothing was changed; `sacker check app 3 live` shows the gates; only `sacker unprotect app live` removes them
    ");
}

#[test]
fn what_the_ledger_answers_of_a_plan() {
    let failed = |package: &str, error: ledger::Error| Failed {
        package: package.parse().unwrap(),
        tag: live(),
        error,
    };
    let not_applied = |found| Conflict::NotApplied {
        package: app(),
        tag: live(),
        found,
        kind: Some(TagKind::Move),
        by: Some(by()),
    };
    let missing = || failed("web", NotFound::Package("web".parse().unwrap()).into());
    let refused = || {
        failed(
            "app",
            Refused::Protected { package: app(), tag: live(), protection: Protection::Confirm }.into(),
        )
    };
    let stale = || failed("app", not_applied(None).into());
    let answers: Vec<ledger::Error> = vec![
        not_applied(Some(version(3))).into(),
        Conflict::OtherPlan { moved: "web live".to_owned() }.into(),
        Refused::TooLarge { needed: 101, most: 100 }.into(),
        ledger::Error::Moves { failed: vec![refused(), missing()], of: 3 },
        ledger::Error::Moves { failed: vec![stale(), refused()], of: 3 },
        ledger::Error::Moves { failed: vec![stale()], of: 3 },
    ];
    assert_snapshot!(all(answers.into_iter().map(ops::Error::Ledger), &cloud()), @"
    5 conflict: doing it in dynamodb://table: app live is on 3, and this plan did not put it there; ann@host moved it at 2026-05-01T10:00:00.000Z
      nothing was changed; `sacker history app live` shows the changes since then
    5 conflict: doing it in dynamodb://table: the plan that was applied also moved web live, which this plan does not contain
      nothing was changed; give the plan exactly as it was applied, or move each tag separately
    2 invalid: doing it in dynamodb://table: the plan needs 101 items in one transaction; at most 100 are allowed
      nothing was changed; split the plan, or leave out --key; `sacker apply --help` explains the limit
    4 not_found: doing it in dynamodb://table: 2 of 3 moves can't be made:
    app live is protected (confirm)
    web live: there is no package web
      nothing was changed: either all moves are made or none; -n checks a plan without applying it
    6 refused: doing it in dynamodb://table: 2 of 3 moves can't be made:
    app live is on none, and this plan did not put it there; ann@host moved it at 2026-05-01T10:00:00.000Z
    app live is protected (confirm)
      nothing was changed: a plan is undone as a whole; `sacker rollback` moves back one tag
    5 conflict: doing it in dynamodb://table: 1 of 3 moves can't be made:
    app live is on none, and this plan did not put it there; ann@host moved it at 2026-05-01T10:00:00.000Z
      nothing was changed: a plan is undone as a whole; `sacker rollback` moves back one tag
    ");
}
