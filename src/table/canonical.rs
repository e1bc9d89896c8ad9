//! Values as text that is the same in every build.
//!
//! `serde_json` has features that any crate of a program can turn on for the whole program: `preserve_order` keeps
//! names in the order in which they were inserted, and `arbitrary_precision` keeps numbers as they were written.
//! Stored, hashed and sent data depends on neither.

use serde_json::{Number, Value};
use std::collections::BTreeMap;

/// Returns a value as JSON with no white space and the names of each object in bytewise order.
pub(crate) fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

/// Does the same as [`canonical`] for an object with these attributes. Of two with the same name the last one counts.
pub(crate) fn canonical_object<'a>(attributes: impl IntoIterator<Item = (&'a str, &'a Value)>) -> String {
    let mut text = String::new();
    write_object(attributes, &mut text);
    text
}

/// Returns a number as `serde_json` without features would write it.
pub(crate) fn number(number: &Number) -> String {
    if let Some(whole) = number.as_u64() {
        whole.to_string()
    } else if let Some(whole) = number.as_i64() {
        whole.to_string()
    } else {
        let nearest = number.as_f64().and_then(Number::from_f64);
        nearest.as_ref().unwrap_or(number).to_string()
    }
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(attributes) => {
            write_object(attributes.iter().map(|(name, value)| (name.as_str(), value)), text);
        }
        Value::Array(values) => {
            text.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(value, text);
            }
            text.push(']');
        }
        Value::Number(found) => text.push_str(&number(found)),
        Value::String(found) => write_string(found, text),
        Value::Null | Value::Bool(_) => text.push_str(&value.to_string()),
    }
}

fn write_object<'a>(attributes: impl IntoIterator<Item = (&'a str, &'a Value)>, text: &mut String) {
    let sorted: BTreeMap<&str, &Value> = attributes.into_iter().collect();
    text.push('{');
    for (at, (name, value)) in sorted.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write_string(name, text);
        text.push(':');
        write(value, text);
    }
    text.push('}');
}

fn write_string(string: &str, text: &mut String) {
    use std::fmt::Write as _;
    // `Value` has no borrowed form; its text of a string is the right one.
    let _ = write!(text, "{}", Value::from(string));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_ordered_at_every_depth() {
        let one = r#"[{"b":{"d":[{"f":"1","e":"2"}],"c":null},"a":"é\n\"","B":true}]"#;
        let ordered = r#"[{"B":true,"a":"é\n\"","b":{"c":null,"d":[{"e":"2","f":"1"}]}}]"#;
        assert_eq!(canonical(&serde_json::from_str(one).unwrap()), ordered);
        let (one, other, again) = (json!(1), json!(2), json!(3));
        assert_eq!(canonical_object([("b", &one), ("a", &other), ("b", &again)]), r#"{"a":2,"b":3}"#);
    }

    #[test]
    fn numbers_are_written_in_one_way() {
        for (given, written) in [
            ("0", "0"),
            ("-7", "-7"),
            ("9007199254740992", "9007199254740992"),
            ("18446744073709551615", "18446744073709551615"),
            ("1.50", "1.5"),
            ("7.0", "7.0"),
            ("1e2", "100.0"),
        ] {
            assert_eq!(canonical(&serde_json::from_str(given).unwrap()), written, "{given}");
        }
    }
}
