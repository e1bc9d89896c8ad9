//! The pages of `docs/workflows/`: their command lines are run, and must print what the pages say.
//!
//! A command follows `$ ` and goes on after `> `; a name before the `$` is who types it. All commands of a page are
//! typed into one shell. Times may differ, and so may the home. A command that fails is followed by `echo $?`. To
//! rewrite the pages with what is printed now: set `SACKER_WRITE_WORKFLOWS`, and read the difference.

use crate::support::{
    places::{self, Make, on_each_ledger},
    sandbox::Sandbox,
};
use std::{fmt::Write as _, fs, os::unix::fs::symlink, path::Path};

mod tuesday;
mod webhook;

/// The name of a home in the pages.
const HOME: &str = "/home/ann";

/// A piece of a page.
enum Piece {
    /// Anything that is not run.
    Text(String),
    Command {
        /// The name before the `$`.
        who: String,
        /// The lines that are typed, without prompts.
        typed: Vec<String>,
        printed: Vec<String>,
    },
}

fn read(page: &str) -> Vec<Piece> {
    let (mut pieces, mut console) = (Vec::new(), false);
    for line in page.lines() {
        let text = |pieces: &mut Vec<Piece>| pieces.push(Piece::Text(line.to_owned()));
        if line.starts_with("```") {
            console = line == "```console";
            text(&mut pieces);
            continue;
        }
        let prompt = line.split_once("$ ").filter(|(who, _)| who.bytes().all(|b| b.is_ascii_lowercase()));
        match (prompt, pieces.last_mut()) {
            _ if !console => text(&mut pieces),
            (Some((who, typed)), _) => {
                let (who, typed) = (who.to_owned(), vec![typed.to_owned()]);
                pieces.push(Piece::Command { who, typed, printed: Vec::new() });
            }
            (None, Some(Piece::Command { typed, printed, .. })) => match line.strip_prefix("> ") {
                Some(more) if printed.is_empty() => typed.push(more.to_owned()),
                _ => printed.push(line.to_owned()),
            },
            (None, _) => panic!("no command before {line:?}"),
        }
    }
    pieces
}

fn write(pieces: &[Piece]) -> String {
    let mut page = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => writeln!(page, "{text}").unwrap(),
            Piece::Command { who, typed, printed } => {
                writeln!(page, "{who}$ {}", typed.join("\n> ")).unwrap();
                for line in printed {
                    writeln!(page, "{line}").unwrap();
                }
            }
        }
    }
    page
}

