//! The parts of a tag's move: specs of a tag's past, times, gates, and plans.

use super::{is_tag, near_names};
use proptest::prelude::*;
use sacker::model::{Gate, Invalid, Length, Message, Moment, Plan, Spec, Timestamp};
use std::time::Duration;

/// Text that is often close to a spec of a tag's past.
fn near_pasts() -> impl Strategy<Value = String> {
    let ending = prop_oneof![
        "~[0-9]{0,5}",
        "~[+ 0-9a]{0,3}",
        "@\\{[0-9]{1,3}[smhd] ago\\}",
        "@\\{2026-0[0-9]-0[0-9]T10:00:00(Z|\\+02:00)\\}",
        "@\\{?(2h|2h ago|now)?\\}?",
    ];
    (near_names(), ending).prop_map(|(tag, ending)| tag + &ending)
}

proptest! {
    #[test]
    fn a_past_is_a_tag_and_how_far_back(text in near_pasts()) {
        let Ok(spec) = text.parse::<Spec>() else { return Ok(()) };
        match &spec {
            Spec::Past(tag, steps) => {
                prop_assert!(is_tag(tag.as_str()) && (1..=1000).contains(steps));
                prop_assert_eq!(spec.to_string(), &*text);
            }
            Spec::At(tag, moment) => {
                let (start, end) = (format!("{tag}@{{"), '}');
                prop_assert!(is_tag(tag.as_str()) && text.starts_with(&start) && text.ends_with(end));
                prop_assert_eq!(spec.to_string().parse::<Spec>().unwrap(), Spec::At(tag.clone(), *moment));
            }
            _ => prop_assert!(!text.contains(['~', '@'])),
        }
    }
}

#[test]
fn a_past_goes_back_a_number_of_moves() {
    for text in ["live~1", "live~1000", "v1.0~42"] {
        assert_eq!(text.parse::<Spec>().unwrap().to_string(), text);
    }
    for wrong in [
        "live~",
        "live~0",
        "live~01",
        "live~+1",
        "live~-1",
        "live~1001",
        "live~99999",
        "~1",
        "3~1",
        "live~1~1",
    ] {
        wrong.parse::<Spec>().expect_err(wrong);
    }
    for wrong in ["latest~1", "latest@{2h ago}"] {
        assert!(wrong.parse::<Spec>().unwrap_err().rule.contains("`latest`, which has none"), "{wrong}");
    }
}

#[test]
fn a_moment_is_of_the_calendar_or_so_long_ago() {
    let now = Timestamp::from_millis(1_777_636_800_000); // 2026-05-01T12:00:00Z
    let moments = [
        ("2026-05-01T10:00:00Z", "2026-05-01T10:00:00.000Z"),
        ("2026-05-01T10:00:00.1239Z", "2026-05-01T10:00:00.123Z"),
        ("2026-05-01T10:00:00+02:00", "2026-05-01T08:00:00.000Z"),
        ("2h ago", "2026-05-01T10:00:00.000Z"),
        ("3d ago", "2026-04-28T12:00:00.000Z"),
        ("1h 30m ago", "2026-05-01T10:30:00.000Z"),
        ("0s ago", "2026-05-01T12:00:00.000Z"),
        ("99999d ago", "1970-01-01T00:00:00.000Z"),
    ];
    for (text, at) in moments {
        let spec: Spec = format!("live@{{{text}}}").parse().unwrap();
        let Spec::At(_, moment) = spec else { panic!("{text}") };
        assert_eq!(moment, text.parse::<Moment>().unwrap());
        assert_eq!(moment.as_of(now).to_string(), at, "{text}");
    }
    for wrong in [
        "",
        "now",
        "yesterday",
        "2h",
        "-2h ago",
        "-2h ago ago",
        "0s ago ago",
        "2h ago ago",
        "2h  ago ",
        "1 month ago",
        "2026-05-01",
        "2026-05-01T10:00:00",
        "12:00",
    ] {
        wrong.parse::<Moment>().expect_err(wrong);
        format!("live@{{{wrong}}}").parse::<Spec>().expect_err(wrong);
    }
    for wrong in ["live@", "live@{", "live@}", "live@2h ago", "live@{2h ago", "@{2h ago}", "live~1@{2h ago}"]
    {
        wrong.parse::<Spec>().expect_err(wrong);
    }
}

#[test]
fn a_length_is_neither_negative_nor_ago() {
    let lengths =
        [("90s", 90), ("2h 30m", 9_000), ("2h30m", 9_000), ("3d", 259_200), ("1w", 604_800), ("0s", 0)];
    for (text, seconds) in lengths {
        let length: Length = text.parse().unwrap();
        assert_eq!(length.as_duration(), Duration::from_secs(seconds), "{text}");
        assert_eq!(length.to_string().parse::<Length>().unwrap(), length, "{text}");
    }
    for wrong in ["", "90", "-90s", "90s ago", "-90s ago", "0s ago", "1 month", "1y", "soon", "2h -30m"] {
        wrong.parse::<Length>().expect_err(wrong);
    }
}

