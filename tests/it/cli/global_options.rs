//! The options of every command: their position, colors, and verbosity.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

#[test]
fn global_options_stand_before_or_after_the_command() {
    let sandbox = Sandbox::with_app();
    assert_eq!(sandbox.ok(&["--json", "info", "app", "1"]), sandbox.ok(&["info", "app", "1", "--json"]));
    assert_eq!(
        sandbox.ok(&["-q", "--deadline", "5s", "list"]),
        sandbox.ok(&["list", "--deadline", "2m", "-q"])
    );
}

#[test]
fn color_is_used_only_where_it_is_wanted() {
    let colored = |sandbox: &Sandbox, arguments: &[&str]| {
        sandbox.command(arguments).output().unwrap().stderr.contains(&0x1b)
    };
    let sandbox = Sandbox::new();
    assert!(!colored(&sandbox, &["info", "app", "1"]), "a pipe is no terminal");
    assert!(colored(&sandbox, &["info", "app", "1", "--color", "always"]));
    assert!(!colored(&sandbox, &["info", "app", "1", "--color", "never"]));
    assert!(!colored(&sandbox, &["info", "app", "1", "--color", "always", "--json"]));
}

#[test]
fn verbose_shows_each_call() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["-v", "tag", "app", "2", "live"]), @"
    exit 0
    1| live: 1 -> 2
    2| trace: sqlite doing=reading the ledger in `[HOME]/.local/share/sacker/ledger`: [N] ms, attempt 1
    2| trace: sqlite doing=writing to the ledger in `[HOME]/.local/share/sacker/ledger`: [N] ms, attempt 1
    2| trace: commit package=app: [N] ms
    ");
    // Reads go side by side, and one that is not needed any more is not waited for.
    let shown = sandbox.run(&["-v", "info", "app", "9", "--json"]);
    let traced = |line: &str| {
        line.starts_with("2| {\"trace\":{\"message\":\"sqlite ") && line.ends_with("attempt 1\"}}")
    };
    assert!(shown.lines().any(traced), "{shown}");
    assert!(shown.ends_with("\"exit_code\":4,\"causes\":[]}}\n"), "{shown}");
}
