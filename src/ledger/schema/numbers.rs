//! Reading the numbers and times of items.

use crate::model::{Timestamp, Version};
use serde::{Deserialize, Deserializer};

/// Reads a number of an item: at most 2^53, so that adding one is exact, too. A higher one was written by hand.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number > Version::MAX {
        return Err(serde::de::Error::custom(format_args!("{number} is more than 2^53")));
    }
    Ok(number)
}

/// Reads the revision of an entry, or the last one of a log: 1 or more. A head with 0 would read as an absent one.
pub(in crate::ledger) fn revision<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match number(deserializer)? {
        0 => Err(serde::de::Error::custom("a revision is 1 or more")),
        revision => Ok(revision),
    }
}

pub(super) fn number_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Option::<Number>::deserialize(deserializer).map(|number| number.map(|Number(number)| number))
}

#[derive(Deserialize)]
struct Number(#[serde(deserialize_with = "number")] u64);

pub(super) fn time_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    number_if_any(deserializer).map(|millis| millis.map(Timestamp::from_millis))
}

pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    number(deserializer).map(Timestamp::from_millis)
}
