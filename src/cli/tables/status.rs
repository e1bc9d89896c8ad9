//! The table of `status`.

use crate::{
    cli::render::{escaped, seconds},
    model::{PackageStatus, State, TagName, TagStatus, Version},
};
use clap::builder::styling::{AnsiColor, Style};

/// The widths of a table. Columns have fixed widths, so that a row can be printed as soon as it is read. On a terminal,
/// a longer text is cut; for programs, nothing is.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct StatusTable {
    package: usize,
    tag: usize,
    by: usize,
    cuts: bool,
    colored: bool,
}

/// The least width, and the width for programs.
const LEAST: usize = 80;
/// The widths of VERSION, BEHIND and SINCE, with the gaps of all columns.
const FIXED: usize = 7 + 6 + 20 + 5 * 2;
const MARKED: Style = AnsiColor::Yellow.on_default();

impl StatusTable {
    /// Returns the table for a terminal with this number of columns, or for programs.
    pub fn new(columns: Option<usize>, colored: bool) -> Self {
        let more = columns.map_or(0, |columns| columns.saturating_sub(LEAST));
        // A half of what is left is for the longest names.
        let (package, tag) = (17 + more / 2, 8 + more / 8);
        let by = LEAST + more - FIXED - package - tag;
        Self { package, tag, by, cuts: columns.is_some(), colored }
    }

    pub fn header(self) -> String {
        let cells = ["PACKAGE", "TAG", "VERSION", "BEHIND", "SINCE", "BY"];
        self.line(cells.map(str::to_owned), "")
    }

    pub fn row(self, status: &PackageStatus, tag: &TagStatus) -> String {
        let is_past = tag.now.is_some();
        let behind = tag.version.filter(|_| !is_past).map(|version| status.behind(version));
        let on = tag.version.is_some();
        let cells = [
            status.package.to_string(),
            tag.tag.to_string(),
            shown(tag.version),
            behind.map_or_else(|| "-".to_owned(), |behind| behind.to_string()),
            if on { seconds(tag.since) } else { "-".to_owned() },
            if on { escaped(tag.by.as_str()) } else { "-".to_owned() },
        ];
        self.line(cells, &marks(status, tag).join(", "))
    }

    /// Returns the row of a tag that is on no version.
    pub fn none(self, status: &PackageStatus, tag: &TagName) -> String {
        let [none, dash] = ["none", "-"].map(str::to_owned);
        let cells = [status.package.to_string(), tag.to_string(), none, dash.clone(), dash.clone(), dash];
        self.line(cells, "")
    }

    fn line(self, [package, tag, version, behind, since, by]: [String; 6], marks: &str) -> String {
        let (package, tag) = (self.cut(package, self.package), self.cut(tag, self.tag));
        let marks = if marks.is_empty() { String::new() } else { format!("[{marks}]") };
        // The marks are more important than the author.
        let gap = usize::from(!marks.is_empty());
        let left = self.by.saturating_sub(marks.chars().count() + gap);
        let fits = !self.cuts || left >= by.chars().count().min(3);
        let by = if fits { self.cut(by, left) } else { String::new() };
        let space = if by.is_empty() || marks.is_empty() { "" } else { " " };
        let marks =
            if self.colored && !marks.is_empty() { format!("{MARKED}{marks}{MARKED:#}") } else { marks };
        let [wide, high] = [self.package, self.tag];
        let row = format!(
            "{package:wide$}  {tag:high$}  {version:>7}  {behind:>6}  {since:20}  {by}{space}{marks}"
        );
        row.trim_end().to_owned()
    }

    fn cut(self, text: String, width: usize) -> String {
        if !self.cuts || text.chars().count() <= width {
            return text;
        }
        let kept: String = text.chars().take(width.saturating_sub(1)).collect();
        format!("{kept}…")
    }
}

fn shown(version: Option<Version>) -> String {
    version.map_or_else(|| "none".to_owned(), |version| version.to_string())
}

/// The marks of a row: everything that stands in the way of a move, or has changed since. A new kind of obstacle of a
/// move gets its mark here, and its field in [`StatusLine`](crate::cli::json::StatusLine).
fn marks(status: &PackageStatus, tag: &TagStatus) -> Vec<String> {
    let mut marks = Vec::new();
    marks.extend((!status.freezes.is_empty()).then(|| "frozen".to_owned()));
    marks.extend(tag.protection.map(|protection| protection.to_string()));
    if let Some(now) = &tag.now {
        let state = now.state.filter(|state| *state != State::Active);
        marks.extend(state.map(|state| state.to_string()));
        if now.version != tag.version {
            marks.push(format!("now {}", shown(now.version)));
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELLS: [&str; 6] = [
        "a-very-long-name-of-a-package",
        "a-long-tag-name",
        "1234567",
        "1234",
        "2026-05-01T10:00:00Z",
        "someone@host",
    ];

    fn line(columns: Option<usize>, colored: bool, marks: &str) -> String {
        StatusTable::new(columns, colored).line(CELLS.map(str::to_owned), marks)
    }

    #[test]
    fn a_row_fits_the_terminal_and_shows_its_marks() {
        for columns in [80, 81, 100, 137, 240] {
            for marks in ["", "confirm", "now 42"] {
                let row = line(Some(columns), false, marks);
                assert!(row.chars().count() <= columns, "{columns}: {row}");
                assert!(row.contains(marks), "{row}");
            }
        }
        let wide = line(Some(240), false, "");
        assert!(CELLS.iter().all(|cell| wide.contains(cell)), "{wide}");
        let row = line(None, false, "now 42, yanked");
        assert!(row.starts_with("a-very-long-name-of-a-package  a-long-tag-name"), "{row}");
        assert!(row.ends_with("someone@host [now 42, yanked]"), "{row}");
    }

    #[test]
    fn color_changes_no_text() {
        let colored = line(Some(80), true, "confirm");
        let plain = colored.replace(&format!("{MARKED}"), "").replace(&format!("{MARKED:#}"), "");
        assert_ne!(colored, plain);
        assert_eq!(plain, line(Some(80), false, "confirm"));
    }
}
