//! `freeze`, `thaw` and `recall`, as people and programs see them.

use crate::support::sandbox::Sandbox;

fn exits(said: &str, code: i32) {
    assert!(said.starts_with(&format!("exit {code}\n")), "{said}");
}

#[test]
fn a_refusal_says_who_froze_what_and_why() {
    let sandbox = Sandbox::with_app();
    let freeze = ["freeze", "--prefix", "ap", "-m", "database full", "--until", "2099-01-01T00:00:00Z", "-q"];
    assert_eq!(sandbox.ok(&freeze), "ap*: frozen until 2099-01-01T00:00:00.000Z\n");
    for line in [&["tag", "app", "2", "live", "-q"][..], &["add", "app", "one.txt", "--tag", "live", "-q"]] {
        let said = sandbox.run(line);
        exits(&said, 6);
        for part in ["ap* is frozen by ", " since [TIME] until [TIME]: database full", "--emergency WHY"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    // Nothing was added either.
    assert_eq!(sandbox.ok(&["versions", "app", "-q"]).lines().count(), 4);
    let strict = ["freeze", "--prefix", "app", "-m", "audit", "--strict", "-q"];
    assert_eq!(sandbox.ok(&strict), "app*: frozen\n");
    let said = sandbox.run(&["tag", "app", "2", "live", "--emergency", "fix", "-q"]);
    exits(&said, 6);
    assert!(said.contains("app* is strictly frozen by ") && !said.contains("--emergency WHY"), "{said}");
    let said = sandbox.run(&["freeze", "--prefix", "app", "-m", "mine", "-q"]);
    exits(&said, 6);
    assert!(said.contains("run `sacker thaw --prefix app` first"), "{said}");
    sandbox.ok(&["thaw", "--prefix", "app", "-q"]);
    assert_eq!(sandbox.ok(&["tag", "app", "2", "live", "--emergency", "fix", "-q"]), "live: 1 -> 2\n");
    let history = sandbox.ok(&["history", "app", "live", "--limit", "1", "-q"]);
    assert!(history.contains("(emergency: fix)"), "{history}");
}

#[test]
fn a_freeze_needs_a_reason_and_a_right_prefix() {
    let sandbox = Sandbox::with_app();
    for (line, code, part) in [
        (&["freeze", "-q"][..], 2, "-m WHY"),
        (&["freeze", "--prefix", "app*", "-m", "x", "-q"], 2, "leave out `*`"),
        (&["freeze", "-m", "x", "--until", "1999-01-01T00:00:00Z", "-q"], 2, "would have ended already"),
        (&["freeze", "-m", "x", "--until", "soon", "-q"], 2, "or `2h`"),
        (&["freeze", "--list", "-m", "x", "-q"], 2, "cannot be used with"),
        (&["thaw", "-q"], 4, "* is not frozen"),
        (&["apply", "plan", "--undo", "--emergency", "x", "-q"], 2, "cannot be used with"),
        (&["add", "app", "one.txt", "--emergency", "x", "-q"], 2, "--tag"),
    ] {
        let said = sandbox.run(line);
        exits(&said, code);
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_recall_prints_a_line_for_each_tag() {
    let sandbox = Sandbox::with_app();
    for spec in ["1", "3"] {
        sandbox.ok(&["tag", "app", spec, "canary", "-q"]);
        sandbox.ok(&["tag", "app", spec, "live", "-q"]);
    }
    let expected = "canary: 3 -> 1\nlive: 3 -> 1\n3: active -> yanked\n";
    assert_eq!(sandbox.ok(&["recall", "app", "3", "-n", "-q"]), expected);
    assert_eq!(sandbox.ok(&["recall", "app", "3", "-m", "bad", "-q"]), expected);
    assert_eq!(sandbox.ok(&["recall", "app", "3", "-q"]), "3: yanked -> yanked\n");
    exits(&sandbox.run(&["tag", "app", "3", "live", "-q"]), 6);
    sandbox.ok(&["tag", "app", "2", "only", "-q"]);
    let said = sandbox.run(&["recall", "app", "2", "-q"]);
    exits(&said, 6);
    assert!(said.contains("app only can't go back from 2") && said.contains("--untag"), "{said}");
    assert_eq!(
        sandbox.ok(&["recall", "app", "2", "--untag", "-q"]),
        "only: 2 -> none\n2: active -> yanked\n"
    );
    exits(&sandbox.run(&["recall", "app", "9", "-q"]), 4);
}
