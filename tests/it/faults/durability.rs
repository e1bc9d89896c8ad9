//! A file is flushed before it gets its name, and its directory after: the order of the steps as `-vvv` shows them.
//!
//! `layers` checks that nothing is flushed or renamed anywhere else. SQLite's settings are tested in its own module.

use crate::support::sandbox::Sandbox;
use std::path::Path;

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Flushed(String),
    Named { from: String, to: String },
}

fn steps(sandbox: &Sandbox, arguments: &[&str]) -> Vec<Step> {
    let output = sandbox.command(&[arguments, &["-vvv"]].concat()).output().unwrap();
    assert!(output.status.success(), "{}", sandbox.shown(&output));
    let said = String::from_utf8(output.stderr).unwrap();
    let step = |line: &str| {
        let line = line.strip_prefix("trace: ")?;
        if let Some(path) = line.strip_prefix("flushed path=") {
            return Some(Step::Flushed(path.to_owned()));
        }
        let (from, to) = line.strip_prefix("named from=")?.split_once(" path=")?;
        Some(Step::Named { from: from.to_owned(), to: to.to_owned() })
    };
    said.lines().filter_map(step).collect()
}

/// Checks that every file is flushed right before it gets its name, and its directory right after. Returns the names.
fn named(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let steps = steps(sandbox, arguments);
    let mut names = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let Step::Named { from, to } = step else { continue };
        assert_eq!(at.checked_sub(1).map(|at| &steps[at]), Some(&Step::Flushed(from.clone())), "{steps:#?}");
        let directory = match Path::new(to).parent().unwrap().display().to_string() {
            here if here.is_empty() => ".".to_owned(),
            other => other,
        };
        assert_eq!(steps.get(at + 1), Some(&Step::Flushed(directory)), "{steps:#?}");
        names.push(to.clone());
    }
    names
}

#[test]
fn nothing_has_a_name_before_it_is_flushed_nor_is_done_before_the_name_is() {
    let sandbox = Sandbox::new();
    sandbox.write("f", "x");
    sandbox.write("g", "y");
    let store = sandbox.data().join("store");
    let path = |sha256: &str| store.join("sha256").join(sha256).display().to_string();
    let x = path("2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881");
    let y = path("a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa");
    let owner = store.join("OWNER").display().to_string();
    assert_eq!(named(&sandbox, &["add", "app", "f"]), [owner, x.clone()]);
    assert_eq!(named(&sandbox, &["add", "app", "g"]), [y]);
    // The process that wrote it may have died before it was durable.
    let directory = store.join("sha256").display().to_string();
    assert_eq!(steps(&sandbox, &["add", "app", "f"]), [Step::Flushed(x.clone()), Step::Flushed(directory)]);
    // In the place of damage.
    std::fs::remove_file(&x).unwrap();
    std::fs::write(&x, "z").unwrap();
    assert_eq!(named(&sandbox, &["add", "app", "f"]), [x]);
    std::fs::create_dir(sandbox.path("to")).unwrap();
    for (target, more) in [("to/one", None), ("here", None), ("to/one", Some("-f"))] {
        sandbox.write("to/one.old", "");
        if more.is_some() {
            sandbox.write("to/one", "other");
        }
        let arguments: Vec<_> = ["download", "app", "1", "-o", target].into_iter().chain(more).collect();
        assert_eq!(named(&sandbox, &arguments), [target]);
    }
}

/// Git flushes what it writes; the directories are flushed here: that of the pack before the ref leads to it, and those
/// of the ref before the change is acknowledged.
#[test]
fn a_change_in_git_has_its_names_before_it_is_acknowledged() {
    let sandbox = Sandbox::new();
    let ledger = sandbox.path("ledger.git");
    let sandbox = sandbox.set("SACKER_LEDGER", format!("git+file://{}", ledger.display()));
    let store = format!("file://{}", sandbox.path("store").display());
    let sandbox = sandbox.set("SACKER_STORE", store);
    sandbox.write("f", "x");
    sandbox.ok(&["init"]);
    sandbox.ok(&["add", "app", "f"]);
    let path = |name: &str| Step::Flushed(ledger.join(name).display().to_string());
    let expected = ["objects/pack", "refs/sacker", "refs", ""].map(path);
    assert_eq!(steps(&sandbox, &["tag", "app", "1", "live"]), expected);
}
