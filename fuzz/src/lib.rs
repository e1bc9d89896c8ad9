//! Code that the fuzz targets share.

pub mod attributes;
pub mod blob;
pub mod http;
pub mod time;

use std::{
    fmt::{Debug, Display},
    str::FromStr,
};

/// Parses a text; what is accepted must print back as what parses to the same value, and print the same again.
///
/// # Panics
/// If it does not, or if a refusal has no message, or one of several lines.
#[must_use]
pub fn parsed<T>(text: &str) -> Option<T>
where
    T: FromStr<Err: Debug + Display> + Display + PartialEq + Debug,
{
    let value: T = match text.parse() {
        Ok(value) => value,
        Err(error) => {
            let reported = error.to_string();
            assert!(
                !reported.is_empty() && !reported.contains(char::is_control),
                "{reported:?} is reported for {text:?}"
            );
            return None;
        }
    };
    let printed = value.to_string();
    match printed.parse::<T>() {
        Ok(again) => assert_eq!(again, value, "{text:?} prints as {printed:?}"),
        Err(error) => panic!("{text:?} prints as {printed:?}, which is refused: {error}"),
    }
    Some(value)
}
