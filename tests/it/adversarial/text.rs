//! Text that was recorded by others: it leads to no other path, and controls no terminal.

use super::{E1, V1, code, edit, plant, rows};
use crate::support::sandbox::Sandbox;
use serde_json::{Value, json};
use std::{fs, process::Output};

/// A title, a color by either introducer, a return, a bell, and writing that runs backwards and across lines.
const EVIL: &str = "\u{1b}]0;x\u{7}\u{1b}[31m\u{9b}2J\r\u{7f}\u{202e}\u{2066}\u{2028}\u{feff}evil";
/// The part of it that the types accept: a hostile publisher can record it without editing the ledger by hand.
const TRICKY: &str = "\u{202e}\u{2066}\u{2028}\u{200b}\u{feff}gpj.exe";

fn tame(output: &Output, what: &str) {
    for text in [&output.stdout, &output.stderr] {
        let text = String::from_utf8(text.clone()).unwrap();
        let bad = text.chars().find(|c| {
            c.is_control() && *c != '\n' || "\u{202e}\u{2066}\u{2028}\u{200b}\u{feff}".contains(*c)
        });
        assert_eq!(bad, None, "{what}: {text:?}");
    }
    assert!([0, 2, 4, 5, 6, 8].contains(&code(output)), "{what}: {output:?}");
}

/// Every command that shows something of what is recorded.
const COMMANDS: [&[&str]; 14] = [
    &["info", "app", "1"],
    &["info", "app", "live"],
    &["versions", "app"],
    &["tags", "app"],
    &["list", "-l"],
    &["fsck"],
    &["init"],
    &["gc", "--min-age", "0s"],
    &["tag", "app", "1", "live", "--expect", "2"],
    &["tag", "app", "live", "canary"],
    &["label", "app", "1", "note=other"],
    &["yank", "app", "1"],
    &["add", "app", "f", "--key", "k"],
    &["untag", "app", "live", "--key", "k"],
];

fn see(sandbox: &Sandbox, what: &str, commands: &[&[&str]]) {
    for command in commands {
        for more in [&[][..], &["--json"], &["-vvv"]] {
            let arguments = [*command, more].concat();
            tame(&sandbox.command(&arguments).output().unwrap(), &format!("{what}: {arguments:?}"));
        }
    }
}

/// A package `app` of one version, with everything recorded that there is.
fn sandbox(text: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("f", "x");
    let label = format!("note={text}");
    let add = ["add", "app", "f", "--tag", "live", "--label", &label, "-m", text, "--filename", text];
    let output = sandbox.command(&[&add[..], &["--key", "k"]].concat()).env("SACKER_ACTOR", text).output();
    assert_eq!(code(&output.unwrap()), 0);
    sandbox
}

