//! Help, versions, completions, and how arguments are read.

mod plans;

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

/// The parts of the help: the list of commands, the options, and the explanation of exit codes and the environment.
fn help(sandbox: &Sandbox) -> [String; 3] {
    let help = sandbox.run(&["--help"]);
    let (commands, rest) = help.split_at(help.find("1| Options:").unwrap());
    let (options, explanation) = rest.split_at(rest.find("1| Exit codes:").unwrap());
    [commands, options, explanation].map(str::to_owned)
}

/// The list of commands, in two parts.
fn listed() -> [String; 2] {
    let [commands, ..] = help(&Sandbox::new());
    let (first, rest) = commands.split_at(commands.find("1| Guard tags").unwrap());
    [first, rest].map(str::to_owned)
}

#[test]
fn the_help_lists_the_commands_for_packages_and_tags() {
    assert_snapshot!(listed()[0], @"
    exit 0
    1| A release registry: stores blobs as versions 1, 2, 3 … of a package, and moves
    1| tags between versions
    1|
    1| Usage: sacker [OPTIONS] <COMMAND>
    1|
    1| Publish and fetch:
    1|   add       Store a file as the next version of a package; prints the version
    1|             number
    1|   download  Download the file of a version and verify it; prints its path
    1|
    1| Look up:
    1|   list      List the packages, by name
    1|   versions  List the versions of a package, newest first
    1|   tags      List the tags of a package: latest first, then by name
    1|   info      Show everything recorded about a version
    1|   status    Show the tags of many packages: versions, since when, by whom, and
    1|             how far behind latest
    1|   changes   List the versions between two specs, newest first: what a deploy
    1|             from A to B contains
    1|   history   List the changes of a package, or of one of its tags, newest first
    1|   find      Find versions of all packages by their labels, state or age
    1|
    1| Move tags:
    1|   tag       Move a tag to a version; resolving SPEC and moving the tag is one
    1|             atomic step
    1|   untag     Remove a tag; succeeds if it is removed already
    1|   rollback  Move a tag back to its previous version; repeat it to go further
    1|             back
    1|   recall    Move every tag on a version back and yank the version, in one
    1|             transaction
    1|   apply     Move tags of many packages in one transaction: all or none
    1|   check     Show whether a tag could be moved to a version now, gate by gate;
    1|             changes nothing
    1|
    1| Follow what happens:
    1|   wait   Wait until a version exists, or a tag has moved; then show it as `info`
    1|          does
    1|   watch  Print the events of packages as lines of JSON, as they happen: none
    1|          left out, none twice
    1|
    ");
}

#[test]
fn the_help_lists_the_commands_for_versions_and_the_ledger() {
    assert_snapshot!(listed()[1], @"
    1| Guard tags:
    1|   protect    Protect a tag from accidental moves, or keep gates with it
    1|   unprotect  Remove the protection of a tag
    1|   freeze     Stop the tags of packages from moving forward, until they are
    1|              thawed
    1|   thaw       End a freeze, so that tags move forward again
    1|
    1| Change versions:
    1|   label     Add labels to a version; an existing label is never replaced
    1|   yank      Withdraw a version from latest; it can still be downloaded by its
    1|             number
    1|   unyank    Reverse a yank: the version can be tagged, and be latest, again
    1|   delete    Delete a version; its number is not reused, its bytes become garbage
    1|   undelete  Reverse a deletion: the version comes back with its number, bytes
    1|             and labels
    1|   prune     Report the versions that nothing keeps; deletes them only with
    1|             --delete
    1|
    1| Set up and maintain:
    1|   init    Create the ledger and the store with safe settings, or check existing
    1|           ones
    1|   doctor  Examine the set-up: configuration, table, bucket, clocks and
    1|           permissions; changes nothing
    1|   fsck    Check the whole ledger, and that the store has every blob; exits with
    1|           8 on a violation
    1|   gc      Report the blobs that no version needs; removes them only with
    1|           --delete
    1|   audit   Print the chain value of each log's head, to be saved where the
    1|           ledger's writers can't reach it
    1|   export  Write all packages with their whole history as lines of JSON
    1|   import  Make this ledger hold what an export holds: the same numbers, tags and
    1|           history
    1|   copy    Copy another ledger and its store to this one: the same numbers, tags
    1|           and history; repeat it to copy what is new
    1|
    1| Shells and manuals:
    1|   completions  Print the completion script of a shell
    1|   man-pages    Write the man pages of all commands into a directory
    1|   help         Print this message or the help of the given subcommand(s)
    1|
    ");
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
    "#);
}

#[test]
fn the_help_explains_every_exit_code_and_the_environment() {
    let sandbox = Sandbox::new();
    assert_snapshot!(help(&sandbox)[2], @r#"
    1| Exit codes:
    1|     0  success, or the change was made already
    1|     1  internal: a bug or an unexpected answer
    1|     2  invalid: usage, configuration or input
    1|     3  timeout: `wait` timed out
    1|     4  not_found: no such package, version or tag
    1|     5  conflict: an expectation failed, the key was used for another change, or
    1|        contention lasted past the deadline; nothing was changed
    1|     6  refused: the tag is protected or frozen, a gate is closed, or the
    1|        version is yanked, deleted or tagged
    1|     7  unavailable: the back end was unreachable or throttling past the
    1|        deadline; nothing was changed
    1|     8  integrity: a blob or the ledger is damaged
    1|     9  unknown: the outcome is unknown; run it again with the --key that is
    1|        printed
    1|    10  denied: credentials missing, expired or not allowed
    1|   130  interrupted before anything was committed
    1|
    1| A SPEC is one of:
    1|   42         the version with that number
    1|   live       the version that this tag is on
    1|   latest     the highest version that is neither yanked nor deleted
    1|   live~1     the version that `rollback` would move live to; live~2: after two
    1|              rollbacks
    1|   live@{[TIME]}, live@{2h ago}
    1|              the version that live was on at that time, by the times in
    1|              `history`; "ago" counts from now, by DynamoDB's clock, or by this
    1|              machine's if the ledger is embedded
    1|
    1| Environment:
    1|   SACKER_LEDGER, SACKER_STORE, SACKER_CONFIG
    1|              like --ledger, --store and --config, which take precedence
    1|   SACKER_ACTOR
    1|              the actor recorded with a change [default: the AWS identity, or
    1|              USER@HOST if that is unknown]
    1|   CI         if set, changes need a configured ledger and store
    1|   SACKER_COMPLETE_TIMEOUT
    1|              how long the completion of names waits for the ledger
    1|              [default: 120ms]
    1|   NO_COLOR   if set, no color unless --color=always is given
    1|   XDG_DATA_HOME, XDG_CACHE_HOME, TMPDIR
    1|              directories for data, unfinished uploads and temporary files
    1|   AWS_*      AWS's own variables, such as AWS_PROFILE and AWS_REGION
    1|
    1| Without any configuration, the ledger and the store are in
    1| $XDG_DATA_HOME/sacker, by default ~/.local/share/sacker.
    "#);
    let help = sandbox.ok(&["--help"]);
    assert!(help.lines().all(|line| line.chars().count() <= 80), "it fits a terminal");
}

/// Every command, from the lists that the program itself gives.
pub fn commands(sandbox: &Sandbox) -> Vec<String> {
    let help = sandbox.ok(&["--help"]);
    let (lists, _) = help.split_once("\nOptions:\n").unwrap();
    // A description continues in lines that are indented further.
    let name = |line: &str| Some(line.strip_prefix("  ")?.split(' ').next()?.to_owned());
    let commands: Vec<_> =
        lists.lines().filter_map(name).filter(|name| !["", "help"].contains(&name.as_str())).collect();
    assert!(commands.len() > 20, "{commands:?}");
    commands
}

#[test]
fn each_command_has_its_help() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run(&["add", "-h"]), @"
    exit 0
    1| Store a file as the next version of a package; prints the version number
    1|
    1| Usage: sacker add [OPTIONS] <PACKAGE> <FILE>
    1|
    1| Arguments:
    1|   <PACKAGE>  The package; its first version creates it
    1|   <FILE>     The file; - for standard input
    1|
    1| Options:
    1|       --tag <TAG>               Also move this tag to the new version, in the
    1|                                 same transaction; repeatable
    1|       --label <NAME=VALUE>      A label to record with the version; repeatable
    1|       --filename <NAME>         The file name to record [default: the name of
    1|                                 FILE]
    1|       --if-changed              Add nothing if latest has the same sha256, and
    1|                                 print its number instead
    1|       --expect-latest <N|none>  Add the version only if latest is N; none: only
    1|                                 if there is no latest
    1|       --confirm <TAG>           Confirm the move of this tag, as `protect
    1|                                 --confirm` requires; repeatable
    1|       --override <WHY>          Pass the standing gates of the tags, for this
    1|                                 reason, which is recorded with the gates that
    1|                                 were closed
    1|   -j, --jobs <N>                Transfer this many parts of a large file at
    1|                                 once, 1 to 64 [default: adaptive, up to 32]
    1|       --emergency <WHY>         Move the tags in spite of a freeze that is not
    1|                                 strict, for this reason, which is recorded
    1|       --key <KEY>               Idempotency key: repeating the change with the
    1|                                 same key changes nothing and prints the first
    1|                                 outcome
    1|   -m, --message <TEXT>          The reason for the change, recorded with it
    1|   -h, --help                    Print help
    1|
    1| Global options:
    1|       --config <FILE>        The configuration file [default: ~/.sacker.json,
    1|                              which need not exist]
    1|       --ledger <URL>         The ledger:
    1|                              dynamodb://TABLE[?region=R&endpoint=URL],
    1|                              git+URL[#REF], postgres://USER@HOST/DB,
    1|                              zookeeper://HOST:PORT/ROOT or file:///DIR
    1|       --store <URL>          The store:
    1|                              s3://BUCKET[/PREFIX][?region=R&endpoint=URL],
    1|                              azure://ACCOUNT/CONTAINER, hdfs://NAMENODE/PATH or
    1|                              file:///DIR
    1|       --json                 Print one JSON object per line, including errors
    1|   -q, --quiet                Print no progress, notices or warnings; only errors
    1|   -v, --verbose...           Report each call of a back end; -vv: also retries,
    1|                              and the totals; -vvv: everything
    1|       --log-format <FORMAT>  The format of stderr: text, or json, an object a
    1|                              line [default: text] [possible values: text, json]
    1|       --trace-json <FILE>    Append the whole trace to FILE, an object a line
    1|       --metrics <FILE>       Write outcome and totals to FILE, for Prometheus
    1|       --color <WHEN>         Color the output [default: auto] [possible values:
    1|                              auto, always, never]
    1|       --deadline <DURATION>  Give up when contention, throttling or an outage
    1|                              stops progress for this long: 90s, 2m [default:
    1|                              60s]
    ");
    for command in commands(&sandbox) {
        for option in ["-h", "--help"] {
            let help = sandbox.ok(&[&command, option]);
            assert!(help.contains(&format!("Usage: sacker {command}")), "{help}");
            assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        }
    }
}

#[test]
fn the_version_is_that_of_the_crate() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.ok(&["-V"]), concat!("sacker ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn the_long_version_names_the_build() {
    let shown = Sandbox::new().ok(&["--version"]);
    let lines: Vec<_> = shown.lines().map(|line| line.split_once(' ').unwrap()).collect();
    let [("sacker", version), ("commit:", commit), ("target:", target), ("features:", features)] = lines[..]
    else {
        panic!("{shown}")
    };
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    // A build for development asks nobody.
    assert!(commit == "not recorded" || commit.trim_end_matches("-dirty").len() == 40, "{shown}");
    assert!(target.starts_with(std::env::consts::ARCH) && target.contains(std::env::consts::OS), "{shown}");
    assert!(features.contains("dynamodb") && features.contains("git"), "{shown}");
}

#[test]
fn there_is_a_man_page_for_each_command() {
    let sandbox = Sandbox::new().set("SACKER_LEDGER", "");
    assert_snapshot!(sandbox.run(&["man-pages", "share/man1"]), @"
    exit 0
    2| note: 40 man pages in share/man1
    ");
    let page = |name: &str| {
        let file = sandbox.home().join("share/man1").join(name);
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    let all = page("sacker.1");
    let names = commands(&sandbox);
    assert_eq!(names.len(), 38);
    for name in names {
        assert!(all.contains(&format!(r"sacker\-{}(1)", name.replace('-', r"\-"))), "{name}");
        assert!(page(&format!("sacker-{name}.1")).contains(".SH OPTIONS"), "{name}");
    }
    for section in [
        r#".SH "EXIT STATUS""#,
        ".SH \"SPECS\"",
        ".SH \"ENVIRONMENT\"",
        r"\n   10  denied: credentials missing",
    ] {
        assert!(all.contains(&section.replace(r"\n", "\n")), "{section}");
    }
    assert!(page("sacker-tag.1").contains(".SH \"SEE ALSO\""));
    assert!(all.contains("SACKER_ACTOR") && page("sacker-add.1").contains(r"\-\-if\-changed"));
    // A repeat replaces them, and what can't be written is an error.
    sandbox.ok(&["man-pages", "share/man1"]);
    sandbox.write("file", "");
    assert_snapshot!(sandbox.run(&["man-pages", "file/man1"]), @"
    exit 2
    2| error: can't write into file/man1: Not a directory
    2| hint: free space there, or name another directory
    ");
}

#[test]
fn completions_need_no_configuration() {
    let sandbox = Sandbox::new().set("SACKER_LEDGER", "");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(sandbox.ok(&["completions", shell]).contains("SACKER_COMPLETE"), "{shell}");
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
