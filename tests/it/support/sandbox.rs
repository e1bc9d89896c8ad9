//! A home of its own for each test, and running the program in it.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// The program, in an empty home with no configuration: on the embedded ledger and store.
pub struct Sandbox {
    home: PathBuf,
    variables: Vec<(String, String)>,
    _dir: TempDir,
}

impl Sandbox {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().canonicalize().unwrap();
        fs::create_dir(home.join("tmp")).unwrap();
        Self { home, variables: Vec::new(), _dir: dir }
    }

    /// With a package `app` of three versions, `live` on the first and `canary` on the second.
    pub fn with_app() -> Self {
        let sandbox = Self::new();
        for (name, content) in [("one.txt", "one\n"), ("two.txt", "second\n"), ("three.txt", "the third\n")] {
            sandbox.write(name, content);
        }
        sandbox.ok(&["add", "app", "one.txt", "--tag", "live", "--label", "commit=1f3", "-m", "first"]);
        sandbox.ok(&["add", "app", "two.txt", "--tag", "canary"]);
        sandbox.ok(&["add", "app", "three.txt"]);
        sandbox
    }

    /// With a variable for every command.
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// A variable that was set.
    pub fn variable(&self, name: &str) -> &str {
        self.configured(name).unwrap_or_else(|| panic!("{name} was not set"))
    }

    /// A variable, if it was set.
    pub fn configured(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().rev().find(|(set, _)| set == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn home(&self) -> &Path {
        &self.home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.path(".local/share/sacker")
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o644)).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Everything below a directory of the home, to see that nothing was left there.
    pub fn files(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(name)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sacker"));
        self.prepare(&mut command);
        command.args(arguments);
        command
    }

    /// Through a shell, which can limit and redirect; `$sacker` is the program.
    pub fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        self.prepare(&mut command);
        command.env("sacker", env!("CARGO_BIN_EXE_sacker")).env("PATH", "/usr/bin:/bin").args(["-c", script]);
        command
    }

    fn prepare(&self, command: &mut Command) {
        command
            .env_clear()
            .env("HOME", &self.home)
            .env("TMPDIR", self.path("tmp"))
            .env("SACKER_ACTOR", "tester@host")
            // Nobody in a test waits for the metadata service of a machine in the cloud.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.home)
            .stdin(Stdio::null());
    }

    /// Runs it to its end and shows its output and exit code.
    pub fn run(&self, arguments: &[impl AsRef<OsStr>]) -> String {
        self.shown(&self.command(arguments).output().unwrap())
    }

    pub fn run_with_stdin(&self, arguments: &[impl AsRef<OsStr>], stdin: &[u8]) -> String {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin).unwrap();
        self.shown(&child.wait_with_output().unwrap())
    }

    /// Runs what must succeed, and gives its stdout.
    pub fn ok(&self, arguments: &[impl AsRef<OsStr>]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{}", self.shown(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Adds files to `app` by this number of processes at once, with these options. All must succeed, with numbers
    /// that follow each other.
    pub fn add_at_once(&self, processes: usize, options: &[&str]) {
        let children: Vec<_> = (0..processes)
            .map(|n| {
                let name = format!("f{n}");
                self.write(&name, format!("content {n}"));
                let mut command = self.command(&[&["add", "app", &name], options].concat());
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        let mut versions = BTreeSet::new();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", self.shown(&output));
            versions.insert(String::from_utf8(output.stdout).unwrap().trim().parse::<usize>().unwrap());
        }
        assert_eq!(versions, (1..=processes).collect());
    }

    /// Runs a script that must succeed.
    pub fn ok_shell(&self, script: &str) {
        let output = self.shell(script).output().unwrap();
        assert!(output.status.success(), "{}", self.shown(&output));
    }

    pub fn shown(&self, output: &Output) -> String {
        let code = output.status.code().map_or_else(|| output.status.to_string(), |code| code.to_string());
        let mut shown = format!("exit {code}\n");
        for (mark, text) in [("1|", &output.stdout), ("2|", &output.stderr)] {
            for line in self.masked(&String::from_utf8_lossy(text)).lines() {
                shown.push_str(format!("{mark} {line}").trim_end());
                shown.push('\n');
            }
        }
        shown
    }

    /// Without what differs from run to run: the home, times, identities and durations.
    pub fn masked(&self, text: &str) -> String {
        let text = text.replace(self.home.to_str().unwrap(), "[HOME]");
        let mut masked = String::new();
        let mut rest = text.as_str();
        while let Some(c) = rest.chars().next() {
            let (length, mask) = [
                (time(rest), "[TIME]"),
                (identity(rest), "[ID]"),
                (milliseconds(rest), "[N] ms"),
                (age(rest), "[N]s ago"),
                (temporary(rest), "[TEMPORARY]"),
            ]
            .into_iter()
            .find(|(length, _)| *length > 0)
            .unwrap_or((0, ""));
            if length > 0 {
                masked.push_str(mask);
                rest = &rest[length..];
                continue;
            }
            // Over a whole word or number at once, so that nothing is found in its middle.
            let word = |c: char| c.is_ascii_alphanumeric();
            let length = if word(c) { rest.find(|c| !word(c)).unwrap_or(rest.len()) } else { c.len_utf8() };
            masked.push_str(&rest[..length]);
            rest = &rest[length..];
        }
        masked
    }
}

/// Returns the length of the RFC 3339 time that `text` begins with, or 0.
fn time(text: &str) -> usize {
    let form = "0000-00-00T00:00:00";
    let bytes = text.as_bytes();
    let fits = bytes.len() > form.len()
        && form
            .bytes()
            .zip(bytes)
            .all(|(want, got)| if want == b'0' { got.is_ascii_digit() } else { want == *got });
    let fraction = |c: char| c == '.' || c.is_ascii_digit();
    match text.get(form.len()..).map(|rest| rest.trim_start_matches(fraction)) {
        Some(rest) if fits && rest.starts_with('Z') => text.len() - rest.len() + 1,
        _ => 0,
    }
}

/// Returns the length of the identity (32 hex digits) that `text` begins with, or 0.
fn identity(text: &str) -> usize {
    let length = text.bytes().take_while(u8::is_ascii_hexdigit).count();
    if length == 32 { length } else { 0 }
}

/// Returns the length of the name of a temporary file that `text` begins with, or 0.
fn temporary(text: &str) -> usize {
    let random =
        text.strip_prefix(".sacker-").map(|rest| rest.bytes().take_while(u8::is_ascii_alphanumeric).count());
    random.map_or(0, |random| ".sacker-".len() + random)
}

fn milliseconds(text: &str) -> usize {
    let number = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    if number > 0 && text[number..].starts_with(" ms") { number + " ms".len() } else { 0 }
}

fn age(text: &str) -> usize {
    let number = text.bytes().take_while(u8::is_ascii_digit).count();
    if number > 0 && text[number..].starts_with("s ago") { number + "s ago".len() } else { 0 }
}

/// Waits for something that another process does. The limit only ends a test that has failed.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came to this: {what}");
}

/// Sends a signal to a process that was started here.
pub fn signal(child: &Child, name: &str) {
    let sent =
        Command::new("/bin/sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap();
    assert!(sent.success());
}
