//! The command `apply`: plans, errors in them, and their reversal.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

/// `web`, `api` and `old`, each with two versions, the second `canary`; `live` on the first of `web` and `old`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    for package in ["web", "api", "old"] {
        for number in ["1", "2"] {
            sandbox.write(package, number);
            let tag = if number == "2" { "canary" } else { "live" };
            let tags = if (package, tag) == ("api", "live") { vec![] } else { vec!["--tag", tag] };
            sandbox.ok(&[&["add", package, package, "-q"], &tags[..]].concat());
        }
    }
    sandbox.write("plan.json", PLAN);
    sandbox
}

const PLAN: &str = r#"{"message": "release 7", "moves": [
    {"package": "web", "tag": "live", "to": "canary", "expect": 1},
    {"package": "api", "tag": "live", "to": 2, "expect": "none"},
    {"package": "old", "tag": "live", "to": null}
]}"#;

/// Returns the version that each tag is on.
fn tags(sandbox: &Sandbox) -> String {
    let row = |row: &str| row.split_whitespace().collect::<Vec<_>>().join(" ");
    let of = |package: &str| {
        let rows: Vec<_> = sandbox.ok(&["tags", package]).lines().skip(2).map(row).collect();
        format!("{package}: {}", rows.join(", "))
    };
    ["web", "api", "old"].map(of).join("; ")
}

const BEFORE: &str = "web: canary 2, live 1; api: canary 2; old: canary 2, live 1";
const AFTER: &str = "web: canary 2, live 2; api: canary 2, live 2; old: canary 2";

/// Tries a plan that must be refused, and sees that it changed nothing.
fn refused(sandbox: &Sandbox, plan: &str) -> String {
    sandbox.write("bad.json", plan);
    let before = tags(sandbox);
    let shown = sandbox.run(&["apply", "bad.json", "-q"]);
    assert!(!shown.starts_with("exit 0"), "{shown}");
    assert_eq!(tags(sandbox), before);
    assert_eq!(sandbox.run(&["apply", "bad.json", "-q", "-n"]), shown, "it is known beforehand");
    shown
}

