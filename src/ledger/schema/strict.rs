//! Strict reading of items: an item must equal the record that was read from it. The record is compared while it is
//! serialized, without building an item of it.

use super::{newer, record::encode};
use crate::{
    ledger::Error as LedgerError,
    table::{Item, Key},
};
use serde::{
    Serialize,
    de::DeserializeOwned,
    ser::{Error, Impossible, SerializeMap, SerializeSeq, SerializeStruct, Serializer},
};
use serde_json::Value;
use std::fmt;

/// Reads a record from an item. Attributes that the record does not know are allowed.
///
/// # Errors
/// [`Newer`](LedgerError::Newer) if the item needs a newer release to read it; [`Damaged`](LedgerError::Damaged).
pub(in crate::ledger) fn decode<T: Serialize + DeserializeOwned>(
    key: &Key,
    item: &Item,
) -> Result<T, LedgerError> {
    newer::check_read(key, item)?;
    let damaged = |why: String| LedgerError::damaged(key, why);
    let record = T::deserialize(item).map_err(|error| damaged(error.to_string()))?;
    // serde also accepts a list for a record, and `{"kept": null}` for a word. A condition made from the record would
    // then not hold for the stored item.
    match differing(&record, item) {
        None => Ok(record),
        Some(name) => Err(damaged(format!("`{name}` is not as it is written"))),
    }
}

/// Returns the first attribute of a record that is not stored as it would be written. Attributes that the record does
/// not know are ignored, at every depth. Enumerations with data, and tuples, always differ: no record has them.
fn differing(record: &impl Serialize, stored: &Item) -> Option<String> {
    let differs = record.serialize(Stored::Item(stored)).is_err();
    differs.then(|| differing_item(&encode(record), stored)).flatten()
}

/// Does the same as [`differing`] for a record that was converted to an item. Slower, and correct also for a number of
/// a newer release that is not serialized as a number, which depends on the features of `serde_json`.
fn differing_item(written: &Item, stored: &Item) -> Option<String> {
    fn same(written: &Value, stored: &Value) -> bool {
        match (written, stored) {
            (Value::Object(written), Value::Object(stored)) => differing_item(written, stored).is_none(),
            _ => written == stored,
        }
    }
    let differs =
        |(name, written): &(&String, &Value)| stored.get(*name).is_none_or(|stored| !same(written, stored));
    written.iter().find(differs).map(|(name, _)| name.clone())
}

/// The stored value that a written one is compared with.
#[derive(Clone, Copy)]
enum Stored<'a> {
    Item(&'a Item),
    Value(&'a Value),
}

/// A difference, in this outermost attribute.
#[derive(Debug)]
struct Differs(String);

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Differs {}

impl Error for Differs {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(String::new())
    }
}

const OTHER: Differs = Differs(String::new());

impl<'a> Stored<'a> {
    fn is(self, written: impl Into<Value>) -> Result<(), Differs> {
        match self {
            Self::Value(stored) if *stored == written.into() => Ok(()),
            _ => Err(OTHER),
        }
    }

    fn attributes(self) -> Result<Attributes<'a>, Differs> {
        match self {
            Self::Item(stored) | Self::Value(Value::Object(stored)) => Ok(Attributes { stored, name: None }),
            Self::Value(_) => Err(OTHER),
        }
    }
}

macro_rules! plain {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, value: $type) -> Result<(), Differs> {
            self.is(value)
        })*
    };
}

impl<'a> Serializer for Stored<'a> {
    type Ok = ();
    type Error = Differs;
    type SerializeSeq = Elements<'a>;
    type SerializeTuple = Impossible<(), Differs>;
    type SerializeTupleStruct = Impossible<(), Differs>;
    type SerializeTupleVariant = Impossible<(), Differs>;
    type SerializeMap = Attributes<'a>;
    type SerializeStruct = Attributes<'a>;
    type SerializeStructVariant = Impossible<(), Differs>;

    plain!(
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64
    );

    fn serialize_str(self, text: &str) -> Result<(), Differs> {
        match self {
            Self::Value(Value::String(stored)) if stored == text => Ok(()),
            _ => Err(OTHER),
        }
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, word: &'static str) -> Result<(), Differs> {
        self.serialize_str(word)
    }

    fn serialize_none(self) -> Result<(), Differs> {
        self.is(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Differs> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Differs> {
        value.serialize(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Attributes<'a>, Differs> {
        self.attributes()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Attributes<'a>, Differs> {
        self.attributes()
    }

    fn serialize_f32(self, _: f32) -> Result<(), Differs> {
        Err(OTHER)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Differs> {
        self.is(value)
    }

    fn serialize_char(self, _: char) -> Result<(), Differs> {
        Err(OTHER)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Differs> {
        Err(OTHER)
    }

    fn serialize_unit(self) -> Result<(), Differs> {
        self.is(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Differs> {
        Err(OTHER)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Differs> {
        Err(OTHER)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Elements<'a>, Differs> {
        match self {
            Self::Value(Value::Array(stored)) => Ok(Elements(stored)),
            _ => Err(OTHER),
        }
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Differs> {
        Err(OTHER)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Differs> {
        Err(OTHER)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Differs> {
        Err(OTHER)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Differs> {
        Err(OTHER)
    }
}

/// The elements of a list that are still to be compared.
struct Elements<'a>(&'a [Value]);

impl SerializeSeq for Elements<'_> {
    type Ok = ();
    type Error = Differs;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Differs> {
        let (first, rest) = self.0.split_first().ok_or(OTHER)?;
        self.0 = rest;
        value.serialize(Stored::Value(first))
    }

    fn end(self) -> Result<(), Differs> {
        if self.0.is_empty() { Ok(()) } else { Err(OTHER) }
    }
}

/// The attributes that a struct or map is compared with.
struct Attributes<'a> {
    stored: &'a Item,
    /// The name of the next value.
    name: Option<String>,
}

impl Attributes<'_> {
    fn compare<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<(), Differs> {
        let stored = self.stored.get(name).ok_or(OTHER);
        stored.and_then(|stored| value.serialize(Stored::Value(stored))).map_err(|_| Differs(name.to_owned()))
    }
}

impl SerializeMap for Attributes<'_> {
    type Ok = ();
    type Error = Differs;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Differs> {
        match serde_json::to_value(key) {
            Ok(Value::String(name)) => self.name = Some(name),
            _ => return Err(OTHER),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Differs> {
        let name = self.name.take().ok_or(OTHER)?;
        self.compare(&name, value)
    }

    fn end(self) -> Result<(), Differs> {
        Ok(())
    }
}

impl SerializeStruct for Attributes<'_> {
    type Ok = ();
    type Error = Differs;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Differs> {
        self.compare(name, value)
    }

    fn end(self) -> Result<(), Differs> {
        Ok(())
    }
}
