//! Reading the JSON files that users write.

use super::Invalid;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::{fmt, marker::PhantomData};

/// Reads a file that is one JSON object.
///
/// # Errors
/// The place, by line and column, and the reason.
pub(super) fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, Invalid> {
    let Object(read) = serde_json::from_str::<Object<T>>(text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        let why = error.to_string();
        let why = why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why);
        // An unknown key may contain control characters.
        let why = why.replace(char::is_control, "?");
        Invalid::new("JSON at", &place, format!("can't be read: {why}"))
    })?;
    Ok(read)
}

/// A value written as a JSON object. serde would also accept a list of the values, in which the meaning of a `null` is
/// not visible.
pub(super) struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keyed<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Keyed<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Keyed(PhantomData)).map(Self)
    }
}
