//! The rules for names, numbers and texts, each stated once more, independently, and tried on generated input.

use proptest::{collection::vec, option, prelude::*};
use sacker::model::{
    Actor, Address, Digest, Expectation, FileName, IdempotencyKey, Labels, Message, Mode, OpId, PackageName,
    Spec, TagName, Timestamp, Version,
};
use std::{
    collections::BTreeMap,
    fmt::{Debug, Display},
    path::{Component, Path},
    str::FromStr,
};

mod moves;

/// Text that is often close to a valid name, and sometimes anything.
fn near_names() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[a-zA-Z0-9]{1,3}",
        3 => "[._/-]",
        1 => Just("..".to_owned()),
        1 => Just("//".to_owned()),
        1 => Just("/./".to_owned()),
        1 => "\\PC",
        1 => any::<char>().prop_map(String::from),
    ];
    let reserved = prop_oneof![Just("latest"), Just("LaTest"), Just("none"), Just("NONE"), Just("")];
    prop_oneof![
        20 => vec(piece, 1..8).prop_map(|pieces| pieces.concat()),
        2 => "[a-z]{95,205}",
        2 => reserved.prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

/// Text that is often close to a valid number.
fn near_numbers() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,20}",
        (0_u64..20).prop_map(|n| n.to_string()),
        (0_u64..4).prop_map(|n| ((1_u64 << 53) - 2 + n).to_string()),
        "0[0-9]{1,3}",
        "[+-][0-9]{1,3}",
        " ?[0-9]{1,3}[ _.]?[0-9]?",
        "[\u{660}-\u{669}]{1,3}",
        Just(String::new()),
    ]
}

fn is_plain(c: char, also: &str) -> bool {
    c.is_ascii_alphanumeric() || also.contains(c)
}

fn is_package(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 200
        && text.chars().all(|c| is_plain(c, "._-/"))
        && ends(text.chars().next())
        && ends(text.chars().next_back())
        && text.split('/').all(|segment| !["", ".", ".."].contains(&segment))
}

fn is_tag(text: &str) -> bool {
    text.len() <= 100
        && text.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
        && text.chars().all(|c| is_plain(c, "._-"))
        && !["latest", "none"].contains(&&*text.to_lowercase())
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    let number = text.parse().ok()?;
    (digits && canonical && (1..=9_007_199_254_740_992).contains(&number)).then_some(number)
}

/// `T` reads `text` exactly if `valid`, prints it back, and goes through JSON under the same rule.
fn holds<T>(text: &str, valid: bool)
where
    T: FromStr<Err: Debug + Display> + Display + PartialEq + Debug,
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let json = serde_json::Value::from(text);
    match text.parse::<T>() {
        Ok(value) => {
            assert!(valid, "{text:?} was accepted");
            assert_eq!(value.to_string(), text);
            assert_eq!(serde_json::to_value(&value).unwrap(), json);
            assert_eq!(serde_json::from_value::<T>(json).unwrap(), value);
        }
        Err(invalid) => {
            assert!(!valid, "{text:?} was refused: {invalid}");
            assert!(!invalid.to_string().contains('\n'), "{invalid}");
            serde_json::from_value::<T>(json).unwrap_err();
        }
    }
}

