//! Completion of names, as the scripts of the shells ask for it, and in a real shell on a terminal.

use crate::support::{sandbox::Sandbox, servers};
use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

/// The candidates for the last word, as the script of bash gets them; and stderr is empty.
fn candidates(sandbox: &Sandbox, words: &[&str]) -> String {
    candidates_within("60s", sandbox, words)
}

/// The same, if the ledger answers within this time.
fn candidates_within(limit: &str, sandbox: &Sandbox, words: &[&str]) -> String {
    let output = sandbox
        .command(&[&["--", "sacker"], words].concat())
        .env("SACKER_COMPLETE_TIMEOUT", limit)
        .env("SACKER_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .env("_CLAP_IFS", " ")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{words:?}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{words:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    // Options are offered as well.
    shown.split(' ').filter(|word| !word.starts_with('-')).collect::<Vec<_>>().join(" ")
}

#[test]
fn names_come_from_the_ledger() {
    for (sandbox, is_empty) in [(Sandbox::with_app(), false), (servers::sandbox(), true)] {
        if is_empty {
            sandbox.ok(&["init"]);
            for text in ["one", "two", "three"] {
                sandbox.write("f", text);
                sandbox.ok(&["add", "app", "f"]);
            }
            sandbox.ok(&["tag", "app", "1", "live"]);
            sandbox.ok(&["tag", "app", "3", "canary"]);
        }
        sandbox.write("f", "four");
        sandbox.ok(&["add", "app/web", "f"]);
        sandbox.ok(&["add", "other", "f"]);
        let shown = |words: &[&str]| candidates(&sandbox, words);
        assert_eq!(shown(&["info", "a"]), "app app/web");
        assert_eq!(shown(&["info", "app/"]), "app/web");
        assert_eq!(shown(&["rollback", "app", ""]), "canary live");
        assert_eq!(shown(&["rollback", "app", "l"]), "live");
        assert_eq!(shown(&["tag", "app", ""]), "canary live latest 3 2 1");
        assert_eq!(shown(&["tag", "app", "2", "ca"]), "canary");
        assert_eq!(shown(&["yank", "app", ""]), "3 2 1");
        assert_eq!(shown(&["-v", "status", "--prefix", "o"]), "other");
        assert_eq!(shown(&["status", "--tag", ""]), "", "the tags of no package");
        assert_eq!(shown(&["info", "no-such", ""]), "");
        // What is known without a ledger is completed as well.
        assert_eq!(shown(&["rollb"]), "rollback");
        assert_eq!(shown(&["completions", "z"]), "zsh");
    }
}

#[test]
fn the_ledger_of_the_command_line_is_asked() {
    let (one, other) = (Sandbox::with_app(), Sandbox::new());
    let [ledger, store] =
        ["ledger", "store"].map(|part| format!("file://{}", one.data().join(part).display()));
    let places = ["--ledger", &ledger, "--store", &store];
    assert_eq!(candidates(&other, &["info", "a"]), "");
    assert_eq!(candidates(&other, &[&places[..], &["info", "a"]].concat()), "app");
    assert_eq!(candidates(&other, &[&["info"], &places[..], &["a"]].concat()), "app");
    // Asking makes nothing.
    assert!(!other.data().exists(), "{}", other.data().display());
}

#[test]
fn without_an_answer_there_are_no_names_and_no_message() {
    // A server that accepts and is silent, one that is not there, and settings that are wrong.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("dynamodb://t?endpoint=http://{}", silent.local_addr().unwrap());
    let absent = "dynamodb://t?endpoint=http://127.0.0.1:1".to_owned();
    for ledger in [silent, absent, "nonsense://".to_owned(), "postgres://h:1/db".to_owned()] {
        let sandbox = servers::sandbox().set("SACKER_LEDGER", &ledger);
        for words in [&["info", ""][..], &["tag", "app", ""], &["tag", "app", "1", ""]] {
            assert_eq!(candidates_within("100ms", &sandbox, words), "", "{ledger}");
        }
    }
}

/// Types into a shell on a terminal; TAB completes what is left out. Prints what the shell printed until the end.
const TERMINAL: &str = r#"
import os, pty, select, shlex, sys
start, lines = sys.argv[1], sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    # A shell that starts this Python drops the prompt.
    os.environ.update({name[4:]: value for name, value in os.environ.items() if name.startswith("SET_")})
    words = shlex.split(start)
    os.execvp(words[0], words)
shown = b""
def until(text):
    global shown
    while text not in shown:
        if not select.select([terminal], [], [], 60)[0]:
            sys.exit(f"{text} does not appear: {shown}")
        try:
            shown += os.read(terminal, 4096)
        except OSError:
            sys.exit(f"the shell ended: {shown}")
    shown = shown[shown.index(text) + len(text):]
until(b"ready>")
for line in lines:
    typed, answer = line.split("=>")
    os.write(terminal, typed.encode() + b"\r")
    until(answer.encode())
    until(b"ready>")
print("completed")
"#;

/// Completes a command, a package and a tag on a terminal, and runs the completed line.
fn completes(start: &str, set_up: &str, environment: &[(&str, &str)]) {
    let sandbox = Sandbox::with_app();
    let shell = start.split(' ').next().unwrap();
    let is_there = Command::new(shell).arg("--version").stdout(Stdio::null()).status().is_ok();
    assert!(is_there, "{shell} not found: apt-get install {shell} (macOS: brew install {shell})");
    let program = Path::new(env!("CARGO_BIN_EXE_sacker")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let functions = sandbox.home().join("functions");
    std::fs::create_dir(&functions).unwrap();
    std::fs::write(functions.join("_sacker"), sandbox.ok(&["completions", "zsh"])).unwrap();
    let mut python = Command::new("python3");
    python
        .args(["-c", TERMINAL, start])
        .args([
            &format!("{set_up}; echo is 'set' up=>is set up"),
            "sacker inf\tap\tcan\t=>version: 2",
            "sacker info app li\t--js\t=>\"version\":1",
        ])
        .envs(environment.iter().copied())
        .env("SACKER_COMPLETE_TIMEOUT", "60s")
        .env("TERM", "dumb")
        .env("PATH", path)
        .env("HOME", sandbox.home());
    let output = python.stderr(Stdio::inherit()).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "completed\n");
}

#[test]
fn bash_completes_on_a_terminal() {
    completes(
        "bash --norc --noprofile -i",
        "bind 'set enable-bracketed-paste off'; source <(sacker completions bash)",
        &[("SET_PS1", "ready> "), ("INPUTRC", "/dev/null"), ("HISTFILE", "")],
    );
}

#[test]
fn zsh_completes_on_a_terminal() {
    completes(
        "zsh -f -i",
        "autoload -Uz compinit; compinit -u -D; source <(sacker completions zsh)",
        &[("SET_PS1", "ready> ")],
    );
}

/// As a package installs it: the first Tab reads the script, and completes.
#[test]
fn zsh_completes_by_a_script_in_its_path() {
    completes(
        "zsh -f -i",
        "fpath=(~/functions $fpath); autoload -Uz compinit; compinit -u -D",
        &[("SET_PS1", "ready> ")],
    );
}

#[test]
fn fish_completes_on_a_terminal() {
    completes(
        r#"fish --no-config --init-command "function fish_prompt; echo 'ready> '; end; set -g fish_greeting""#,
        "sacker completions fish | source",
        &[],
    );
}
