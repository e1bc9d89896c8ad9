//! Patterns of names, such as `releases/{package}/app-{version}.tar.gz`.

use crate::model::{Invalid, PackageName};
use std::{fmt, str::FromStr};

const WHAT: &str = "pattern";

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Package,
    Version,
}

/// A pattern of the names of files: text in which `{version}`, and perhaps `{package}`, stand for parts of a name.
///
/// A version has no `/`. If a name fits in several ways, the package is as short as possible. A placeholder that occurs
/// again stands for the same text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    parts: Vec<Part>,
}

/// The parts of a name for which the placeholders stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Matched<'a> {
    pub package: Option<&'a str>,
    pub version: Option<&'a str>,
}

impl Pattern {
    /// Returns true if the pattern names the package.
    #[must_use]
    pub fn has_package(&self) -> bool {
        self.parts.contains(&Part::Package)
    }

    /// Returns the text that each name begins with.
    pub(super) fn prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// Returns the parts of a name, if it fits; a version must fit `is_version`.
    pub(super) fn matched<'a>(&self, name: &'a str, is_version: fn(&str) -> bool) -> Option<Matched<'a>> {
        fits(&self.parts, name, Matched::default(), is_version)
    }
}

fn fits<'a>(
    parts: &[Part],
    name: &'a str,
    matched: Matched<'a>,
    is_version: fn(&str) -> bool,
) -> Option<Matched<'a>> {
    let Some((part, rest)) = parts.split_first() else {
        return name.is_empty().then_some(matched);
    };
    let text = match part {
        Part::Text(text) => Some(text.as_str()),
        Part::Package => matched.package,
        Part::Version => matched.version,
    };
    if let Some(text) = text {
        return fits(rest, name.strip_prefix(text)?, matched, is_version);
    }
    let ends = name.char_indices().map(|(at, c)| at + c.len_utf8());
    for end in ends {
        let (begin, after) = name.split_at(end);
        let matched = match part {
            Part::Version if begin.contains('/') => return None,
            Part::Version if !is_version(begin) => continue,
            Part::Version => Matched { version: Some(begin), ..matched },
            _ if begin.parse::<PackageName>().is_err() => continue,
            _ => Matched { package: Some(begin), ..matched },
        };
        if let Some(found) = fits(rest, after, matched, is_version) {
            return Some(found);
        }
    }
    None
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Pattern {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |rule: &str| Invalid::new(WHAT, text, rule.to_owned());
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            if at > 0 {
                parts.push(Part::Text(rest[..at].to_owned()));
            }
            let (part, after) = [("{version}", Part::Version), ("{package}", Part::Package)]
                .into_iter()
                .find_map(|(name, part)| Some((part, rest[at..].strip_prefix(name)?)))
                .ok_or_else(|| invalid("has a brace that belongs to neither {version} nor {package}"))?;
            if !matches!(parts.last(), None | Some(Part::Text(_))) {
                return Err(invalid("has two placeholders with nothing between them"));
            }
            parts.push(part);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if !parts.contains(&Part::Version) {
            return Err(invalid("has no {version}"));
        }
        if text.starts_with('/') || text.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(invalid("begins with a `/`, or has a `.` or `..` between two of them"));
        }
        Ok(Self { text: text.to_owned(), parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digit_first(text: &str) -> bool {
        text.starts_with(|c: char| c.is_ascii_digit())
    }

    fn matched(pattern: &str, name: &str) -> Option<(Option<String>, String)> {
        let pattern: Pattern = pattern.parse().unwrap();
        let found = pattern.matched(name, digit_first)?;
        Some((found.package.map(str::to_owned), found.version?.to_owned()))
    }

    #[test]
    fn names_that_fit_give_their_parts() {
        let found = |package: &str, version: &str| Some((Some(package.to_owned()), version.to_owned()));
        let version = |version: &str| Some((None, version.to_owned()));
        for (pattern, name, expected) in [
            ("app-{version}.tar.gz", "app-1.2.tar.gz", version("1.2")),
            ("app-{version}.tar.gz", "app-1.2.tar.gz.sig", None),
            ("app-{version}.tar.gz", "app-latest.tar.gz", None),
            ("app-{version}.tar.gz", "app-.tar.gz", None),
            ("app-{version}", "app-1/2", None),
            ("{package}-{version}.tgz", "my-app-1.2-rc1.tgz", found("my-app", "1.2-rc1")),
            ("{package}/{version}/x-{version}.zip", "team/app/7/x-7.zip", found("team/app", "7")),
            ("{package}/{version}/x-{version}.zip", "team/app/7/x-8.zip", None),
            ("{package}/{version}", "../etc/1", None),
            ("{package}-{version}", "ü-1", None),
            ("{version}-{package}", "1-2-app", found("2-app", "1")),
        ] {
            assert_eq!(matched(pattern, name), expected, "{pattern}: {name}");
        }
    }

    #[test]
    fn patterns_without_a_meaning_are_refused() {
        for wrong in [
            "",
            "app",
            "{package}",
            "{package}{version}",
            "{name}-{version}",
            "{version",
            "version}",
            "/{version}",
            "../{version}",
        ] {
            wrong.parse::<Pattern>().expect_err(wrong);
        }
        let pattern: Pattern = "releases/app-{version}".parse().unwrap();
        assert_eq!((pattern.prefix(), pattern.has_package()), ("releases/app-", false));
    }
}
