//! Times and durations in their plainest forms.

/// The milliseconds from 1970 to a time that is written as `2026-05-01T10:00:00Z`, and is one.
#[must_use]
pub fn time(text: &str) -> Option<i64> {
    let form = |(b, like): (u8, u8)| if like == b'0' { b.is_ascii_digit() } else { b == like };
    let like = b"0000-00-00T00:00:00Z";
    if text.len() != like.len() || !text.bytes().zip(*like).all(form) {
        return None;
    }
    let part = |from: usize, to: usize| text[from..to].parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days_of = |month: i64| match month {
        2 => 28 + i64::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let is_time = (1..=12).contains(&month) && (1..=days_of(month)).contains(&day);
    // The last days that there are; and a leap second.
    if !is_time || hour > 23 || minute > 59 || second > 59 || (year == 9999 && month == 12 && day > 29) {
        return None;
    }
    let before = |year: i64| 365 * year + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
    let days = before(year) - before(1970) + (1..month).map(days_of).sum::<i64>() + day - 1;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

/// The seconds in a duration that is written as `1d 2h 30m`.
#[must_use]
pub fn length(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 5] = [("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    let mut units = UNITS.iter();
    let mut seconds = 0;
    for part in text.split(' ') {
        let digits = part.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let plain = (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        let (_, unit) = units.find(|(unit, _)| part.strip_prefix(digits) == Some(*unit))?;
        seconds += plain.then(|| digits.parse::<u64>().ok())?? * unit;
    }
    Some(seconds)
}