#[test]
fn a_gate_is_one_of_three() {
    for text in ["label:tests=passed", "label:a/b=", "label:k=a=b:c", "tag:canary", "age:2h", "age:0s"] {
        let gate: Gate = text.parse().unwrap();
        assert_eq!(gate.to_string().parse::<Gate>().unwrap(), gate, "{text}");
    }
    let Gate::Label { name, value } = "label:k=a=b:c".parse().unwrap() else { panic!() };
    assert_eq!((&*name, &*value), ("k", "a=b:c"));
    for wrong in [
        "",
        "tests=passed",
        "label",
        "label:",
        "label:tests",
        "label:=x",
        "label:a b=c",
        "tag:",
        "tag:latest",
        "tag:4",
        "age:",
        "age:2",
        "age:-2h",
        "age:2h ago",
        "Age:2h",
        "size:3",
    ] {
        wrong.parse::<Gate>().expect_err(wrong);
    }
}

/// Parses a plan whose moves are given as the JSON within braces.
fn plan(moves: &[&str]) -> Result<Plan, String> {
    let moves: Vec<_> = moves.iter().map(|it| format!("{{{it}}}")).collect();
    format!(r#"{{"moves": [{}]}}"#, moves.join(",")).parse().map_err(|invalid: Invalid| invalid.to_string())
}

#[test]
fn a_plan_says_where_each_tag_goes() {
    let read = plan(&[
        r#""package": "web", "tag": "live", "to": "canary", "expect": 41, "require": ["age:2h", "tag:canary"], "confirm": "live""#,
        r#""package": "web", "tag": "stable", "to": 12, "expect": "none""#,
        r#""package": "api", "tag": "live", "to": "12", "expect": "41", "confirm": null"#,
        r#""package": "old", "tag": "live", "to": null"#,
        r#""package": "app", "tag": "live", "to": "live~1""#,
    ]);
    let read = read.unwrap();
    let shown: Vec<_> = read
        .moves()
        .iter()
        .map(|it| {
            let to = it.to.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            let expect = it.expect.map_or_else(|| "-".to_owned(), |expect| expect.to_string());
            format!("{} {} {to} {expect} {} {}", it.package, it.tag, it.require.len(), it.confirm.is_some())
        })
        .collect();
    assert_eq!(
        shown,
        [
            "web live canary 41 2 true",
            "web stable 12 none 0 false",
            "api live 12 41 0 false",
            "old live - - 0 false",
            "app live live~1 - 0 false"
        ]
    );
    assert_eq!(read.message(), None);
    let reported: Plan =
        r#"{"message": "go", "moves": [{"package": "a", "tag": "b", "to": 1}]}"#.parse().unwrap();
    assert_eq!(reported.message().map(Message::as_str), Some("go"));
}

#[test]
fn a_plan_follows_its_rules() {
    let web = r#""package": "web", "tag": "live", "to": 1"#;
    let wrong: [(&[&str], &str); 14] = [
        (&[], "is empty"),
        (&[web, web], "appears twice"),
        (&[r#""package": "web", "tag": "live", "to": null, "require": ["age:2h"]"#], "has `require`"),
        (&[r#""package": "web", "tag": "live", "to": 1, "confirm": "canary""#], "another tag's name"),
        (&[r#""package": "web", "tag": "live""#], "missing field `to`"),
        (&[r#""package": "web", "to": 1"#], "missing field `tag`"),
        (&[r#""tag": "live", "to": 1"#], "missing field `package`"),
        (&[r#""package": "web", "tag": "live", "to": 1, "if": 2"#], "unknown field `if`"),
        (&[r#""package": "web", "tag": "live", "to": 1, "to": 2"#], "duplicate field `to`"),
        (&[r#""package": "web", "tag": "live", "to": true"#], "not a whole number or a text"),
        (&[r#""package": "web", "tag": "live", "to": 0"#], "between 1 and 2^53"),
        (&[r#""package": "web", "tag": "latest", "to": 1"#], "is reserved"),
        (&[r#""package": "web", "tag": "live", "to": 1, "expect": null"#], "write \"none\""),
        (&[r#""package": "web", "tag": "live", "to": 1, "require": "age:2h""#], "invalid type"),
    ];
    for (moves, why) in wrong {
        let said = plan(moves).unwrap_err();
        assert!(said.contains(why) && !said.contains('\n'), "{moves:?}: {said}");
    }
    let of = |count: usize| {
        let moves: Vec<_> =
            (0..count).map(|n| format!(r#""package": "p{n}", "tag": "live", "to": 1"#)).collect();
        plan(&moves.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(of(25).unwrap().moves().len(), 25);
    assert!(of(26).unwrap_err().contains("no more than 25"));
}
