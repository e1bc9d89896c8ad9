//! Plans: atomic sets of moves of tags of many packages.

use super::{
    Expectation, Gate, Invalid, Message, PackageName, Spec, TagName,
    object::{Object, read},
};
use serde::{
    Deserialize, Deserializer,
    de::{self, Error as _},
};
use serde_json::Value;
use std::{collections::BTreeSet, str::FromStr};

/// An atomic set of moves of tags.
///
/// Its JSON, in which only `message`, `expect`, `require`, `confirm` and `override` can be left out:
///
/// ```
/// let plan: sacker::model::Plan = r#"{
///     "message": "release 7",
///     "moves": [
///         {"package": "web", "tag": "live", "to": "canary", "expect": 41, "require": ["age:2h"]},
///         {"package": "api", "tag": "live", "to": 12, "expect": "none", "confirm": "live", "override": "urgent"},
///         {"package": "old", "tag": "live", "to": null}
///     ]
/// }"#.parse()?;
/// assert_eq!(plan.moves().len(), 3);
/// # Ok::<_, sacker::model::Invalid>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    message: Option<Message>,
    moves: Vec<PlannedMove>,
}

/// One move of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedMove {
    /// The package.
    pub package: PackageName,
    /// The tag.
    pub tag: TagName,
    /// The target; `None` removes the tag. All targets are resolved against the state before the plan.
    #[serde(deserialize_with = "to")]
    pub to: Option<Spec>,
    /// Moves the tag only if it is on this.
    #[serde(default, deserialize_with = "expect")]
    pub expect: Option<Expectation>,
    /// Moves the tag only if its target passes all these gates.
    #[serde(default, deserialize_with = "require")]
    pub require: Vec<Gate>,
    /// The tag's name again, if its protection requires confirmation.
    #[serde(default)]
    pub confirm: Option<TagName>,
    /// Passes the standing gates of the tag, for this reason.
    #[serde(default, rename = "override")]
    pub overriding: Option<Message>,
}

impl Plan {
    /// The maximum number of packages in a plan.
    pub const MAX_PACKAGES: usize = 25;

    /// Creates a plan of these moves.
    ///
    /// # Errors
    /// No move; a tag moved twice; a gate or an override on a tag that is removed; more than [`Plan::MAX_PACKAGES`] packages.
    pub fn new(message: Option<Message>, moves: Vec<PlannedMove>) -> Result<Self, Invalid> {
        if moves.is_empty() {
            return Err(Invalid::new("list", "moves", "is empty"));
        }
        let invalid = |given: &str, rule: &str| Err(Invalid::new("the move of", given, rule));
        let (mut tags, mut packages) = (BTreeSet::new(), BTreeSet::new());
        for PlannedMove { package, tag, to, require, confirm, overriding, .. } in &moves {
            let given = format!("{package} {tag}");
            if !tags.insert((package, tag)) {
                return invalid(&given, "appears twice; a plan moves a tag once");
            }
            if to.is_none() && !require.is_empty() {
                return invalid(&given, "has `require`, but no version to require it of: `to` is null");
            }
            if to.is_none() && overriding.is_some() {
                return invalid(&given, "has `override`, but no gate to pass: `to` is null");
            }
            if confirm.as_ref().is_some_and(|confirm| confirm != tag) {
                return invalid(&given, "has another tag's name as `confirm`");
            }
            packages.insert(package);
        }
        if packages.len() > Self::MAX_PACKAGES {
            let rule = format!("packages is too large: no more than {} are allowed", Self::MAX_PACKAGES);
            return Err(Invalid::new("a plan of", &packages.len().to_string(), rule));
        }
        Ok(Self { message, moves })
    }

    /// Returns the author's message.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        self.message.as_ref()
    }

    /// Returns the moves: at least one, each of a different tag.
    #[must_use]
    pub fn moves(&self) -> &[PlannedMove] {
        &self.moves
    }
}

impl FromStr for Plan {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            #[serde(default)]
            message: Option<Message>,
            moves: Vec<Object<PlannedMove>>,
        }
        let written: Written = read(text)?;
        Self::new(written.message, written.moves.into_iter().map(|Object(it)| it).collect())
    }
}

/// A whole number, or text.
enum Scalar {
    Number(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The visit of a number depends on the features of `serde_json`; its own type handles all of them.
        let value = Value::deserialize(deserializer)?;
        match (value.as_u64(), value) {
            (Some(number), _) => Ok(Self::Number(number)),
            (None, Value::String(text)) => Ok(Self::Text(text)),
            _ => Err(D::Error::custom("not a whole number or a text")),
        }
    }
}

impl Scalar {
    fn parse<T: FromStr<Err = Invalid>, E: de::Error>(self) -> Result<T, E> {
        let text = match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text,
        };
        text.parse().map_err(E::custom)
    }
}

/// Reads `to`, which is required, if only as `null`: forgetting it must not remove a tag.
fn to<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Spec>, D::Error> {
    let to: Option<Scalar> = Option::deserialize(deserializer)?;
    to.map(Scalar::parse::<Spec, D::Error>).transpose()
}

/// Reads `expect`, and refuses `null`, which could mean either of two things.
fn expect<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Expectation>, D::Error> {
    match Option::deserialize(deserializer)? {
        Some(scalar) => Scalar::parse::<_, D::Error>(scalar).map(Some),
        None => {
            Err(D::Error::custom("`expect` is null; write \"none\" to expect no version, or leave it out"))
        }
    }
}

fn require<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Gate>, D::Error> {
    let gates: Vec<String> = Vec::deserialize(deserializer)?;
    gates.iter().map(|gate| gate.parse().map_err(D::Error::custom)).collect()
}

#[cfg(test)]
mod tests;
