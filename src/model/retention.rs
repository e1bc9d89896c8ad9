//! Retention: which versions of which packages are kept.

use super::{
    Invalid, Labels, Length, PackageName,
    object::{Object, read},
};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;
use std::str::FromStr;

/// The rules by which versions of a package are kept. A version that is on a tag or `latest` is kept in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// Keeps the newest active versions, this many; `None` keeps none for being new.
    pub keep: Option<u64>,
    /// Keeps versions that were added less than this long ago.
    pub min_age: Option<Length>,
    /// Keeps the versions that the next rollbacks of each tag go to, this many of each.
    pub rollback_depth: u16,
    /// Keeps versions with a label of this name.
    pub label_keep: String,
}

impl Retention {
    /// The number of rollbacks of each tag that stay possible by default.
    pub const ROLLBACK_DEPTH: u16 = 5;
    /// The name of the label that keeps a version, by default.
    pub const LABEL_KEEP: &str = "keep";

    /// Creates rules with the default number of rollbacks and the default label.
    ///
    /// # Errors
    /// Neither `keep` nor `min_age`: that would delete every version that is not needed now.
    pub fn new(keep: Option<u64>, min_age: Option<Length>) -> Result<Self, Invalid> {
        if keep.is_none() && min_age.is_none() {
            return Err(Invalid::new("retention", "without limits", "needs a number of versions or an age"));
        }
        let (rollback_depth, label_keep) = (Self::ROLLBACK_DEPTH, Self::LABEL_KEEP.to_owned());
        Ok(Self { keep, min_age, rollback_depth, label_keep })
    }

    /// Keeps the versions that this many rollbacks of each tag go to.
    #[must_use]
    pub fn rollback_depth(self, rollback_depth: u16) -> Self {
        Self { rollback_depth, ..self }
    }

    /// Keeps versions with a label of this name.
    ///
    /// # Errors
    /// A name that no label has.
    pub fn label_keep(self, name: &str) -> Result<Self, Invalid> {
        Labels::parse([format!("{name}=").as_str()])?;
        Ok(Self { label_keep: name.to_owned(), ..self })
    }
}

/// Retention by the prefixes of packages' names: the first rule whose prefix a name has applies, and no other.
///
/// Its JSON. Each rule needs `prefix`, and `keep` or `min_age` or both; `"keep": "all"` keeps every version:
///
/// ```
/// let policy: sacker::model::RetentionPolicy = r#"{"rules": [
///     {"prefix": "prod/", "keep": "all"},
///     {"prefix": "team/", "keep": 20, "min_age": "30d", "rollback_depth": 10, "label_keep": "audit"},
///     {"prefix": "", "keep": 5}
/// ]}"#.parse()?;
/// let rule = policy.of(&"team/app".parse()?).unwrap();
/// assert_eq!((rule.keep, rule.rollback_depth), (Some(20), 10));
/// # Ok::<_, sacker::model::Invalid>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionPolicy(Vec<(String, Retention)>);

impl RetentionPolicy {
    /// Creates a policy of these rules: the prefix of each, and what it keeps.
    ///
    /// # Errors
    /// No rule; a prefix that no name has; a rule that never applies, because an earlier one always does.
    pub fn new(rules: Vec<(String, Retention)>) -> Result<Self, Invalid> {
        if rules.is_empty() {
            return Err(Invalid::new("list", "rules", "is empty"));
        }
        for (at, (prefix, _)) in rules.iter().enumerate() {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
            if !prefix.chars().all(plain) || prefix.len() > PackageName::MAX {
                return Err(Invalid::new("prefix", prefix, "is the beginning of no package name"));
            }
            let earlier = rules[..at].iter().find(|(earlier, _)| prefix.starts_with(earlier.as_str()));
            if let Some((earlier, _)) = earlier {
                let rule = format!("never applies: the rule for {earlier:?} before it does");
                return Err(Invalid::new("the rule for", prefix, rule));
            }
        }
        Ok(Self(rules))
    }

    /// Returns the rules with these limits for all packages.
    #[must_use]
    pub fn for_all(retention: Retention) -> Self {
        Self(vec![(String::new(), retention)])
    }

    /// Returns the first rule whose prefix a name has. Every version of a package without one is kept.
    #[must_use]
    pub fn of(&self, package: &PackageName) -> Option<&Retention> {
        let rule = self.0.iter().find(|(prefix, _)| package.as_str().starts_with(prefix.as_str()));
        rule.map(|(_, retention)| retention)
    }
}

