//! `check`, standing gates and `--override`.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

#[test]
fn a_check_has_a_line_for_each_gate_and_exits_as_the_move_would() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["check", "app", "3", "live"]), @"
    exit 0
    2| note: live has no gates
    ");
    let gates = ["--require", "soak:canary=2h", "--require", "label:tests=passed", "--require", "was:canary"];
    assert_snapshot!(sandbox.run(&[&["protect", "app", "live"], &gates[..]].concat()), @"
    exit 0
    1| live: gates label:tests=passed, soak:canary=2h, was:canary
    ");
    assert_snapshot!(sandbox.run(&["check", "app", "3", "live", "--require", "age:0s"]), @"
    exit 6
    1| closed  label:tests=passed  it has no label tests
    1| closed  soak:canary=2h  canary was never on it
    1| closed  was:canary  canary was never on it
    1| open    age:0s  it was added [N]s ago
    2| error: checking the move of the tag live of app to 3 in file://[HOME]/.local/share/sacker/ledger: app 3 does not pass label:tests=passed (it has no label tests), soak:canary=2h (canary was never on it), was:canary (canary was never on it)
    2| hint: nothing was changed; `sacker check app 3 live` shows the gates; `--override WHY` passes them, and is recorded
    ");
    assert_snapshot!(sandbox.run(&["check", "app", "3", "live", "--json", "-q"]), @r#"
    exit 6
    1| {"package":"app","version":3,"tag":"live","gate":"label:tests=passed","passed":false,"found":"it has no label tests","standing":true}
    1| {"package":"app","version":3,"tag":"live","gate":"soak:canary=2h","passed":false,"found":"canary was never on it","standing":true}
    1| {"package":"app","version":3,"tag":"live","gate":"was:canary","passed":false,"found":"canary was never on it","standing":true}
    2| {"error":{"kind":"refused","message":"checking the move of the tag live of app to 3 in file://[HOME]/.local/share/sacker/ledger: app 3 does not pass label:tests=passed (it has no label tests), soak:canary=2h (canary was never on it), was:canary (canary was never on it)","hint":"nothing was changed; `sacker check app 3 live` shows the gates; `--override WHY` passes them, and is recorded","exit_code":6}}
    "#);
    // Where it is already, nothing would move.
    let shown = sandbox.run(&["check", "app", "live", "live"]);
    assert!(shown.starts_with("exit 0\n") && shown.contains("closed  was:canary"), "{shown}");
    assert!(shown.contains("note: live is on 1 already, so a move would change nothing"), "{shown}");
    assert_snapshot!(sandbox.run(&["tags", "app", "-l"]), @"
    exit 0
    1| TAG     VERSION  PROTECTION
    1| latest        3
    1| canary        2
    1| live          1  gates label:tests=passed, soak:canary=2h, was:canary
    ");
    let info = sandbox.ok(&["info", "app", "3"]);
    let gates: Vec<_> = info.lines().filter(|line| line.starts_with("gate.")).collect();
    assert_eq!(gates[2], "gate.live: closed  was:canary  canary was never on it");
    assert_eq!(gates.len(), 3);
    sandbox.ok(&["yank", "app", "3", "-q"]);
    assert!(
        sandbox.run(&["check", "app", "3", "live", "-q"]).contains("app 3 is yanked and can't be tagged")
    );
    assert!(sandbox.run(&["check", "app", "9", "live", "-q"]).starts_with("exit 4\n"));
}

#[test]
fn an_override_names_the_gates_in_the_history() {
    let sandbox = Sandbox::with_app();
    sandbox.ok(&["protect", "app", "live", "--require", "tag:canary", "--require", "was:canary", "-q"]);
    assert_snapshot!(sandbox.run(&["tag", "app", "3", "live", "-q"]), @"
    exit 6
    2| error: moving the tag live of app to 3 in file://[HOME]/.local/share/sacker/ledger: app 3 does not pass tag:canary (canary is on 2), was:canary (canary was never on it)
    2| hint: nothing was changed; `sacker check app 3 live` shows the gates; `--override WHY` passes them, and is recorded
    ");
    assert_eq!(sandbox.ok(&["tag", "app", "2", "live", "-q"]), "live: 1 -> 2\n");
    assert_eq!(
        sandbox.ok(&["tag", "app", "3", "live", "--override", "the site\nis down", "-q"]),
        "live: 2 -> 3\n"
    );
    let history = sandbox.ok(&["history", "app", "live"]);
    let last = history.lines().nth(1).unwrap();
    assert!(last.ends_with("tester@host (override of tag:canary, was:canary: the site is down)"), "{last}");
    let event = sandbox.ok(&["history", "app", "live", "--limit", "1", "--json"]);
    let over = r#""override":{"why":"the site\nis down","gates":["tag:canary","was:canary"]}"#;
    assert!(event.contains(over), "{event}");
    // What a rollback restores had passed.
    assert_eq!(sandbox.ok(&["rollback", "app", "live", "-q"]), "live: 3 -> 2\n");
    let shown = sandbox.run(&["tag", "app", "2", "live", "--override", "never mind"]);
    assert!(shown.contains("note: no standing gate was closed, so nothing was overridden"), "{shown}");
    let added = sandbox.run(&["add", "app", "one.txt", "--tag", "live", "-q"]);
    assert!(added.starts_with("exit 6\n"), "{added}");
    assert_eq!(sandbox.ok(&["add", "app", "one.txt", "--tag", "live", "--override", "urgent", "-q"]), "4\n");
    let alone = sandbox.run(&["add", "app", "one.txt", "--override", "urgent", "-q"]);
    assert!(alone.starts_with("exit 2\n"), "{alone}");
}

#[test]
fn a_tag_can_forbid_overrides() {
    let sandbox = Sandbox::with_app();
    let protect = ["protect", "app", "live", "--confirm", "--require", "tag:canary", "--no-override"];
    assert_snapshot!(sandbox.run(&protect), @"
    exit 0
    1| live: confirm, gates tag:canary, no override
    ");
    let over = ["tag", "app", "3", "live", "--override", "urgent", "--confirm", "live", "-q"];
    assert_snapshot!(sandbox.run(&over), @"
    exit 6
    2| error: moving the tag live of app to 3 in file://[HOME]/.local/share/sacker/ledger: app 3 does not pass tag:canary (canary is on 2); live allows no override
    2| hint: nothing was changed; `sacker check app 3 live` shows the gates; only `sacker unprotect app live` removes them
    ");
    let shown = sandbox.run(&["check", "app", "canary", "live"]);
    assert_snapshot!(shown, @"
    exit 0
    1| open    tag:canary  canary is on 2
    2| note: the move needs `--confirm live`
    ");
    assert_snapshot!(sandbox.run(&["protect", "app", "live", "--require", "was:canary", "-q", "--json"]), @r#"
    exit 0
    1| {"package":"app","tag":"live","version":1,"previous":1,"kind":"protect","rev":4,"moved_at":"[TIME]","moved_by":"tester@host","message":null,"protection":"confirm-gates","gates":["tag:canary","was:canary"],"no_override":true}
    "#);
    assert_eq!(sandbox.ok(&["tag", "app", "2", "live", "--confirm", "live", "-q"]), "live: 1 -> 2\n");
    let history = sandbox.ok(&["history", "app", "live"]);
    assert!(history.contains("live: confirm, gates tag:canary, was:canary, no override"), "{history}");
    assert_eq!(sandbox.ok(&["unprotect", "app", "live", "-q"]), "live: unprotected\n");
    assert_eq!(sandbox.ok(&["tag", "app", "3", "live", "-q"]), "live: 2 -> 3\n");
    for wrong in [&["--no-override"][..], &["--require", "soak:canary"], &["--require", "soak:latest=2h"]] {
        let shown = sandbox.run(&[&["protect", "app", "live"], wrong].concat());
        assert!(shown.starts_with("exit 2\n"), "{shown}");
    }
}
