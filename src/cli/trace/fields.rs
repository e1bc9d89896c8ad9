//! The message and the fields of a span or an event.

use serde_json::{Map, Value};
use std::fmt::{self, Write};
use tracing::field::{Field, Visit};

/// The message, and each other field with its name, in their order.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub message: String,
    values: Vec<(&'static str, Value)>,
}

impl Fields {
    /// Returns the whole number in a field.
    pub fn whole(&self, name: &str) -> Option<u64> {
        self.get(name)?.as_u64()
    }

    /// Returns the number in a field.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.as_f64()
    }

    /// Returns the text in a field.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// Returns the fields as a JSON object.
    pub fn object(&self) -> Map<String, Value> {
        self.values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    fn set(&mut self, field: &Field, value: Value) {
        let name = field.name();
        match self.values.iter_mut().find(|(other, _)| *other == name) {
            Some((_, place)) => *place = value,
            None => self.values.push((name, value)),
        }
    }
}

/// Each field but the message: ` name=value`.
impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.values.iter().try_for_each(|(name, value)| match value {
            // Table names and keys need no quotes.
            Value::String(text) => write!(f, " {name}={text}"),
            value => write!(f, " {name}={value}"),
        })
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.set(field, format!("{value:?}").into());
        }
    }
}
