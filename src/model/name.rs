//! Names of packages and tags.

use super::{Invalid, text::text_type};
use std::str::FromStr;

/// The name of a package: 1 to 200 bytes of `A-Z a-z 0-9 . _ - /`, beginning and ending with a letter or digit,
/// with no `//` and no `.` or `..` segment. Ordered bytewise.
///
/// ```
/// use sacker::model::PackageName;
/// assert!("web/frontend".parse::<PackageName>().is_ok());
/// assert!("web/../etc".parse::<PackageName>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageName(String);

/// The name of a tag: 1 to 100 bytes of `A-Z a-z 0-9 . _ -`, beginning with a letter. `latest` and `none` are
/// reserved in any case. Ordered bytewise.
///
/// ```
/// use sacker::model::TagName;
/// assert!("live".parse::<TagName>().is_ok());
/// assert!("Latest".parse::<TagName>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TagName(String);

impl PackageName {
    const WHAT: &'static str = "package name";
    /// The maximum number of bytes in a name.
    pub const MAX: usize = 200;

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TagName {
    const WHAT: &'static str = "tag";
    const MAX: usize = 100;
    const RESERVED: [&'static str; 2] = ["latest", "none"];

    /// Returns the tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_type!(PackageName);
text_type!(TagName);

impl FromStr for PackageName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |rule: &str| Err(Invalid::new(Self::WHAT, text, rule));
        check_length(Self::WHAT, text, Self::MAX)?;
        check_bytes(Self::WHAT, text, b"._-/")?;
        let ends = [text.as_bytes()[0], text.as_bytes()[text.len() - 1]];
        if !ends.iter().all(u8::is_ascii_alphanumeric) {
            return invalid("does not begin and end with a letter or digit");
        }
        if text.contains("//") {
            return invalid("holds `//`");
        }
        if text.split('/').any(|segment| matches!(segment, "." | "..")) {
            return invalid("holds a `.` or `..` segment");
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for TagName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check_length(Self::WHAT, text, Self::MAX)?;
        check_bytes(Self::WHAT, text, b"._-")?;
        if !text.as_bytes()[0].is_ascii_alphabetic() {
            return Err(Invalid::new(Self::WHAT, text, "does not begin with a letter"));
        }
        if Self::RESERVED.iter().any(|reserved| text.eq_ignore_ascii_case(reserved)) {
            return Err(Invalid::new(Self::WHAT, text, "is reserved"));
        }
        Ok(Self(text.to_owned()))
    }
}

fn check_length(what: &'static str, text: &str, max: usize) -> Result<(), Invalid> {
    match text.len() {
        0 => Err(Invalid::new(what, text, "is empty")),
        n if n > max => Err(Invalid::new(what, text, format!("has {n} bytes; at most {max} are allowed"))),
        _ => Ok(()),
    }
}

fn check_bytes(what: &'static str, text: &str, also: &[u8]) -> Result<(), Invalid> {
    match text.chars().find(|c| !c.is_ascii_alphanumeric() && !also.contains(&(*c as u8)) || !c.is_ascii()) {
        None => Ok(()),
        Some(bad) => {
            let also: Vec<String> = also.iter().map(|b| (*b as char).to_string()).collect();
            let rule = format!("holds {bad:?}; only A-Z a-z 0-9 {} are allowed", also.join(" "));
            Err(Invalid::new(what, text, rule))
        }
    }
}
