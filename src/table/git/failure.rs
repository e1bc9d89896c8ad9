//! The meaning of what git says when it fails.

use super::output::Output;
use crate::fault::{Fault, FaultKind};
use std::io;

const INSTALL: &str = "install git 2.36 or later where PATH leads to it";
const OWNER: &str =
    "git trusts only the repositories of this user: see `safe.directory` in `git help config`";
const HOST_KEY: &str =
    "compare the key of the server with one that its operator published, and add it to `~/.ssh/known_hosts`";
const LOGIN: &str =
    "check git's credentials for it: a credential helper or an ssh agent, since nothing is asked for here";

/// Classifies a failure to start git.
pub(super) fn of_start(doing: &str, error: io::Error) -> Fault {
    let kind =
        if error.kind() == io::ErrorKind::NotFound { FaultKind::Misconfigured } else { FaultKind::Disk };
    let source: Box<dyn std::error::Error + Send + Sync> = match kind {
        FaultKind::Misconfigured => "the program `git` was not found".into(),
        _ => error.into(),
    };
    let remedy = (kind == FaultKind::Misconfigured).then_some(INSTALL);
    Fault { remedy, ..Fault::new(kind, doing, source) }
}

/// Phrases of git, of its transports and of forges, in the order in which they count.
const PHRASES: [(&[&str], FaultKind, Option<&str>); 9] = [
    (&["dubious ownership"], FaultKind::Denied, Some(OWNER)),
    (&["Host key verification failed"], FaultKind::Denied, Some(HOST_KEY)),
    (
        &[
            "Authentication failed",
            "could not read Username",
            "could not read Password",
            "terminal prompts disabled",
            "Permission denied (",
            "returned error: 401",
            "returned error: 403",
            "Access denied",
            "access denied",
            "not authorized",
        ],
        FaultKind::Denied,
        Some(LOGIN),
    ),
    (&["returned error: 429"], FaultKind::Throttled, None),
    (
        &[
            "ERROR: Repository not found",
            "does not appear to be a git repository",
            "returned error: 404",
            "not a git repository",
            "couldn't find remote ref",
            "cannot change to",
            "access denied or repository not exported",
        ],
        FaultKind::Missing,
        None,
    ),
    (&["No space left on device", "Disk quota exceeded"], FaultKind::Disk, None),
    (&["Permission denied", "Read-only file system"], FaultKind::Denied, None),
    (
        &[
            "SSL certificate problem",
            "server certificate verification failed",
            "not allowed",
            "Unable to find remote helper",
            "unable to find remote helper",
            "mismatched algorithms",
            "unknown repository extension",
            "Expected git repo version",
        ],
        FaultKind::Misconfigured,
        None,
    ),
    (
        &[
            "bad object",
            "loose object",
            "inflate:",
            "is corrupt",
            "unable to parse",
            "packfile",
            "fsck error",
        ],
        FaultKind::Corrupt,
        None,
    ),
];

/// Classifies the end of a run that failed.
pub(super) fn of(doing: &str, output: &Output) -> Fault {
    let said = said(output);
    if output.code == Some(129) {
        let source = format!("this git does not know an option that is needed: {said}");
        return Fault { remedy: Some(INSTALL), ..Fault::new(FaultKind::Misconfigured, doing, source) };
    }
    let text = &output.stderr;
    let is_not_found = text.contains("fatal: repository '") && text.contains("' not found");
    let found = PHRASES.iter().find(|(phrases, ..)| phrases.iter().any(|phrase| text.contains(phrase)));
    let (kind, remedy) = match found {
        _ if is_not_found => (FaultKind::Missing, None),
        Some((_, kind, remedy)) => (*kind, *remedy),
        None => (FaultKind::Unavailable, None),
    };
    Fault { remedy, ..Fault::new(kind, doing, said) }
}

/// Returns the lines that explain a failure, in one line.
pub(super) fn said(output: &Output) -> String {
    let text = without_secrets(&output.stderr);
    let noise = [
        "hint: ",
        "To ",
        "From ",
        "error: failed to push some refs",
        "Pushing to ",
        // Of each failure over ssh, whatever its cause.
        "Please make sure you have the correct access rights",
        "and the repository exists.",
    ];
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !noise.iter().any(|noise| line.starts_with(noise)))
        .collect();
    let lines = lines.join("; ");
    let said: String = lines.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1000).collect();
    match (said.is_empty(), output.code) {
        (false, _) => said,
        (true, Some(code)) => format!("git ended with exit code {code}"),
        (true, None) => "git was stopped by a signal".to_owned(),
    }
}

/// Returns a text without what is before the `@` of a URL: a setting of the user's may have put a password there.
pub(super) fn without_secrets(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after.find(|c: char| c == '/' || c == '\'' || c.is_whitespace()).unwrap_or(after.len());
        match after[..end].rfind('@') {
            Some(at) if &after[..at] != "git" => {
                shown.push('…');
                rest = &after[at..];
            }
            _ => rest = after,
        }
    }
    shown + rest
}

