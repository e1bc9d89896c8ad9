//! Output for people: tables, sizes, times, and text that is safe for a terminal.

use crate::model::{
    Digest, Event, EventKind, Freeze, FreezeEvent, GateCheck, Gates, Message, Override, PackagePrefix,
    PackageSummary, Protection, Release, TagMove, Timestamp, Version,
};
use std::{borrow::Cow, fmt::Write, io, os::unix::ffi::OsStrExt, path::Path};

/// The form of a sha256 in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digests {
    Whole,
    /// The first 12 digits, for terminals.
    Short,
}

impl Digests {
    const SHORT: usize = 12;

    fn width(self) -> usize {
        match self {
            Self::Whole => 64,
            Self::Short => Self::SHORT,
        }
    }

    fn show(self, digest: &Digest) -> &str {
        &digest.as_str()[..self.width()]
    }
}

/// Columns have fixed widths, so that a row can be printed as soon as it is read.
pub(super) fn versions_header(digests: Digests) -> String {
    let width = digests.width();
    format!("{:>7}  {:7}  {:>10}  {:20}  {:width$}  TAGS", "VERSION", "STATE", "SIZE", "ADDED", "SHA256")
}

pub(super) fn versions_row(release: &Release, digests: Digests) -> String {
    let row = format!(
        "{:>7}  {:7}  {:>10}  {:20}  {}  {}",
        release.version,
        release.state,
        size(release.blob.size),
        seconds(release.added_at),
        digests.show(&release.blob.address.sha256),
        release.tags.join(" "),
    );
    row.trim_end().to_owned()
}

pub(super) fn packages_header() -> String {
    format!("{:32}  {:>7}  {:>10}  CHANGED", "PACKAGE", "LATEST", "SIZE")
}

pub(super) fn packages_row(summary: &PackageSummary) -> String {
    let size = summary.size.map_or_else(|| "-".to_owned(), size);
    let latest = summary.latest.map_or_else(|| "-".to_owned(), |version| version.to_string());
    format!("{:32}  {latest:>7}  {size:>10}  {}", summary.package, seconds(summary.changed_at))
}

pub(super) fn tags_table<'a>(rows: impl Iterator<Item = (&'a str, Version)> + Clone) -> Vec<String> {
    let width = rows.clone().map(|(tag, _)| tag.len()).chain(["TAG".len()]).max().unwrap_or_default();
    let header = format!("{:width$}  VERSION", "TAG");
    std::iter::once(header).chain(rows.map(|(tag, version)| format!("{tag:width$}  {version:>7}"))).collect()
}

/// Renders the tags with their protection: the columns of `tags -l`.
pub(super) fn protections_table(latest: Option<Version>, tags: &[TagMove]) -> Vec<String> {
    let width =
        tags.iter().map(|tag| tag.tag.as_str().len()).chain(["latest".len()]).max().unwrap_or_default();
    let row = |tag: &str, version: String, protection: String| {
        format!("{tag:width$}  {version:>7}  {protection}").trim_end().to_owned()
    };
    let header = row("TAG", "VERSION".to_owned(), "PROTECTION".to_owned());
    let latest = latest.map(|version| row("latest", version.to_string(), String::new()));
    let others = tags.iter().filter_map(|tag| {
        let protection = tag.protection.map(|it| protection(it, &tag.gates, tag.no_override));
        Some(row(tag.tag.as_str(), tag.version?.to_string(), protection.unwrap_or_default()))
    });
    std::iter::once(header).chain(latest).chain(others).collect()
}

/// Renders a protection with its gates: `confirm, gates soak:canary=2h, was:canary, no override`.
pub(super) fn protection(protection: Protection, gates: &Gates, no_override: bool) -> String {
    let mut text = protection.without_gates().map(|kind| kind.to_string()).unwrap_or_default();
    if protection.has_gates() {
        let between = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{between}gates {}", escaped(&gates.to_string()));
    }
    if no_override {
        text.push_str(", no override");
    }
    text
}

/// Renders the result of a gate: `closed  soak:canary=2h  canary was never on it`.
pub(super) fn check(check: &GateCheck) -> String {
    let GateCheck { gate, found, passed, .. } = check;
    let result = if *passed { "open" } else { "closed" };
    format!("{result:6}  {}  {}", escaped(&gate.to_string()), escaped(found))
}

/// Renders what a move has passed over.
fn overridden(overridden: Option<&Override>) -> String {
    overridden.map_or_else(String::new, |Override { why, gates }| {
        let why = why.as_str().replace(['\n', '\t'], " ");
        format!(" (override of {}: {})", escaped(&gates.to_string()), escaped(&why))
    })
}

