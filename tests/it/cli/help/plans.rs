//! The help of `apply`, which explains the form of a plan.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

/// The parts of the help of `apply`: its own arguments and options, and the page from the global options on.
fn help_of_apply() -> (String, String) {
    let help = Sandbox::new().run(&["apply", "--help"]);
    let (arguments, rest) = help.split_at(help.find("1| Global options:").unwrap());
    (arguments.to_owned(), rest.to_owned())
}

#[test]
fn a_plan_is_explained() {
    let (arguments, _) = help_of_apply();
    assert_snapshot!(arguments, @r#"
    exit 0
    1| Move tags of many packages in one transaction: all or none
    1|
    1| Usage: sacker apply [OPTIONS] <PLAN>
    1|
    1| Arguments:
    1|   <PLAN>
    1|           The plan, a JSON file; - for standard input
    1|
    1| Options:
    1|   -n, --dry-run
    1|           Show what would change, but change nothing
    1|
    1|       --undo
    1|           Undo the plan, if every tag in it is still where a single apply put it
    1|
    1|       --emergency <WHY>
    1|           Move the tags in spite of a freeze that is not strict, for this
    1|           reason, which is recorded
    1|
    1|       --key <KEY>
    1|           Idempotency key: repeating the change with the same key changes
    1|           nothing and prints the first outcome
    1|
    1|   -m, --message <TEXT>
    1|           The reason for the change, recorded with it
    1|
    1|   -h, --help
    1|           Print help (see a summary with '-h')
    1|
    "#);
}

#[test]
fn the_help_of_apply_ends_with_the_form_of_a_plan() {
    let (_, options) = help_of_apply();
    assert_snapshot!(options, @r#"
    1| Global options:
    1|       --config <FILE>
    1|           The configuration file [default: ~/.sacker.json, which need not exist]
    1|
    1|       --ledger <URL>
    1|           The ledger: dynamodb://TABLE[?region=R&endpoint=URL], git+URL[#REF],
    1|           postgres://USER@HOST/DB, zookeeper://HOST:PORT/ROOT or file:///DIR
    1|
    1|       --store <URL>
    1|           The store: s3://BUCKET[/PREFIX][?region=R&endpoint=URL],
    1|           azure://ACCOUNT/CONTAINER, hdfs://NAMENODE/PATH or file:///DIR
    1|
    1|       --json
    1|           Print one JSON object per line, including errors
    1|
    1|   -q, --quiet
    1|           Print no progress, notices or warnings; only errors
    1|
    1|   -v, --verbose...
    1|           Report each call of a back end; -vv: also retries, and the totals;
    1|           -vvv: everything
    1|
    1|       --log-format <FORMAT>
    1|           The format of stderr: text, or json, an object a line
    1|
    1|           [default: text]
    1|           [possible values: text, json]
    1|
    1|       --trace-json <FILE>
    1|           Append the whole trace to FILE, an object a line
    1|
    1|       --metrics <FILE>
    1|           Write outcome and totals to FILE, for Prometheus
    1|
    1|       --color <WHEN>
    1|           Color the output
    1|
    1|           [default: auto]
    1|           [possible values: auto, always, never]
    1|
    1|       --deadline <DURATION>
    1|           Give up when contention, throttling or an outage stops progress for
    1|           this long: 90s, 2m
    1|
    1|           [default: 60s]
    1|
    1| A plan:
    1|   {"message": "release 7", "moves": [
    1|     {"package": "web", "tag": "live", "to": "canary", "expect": 41},
    1|     {"package": "api", "tag": "live", "to": 12, "require": ["age:2h"],
    1|      "confirm": "live"},
    1|     {"package": "old", "tag": "live", "to": null}
    1|   ]}
    1|
    1| package, tag and to are required. to is a SPEC, or null to remove the tag;
    1| every SPEC is resolved against the state before the plan. expect (a version,
    1| or "none"), require, override and confirm work like the options of `tag`.
    1|
    1| A plan has at most 25 packages, and at most 100 items in its transaction: 1
    1| for each package, 2 for each move, 1 more for a move to anything but another
    1| tag or null, 1 more for an override of a move to a tag or latest, 1 for --key,
    1| and 1 for freezes. So a plan can move one tag in each of 24 packages; in 25 if
    1| one of them is moved to another tag, and with --key if two are. --undo counts
    1| each move as 3, and does not count freezes.
    "#);
}
