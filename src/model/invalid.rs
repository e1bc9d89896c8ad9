//! Values that break a rule of their type.

/// A value that is not what its type allows.
///
/// `Display` says what was given and which rule it breaks, in one line that can be shown to a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {given:?} {rule}")]
pub struct Invalid {
    /// What was being read: "package name", "tag", "version" …
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