/// Renders a version as `key: value` lines. Absent values are left out.
pub(super) fn info(release: &Release) -> Vec<String> {
    let mut lines = vec![
        format!("package: {}", release.package),
        format!("version: {}", release.version),
        format!("sha256: {}", release.blob.address.sha256),
        format!("size: {}", release.blob.size),
    ];
    let mut line = |key: &str, value: String| lines.push(format!("{key}: {value}"));
    if let Some(filename) = &release.blob.filename {
        line("filename", escaped(filename.as_str()));
    }
    if let Some(mode) = release.blob.mode {
        line("mode", mode.to_string());
    }
    for (name, value) in release.labels.iter() {
        line(&format!("label.{name}"), escaped(value));
    }
    if let Some(message) = &release.message {
        // Continuation lines are indented, so that a message can't imitate a line of this program.
        let folded: Vec<_> =
            message.as_str().split('\n').map(|line| escaped(&line.replace('\t', " "))).collect();
        line("message", folded.join("\n    "));
    }
    line("state", release.state.to_string());
    line("added_at", release.added_at.to_string());
    line("added_by", escaped(release.added_by.as_str()));
    if !release.tags.is_empty() {
        line("tags", release.tags.join(" "));
    }
    if let Some(rev) = release.rev {
        line("rev", rev.to_string());
    }
    for gates in &release.gates {
        for one in &gates.checks {
            line(&format!("gate.{}", gates.tag), check(one));
        }
    }
    lines
}

/// Renders a move of a tag: `live: 41 -> 42`.
pub(super) fn moved(tag: &str, from: Option<Version>, to: Option<Version>) -> String {
    let shown =
        |version: Option<Version>| version.map_or_else(|| "none".to_owned(), |version| version.to_string());
    format!("{tag}: {} -> {}", shown(from), shown(to))
}

pub(super) fn history_header() -> String {
    format!("{:20}  {:>5}  {:9}  {:24}  BY: WHY", "AT", "REV", "EVENT", "WHAT")
}

/// Renders an event as one line; line breaks in the message become spaces.
pub(super) fn history_row(event: &Event) -> String {
    let log = if event.kind.is_of_tags() { 't' } else { 'r' };
    let version = |version: Option<Version>| version.map_or_else(String::new, |version| version.to_string());
    let what = match (&event.tag, event.kind, event.protection) {
        (Some(tag), EventKind::Protect, Some(protection)) => {
            format!("{tag}: {}", self::protection(protection, &event.gates, event.no_override))
        }
        (Some(tag), EventKind::Unprotect, _) => tag.to_string(),
        (tag, EventKind::OtherOfReleases(_) | EventKind::OtherOfTags(_), _) => {
            let of = tag.as_ref().map_or_else(|| version(event.version), ToString::to_string);
            format!("{of} (from a newer sacker)").trim_start().to_owned()
        }
        (Some(tag), _, _) => moved(tag.as_str(), event.previous, event.version),
        (None, EventKind::Label, _) => {
            let labels = event.labels.iter().map(|(name, value)| format!(" {name}={}", escaped(value)));
            format!("{}:{}", version(event.version), labels.collect::<String>())
        }
        (None, _, _) => version(event.version),
    };
    let emergency = event.emergency.as_ref();
    let emergency = emergency.map_or_else(String::new, |why| format!(" (emergency{})", reason(Some(why))));
    let message = reason(event.message.as_ref()) + &emergency;
    let over = overridden(event.overridden.as_ref());
    let (at, rev) = (seconds(event.at), format!("{log}{}", event.rev));
    format!("{at:20}  {rev:>5}  {:9}  {what:24}  {}{message}{over}", event.kind, escaped(event.by.as_str()))
}

/// Renders a reason after a colon, in one line.
fn reason(message: Option<&Message>) -> String {
    message.map_or_else(String::new, |it| format!(": {}", escaped(&it.as_str().replace(['\n', '\t'], " "))))
}

pub(super) fn freezes_header() -> String {
    format!("{:24}  {:20}  {:20}  BY: WHY", "PACKAGES", "SINCE", "UNTIL")
}

pub(super) fn freezes_row(freeze: &Freeze) -> String {
    let until = freeze.until.map_or_else(|| "-".to_owned(), seconds);
    let (prefix, since, by) = (freeze.prefix.pattern(), seconds(freeze.since), escaped(freeze.by.as_str()));
    let strict = if freeze.strict { " (strict)" } else { "" };
    format!("{prefix:24}  {since:20}  {until:20}  {by}{strict}{}", reason(freeze.message.as_ref()))
}