/// Types all commands of a page into a shell, and returns the output and the exit code of each.
fn run(sandbox: &Sandbox, pieces: &[Piece], switch: Words<'_>) -> Vec<(String, i32)> {
    let mut script = "exec 2>&1\n".to_owned();
    for piece in pieces {
        let Piece::Command { who, typed, .. } = piece else { continue };
        // So that the next command finds the exit code of this one in `$?`.
        write!(script, "code=$?; {}; (exit $code)\n{}\n", switch(who), typed.join("\n")).unwrap();
        script.push_str("code=$?; printf '\\036%s\\036' $code; (exit $code)\n");
    }
    let bin = sandbox.path("tmp/bin");
    fs::create_dir(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_sacker"), bin.join("sacker")).unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let output = sandbox.shell(&script).env("PATH", path).output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let mut parts = output.split('\u{1e}');
    let mut results = Vec::new();
    while let (Some(printed), Some(code)) = (parts.next(), parts.next()) {
        results.push((printed.to_owned(), code.parse().unwrap()));
    }
    results
}

/// A function from a text to another.
pub(super) type Words<'a> = &'a dyn Fn(&str) -> String;

/// Runs a page in a home with a ledger and a store of its own.
pub(super) fn check(name: &str, ledger: Make, prepare: impl FnOnce(&Sandbox)) {
    let mut sandbox = Sandbox::new();
    let home = sandbox.home().to_str().unwrap().to_owned();
    let place = ledger(&sandbox, "ledger");
    sandbox
        .write(".sacker.json", format!(r#"{{"ledger": "{}", "store": "file://{home}/store"}}"#, place.url));
    for (name, value) in place.variables {
        sandbox = sandbox.set(name, value);
    }
    sandbox.ok(&["init", "-q"]);
    prepare(&sandbox);
    let switch = |who: &str| {
        let who = if who.is_empty() { "ann" } else { who };
        format!("SACKER_ACTOR={who}@laptop; export SACKER_ACTOR")
    };
    let shown =
        |output: &str| output.replace(&place.url, &format!("file://{HOME}/ledger")).replace(&home, HOME);
    compare(&format!("workflows/{name}"), &sandbox, &switch, &shown);
}

/// Runs the commands of a page, and compares their output with the page. `switch` gives the shell text that makes a user
/// the one who types, and `shown` the output in the words of the page.
pub(super) fn compare(name: &str, sandbox: &Sandbox, switch: Words<'_>, shown: Words<'_>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    let page = fs::read_to_string(&path).unwrap();
    let mut pieces = read(&page);
    assert_eq!(write(&pieces), page, "{name} is read wrongly");
    let results = run(sandbox, &pieces, switch);
    let commands = pieces.iter_mut().filter_map(|piece| match piece {
        Piece::Command { typed, printed, .. } => Some((typed, printed)),
        Piece::Text(_) => None,
    });
    let (mut failed, mut ran) = (0, 0);
    for ((typed, printed), (output, code)) in commands.zip(&results) {
        let asked = typed[0] == "echo $?";
        assert!(failed == 0 || asked, "{name}: before `{}`, a command failed with {failed}", typed[0]);
        failed = if asked { 0 } else { *code };
        ran += 1;
        let output: Vec<_> = shown(output).lines().map(str::to_owned).collect();
        if masked(sandbox, &output) != masked(sandbox, printed) {
            *printed = output;
        }
    }
    assert_eq!(failed, 0, "{name}: the last command failed");
    assert_eq!(ran, pieces.iter().filter(|piece| matches!(piece, Piece::Command { .. })).count(), "{name}");
    assert!(ran > 3, "{name} shows nothing");
    let now = write(&pieces);
    if std::env::var_os("SACKER_WRITE_WORKFLOWS").is_some() {
        fs::write(&path, now).unwrap();
    } else {
        assert!(now == page, "{name} is not what is printed: {}", difference(&page, &now));
    }
}

fn masked(sandbox: &Sandbox, lines: &[String]) -> String {
    sandbox.masked(&lines.join("\n"))
}

/// The first lines that differ.
fn difference(page: &str, now: &str) -> String {
    let at = page.lines().zip(now.lines()).position(|(old, new)| old != new).unwrap_or_default();
    let from = |text: &str| text.lines().skip(at).take(8).collect::<Vec<_>>().join("\n");
    format!("line {}\n--- the page\n{}\n--- printed\n{}", at + 1, from(page), from(now))
}

fn promote(ledger: Make) {
    check("promote.md", ledger, |_| {});
}

fn rollback(ledger: Make) {
    check("rollback.md", ledger, |_| {});
}

fn release(ledger: Make) {
    check("release.md", ledger, |_| {});
}

fn ci(ledger: Make) {
    check("ci.md", ledger, |_| {});
}

fn two_engineers(ledger: Make) {
    check("two-engineers.md", ledger, |_| {});
}

fn watch(ledger: Make) {
    check("watch.md", ledger, webhook::prepare);
}

fn status(ledger: Make) {
    check("status.md", ledger, |_| {});
}

fn incident(ledger: Make) {
    check("incident.md", ledger, |_| {});
}

fn retention(ledger: Make) {
    check("prune.md", ledger, |_| {});
}

on_each_ledger! { watch status incident retention promote rollback release ci two_engineers }

/// Its week is made by a clock of its own, which only the embedded ledger has.
#[test]
fn last_tuesday() {
    check("last-tuesday.md", places::directory, tuesday::prepare);
}

#[test]
fn each_page_is_run_and_listed() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/workflows");
    let list = fs::read_to_string(dir.join("README.md")).unwrap();
    let source = include_str!("workflows.rs");
    let mut pages = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name != "README.md" {
            assert!(list.contains(&format!("({name})")), "{name} is not listed");
            assert!(source.contains(&format!("check(\"{name}\"")), "{name} is not run");
            pages += 1;
        }
    }
    assert!(pages >= 6);
}
