//! Names and free text: exactly what the documented grammar allows is accepted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sacker::model::{Actor, FileName, Labels, Message, PackageName, TagName};
use sacker_fuzz::parsed;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    fmt::{Debug, Display},
    str::FromStr,
};

fuzz_target!(|text: &str| {
    check::<PackageName>(text, package(text));
    check::<TagName>(text, tag(text));
    check::<FileName>(
        text,
        free(text, 255, "") && !text.contains(['/', '\\']) && text != "." && text != "..",
    );
    check::<Actor>(text, free(text, 256, ""));
    check::<Message>(text, free(text, 1024, "\n\t"));
    check_labels(text);
});

/// Typed and stored, a text is the same value or the same refusal.
fn check<T>(text: &str, good: bool)
where
    T: FromStr<Err: Debug + Display> + Display + PartialEq + Debug + Serialize + DeserializeOwned,
{
    let value = parsed::<T>(text);
    assert_eq!(value.is_some(), good, "{text:?} as a {}", std::any::type_name::<T>());
    let stored = serde_json::Value::from(text);
    assert_eq!(serde_json::from_value(stored.clone()).ok(), value);
    if let Some(value) = value {
        assert_eq!(value.to_string(), text);
        assert_eq!(serde_json::to_value(&value).unwrap(), stored);
    }
}

/// A line a label.
fn check_labels(text: &str) {
    let lines: Vec<_> = text.split('\n').collect();
    let mut pairs: Vec<(&str, &str)> = lines.iter().filter_map(|line| line.split_once('=')).collect();
    let all = pairs.len() == lines.len();
    pairs.sort_unstable();
    pairs.dedup();
    let different: BTreeMap<_, _> = pairs.iter().copied().collect();
    let name = |name: &str| (1..=100).contains(&name.len()) && name.bytes().all(|b| plain(b) || b == b'/');
    let good = all
        && different.len() == pairs.len()
        && pairs.len() <= 32
        && pairs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= 4096
        && pairs.iter().all(|(key, value)| name(key) && !value.contains(char::is_control));
    let labels = Labels::parse(lines);
    assert_eq!(labels.is_ok(), good, "{text:?}: {labels:?}");
    if let Ok(labels) = labels {
        assert!(labels.iter().eq(pairs.iter().copied()), "{text:?}: {labels:?}");
        let stored = serde_json::to_value(&labels).unwrap();
        assert_eq!(serde_json::from_value::<Labels>(stored).unwrap(), labels);
    }
}

fn plain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')
}

fn package(text: &str) -> bool {
    let segment = |segment: &str| {
        !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain)
    };
    let end = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    text.len() <= 200 && text.split('/').all(segment) && end(text.bytes().next()) && end(text.bytes().last())
}

fn tag(text: &str) -> bool {
    let reserved = matches!(text.to_ascii_lowercase().as_str(), "latest" | "none");
    let begins = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    text.len() <= 100 && begins && text.bytes().all(plain) && !reserved
}

fn free(text: &str, most: usize, also: &str) -> bool {
    (1..=most).contains(&text.len()) && !text.contains(|c: char| c.is_control() && !also.contains(c))
}
