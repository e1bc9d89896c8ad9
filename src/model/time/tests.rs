use super::{Length, Moment, Timestamp};
use std::time::Duration;

fn refusal(moment: &str) -> String {
    moment.parse::<Moment>().unwrap_err().to_string()
}

#[test]
fn lengths_are_read_as_people_write_them() {
    let hours = |text: &str| text.parse::<Length>().unwrap().as_duration().as_secs_f64() / 3600.0;
    let read = ["2h", "2 hours", "1h 60m", "PT2H", "+2h", "2h, 0m", "7200s", "01:30:00"].map(hours);
    assert_eq!(read.map(|hours| hours.to_string()).join(" "), "2 2 2 2 2 2 2 1.5");
    assert_eq!(["1d", "P1D", "1w"].map(hours).map(|hours| hours.to_string()).join(" "), "24 24 168");
}

#[test]
fn a_length_is_exact_and_not_negative() {
    let other =
        ["", "10", "-1d", "1d-2h", "1d ago", "1 month", "1y", "1.5d", "30m 2h", "2H", " 2h", "2h ", "2h\n"];
    for text in other.into_iter().chain(["9999999999999999999999s"]) {
        let refused = text.parse::<Length>().unwrap_err().to_string();
        assert_eq!(refused, format!("duration {text:?} is not like 90s, 2h 30m or 3d"));
    }
}

#[test]
fn a_length_too_long_to_count_back_begins_at_the_epoch() {
    let long: Moment = "525922848h ago".parse().unwrap();
    assert_eq!(long.as_of(Timestamp::from_millis(1)), Timestamp::from_millis(0));
    let longest = Length::from(Duration::MAX);
    assert_eq!(Moment::Ago(longest).as_of(Timestamp::from_millis(u64::MAX)), Timestamp::from_millis(0));
}

#[test]
fn times_are_read_with_their_offset() {
    let shown = |text: &str| text.parse::<Timestamp>().unwrap().to_string();
    let same = ["2026-05-01T10:00:00Z", "2026-05-01 10:00Z", "2026-05-01t12:00:00+02:00", "2026-05-01T10Z"];
    for text in same {
        assert_eq!(shown(text), "2026-05-01T10:00:00.000Z");
    }
    assert_eq!(shown("2026-05-01T10:00:00.1239Z"), "2026-05-01T10:00:00.123Z");
    assert_eq!(shown("2016-12-31T23:59:60Z"), "2016-12-31T23:59:59.000Z");
    assert_eq!(shown("1970-01-01T00:00:00Z"), "1970-01-01T00:00:00.000Z");
}

#[test]
fn a_time_that_is_no_one_point_says_what_is_missing() {
    for text in ["2026-05-01", "2026-05-01T10:00:00", "2026-05-01 10:00"] {
        assert!(refusal(text).contains("give the time of day and `Z`"), "{}", refusal(text));
    }
    for text in ["1969-12-31T23:59:59.9999Z", "1970-01-01T00:00:00+00:01", "-000001-01-01T00:00:00Z"] {
        assert_eq!(refusal(text), format!("time {text:?} is before 1970"));
    }
    for text in ["", "yesterday", "now", "2h", "1d ago ", "2h Ago", "1777629600", "2026-02-30T10:00:00Z"] {
        assert_eq!(refusal(text), format!("time {text:?} is not like `2026-05-01T10:00:00Z` or `2h ago`"));
    }
    for (text, length) in [("-2h ago", "-2h"), ("2h  ago", "2h "), (" ago", ""), ("2h ago ago", "2h ago")] {
        assert_eq!(refusal(text), format!("duration {length:?} is not like 90s, 2h 30m or 3d"));
    }
}