impl FromStr for RetentionPolicy {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            rules: Vec<Object<Rule>>,
        }
        let written: Written = read(text)?;
        Self::new(
            written.rules.into_iter().map(|Object(Rule(prefix, retention))| (prefix, retention)).collect(),
        )
    }
}

/// A rule as it is written. It is checked while it is read, so that an error names its line.
struct Rule(String, Retention);

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            prefix: String,
            #[serde(default, deserialize_with = "keep")]
            keep: Option<u64>,
            #[serde(default, deserialize_with = "min_age")]
            min_age: Option<Length>,
            #[serde(default)]
            rollback_depth: Option<u16>,
            #[serde(default)]
            label_keep: Option<String>,
        }
        let written = Written::deserialize(deserializer)?;
        let retention = Retention::new(written.keep, written.min_age)
            .map_err(|_| D::Error::custom("a rule needs `keep` or `min_age`"))?
            .rollback_depth(written.rollback_depth.unwrap_or(Retention::ROLLBACK_DEPTH));
        let retention = match written.label_keep {
            Some(name) => retention.label_keep(&name).map_err(D::Error::custom)?,
            None => retention,
        };
        Ok(Self(written.prefix, retention))
    }
}

/// Reads `keep`, a number or `"all"`.
fn keep<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    // The visit of a number depends on the features of `serde_json`; its own type handles all of them.
    let value = Value::deserialize(deserializer)?;
    let keep = value.as_u64().or_else(|| (value == "all").then_some(u64::MAX));
    keep.map(Some).ok_or_else(|| D::Error::custom("`keep` is not a whole number or \"all\""))
}

fn min_age<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Length>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        text.parse::<RetentionPolicy>().unwrap_err().to_string()
    }

    #[test]
    fn the_first_rule_whose_prefix_a_name_has_applies() {
        let policy = r#"{"rules": [
            {"prefix": "a/b", "keep": 1},
            {"prefix": "a/", "min_age": "1h 30m", "label_keep": "hold"},
            {"prefix": "c", "keep": "all", "rollback_depth": 0}
        ]}"#;
        let policy: RetentionPolicy = policy.parse().unwrap();
        let of = |name: &str| policy.of(&name.parse().unwrap());
        assert_eq!(of("a/bc").unwrap().keep, Some(1));
        let second = of("a/c").unwrap();
        assert_eq!((second.keep, second.min_age), (None, Some("90m".parse().unwrap())));
        assert_eq!((second.rollback_depth, second.label_keep.as_str()), (5, "hold"));
        assert_eq!(of("c").map(|rule| (rule.keep, rule.rollback_depth)), Some((Some(u64::MAX), 0)));
        assert_eq!(of("d"), None);
    }

    #[test]
    fn a_policy_is_read_strictly_and_an_error_names_the_line() {
        for (text, why) in [
            ("{\"rules\": [\n{\"prefix\": \"\", \"kep\": 1}]}", "line 2"),
            ("{\"rules\": [{\"prefix\": \"\"}]}", "needs `keep` or `min_age`"),
            ("{\"rules\": [{\"keep\": 1}]}", "prefix"),
            ("{\"rules\": [{\"prefix\": \"\", \"keep\": -1}]}", "not a whole number"),
            ("{\"rules\": [{\"prefix\": \"\", \"keep\": null}]}", "not a whole number"),
            ("{\"rules\": [{\"prefix\": \"\", \"min_age\": \"soon\"}]}", "duration"),
            ("{\"rules\": [{\"prefix\": \"\", \"min_age\": null}]}", "line 1"),
            ("{\"rules\": [{\"prefix\": \"\", \"keep\": 1, \"label_keep\": \"a b\"}]}", "label"),
            ("{\"rules\": [{\"prefix\": \"a b\", \"keep\": 1}]}", "no package name"),
            (
                "{\"rules\": [{\"prefix\": \"a\", \"keep\": 1}, {\"prefix\": \"ab\", \"keep\": 2}]}",
                "never applies",
            ),
            ("{\"rules\": []}", "is empty"),
            ("{\"rules\": [[\"\", 1]]}", "an object"),
            ("[]", "an object"),
            ("{\"rules\": [{\"prefix\": \"\", \"keep\": 1}], \"more\": 1}", "more"),
        ] {
            let error = refused(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
