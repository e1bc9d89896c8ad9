//! Connections that break around a change.

use crate::support::{
    backends,
    zookeeper::{self, Cut, Cuts},
};

/// A change is made once, also if a connection breaks before it arrives or after.
#[test]
fn a_change_is_made_once_on_a_link_that_breaks() {
    for cut in [Cut::Before, Cut::After] {
        for fails in 1..=3 {
            let (root, link) = (
                backends::unique("cut"),
                Cuts::new(
                    &backends::zookeeper(),
                    move |number| {
                        if number <= fails { cut } else { Cut::Nothing }
                    },
                ),
            );
            let mut sandbox = zookeeper::sandbox();
            sandbox = sandbox.set("SACKER_LEDGER", format!("zookeeper://{}/{root}", backends::zookeeper()));
            sandbox.ok(&["init"]);
            sandbox = sandbox.set("SACKER_LEDGER", format!("zookeeper://{}/{root}", link.address));
            sandbox.write("f", "content");
            assert_eq!(sandbox.ok(&["add", "app", "f", "--tag", "live"]), "1\n", "{cut:?} {fails}");
            // One that arrived is found, and not sent again.
            let sent = if cut == Cut::Before { fails + 1 } else { 1 };
            assert_eq!(link.count(), sent, "{cut:?} {fails}");
            assert_eq!(sandbox.ok(&["tag", "app", "1", "canary"]), "canary: none -> 1\n");
            let versions = sandbox.ok(&["versions", "app"]);
            assert_eq!(versions.lines().filter(|line| line.contains('1')).count(), 1, "{versions}");
            assert_eq!(sandbox.ok(&["fsck", "--read-data"]), "", "{cut:?} {fails}");
        }
    }
}

/// A link that breaks after each change shows no outcome: what may have happened is reported as unknown, and found out
/// with the key.
#[test]
fn a_link_that_always_breaks_leaves_an_unknown_outcome() {
    for (cut, code) in [(Cut::Before, "exit 9\n"), (Cut::After, "exit 0\n")] {
        let link = Cuts::new(&backends::zookeeper(), move |_| cut);
        let root = backends::unique("cut");
        let sandbox = zookeeper::sandbox();
        let direct = sandbox.set("SACKER_LEDGER", format!("zookeeper://{}/{root}", backends::zookeeper()));
        direct.ok(&["init"]);
        let sandbox = direct.set("SACKER_LEDGER", format!("zookeeper://{}/{root}", link.address));
        sandbox.write("f", "content");
        let said = sandbox.run(&["--deadline", "4s", "add", "app", "f", "--key", "k"]);
        assert!(said.starts_with(code), "{cut:?}: {said}");
        let direct = sandbox.set("SACKER_LEDGER", format!("zookeeper://{}/{root}", backends::zookeeper()));
        assert_eq!(direct.ok(&["add", "app", "f", "--key", "k"]), "1\n", "{cut:?}");
        assert_eq!(direct.ok(&["fsck", "--read-data"]), "", "{cut:?}");
    }
}