/// Renders a change of the freezes as one line of a history.
pub(super) fn freeze_history_row(event: &FreezeEvent) -> String {
    let mut what = event.prefix.as_ref().map(PackagePrefix::pattern).unwrap_or_default();
    if event.strict {
        what += " strict";
    }
    if let Some(until) = event.until {
        let _ = write!(what, " until {}", seconds(until));
    }
    let (at, rev, by) = (seconds(event.at), format!("f{}", event.rev), escaped(event.by.as_str()));
    format!("{at:20}  {rev:>5}  {:9}  {what:24}  {by}{}", event.kind, reason(event.message.as_ref()))
}

/// Renders a size in binary units: `1.5 MiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // In tenths and rounded before the unit is chosen, so that 1024.0 KiB becomes 1.0 MiB.
    let tenths = |unit: usize| {
        let unit = 1_u128 << (10 * (unit + 1));
        (u128::from(bytes) * 10 + unit / 2) / unit
    };
    let unit = (0..UNITS.len()).find(|unit| tenths(*unit) < 10_240).unwrap_or(UNITS.len() - 1);
    let tenths = tenths(unit);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// Renders a count with its noun: `1 blob`, `2 blobs`, `3 violations`.
pub(super) fn counted(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

/// Renders a time to the second.
pub(super) fn seconds(at: Timestamp) -> String {
    let at = at.to_string();
    at.split_once('.').map_or(at.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// Renders an I/O error without the operating system's number.
pub(super) fn plain(error: &io::Error) -> String {
    without_number(&error.to_string()).to_owned()
}

pub(super) fn without_number(text: &str) -> &str {
    text.split_once(" (os error ").map_or(text, |(text, _)| text)
}

/// Returns the text with the characters that are unsafe for a terminal escaped.
pub(super) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if unsafe_for_terminal(c) {
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Returns a path as it is printed: unchanged for programs, which open it, and escaped on a terminal.
pub(super) fn path(path: &Path, terminal: bool) -> Cow<'_, [u8]> {
    if terminal {
        escaped(&path.to_string_lossy()).into_bytes().into()
    } else {
        path.as_os_str().as_bytes().into()
    }
}

/// Returns true if a character moves the cursor, changes a color, breaks a line, changes the direction of writing, or
/// is invisible. All of them are in the basic plane.
pub(super) fn unsafe_for_terminal(c: char) -> bool {
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    let turns = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}'
    );
    // Joiners are left out: scripts and emoji need them.
    let hides = matches!(c, '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    c.is_control() || breaks || turns || hides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_before_their_unit_is_chosen() {
        let sizes = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1_048_524, "1023.9 KiB"),
            (1_048_525, "1.0 MiB"),
            (1_572_864, "1.5 MiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (bytes, shown) in sizes {
            assert_eq!(size(bytes), shown, "{bytes}");
        }
    }

    #[test]
    fn nothing_reaches_a_terminal_that_would_move_it() {
        assert_eq!(escaped("plain é 漢 🙂"), "plain é 漢 🙂");
        assert_eq!(escaped("\x1b[2Jgone\r\n\u{9b}x\u{7f}"), "\\u{1b}[2Jgone\\r\\n\\u{9b}x\\u{7f}");
        assert_eq!(escaped("a\u{202e}b\u{200b}\u{2028}"), "a\\u{202e}b\\u{200b}\\u{2028}");
        assert_eq!(escaped("👩\u{200d}💻"), "👩\u{200d}💻");
        let name = Path::new("\u{202e}gpj.exe");
        assert_eq!(path(name, true).as_ref(), b"\\u{202e}gpj.exe");
        assert_eq!(path(name, false).as_ref(), "\u{202e}gpj.exe".as_bytes());
    }

    #[test]
    fn tables_have_their_columns_under_each_other() {
        let version = |n: u64| Version::try_from(n).unwrap();
        let rows = [("latest", version(42)), ("canary-of-the-month", version(1_000_000_000))];
        let table = tags_table(rows.into_iter());
        assert_eq!(
            table,
            [
                "TAG                  VERSION",
                "latest                    42",
                "canary-of-the-month  1000000000"
            ]
        );
        assert_eq!(tags_table(std::iter::empty()), ["TAG  VERSION"]);
    }
}
