//! Common code of all types of bounded text.

use super::invalid::Invalid;

pub(super) fn check(
    what: &'static str,
    text: &str,
    max: usize,
    also: fn(char) -> bool,
) -> Result<(), Invalid> {
    if text.is_empty() {
        return Err(Invalid::new(what, text, "is empty"));
    }
    if text.len() > max {
        let rule = format!("has {} bytes; at most {max} are allowed", text.len());
        return Err(Invalid::new(what, text, rule));
    }
    match text.chars().find(|c| c.is_control() && !also(*c)) {
        Some(bad) => Err(Invalid::new(what, text, format!("holds the control character {bad:?}"))),
        None => Ok(()),
    }
}

/// Implements the common traits of every text-like type of this module: `Display`, `AsRef<str>`, and serde by its text,
/// so that a stored value passes the same checks as a typed one.
macro_rules! text_type {
    ($type:ident) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use text_type;
