//! What people type: whatever is accepted prints as what it is read back as.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sacker::model::{
    Actor, Address, Digest, Expectation, FileName, Key, Labels, Message, OpId, PackageName, Spec, TagName, Version,
};
use std::{fmt::Debug, fmt::Display, str::FromStr};

fn round_trip<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse::<T>().unwrap(), value);
    }
}

fuzz_target!(|text: &str| {
    round_trip::<Actor>(text);
    round_trip::<Address>(text);
    round_trip::<Digest>(text);
    round_trip::<Expectation>(text);
    round_trip::<Key>(text);
    round_trip::<Message>(text);
    round_trip::<OpId>(text);
    round_trip::<PackageName>(text);
    round_trip::<Spec>(text);
    round_trip::<TagName>(text);
    round_trip::<Version>(text);
    let _ = Labels::parse(text.split(','));
    if let Ok(name) = text.parse::<FileName>() {
        // Never out of the directory it is joined to.
        let joined = std::path::Path::new("/d").join(name.to_string());
        assert_eq!(joined.parent(), Some(std::path::Path::new("/d")), "{name:?}");
        assert!(!name.to_string().chars().any(char::is_control));
    }
});
