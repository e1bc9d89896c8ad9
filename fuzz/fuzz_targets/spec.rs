//! Specs and the other short texts that name a version, a blob or an operation.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sacker::model::{
    Address, Digest, Expectation, Gate, IdempotencyKey, Labels, Length, Moment, OpId, Spec, TagName,
    Timestamp, Version,
};
use sacker_fuzz::{
    parsed,
    time::{length, time},
};
use std::time::Duration;

fuzz_target!(|text: &str| {
    let version = parsed::<Version>(text);
    assert_eq!(version.map(Version::get), number(text), "{text:?}");

    let tag = text.parse::<TagName>().ok();
    check_times(text);
    check_gate(text, tag.as_ref());
    match parsed::<Spec>(text) {
        Some(Spec::Latest) => assert_eq!(text, "latest"),
        Some(Spec::Version(number)) => assert_eq!(Some(number), version),
        Some(Spec::Tag(name)) => assert_eq!(Some(name), tag),
        Some(Spec::Past(tag, steps)) => assert_eq!(past(text), Some((tag, steps.into()))),
        Some(Spec::At(tag, moment)) => assert_eq!(at(text), Some((tag, moment))),
        Some(other) => panic!("{text:?} is {other:?}, of which this target knows nothing"),
        None => {
            assert!(text != "latest" && version.is_none() && tag.is_none(), "{text:?} is refused");
            assert!(past(text).is_none() && at(text).is_none(), "{text:?} is refused");
        }
    }

    match parsed::<Expectation>(text) {
        Some(Expectation::None) => assert_eq!(text, "none"),
        Some(Expectation::Version(number)) => assert_eq!(Some(number), version),
        None => assert!(text != "none" && version.is_none(), "{text:?} is refused"),
    }

    assert_eq!(parsed::<OpId>(text).is_some(), hex(text, 32), "{text:?}");
    let digest = parsed::<Digest>(text);
    assert_eq!(digest.is_some(), hex(text, 64), "{text:?}");
    if let Some(digest) = digest {
        assert_eq!(Digest::from(digest.to_bytes()), digest);
    }

    if let Some(address) = parsed::<Address>(text) {
        // The name of an object: two texts for one address would be two objects.
        assert_eq!(address.to_string(), text);
    }

    match parsed::<IdempotencyKey>(text) {
        Some(IdempotencyKey::Named(name)) => assert_eq!(name, text),
        Some(IdempotencyKey::Resume { op, slot }) => {
            let (left, right) = text.split_once('@').expect("OP@SLOT");
            assert_eq!((op.as_str(), Some(slot)), (left, right.parse().ok()));
        }
        None => {
            assert!(
                text.is_empty() || text.len() > 128 || text.contains(char::is_control),
                "{text:?} is refused"
            );
        }
    }
});

fn check_times(text: &str) {
    let moment = parsed::<Moment>(text);
    let at = parsed::<Timestamp>(text);
    let ago = text.strip_suffix(" ago").and_then(|length| length.parse::<Length>().ok());
    assert_eq!(moment, at.map(Moment::Time).or(ago.map(Moment::Ago)), "{text:?}");
    if let Some(millis) = time(text) {
        let expected = u64::try_from(millis).ok().map(Timestamp::from_millis);
        assert_eq!(at, expected, "{text:?}");
    }
    let read = parsed::<Length>(text);
    if let Some(seconds) = length(text) {
        assert_eq!(read.map(Length::as_duration), Some(Duration::from_secs(seconds)), "{text:?}");
    }
    if read.is_some() {
        // A duration of its own would else be read as its contrary.
        assert!(!text.contains("ago") && text.trim() == text, "{text:?} is accepted");
    }
}

fn check_gate(text: &str, tag: Option<&TagName>) {
    let length = text.parse::<Length>().ok();
    let label = Labels::parse([text]).ok();
    // Most texts have no such beginning.
    let soak = text.split_once('=').and_then(|(tag, least)| Some((tag.parse().ok()?, least.parse().ok()?)));
    for (kind, good) in [
        ("label", label.is_some()),
        ("tag", tag.is_some()),
        ("age", length.is_some()),
        ("soak", soak.is_some()),
        ("was", tag.is_some()),
    ] {
        let gate = parsed::<Gate>(&format!("{kind}:{text}"));
        assert_eq!(gate.is_some(), good, "{kind}:{text:?}");
        match gate {
            Some(Gate::Label { name, value }) => assert_eq!(format!("{name}={value}"), text),
            Some(Gate::Tag(name) | Gate::Was(name)) => assert_eq!(Some(&name), tag),
            Some(Gate::Age(age)) => assert_eq!(Some(age), length),
            Some(Gate::Soak { tag, least }) => assert_eq!(Some((tag, least)), soak),
            Some(Gate::Other(other)) => panic!("{other:?} is read as a gate"),
            None => {}
        }
    }
    if parsed::<Gate>(text).is_some() {
        assert!(
            ["label:", "tag:", "age:", "soak:", "was:"].iter().any(|kind| text.starts_with(kind)),
            "{text:?} is accepted"
        );
    }
}

/// A tag and how often it would be rolled back.
fn past(text: &str) -> Option<(TagName, u64)> {
    let (tag, steps) = text.rsplit_once('~')?;
    let steps = number(steps).filter(|steps| *steps <= 1000)?;
    Some((tag.parse().ok()?, steps))
}

/// A tag and when.
fn at(text: &str) -> Option<(TagName, Moment)> {
    let (tag, moment) = text.strip_suffix('}')?.split_once("@{")?;
    Some((tag.parse().ok()?, moment.parse().ok()?))
}

/// 1 to 2^53, written in the one way there is.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    ((1..=1 << 53).contains(&number) && number.to_string() == text).then_some(number)
}

fn hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b"0123456789abcdef".contains(&b))
}