#[test]
fn valid_but_misleading_text_is_escaped() {
    let sandbox = sandbox(TRICKY);
    see(&sandbox, "valid", &COMMANDS);
    // A pipe gets the path unescaped, since its reader opens the file.
    let output = sandbox.command(&["download", "app", "1"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{TRICKY}\n"));
    assert_eq!(sandbox.read(TRICKY), "x");
}

/// Every string in an item, by where it is.
fn strings(item: &Value, at: &str, found: &mut Vec<String>) {
    if let Value::Object(map) = item {
        for (name, value) in map {
            let at = format!("{at}/{name}");
            if value.is_string() {
                found.push(at);
            } else {
                strings(value, &at, found);
            }
        }
    }
}

#[test]
fn text_that_is_written_into_the_ledger_by_hand_is_refused_or_made_visible() {
    let sandbox = sandbox("plain");
    let mut tried = 0;
    for (pk, sk, item) in rows(&sandbox) {
        let mut places = Vec::new();
        strings(&item, "", &mut places);
        for place in places {
            let mut edited = item.clone();
            *edited.pointer_mut(&place).unwrap() = EVIL.into();
            plant(&sandbox, &pk, &sk, &edited.to_string());
            // Those that change something come last: none of them does.
            let commands = match pk.as_bytes()[0] {
                b'M' => &COMMANDS[4..7],
                b'B' => &COMMANDS[5..8],
                _ if sk.starts_with("K#") => &COMMANDS[12..],
                b'P' => &COMMANDS[..6],
                _ => &COMMANDS[1..6],
            };
            see(&sandbox, &format!("{pk}/{sk}{place}"), commands);
            plant(&sandbox, &pk, &sk, &item.to_string());
            tried += 1;
        }
        let (pk, sk) = (pk.as_str(), sk.as_str());
        if sk != "H" && pk != "M" {
            let evil = format!("{sk}{EVIL}");
            plant(&sandbox, pk, &evil, &item.to_string());
            see(&sandbox, pk, &COMMANDS[2..6]);
            super::database(&sandbox).execute("DELETE FROM items WHERE sk = ?1", [&evil]).unwrap();
        }
    }
    assert!(tried > 25, "{tried}");
}

#[test]
fn a_protection_that_nobody_knows_is_made_visible() {
    let sandbox = sandbox("plain");
    sandbox.ok(&["add", "app", "f"]);
    edit(&sandbox, "T#app", "t#live", |item| item["protection"] = EVIL.into());
    see(&sandbox, "protection", &[&["tag", "app", "2", "live"], &["untag", "app", "live"]]);
}

#[test]
fn what_is_typed_is_made_visible_too() {
    let sandbox = sandbox("plain");
    for arguments in [
        &["info", EVIL, "1"][..],
        &["info", "app", EVIL],
        &["add", "app", EVIL],
        &["add", "app", "f", "-m", "\u{9b}2J"],
        &["add", "app", "f", "--label", EVIL],
        &["add", "app", "f", "--key", EVIL],
        &["download", "app", "1", "-o", &format!("no/{EVIL}")],
        &["list", "--ledger", EVIL, "--store", "file:///x"],
        &["list", "--ledger", "file:///x", "--store", &format!("s3://bucket/{EVIL}")],
        &["list", "--config", EVIL],
        &["list", &format!("--{EVIL}")],
        &[EVIL],
    ] {
        see(&sandbox, "typed", &[arguments]);
    }
}

/// Everything below the home but for the program's own data, by its path.
fn tree(sandbox: &Sandbox) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![sandbox.home().to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path == sandbox.path(".local") {
                continue;
            }
            if path.is_dir() {
                left.push(path.clone());
            }
            found.push(path.to_string_lossy().into_owned());
        }
    }
    found.sort();
    found
}

#[test]
fn a_recorded_name_never_leads_out_of_the_directory() {
    let sandbox = sandbox("plain");
    fs::create_dir_all(sandbox.path("a/b")).unwrap();
    let outside = sandbox.path("outside").display().to_string();
    let before = tree(&sandbox);
    let long = "x".repeat(256);
    let names = [
        "../outside",
        "..",
        ".",
        "",
        "/",
        &outside,
        "b/../../outside",
        "b/inside",
        "a\\b",
        "..\\outside",
        "x\0",
        "new\nline",
        "\u{1b}[2J",
        &long,
    ];
    for name in names {
        for (pk, sk, place) in [
            ("P#app", V1, "/filename"),
            ("P#app", "H", "/blob/filename"),
            ("T#app", "t#live", "/blob/filename"),
        ] {
            edit(&sandbox, pk, sk, |item| *item.pointer_mut(place).unwrap() = name.into());
        }
        for spec in ["1", "latest", "live"] {
            for more in [&[][..], &["-f"], &["-o", "b"], &["-o", "."]] {
                let arguments = [&["download", "app", spec], more].concat();
                let output = sandbox.command(&arguments).current_dir(sandbox.path("a")).output().unwrap();
                assert_eq!(code(&output), 8, "{name:?}: {arguments:?}: {}", sandbox.shown(&output));
                tame(&output, name);
                assert_eq!(tree(&sandbox), before, "{name:?}: {arguments:?}");
            }
        }
    }
}

#[test]
fn an_event_with_a_hostile_author_is_found_by_fsck() {
    let sandbox = sandbox("plain");
    edit(&sandbox, "T#app", E1, |item| item["who"] = json!(EVIL));
    let output = sandbox.command(&["fsck"]).output().unwrap();
    assert_eq!(code(&output), 8);
    tame(&output, "fsck");
}
