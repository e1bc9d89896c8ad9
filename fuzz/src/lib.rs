//! What the fuzz targets share.

pub mod attributes;
pub mod blob;
pub mod http;

use std::{
    fmt::{Debug, Display},
    str::FromStr,
};

/// Parses a text; what is accepted must print back as what parses to the same value, and print the same again.
pub fn parsed<T>(text: &str) -> Option<T>
where
    T: FromStr<Err: Debug + Display> + Display + PartialEq + Debug,
{
    let value: T = match text.parse() {
        Ok(value) => value,
        Err(error) => {
            assert!(!error.to_string().is_empty(), "nothing is told of {text:?}");
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