/// The answer to an attempt to move the ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Moved {
    Done,
    /// Another commit was there first; nothing was changed.
    Lost,
    /// The server refuses, for this reason; nothing was changed.
    Refused(String),
    /// Anything else: the ref may have been moved.
    Unknown,
}

/// The reasons for which a push is refused when another was first.
const LOST: [&str; 9] = [
    "stale info",
    "fetch first",
    "non-fast-forward",
    "cannot lock ref",
    "failed to update ref",
    "failed to lock",
    "incorrect old value provided",
    "reference already exists",
    "needs force",
];

/// Reads the answer of `git push --porcelain`; see [its format](https://git-scm.com/docs/git-push#_output).
pub(super) fn pushed(output: &Output) -> Moved {
    let text = String::from_utf8_lossy(&output.stdout);
    let refused =
        text.lines().find_map(|line| line.strip_prefix("!\t")).and_then(|line| line.split_once('\t'));
    match refused {
        None if output.is_ok() => Moved::Done,
        None => Moved::Unknown,
        Some((_, why)) if LOST.iter().any(|lost| why.contains(lost)) => Moved::Lost,
        // The server's answer was lost: see `push_refs` in git's `transport-helper.c`.
        Some((_, why)) if why.contains("[no match]") || why.contains("remote failed to report status") => {
            Moved::Unknown
        }
        Some((_, why)) => Moved::Refused(why.trim().to_owned()),
    }
}

/// Reads the answer of `git update-ref`.
pub(super) fn updated(output: &Output) -> Moved {
    let is_lost = ["but expected", "reference already exists", "unable to resolve reference"]
        .iter()
        .any(|lost| output.stderr.contains(lost))
        || output.stderr.contains(".lock': File exists");
    match output.code {
        Some(0) => Moved::Done,
        _ if is_lost => Moved::Lost,
        _ => Moved::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(stderr: &str) -> Output {
        Output { code: Some(128), stdout: Vec::new(), stderr: stderr.to_owned() }
    }

    #[test]
    fn phrases_and_their_kinds() {
        for (said, kind) in [
            ("fatal: Authentication failed for 'https://h/r/'", FaultKind::Denied),
            ("fatal: could not read Username for 'https://h': terminal prompts disabled", FaultKind::Denied),
            (
                "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.",
                FaultKind::Denied,
            ),
            ("fatal: repository 'https://h/r/' not found", FaultKind::Missing),
            ("fatal: couldn't find remote ref refs/x", FaultKind::Missing),
            ("fatal: detected dubious ownership in repository at '/r'", FaultKind::Denied),
            (
                "fatal: unable to access 'https://h/r/': The requested URL returned error: 429",
                FaultKind::Throttled,
            ),
            (
                "fatal: unable to access 'https://h/r/': The requested URL returned error: 500",
                FaultKind::Unavailable,
            ),
            ("fatal: unable to access 'https://h/r/': Could not resolve host: h", FaultKind::Unavailable),
            ("fatal: unable to access 'https://h/r/': SSL certificate problem: x", FaultKind::Misconfigured),
            ("fatal: write error: No space left on device", FaultKind::Disk),
            ("fatal: transport 'ext' not allowed", FaultKind::Misconfigured),
            ("error: inflate: data stream error", FaultKind::Corrupt),
        ] {
            assert_eq!(of("x", &failed(said)).kind, kind, "{said}");
        }
        assert_eq!(of("x", &Output { code: Some(129), ..failed("") }).remedy, Some(INSTALL));
    }

    #[test]
    fn answers_to_a_push() {
        let push = |line: &str| {
            pushed(&Output {
                code: Some(1),
                stdout: format!("To https://h/r\n!\ta:refs/x\t{line}\nDone\n").into_bytes(),
                stderr: String::new(),
            })
        };
        assert_eq!(push("[rejected] (stale info)"), Moved::Lost);
        assert_eq!(push("[rejected] (fetch first)"), Moved::Lost);
        assert_eq!(push("[remote rejected] (cannot lock ref 'refs/x': is at a but expected b)"), Moved::Lost);
        assert_eq!(push("[remote rejected] (failed to update ref)"), Moved::Lost);
        let declined = "[remote rejected] (pre-receive hook declined)";
        assert_eq!(push(declined), Moved::Refused(declined.to_owned()));
        assert_eq!(push("[remote failure] (remote failed to report status)"), Moved::Unknown);
        assert_eq!(pushed(&failed("fatal: the remote end hung up unexpectedly")), Moved::Unknown);
    }

    #[test]
    fn no_password_is_shown() {
        let text = "fatal: unable to access 'https://ann:secret@h/r': x ssh://git@h/r https://h/a@b";
        let shown = "fatal: unable to access 'https://…@h/r': x ssh://git@h/r https://h/a@b";
        assert_eq!(without_secrets(text), shown);
    }
}
