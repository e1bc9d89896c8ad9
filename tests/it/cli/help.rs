//! Help, versions, completions, and how arguments are read.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

/// The parts of the help: the list of commands, the options, and the explanation of exit codes and the environment.
fn help(sandbox: &Sandbox) -> [String; 3] {
    let help = sandbox.run(&["--help"]);
    let (commands, rest) = help.split_at(help.find("1| Options:").unwrap());
    let (options, explanation) = rest.split_at(rest.find("1| Exit codes:").unwrap());
    [commands, options, explanation].map(str::to_owned)
}

#[test]
fn the_help_lists_every_command() {
    assert_snapshot!(help(&Sandbox::new())[0], @r#"
    exit 0
    1| Manages blobs for releases: gives each package's blobs the versions 1, 2, 3 …,
    1| and moves tags over them
    1|
    1| Usage: sacker [OPTIONS] <COMMAND>
    1|
    1| Commands:
    1|   list         List the packages, by name
    1|   versions     List the versions of a package, newest first
    1|   tags         List the tags of a package: latest first, then by name
    1|   info         Show all that is known of a version
    1|   add          Store a file and make it the next version of a package; prints
    1|                its number
    1|   download     Fetch a version's file and verify it; prints its path
    1|   tag          Move a tag to a version, atomically with finding out which that
    1|                is
    1|   untag        Remove a tag; one that is removed already is fine
    1|   rollback     Put a tag back to where it was before; again: further back
    1|   apply        Move tags of many packages in one transaction: all, or none
    1|   history      List what happened to a package, or to one tag of it, newest
    1|                first
    1|   wait         Wait until a version is there, or a tag has moved; then show it
    1|                as info does
    1|   protect      Keep a tag from being moved by a slip
    1|   unprotect    Let a protected tag be moved again
    1|   yank         Take a version out of latest; it can still be downloaded by its
    1|                number
    1|   unyank       Put a yanked version back: it can be tagged, and be latest
    1|   delete       Delete a version for good: its number stays spent, its bytes can
    1|                be collected
    1|   label        Add labels to a version; one that it has is never replaced
    1|   gc           Report the blobs that no version needs; remove them only with
    1|                --delete
    1|   fsck         Check everything that the ledger holds, and that the store has
    1|                every blob; exits with 8 if something is wrong
    1|   init         Make the ledger and the store with safe settings, or check those
    1|                that are there
    1|   completions  Print a script with which a shell completes commands and options
    1|   help         Print this message or the help of the given subcommand(s)
    1|
    "#);
}

#[test]
fn the_help_explains_every_option() {
    assert_snapshot!(help(&Sandbox::new())[1], @r#"
    1| Options:
    1|   -h, --help
    1|           Print help (see a summary with '-h')
    1|
    1|   -V, --version
    1|           Print version
    1|
    1| Global options:
    1|       --config <FILE>
    1|           The configuration file [default: ~/.sacker.json, which need not exist]
    1|
    1|       --ledger <URL>
    1|           The ledger: dynamodb://TABLE[?region=R&endpoint=URL] or file:///DIR
    1|
    1|       --store <URL>
    1|           The store: s3://BUCKET[/PREFIX][?region=R&endpoint=URL] or file:///DIR
    1|
    1|       --json
    1|           Print one JSON object a line, errors too
    1|
    1|   -q, --quiet
    1|           No progress, notices or warnings; only errors
    1|
    1|   -v, --verbose...
    1|           Say what is going on: each call of a back end; -vv: retries; -vvv: all
    1|
    1|       --color <WHEN>
    1|           When to use color
    1|
    1|           [default: auto]
    1|           [possible values: auto, always, never]
    1|
    1|       --deadline <DURATION>
    1|           How long contention, throttling or an outage is ridden out without
    1|           progress: 90s, 2m
    1|
    1|           [default: 60s]
    1|
    "#);
}

#[test]
fn the_help_explains_every_exit_code_and_the_environment() {
    let sandbox = Sandbox::new();
    assert_snapshot!(help(&sandbox)[2], @r#"
    1| Exit codes:
    1|     0  done, or already so
    1|     1  internal: a bug or an unexpected answer
    1|     2  invalid: usage, configuration or input
    1|     3  timeout: `wait` timed out
    1|     4  not_found: no such package, version or tag
    1|     5  conflict: an expectation was not met, a key names something else, or
    1|        contention lasted past the deadline; nothing was changed
    1|     6  refused: protected, yanked, deleted, tagged: policy says no
    1|     7  unavailable: back end out of reach or throttling past the deadline;
    1|        nothing was changed
    1|     8  integrity: bytes or ledger are not what they must be
    1|     9  unknown: may have happened; run it again with the --key that is printed
    1|    10  denied: credentials missing, expired or not allowed
    1|   130  interrupted before anything was committed
    1|
    1| Where a command takes a SPEC, that is one of:
    1|   42         the version with that number
    1|   live       the version that this tag is on
    1|   latest     the highest version that is neither yanked nor deleted
    1|   live~1     where `rollback` would put live; live~2 after two rollbacks
    1|   live@{[TIME]}, live@{2h ago}
    1|              where live was then, by the times in `history`; "ago" is before
    1|              now, by DynamoDB's clock, or this machine's if embedded
    1|
    1| Environment:
    1|   SACKER_LEDGER, SACKER_STORE, SACKER_CONFIG
    1|              as --ledger, --store and --config, which win over them
    1|   SACKER_ACTOR
    1|              who is recorded with a change, instead of the AWS identity or,
    1|              where that is not known, USER@HOST
    1|   CI         where it is set, nothing is changed without a configuration
    1|   NO_COLOR   no color unless --color says so
    1|   XDG_DATA_HOME, XDG_CACHE_HOME, TMPDIR
    1|              where data, unfinished uploads and temporary files go
    1|   AWS_*      all of AWS's own, such as AWS_PROFILE and AWS_REGION
    1|
    1| Nothing configured at all: a ledger and a store in $XDG_DATA_HOME/sacker, by
    1| default ~/.local/share/sacker.
    "#);
    let help = sandbox.ok(&["--help"]);
    assert!(help.lines().all(|line| line.chars().count() <= 80), "it fits a terminal");
}

/// Every command, from the list that the program itself gives.
pub fn commands(sandbox: &Sandbox) -> Vec<String> {
    let help = sandbox.ok(&["--help"]);
    let list =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let name = |line: &str| Some(line.strip_prefix("  ")?.split(' ').next()?.to_owned());
    let commands: Vec<_> =
        list.filter_map(name).filter(|name| !["", "help"].contains(&name.as_str())).collect();
    assert!(commands.len() > 20, "{commands:?}");
    commands
}

#[test]
fn each_command_has_its_help() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run(&["add", "-h"]), @"
    exit 0
    1| Store a file and make it the next version of a package; prints its number
    1|
    1| Usage: sacker add [OPTIONS] <PACKAGE> <FILE>
    1|
    1| Arguments:
    1|   <PACKAGE>  The package, which its first version makes
    1|   <FILE>     The file; - for standard input
    1|
    1| Options:
    1|       --tag <TAG>               Also move this tag to it, in the same
    1|                                 transaction; repeatable
    1|       --label <NAME=VALUE>      A label to record with it; repeatable
    1|       --filename <NAME>         The file name to record, instead of its own
    1|       --if-changed              Add nothing if latest has the same sha256, and
    1|                                 print its number
    1|       --expect-latest <N|none>  Add it only if latest is N, or if there is none
    1|       --confirm <TAG>           The name of a --tag again, where it is protected
    1|                                 so that its moves need that; repeatable
    1|   -j, --jobs <N>                How many parts of a large file are under way at
    1|                                 once, 1 to 64 at most [default: adapts, up to
    1|                                 32]
    1|       --key <KEY>               An idempotency key: a repeat with it changes
    1|                                 nothing and prints the first outcome
    1|   -m, --message <TEXT>          Why, for the record
    1|   -h, --help                    Print help
    1|
    1| Global options:
    1|       --config <FILE>        The configuration file [default: ~/.sacker.json,
    1|                              which need not exist]
    1|       --ledger <URL>         The ledger:
    1|                              dynamodb://TABLE[?region=R&endpoint=URL] or
    1|                              file:///DIR
    1|       --store <URL>          The store:
    1|                              s3://BUCKET[/PREFIX][?region=R&endpoint=URL] or
    1|                              file:///DIR
    1|       --json                 Print one JSON object a line, errors too
    1|   -q, --quiet                No progress, notices or warnings; only errors
    1|   -v, --verbose...           Say what is going on: each call of a back end; -vv:
    1|                              retries; -vvv: all
    1|       --color <WHEN>         When to use color [default: auto] [possible values:
    1|                              auto, always, never]
    1|       --deadline <DURATION>  How long contention, throttling or an outage is
    1|                              ridden out without progress: 90s, 2m [default: 60s]
    ");
    for command in commands(&sandbox) {
        for option in ["-h", "--help"] {
            let help = sandbox.ok(&[&command, option]);
            assert!(help.contains(&format!("Usage: sacker {command}")), "{help}");
            assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        }
    }
}

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
    1| Move tags of many packages in one transaction: all, or none
    1|
    1| Usage: sacker apply [OPTIONS] <PLAN>
    1|
    1| Arguments:
    1|   <PLAN>
    1|           The plan, a JSON file; - for standard input
    1|
    1| Options:
    1|   -n, --dry-run
    1|           Show what would change, and change nothing
    1|
    1|       --undo
    1|           Take the plan back, if every tag in it still stands where one and the
    1|           same apply put it
    1|
    1|       --key <KEY>
    1|           An idempotency key: a repeat with it changes nothing and prints the
    1|           first outcome
    1|
    1|   -m, --message <TEXT>
    1|           Why, for the record
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
    1|           The ledger: dynamodb://TABLE[?region=R&endpoint=URL] or file:///DIR
    1|
    1|       --store <URL>
    1|           The store: s3://BUCKET[/PREFIX][?region=R&endpoint=URL] or file:///DIR
    1|
    1|       --json
    1|           Print one JSON object a line, errors too
    1|
    1|   -q, --quiet
    1|           No progress, notices or warnings; only errors
    1|
    1|   -v, --verbose...
    1|           Say what is going on: each call of a back end; -vv: retries; -vvv: all
    1|
    1|       --color <WHEN>
    1|           When to use color
    1|
    1|           [default: auto]
    1|           [possible values: auto, always, never]
    1|
    1|       --deadline <DURATION>
    1|           How long contention, throttling or an outage is ridden out without
    1|           progress: 90s, 2m
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
    1| package, tag and to must be given. to is a spec, or null to remove the tag;
    1| all are resolved against the state before the plan. expect (a version, or
    1| "none"), require and confirm are as the options of `tag`.
    1|
    1| A plan has at most 25 packages, and at most 100 items in its transaction: 1
    1| for each package, 2 for each move, 1 more for a move to anything but another
    1| tag or null, and 1 for --key. So 25 packages go with one tag each; with --key
    1| 24, or 25 if one of them is moved to another tag. --undo counts every move
    1| as 3.
    "#);
}

#[test]
fn the_version_is_that_of_the_crate() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.ok(&["-V"]), concat!("sacker ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn completions_need_no_configuration() {
    let sandbox = Sandbox::new().set("SACKER_LEDGER", "");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(sandbox.ok(&["completions", shell]).contains("if-changed"), "{shell}");
    }
    assert_snapshot!(sandbox.run(&["completions", "csh"]), @"
    exit 2
    2| error: invalid value 'csh' for '<SHELL>'
    2|   [possible values: bash, elvish, fish, powershell, zsh]
    2|
    2|   tip: a similar value exists: 'zsh'
    2|
    2| For more information, try '--help'.
    ");
}

#[test]
fn wrong_usage_is_explained() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run(&["ad", "app", "f"]), @"
    exit 2
    2| error: unrecognized subcommand 'ad'
    2|
    2|   tip: a similar subcommand exists: 'add'
    2|
    2| Usage: sacker [OPTIONS] <COMMAND>
    2|
    2| For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["add", "app"]), @"
    exit 2
    2| error: the following required arguments were not provided:
    2|   <FILE>
    2|
    2| Usage: sacker add <PACKAGE> <FILE>
    2|
    2| For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["add", "app", "--json"]), @r#"
    exit 2
    2| {"error":{"kind":"invalid","message":"the following required arguments were not provided: <FILE>","hint":"`sacker --help` shows the commands, `sacker COMMAND --help` their options","exit_code":2}}
    "#);
    assert_snapshot!(sandbox.run(&["info", "app", "live", "--expect", "1", "--json"]), @r#"
    exit 2
    2| {"error":{"kind":"invalid","message":"unexpected argument '--expect' found","hint":"`sacker --help` shows the commands, `sacker COMMAND --help` their options","exit_code":2}}
    "#);
    assert_snapshot!(sandbox.run(&["list", "--deadline", "0s"]), @"
    exit 2
    2| error: invalid value '0s' for '--deadline <DURATION>': it must be more than 0s
    2|
    2| For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["list", "--deadline", "60"]), @"
    exit 2
    2| error: invalid value '60' for '--deadline <DURATION>': not a duration such as 90s, 2m or 1h 30m
    2|
    2| For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["list", "--color", "blue"]), @"
    exit 2
    2| error: invalid value 'blue' for '--color <WHEN>'
    2|   [possible values: auto, always, never]
    2|
    2| For more information, try '--help'.
    ");
}
