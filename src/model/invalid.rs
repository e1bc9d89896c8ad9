//! Values that break a rule of their type.

/// A value that its type does not allow.
///
/// `Display` shows the value and the rule that it breaks, in one line for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {given:?} {rule}")]
pub struct Invalid {
    /// The kind of value: "package name", "tag", "version" …
    pub what: &'static str,
    /// The value as given, shortened if it is very long.
    pub given: String,
    /// The rule that it breaks, as the end of a sentence: "is empty", "holds `//`" …
    pub rule: String,
}

impl Invalid {
    pub(crate) fn new(what: &'static str, given: &str, rule: impl Into<String>) -> Self {
        const SHOWN: usize = 80;
        let given = if given.chars().count() > SHOWN {
            given.chars().take(SHOWN).chain(['…']).collect()
        } else {
            given.to_owned()
        };
        Self { what, given, rule: rule.into() }
    }
}
