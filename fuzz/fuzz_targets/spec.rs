//! Specs and the other short texts that name a version, a blob or an operation.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sacker::model::{Address, Digest, Expectation, Key, OpId, Spec, TagName, Version};
use sacker_fuzz::parsed;

fuzz_target!(|text: &str| {
    let version = parsed::<Version>(text);
    assert_eq!(version.map(Version::get), number(text), "{text:?}");

    let tag = text.parse::<TagName>().ok();
    match parsed::<Spec>(text) {
        Some(Spec::Latest) => assert_eq!(text, "latest"),
        Some(Spec::Version(number)) => assert_eq!(Some(number), version),
        Some(Spec::Tag(name)) => assert_eq!(Some(name), tag),
        Some(other) => panic!("{text:?} is {other:?}, of which this target knows nothing"),
        None => assert!(text != "latest" && version.is_none() && tag.is_none(), "{text:?} is refused"),
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

    match parsed::<Key>(text) {
        Some(Key::Named(name)) => assert_eq!(name, text),
        Some(Key::Resume { op, slot }) => {
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

/// 1 to 2^53, written in the one way there is.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    ((1..=1 << 53).contains(&number) && number.to_string() == text).then_some(number)
}

fn hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b"0123456789abcdef".contains(&b))
}
