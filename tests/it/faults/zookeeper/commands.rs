//! Copies, adoption and `doctor` on ledgers in ZooKeeper, and many processes at once.

use crate::support::{backends, sandbox::Sandbox, zookeeper};

fn prepare(sandbox: &Sandbox) {
    sandbox.write("one", "one\n");
    sandbox.write("two", "second\n");
}

#[test]
fn a_ledger_is_copied_adopted_and_examined() {
    let sandbox = zookeeper::sandbox();
    prepare(&sandbox);
    sandbox.ok(&["init"]);
    sandbox.ok(&["add", "app", "one", "--tag", "live"]);
    sandbox.ok(&["add", "app", "two"]);
    let doctor = sandbox.ok(&["doctor", "--probe"]);
    for part in ["access control list", "zookeeper://"] {
        assert!(doctor.contains(part), "{part}: {doctor}");
    }

    // To another root and store, and back to an embedded ledger.
    let other = format!("zookeeper://{}/{}", backends::zookeeper_ensemble(), backends::unique("copy"));
    let local = format!("file://{}/local", sandbox.home().display());
    let (from, store) = (sandbox.variable("SACKER_LEDGER"), sandbox.variable("SACKER_STORE"));
    let mut places = vec![(from.to_owned(), store.to_owned())];
    for (n, to) in [other, local].into_iter().enumerate() {
        let to_store = format!("file://{}/store{n}", sandbox.home().display());
        let (ledger, store) = places.last().unwrap().clone();
        let to_here = ["--ledger", &to, "--store", &to_store];
        sandbox.ok(&[&["init"][..], &to_here].concat());
        let from = ["--from-ledger", &ledger, "--from-store", &store];
        sandbox.ok(&[&["copy", "-q"][..], &from, &to_here].concat());
        assert_eq!(sandbox.ok(&[&["fsck", "--read-data", "-q"][..], &to_here].concat()), "");
        let tags = sandbox.ok(&[&["tags", "app"][..], &to_here].concat());
        assert_eq!(tags, sandbox.ok(&["tags", "app"]));
        places.push((to, to_store));
    }

    // A store that belongs to another ledger is refused, and can be adopted.
    let fresh = format!("zookeeper://{}/{}", backends::zookeeper(), backends::unique("fresh"));
    let here = ["--ledger", &fresh, "--store", store];
    let refused = sandbox.run(&[&["init"][..], &here].concat());
    assert!(refused.starts_with("exit 2\n"), "{refused}");
    let adopted = sandbox.ok(&[&["init", "--adopt-store"][..], &here].concat());
    assert!(adopted.contains("adopted"), "{adopted}");
    assert_eq!(sandbox.ok(&[&["add", "app", "one"][..], &here].concat()), "1\n");
    assert_eq!(sandbox.ok(&[&["fsck", "-q"][..], &here].concat()), "");
}

#[test]
fn sixteen_processes_add_at_once() {
    let sandbox = zookeeper::sandbox();
    sandbox.ok(&["init"]);
    sandbox.add_at_once(16, &["-q", "--tag", "live"]);
    assert_eq!(sandbox.ok(&["fsck", "--read-data"]), "");
}