proptest! {
    #[test]
    fn package_names_follow_their_rule(text in near_names()) {
        holds::<PackageName>(&text, is_package(&text));
    }

    #[test]
    fn tag_names_follow_their_rule(text in near_names()) {
        holds::<TagName>(&text, is_tag(&text));
    }

    #[test]
    fn names_are_ordered_by_their_bytes(one in near_names(), other in near_names()) {
        if let (Ok(a), Ok(b)) = (one.parse::<PackageName>(), other.parse::<PackageName>()) {
            prop_assert_eq!(a.cmp(&b), one.as_bytes().cmp(other.as_bytes()));
        }
        if let (Ok(a), Ok(b)) = (one.parse::<TagName>(), other.parse::<TagName>()) {
            prop_assert_eq!(a.cmp(&b), one.as_bytes().cmp(other.as_bytes()));
        }
    }

    #[test]
    fn versions_follow_their_rule(text in near_numbers()) {
        let read = text.parse::<Version>().ok().map(Version::get);
        prop_assert_eq!(read, number(&text));
        if let Some(number) = read {
            prop_assert_eq!(Version::try_from(number).unwrap().to_string(), &*text);
        }
        let expected = text.parse::<Expectation>().ok();
        prop_assert_eq!(expected, read.map(|n| Expectation::Version(Version::try_from(n).unwrap())));
    }

    #[test]
    fn numbers_in_json_follow_the_same_rule(number in prop_oneof![any::<u64>(), 0_u64..3, (1_u64 << 53) - 1..(1 << 53) + 2]) {
        let read = serde_json::from_value::<Version>(number.into()).ok();
        prop_assert_eq!(read, Version::try_from(number).ok());
        prop_assert_eq!(read.is_some(), (1..=1 << 53).contains(&number));
    }

    #[test]
    fn a_spec_is_a_number_a_tag_or_latest(text in prop_oneof![near_names(), near_numbers(), Just("latest".to_owned())]) {
        match text.parse::<Spec>() {
            Ok(spec) => {
                prop_assert_eq!(spec.to_string(), &*text);
                match spec {
                    Spec::Latest => prop_assert_eq!(text, "latest"),
                    Spec::Version(version) => prop_assert_eq!(number(&text), Some(version.get())),
                    Spec::Tag(tag) => {
                        prop_assert!(is_tag(&text));
                        prop_assert_eq!(tag.as_str(), &*text);
                    }
                    _ => unreachable!("there is no other"),
                }
            }
            Err(_) => prop_assert!(text != "latest" && number(&text).is_none() && !is_tag(&text), "{}", text),
        }
    }

    #[test]
    fn digests_are_64_lower_case_hex_digits(
        bytes: [u8; 32],
        text in prop_oneof!["[0-9a-f]{63,65}", "[0-9a-fA-F]{64}", "[0-9a-g]{64}", any::<String>()],
    ) {
        let digest = Digest::from(bytes);
        prop_assert_eq!(digest.to_bytes(), bytes);
        holds::<Digest>(digest.as_str(), true);
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        holds::<Digest>(&text, text.chars().count() == 64 && text.chars().all(hex));
    }

    #[test]
    fn addresses_print_back(bytes: [u8; 32], generation in prop_oneof![0_u64..3, any::<u64>()]) {
        let address = Address { sha256: Digest::from(bytes), generation };
        let text = address.to_string();
        prop_assert_eq!(text.parse::<Address>().unwrap(), address);
        prop_assert_eq!(text.contains('.'), generation > 0);
    }

    #[test]
    fn an_address_has_one_form(bytes: [u8; 32], tail in "[.+ 0-9a]{0,6}") {
        let text = format!("{}{tail}", Digest::from(bytes));
        if let Ok(address) = text.parse::<Address>() {
            prop_assert_eq!(address.to_string(), text);
        } else {
            let canonical = tail.strip_prefix('.').and_then(|n| Some(n.parse::<u64>().ok()? > 0 && !n.starts_with(['0', '+'])));
            prop_assert!(!tail.is_empty() && canonical != Some(true), "{}", text);
        }
    }

    #[test]
    fn a_file_name_never_leaves_its_directory(
        text in prop_oneof![near_names(), any::<String>(), vec(any::<char>(), 0..5).prop_map(String::from_iter),
            Just("..".to_owned()), Just("\u{c3}\u{a9}".repeat(128))],
    ) {
        let valid = !text.is_empty() && text.len() <= 255 && text != "." && text != ".."
            && !text.contains(|c: char| c == '/' || c == '\\' || c.is_control());
        holds::<FileName>(&text, valid);
        if let Ok(name) = text.parse::<FileName>() {
            let path = Path::new("/some/where").join(name.as_str());
            prop_assert_eq!(path.parent(), Some(Path::new("/some/where")));
            let last = path.components().next_back();
            prop_assert_eq!(last, Some(Component::Normal(text.as_ref())));
        }
    }

    #[test]
    fn texts_follow_their_rules(text in prop_oneof![any::<String>(), ".{0,8}", "[a\n\t\r\u{1b}]{0,4}", "a{255,257}", "a{1023,1025}"]) {
        let control = |also: &'static str| move |c: char| c.is_control() && !also.contains(c);
        holds::<Message>(&text, (1..=1024).contains(&text.len()) && !text.contains(control("\n\t")));
        holds::<Actor>(&text, (1..=256).contains(&text.len()) && !text.contains(control("")));
    }

    #[test]
    fn keys_print_back(op: u128, slot: u64, text in prop_oneof![any::<String>(), ".{0,130}", "[0-9a-f]{32}@[0-9]{0,21}", "[0-9a-f]{31,33}@[+0-9]"]) {
        let resume = IdempotencyKey::Resume { op: OpId::from(op), slot };
        prop_assert_eq!(resume.to_string().parse::<IdempotencyKey>().unwrap(), resume);
        let valid = (1..=128).contains(&text.len()) && !text.contains(char::is_control);
        prop_assert_eq!(text.parse::<IdempotencyKey>().is_ok(), valid);
        match text.parse::<IdempotencyKey>() {
            Ok(IdempotencyKey::Named(name)) => {
                prop_assert_eq!(&name, &text);
                // What looks like an operation and a slot is one.
                let made = name.split_once('@').is_some_and(|(op, slot)| {
                    op.parse::<OpId>().is_ok() && !slot.starts_with('+') && slot.parse::<u64>().is_ok()
                });
                prop_assert!(!made, "{}", name);
            }
            Ok(key) => prop_assert_eq!(key.to_string().parse::<IdempotencyKey>().unwrap(), key),
            Err(_) => {}
        }
    }

    #[test]
    fn labels_follow_their_rule(pairs in vec(("[a-zA-Z0-9._/-]{0,3}|.{0,2}|a{99,101}", "[^=]{0,4}|.{0,200}", option::of(0..40_usize)), 0..5)) {
        let mut labels: BTreeMap<String, String> = BTreeMap::new();
        for (name, value, many) in pairs {
            labels.insert(name.clone(), value.clone());
            for number in 0..many.unwrap_or(0) {
                labels.insert(format!("{name}{number}"), value.clone());
            }
        }
        let name = |name: &String| (1..=100).contains(&name.len()) && name.chars().all(|c| is_plain(c, "._-/"));
        let bytes: usize = labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        let valid = labels.len() <= 32 && bytes <= 4096 && labels.keys().all(name)
            && !labels.values().any(|value| value.contains(char::is_control));
        let read = Labels::try_from(labels.clone());
        prop_assert_eq!(read.is_ok(), valid, "{:?}", labels);
        if let Ok(read) = read {
            let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            prop_assert_eq!(Labels::parse(pairs.iter().map(String::as_str)).unwrap(), read.clone());
            let json = serde_json::to_value(&read).unwrap();
            prop_assert_eq!(serde_json::from_value::<Labels>(json).unwrap(), read.clone());
            let found: BTreeMap<_, _> = read.iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
            prop_assert_eq!(found, labels);
        }
    }

    #[test]
    fn modes_are_permission_bits(bits: u32) {
        let mode = Mode::from(bits);
        prop_assert_eq!(u32::from(mode), bits & 0o777);
        prop_assert_eq!(u32::from_str_radix(&mode.to_string(), 8).unwrap(), bits & 0o777);
        prop_assert_eq!(mode.to_string().len(), 4);
    }

    #[test]
    fn times_print_as_rfc_3339(millis in prop_oneof![any::<u64>(), 0_u64..4_102_444_800_000]) {
        let text = Timestamp::from_millis(millis).to_string();
        prop_assert!(text.ends_with('Z'));
        let read: jiff::Timestamp = text.parse().unwrap();
        // The year 9999 is the last that the form can show.
        let shown = i64::try_from(millis).unwrap_or(i64::MAX).min(jiff::Timestamp::MAX.as_millisecond());
        prop_assert_eq!(read.as_millisecond(), shown);
    }
}