#[test]
fn a_plan_moves_all_its_tags() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run(&["apply", "-n", "plan.json"]), @"
    exit 0
    1| web live: 1 -> 2
    1| api live: none -> 2
    1| old live: 1 -> none
    2| note: nothing was changed
    ");
    assert_eq!(tags(&sandbox), BEFORE);
    assert_snapshot!(sandbox.run(&["apply", "plan.json", "--json"]), @r#"
    exit 0
    1| {"package":"web","tag":"live","version":2,"previous":1,"kind":"move","rev":3,"moved_at":"[TIME]","moved_by":"tester@host","message":"release 7"}
    1| {"package":"api","tag":"live","version":2,"previous":null,"kind":"move","rev":2,"moved_at":"[TIME]","moved_by":"tester@host","message":"release 7"}
    1| {"package":"old","tag":"live","version":null,"previous":1,"kind":"untag","rev":3,"moved_at":"[TIME]","moved_by":"tester@host","message":"release 7"}
    2| {"note":{"message":"nothing is configured; using the embedded ledger and store under [HOME]/.local/share/sacker"}}
    "#);
    assert_eq!(tags(&sandbox), AFTER);
    assert_snapshot!(sandbox.run(&["history", "web", "live", "--limit", "1"]), @"
    exit 0
    1| AT                      REV  EVENT      WHAT                      BY: WHY
    1| [TIME]     t3  move       live: 1 -> 2              tester@host: release 7
    ");
    assert_snapshot!(sandbox.run_with_stdin(&["apply", "-", "-q"], br#"{"moves": [{"package": "web", "tag": "live", "to": "live"}]}"#), @"
    exit 0
    1| web live: 2 -> 2
    ");
    assert_snapshot!(sandbox.run(&["apply", "plan.json", "-q"]), @"
    exit 5
    2| error: applying the plan plan.json in file://[HOME]/.local/share/sacker/ledger: 2 of 3 moves can't be made:
    2|   web live is on 2, not on 1; tester@host moved it at [TIME]
    2|   api live is on 2, not on none; tester@host moved it at [TIME]
    2| hint: nothing was changed: either all moves are made or none; -n checks a plan without applying it
    ");
}

#[test]
fn a_plan_is_taken_back_once() {
    let sandbox = sandbox();
    sandbox.ok(&["apply", "plan.json", "-q"]);
    assert_snapshot!(sandbox.run(&["apply", "--undo", "-n", "plan.json"]), @"
    exit 0
    1| web live: 2 -> 1
    1| api live: 2 -> none
    1| old live: none -> 1
    2| note: nothing was changed
    ");
    assert_eq!(tags(&sandbox), AFTER);
    assert_snapshot!(sandbox.run(&["apply", "--undo", "plan.json", "-q", "--json", "-m", "it leaks"]), @r#"
    exit 0
    1| {"package":"web","tag":"live","version":1,"previous":2,"kind":"rollback","rev":4,"moved_at":"[TIME]","moved_by":"tester@host","message":"it leaks"}
    1| {"package":"api","tag":"live","version":null,"previous":2,"kind":"rollback","rev":3,"moved_at":"[TIME]","moved_by":"tester@host","message":"it leaks"}
    1| {"package":"old","tag":"live","version":1,"previous":null,"kind":"rollback","rev":4,"moved_at":"[TIME]","moved_by":"tester@host","message":"it leaks"}
    "#);
    assert_eq!(tags(&sandbox), BEFORE);
    assert_snapshot!(sandbox.run(&["apply", "--undo", "plan.json", "-q"]), @"
    exit 5
    2| error: undoing the plan plan.json in file://[HOME]/.local/share/sacker/ledger: 3 of 3 moves can't be made:
    2|   web live is on 1, and this plan did not put it there; tester@host moved it at [TIME]
    2|   api live is on none, and this plan did not put it there; tester@host moved it at [TIME]
    2|   old live is on 1, and this plan did not put it there; tester@host moved it at [TIME]
    2| hint: nothing was changed: a plan is undone as a whole; `sacker rollback` moves back one tag
    ");
    assert_eq!(tags(&sandbox), BEFORE);
}

#[test]
fn a_plan_that_someone_moved_on_from_is_not_taken_back() {
    let sandbox = sandbox();
    sandbox.ok(&["apply", "plan.json", "-q"]);
    sandbox.ok(&["tag", "api", "1", "live", "-q"]);
    let before = tags(&sandbox);
    assert_snapshot!(sandbox.run(&["apply", "--undo", "plan.json", "-q"]), @"
    exit 5
    2| error: undoing the plan plan.json in file://[HOME]/.local/share/sacker/ledger: 1 of 3 moves can't be made:
    2|   api live is on 1, and this plan did not put it there; tester@host moved it at [TIME]
    2| hint: nothing was changed: a plan is undone as a whole; `sacker rollback` moves back one tag
    ");
    assert_eq!(tags(&sandbox), before);
}

#[test]
fn a_part_of_a_plan_is_not_taken_back() {
    let sandbox = sandbox();
    sandbox.ok(&["apply", "plan.json", "-q"]);
    let half = |package: &str, to: &str| {
        let half = format!(r#"{{"moves": [{{"package": "{package}", "tag": "live", "to": {to}}}]}}"#);
        sandbox.write("half.json", half);
        sandbox.run(&["apply", "--undo", "half.json", "-q"])
    };
    assert_snapshot!(half("web", r#""canary""#), @"
    exit 5
    2| error: undoing the plan half.json in file://[HOME]/.local/share/sacker/ledger: the plan that was applied also moved api live, which this plan does not contain
    2| hint: nothing was changed; give the plan exactly as it was applied, or move each tag separately
    ");
    assert_snapshot!(half("api", "2"), @"
    exit 5
    2| error: undoing the plan half.json in file://[HOME]/.local/share/sacker/ledger: the plan that was applied also moved old live, which this plan does not contain
    2| hint: nothing was changed; give the plan exactly as it was applied, or move each tag separately
    ");
    assert_eq!(tags(&sandbox), AFTER);
}

#[test]
fn a_repeat_with_the_same_key_prints_the_first_outcome() {
    let sandbox = sandbox();
    let first = sandbox.ok(&["apply", "plan.json", "--key", "release-7", "--json"]);
    let undo = ["apply", "--undo", "plan.json", "--key", "back-7", "--json"];
    let undone = sandbox.ok(&undo);
    assert_eq!(sandbox.ok(&["apply", "plan.json", "--key", "release-7", "--json"]), first);
    assert_eq!(sandbox.ok(&undo), undone);
    assert_eq!(tags(&sandbox), BEFORE);
    assert_snapshot!(sandbox.run(&["apply", "--undo", "plan.json", "--key", "release-7", "-q"]), @r#"
    exit 5
    2| error: undoing the plan plan.json in file://[HOME]/.local/share/sacker/ledger: the key "release-7" was used for `apply PLAN (sha256 5c9b242d…)`, not for `apply --undo PLAN (sha256 5c9b242d…)`
    2| hint: nothing was changed; a key identifies one change permanently: use a new key for another change
    "#);
    sandbox.write("other.json", PLAN.replace("canary", "1"));
    assert_snapshot!(sandbox.run(&["apply", "other.json", "--key", "release-7", "-q"]), @r#"
    exit 5
    2| error: applying the plan other.json in file://[HOME]/.local/share/sacker/ledger: the key "release-7" was used for `apply PLAN (sha256 5c9b242d…)`, not for `apply PLAN (sha256 5ac66b0c…)`
    2| hint: nothing was changed; a key identifies one change permanently: use a new key for another change
    "#);
}

#[test]
fn every_move_that_fails_is_named() {
    let sandbox = sandbox();
    sandbox.ok(&["protect", "old", "live", "--confirm", "-q"]);
    sandbox.ok(&["yank", "api", "1", "-q"]);
    let plan = r#"{"moves": [
        {"package": "web", "tag": "live", "to": "canary", "expect": 2},
        {"package": "nosuch", "tag": "live", "to": 1},
        {"package": "api", "tag": "live", "to": 1},
        {"package": "api", "tag": "stable", "to": 2},
        {"package": "old", "tag": "live", "to": null},
        {"package": "web", "tag": "stable", "to": 9},
        {"package": "old", "tag": "stable", "to": "canary", "require": ["label:tests=passed"]}
    ]}"#;
    assert_snapshot!(refused(&sandbox, plan), @"
    exit 4
    2| error: applying the plan bad.json in file://[HOME]/.local/share/sacker/ledger: 6 of 7 moves can't be made:
    2|   web live is on 1, not on 2; tester@host moved it at [TIME]
    2|   nosuch live: there is no package nosuch
    2|   api live: api 1 is yanked and can't be tagged
    2|   old live is protected (confirm)
    2|   web stable: web has no version 9; its last is 2
    2|   old stable: old 2 does not pass label:tests=passed (it has no label tests)
    2| hint: nothing was changed: either all moves are made or none; -n checks a plan without applying it
    ");
    assert_snapshot!(sandbox.run(&["apply", "bad.json", "-q", "--json"]), @r#"
    exit 4
    2| {"error":{"kind":"not_found","message":"applying the plan bad.json in file://[HOME]/.local/share/sacker/ledger: 6 of 7 moves can't be made:\nweb live is on 1, not on 2; tester@host moved it at [TIME]\nnosuch live: there is no package nosuch\napi live: api 1 is yanked and can't be tagged\nold live is protected (confirm)\nweb stable: web has no version 9; its last is 2\nold stable: old 2 does not pass label:tests=passed (it has no label tests)","hint":"nothing was changed: either all moves are made or none; -n checks a plan without applying it","exit_code":4}}
    "#);
    // The exit code is that of the one that trying again helps least against.
    let one = |it: &str| {
        refused(&sandbox, &format!(r#"{{"moves": [{it}, {{"package": "web", "tag": "live", "to": 2}}]}}"#))
    };
    assert_snapshot!(one(r#"{"package": "api", "tag": "live", "to": 1}"#), @"
    exit 6
    2| error: applying the plan bad.json in file://[HOME]/.local/share/sacker/ledger: 1 of 2 moves can't be made:
    2|   api live: api 1 is yanked and can't be tagged
    2| hint: nothing was changed: either all moves are made or none; -n checks a plan without applying it
    ");
    assert_snapshot!(one(r#"{"package": "old", "tag": "live", "to": "canary"}"#), @"
    exit 6
    2| error: applying the plan bad.json in file://[HOME]/.local/share/sacker/ledger: 1 of 2 moves can't be made:
    2|   old live is protected (confirm)
    2| hint: nothing was changed: either all moves are made or none; -n checks a plan without applying it
    ");
    assert_snapshot!(one(r#"{"package": "api", "tag": "live", "to": 2, "expect": 1}"#), @"
    exit 5
    2| error: applying the plan bad.json in file://[HOME]/.local/share/sacker/ledger: 1 of 2 moves can't be made:
    2|   api live is on none, not on 1
    2| hint: nothing was changed: either all moves are made or none; -n checks a plan without applying it
    ");
    assert_snapshot!(one(r#"{"package": "nosuch", "tag": "live", "to": 1}"#), @"
    exit 4
    2| error: applying the plan bad.json in file://[HOME]/.local/share/sacker/ledger: 1 of 2 moves can't be made:
    2|   nosuch live: there is no package nosuch
    2| hint: nothing was changed: either all moves are made or none; -n checks a plan without applying it
    ");
    assert_snapshot!(one(r#"{"package": "api", "tag": "never", "to": null}"#), @"
    exit 4
    2| error: applying the plan bad.json in file://[HOME]/.local/share/sacker/ledger: 1 of 2 moves can't be made:
    2|   api never: api has no tag never
    2| hint: nothing was changed: either all moves are made or none; -n checks a plan without applying it
    ");
    // Of one move alone, it is that of the move.
    assert_snapshot!(refused(&sandbox, r#"{"moves": [{"package": "old", "tag": "live", "to": null}]}"#), @"
    exit 6
    2| error: applying the plan bad.json in file://[HOME]/.local/share/sacker/ledger: old live is protected (confirm)
    2| hint: nothing was changed; to confirm the move, add `--confirm live`, or `confirm` in a plan
    ");
}

#[test]
fn a_plan_that_makes_no_sense_is_refused_before_anything_is_sent() {
    let sandbox = sandbox();
    let plan = |moves: &str| refused(&sandbox, &format!(r#"{{"moves": [{moves}]}}"#));
    assert_snapshot!(plan(""), @r#"
    exit 2
    2| error: reading the plan bad.json: list "moves" is empty
    2| hint: nothing was changed; `sacker apply --help` shows a plan
    "#);
    assert_snapshot!(plan(r#"{"package": "web", "tag": "live"}"#), @r#"
    exit 2
    2| error: reading the plan bad.json: JSON at "line 1, column 44" can't be read: missing field `to`
    2| hint: nothing was changed; `sacker apply --help` shows a plan
    "#);
    assert_snapshot!(plan(r#"{"package": "web", "tag": "live", "too": 1}"#), @r#"
    exit 2
    2| error: reading the plan bad.json: JSON at "line 1, column 50" can't be read: unknown field `too`, expected one of `package`, `tag`, `to`, `expect`, `require`, `confirm`, `override`
    2| hint: nothing was changed; `sacker apply --help` shows a plan
    "#);
    assert_snapshot!(plan(r#"{"package": "web", "tag": "live", "to": 1, "expect": null}"#), @r#"
    exit 2
    2| error: reading the plan bad.json: JSON at "line 1, column 69" can't be read: `expect` is null; write "none" to expect no version, or leave it out
    2| hint: nothing was changed; `sacker apply --help` shows a plan
    "#);
    assert_snapshot!(plan(r#"{"package": "web", "tag": "live", "to": 1.5}"#), @r#"
    exit 2
    2| error: reading the plan bad.json: JSON at "line 1, column 55" can't be read: not a whole number or a text
    2| hint: nothing was changed; `sacker apply --help` shows a plan
    "#);
    assert_snapshot!(plan(r#"{"package": "web", "tag": "live", "to": "a b"}"#), @r#"
    exit 2
    2| error: reading the plan bad.json: JSON at "line 1, column 57" can't be read: tag "a b" holds ' '; only A-Z a-z 0-9 . _ - are allowed
    2| hint: nothing was changed; `sacker apply --help` shows a plan
    "#);
    assert_snapshot!(plan(r#"{"package": "web", "tag": "live", "to": 1}, {"package": "web", "tag": "live", "to": 2}"#), @r#"
    exit 2
    2| error: reading the plan bad.json: the move of "web live" appears twice; a plan moves a tag once
    2| hint: nothing was changed; `sacker apply --help` shows a plan
    "#);
    assert_snapshot!(plan(r#"{"package": "web", "tag": "live", "to": null, "require": ["age:2h"]}"#), @r#"
    exit 2
    2| error: reading the plan bad.json: the move of "web live" has `require`, but no version to require it of: `to` is null
    2| hint: nothing was changed; `sacker apply --help` shows a plan
    "#);
    assert_snapshot!(plan(r#"{"package": "web", "tag": "live", "to": 1, "confirm": "canary"}"#), @r#"
    exit 2
    2| error: reading the plan bad.json: the move of "web live" has another tag's name as `confirm`
    2| hint: nothing was changed; `sacker apply --help` shows a plan
    "#);
    assert_snapshot!(plan(r#"{"package": "web", "tag": "live", "to": 1, "require": ["tests=passed"]}"#), @r#"
    exit 2
    2| error: reading the plan bad.json: JSON at "line 1, column 82" can't be read: gate "tests=passed" is not like label:NAME=VALUE, tag:TAG, age:2h, soak:TAG=2h or was:TAG
    2| hint: nothing was changed; `sacker apply --help` shows a plan
    "#);
}

#[test]
fn what_is_no_plan_is_refused() {
    let sandbox = sandbox();
    assert_snapshot!(refused(&sandbox, r#"{"moves": [], "key": "k"}"#), @r#"
    exit 2
    2| error: reading the plan bad.json: JSON at "line 1, column 19" can't be read: unknown field `key`, expected `message` or `moves`
    2| hint: nothing was changed; `sacker apply --help` shows a plan
    "#);
    assert_snapshot!(refused(&sandbox, "moves:\n"), @r#"
    exit 2
    2| error: reading the plan bad.json: JSON at "line 1, column 1" can't be read: expected value
    2| hint: nothing was changed; `sacker apply --help` shows a plan
    "#);
    assert_snapshot!(sandbox.run(&["apply", "nosuch.json"]), @"
    exit 2
    2| error: can't read the plan nosuch.json: No such file or directory
    ");
    assert_snapshot!(sandbox.run_with_stdin(&["apply", "-", "--json"], b"{}"), @r#"
    exit 2
    2| {"error":{"kind":"invalid","message":"reading the plan on standard input: JSON at \"line 1, column 2\" can't be read: missing field `moves`","hint":"nothing was changed; `sacker apply --help` shows a plan","exit_code":2}}
    "#);
}

#[test]
fn a_plan_has_its_limits() {
    let sandbox = sandbox();
    let of = |count: usize, to: &str| {
        let moves = (0..count).map(|n| format!(r#"{{"package": "p{n}", "tag": "live", "to": {to}}}"#));
        format!(r#"{{"moves": [{}]}}"#, moves.collect::<Vec<_>>().join(","))
    };
    assert_snapshot!(refused(&sandbox, &of(26, "1")), @r#"
    exit 2
    2| error: reading the plan bad.json: a plan of "26" packages is too large: no more than 25 are allowed
    2| hint: nothing was changed; `sacker apply --help` shows a plan
    "#);
    for n in 0..25 {
        sandbox.ok(&["add", &format!("p{n}"), "web", "--tag", "canary", "-q"]);
    }
    sandbox.write("most.json", of(25, "1"));
    assert_snapshot!(sandbox.run(&["apply", "most.json", "--key", "k", "-q"]), @"
    exit 2
    2| error: applying the plan most.json in file://[HOME]/.local/share/sacker/ledger: the plan needs 102 items in one transaction; at most 100 are allowed
    2| hint: nothing was changed; split the plan, or leave out --key; `sacker apply --help` explains the limit
    ");
    sandbox.write("most.json", of(24, "1"));
    assert_eq!(sandbox.ok(&["apply", "most.json", "-q"]).lines().count(), 24);
    assert_eq!(sandbox.ok(&["apply", "most.json", "--undo", "-q"]).lines().count(), 24);
    sandbox.write("promoted.json", of(25, r#""canary""#));
    assert_eq!(sandbox.ok(&["apply", "promoted.json", "--key", "k", "-q"]).lines().count(), 25);
}
