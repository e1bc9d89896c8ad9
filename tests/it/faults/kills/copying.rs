//! Imports and copies under kills: the next run continues, and the result is the same as without a kill.

use super::{PLACES, Place, World};
use crate::support::{backends, sandbox::Sandbox};

/// The steps of an import, and how often each is passed before the kill.
const STEPS: [(&str, usize); 7] = [
    ("import-blobs", 0),
    ("import-blobs", 1),
    ("import-planned", 1),
    ("import-sent", 0),
    ("import-sent", 2),
    ("import-batch", 0),
    ("import-batch", 2),
];

/// Makes a package that takes several transactions, and a small one.
fn populate(sandbox: &Sandbox) {
    sandbox.ok_shell(
        r#"for n in $(seq 1 52); do echo "$n" >f; "$sacker" add app f -q >/dev/null || exit 1; done"#,
    );
    sandbox.ok(&["tag", "app", "7", "live"]);
    sandbox.ok(&["yank", "app", "1"]);
    sandbox.ok(&["delete", "app", "2"]);
    sandbox.write("f", "another");
    sandbox.ok(&["add", "web", "f", "--tag", "live"]);
}

/// Returns the lines of an export, without those that name the ledger.
fn exported(sandbox: &Sandbox, place: &[&str]) -> Vec<String> {
    let text = sandbox.ok(&[&["export", "-q"], place].concat());
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.remove(0);
    lines.pop();
    lines
}

fn killed_and_repeated(arguments: impl Fn(&Sandbox) -> Vec<String>) {
    for place in PLACES {
        let world = World::new(place);
        let sandbox = &world.sandbox;
        populate(sandbox);
        sandbox.ok(&["export", "-q", "-o", "export", "--blobs", "blobs"]);
        let source = exported(sandbox, &[]);
        for (number, (step, times)) in STEPS.into_iter().enumerate() {
            let store = format!("file://{}", sandbox.path(&format!("store-{number}")).display());
            let ledger = match place {
                Place::Embedded => format!("file://{}", sandbox.path(&format!("ledger-{number}")).display()),
                _ => {
                    format!("dynamodb://{}?endpoint={}", backends::unique("copy"), backends::dynamodb())
                }
            };
            let on = ["--ledger", &ledger, "--store", &store];
            // A table is made by `init` alone.
            if place == Place::Servers {
                sandbox.ok(&[&["init", "-q"][..], &on].concat());
            }
            let mut all = arguments(sandbox);
            all.extend(["-q".to_owned(), "--jobs=1".to_owned(), "--json".to_owned()]);
            let all: Vec<_> = all.iter().map(String::as_str).chain(on).collect();
            world.killed_after(times, step, &all);
            // The ledger says that it is not complete, and is not changed.
            let refused = sandbox.run(&[&["add", "other", "f"][..], &on].concat());
            assert!(
                refused.contains("an import of this ledger is not finished"),
                "{step} {times}: {refused}"
            );
            let refused = sandbox.run(&[&["gc", "--delete", "--min-age", "0s"][..], &on].concat());
            assert!(!refused.contains("1| "), "nothing is collected: {step} {times}: {refused}");
            for _ in 0..2 {
                sandbox.ok(&all);
            }
            assert_eq!(sandbox.ok(&[&["fsck", "--read-data", "-q"][..], &on].concat()), "", "{step} {times}");
            assert_eq!(exported(sandbox, &on), source, "{step} {times}");
            assert_eq!(sandbox.ok(&[&["add", "app", "f", "-q"][..], &on].concat()), "53\n", "{step} {times}");
        }
    }
}

#[test]
fn each_step_of_an_import() {
    killed_and_repeated(|_| ["import", "export", "--blobs", "blobs"].map(str::to_owned).into());
}

#[test]
fn each_step_of_a_copy() {
    killed_and_repeated(|sandbox| {
        // The embedded default, if nothing is configured.
        let data = sandbox.data();
        let at = |name: &str| format!("file://{}", data.join(name).display());
        let (ledger, store) = match sandbox.configured("SACKER_LEDGER") {
            Some(ledger) => (ledger.to_owned(), sandbox.variable("SACKER_STORE").to_owned()),
            None => (at("ledger"), at("store")),
        };
        ["copy", "--from-ledger", &ledger, "--from-store", &store].map(str::to_owned).into()
    });
}

/// A destination in an earlier epoch than its source first gets the source's epoch, and its store the new mark.
#[test]
fn each_step_of_raising_the_epoch() {
    for place in PLACES {
        let world = World::new(place);
        let sandbox = &world.sandbox;
        sandbox.write("f", "content");
        let at = |name: &str| match place {
            Place::Embedded => format!("file://{}", sandbox.path(name).display()),
            _ => {
                format!("dynamodb://{}?endpoint={}", backends::unique(name), backends::dynamodb())
            }
        };
        let store_at = |name: &str| format!("file://{}", sandbox.path(name).display());
        let on = |ledger: &str, store: &str, arguments: &[&str]| -> Vec<String> {
            let all = [arguments, &["--ledger", ledger, "--store", store, "-q"]].concat();
            all.into_iter().map(str::to_owned).collect()
        };
        // The source has adopted the store of another ledger, so it is in epoch 1.
        let (former, source, shared) = (at("former"), at("source"), store_at("shared"));
        sandbox.ok(&on(&former, &shared, &["init"]));
        sandbox.ok(&on(&former, &shared, &["add", "app", "f"]));
        sandbox.ok(&on(&source, &shared, &["init", "--adopt-store"]));
        sandbox.ok(&on(&source, &shared, &["add", "app", "f"]));
        for step in ["import-raised", "import-owned"] {
            let (ledger, store) = (at(&format!("{step}-ledger")), store_at(&format!("{step}-store")));
            sandbox.ok(&on(&ledger, &store, &["init"]));
            let copy =
                on(&ledger, &store, &["copy", "--from-ledger", &source, "--from-store", &shared, "--json"]);
            world.killed_at(step, &copy.iter().map(String::as_str).collect::<Vec<_>>());
            // The store of another ledger is not taken by the mark of this one.
            let elsewhere =
                on(&ledger, &shared, &["copy", "--from-ledger", &source, "--from-store", &shared]);
            let refused = sandbox.run(&elsewhere);
            assert!(refused.contains("belongs to another ledger"), "{step}: {refused}");
            for _ in 0..2 {
                sandbox.ok(&copy);
            }
            assert_eq!(sandbox.ok(&on(&ledger, &store, &["fsck", "--read-data"])), "", "{step}");
            assert_eq!(sandbox.ok(&on(&ledger, &store, &["add", "app", "f"])), "2\n", "{step}");
            assert_eq!(sandbox.ok(&on(&ledger, &store, &["fsck", "--read-data"])), "", "{step}");
        }
    }
}
