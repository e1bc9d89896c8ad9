//! Giving numbers to versions that have names.

use super::contents::ForeignVersion;
use crate::model::{Labels, Timestamp, Version};
use std::{cmp::Ordering, collections::BTreeMap};

/// The highest number that is taken as the number of a version: each number below it becomes a version.
pub(super) const MOST: u64 = 1_000_000;

/// The label that keeps the original name of a version, where it has another number.
const LABEL: &str = "source-version";

/// The order in which versions get their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Order {
    /// By their own numbers if all versions of the package are numbers of at most a million, or else by version.
    #[default]
    Any,
    /// By their own numbers. A number that is missing becomes a deleted version, and other names are left out.
    Number,
    /// 1, 2, 3 … in the order of their names as versions: 1.9 is before 1.10, and 2.0-rc1 before 2.0.
    Version,
    /// 1, 2, 3 … in the order of the times of their files, then by name.
    Time,
}

/// A version that is to get a number.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// The name of the version.
    pub version: String,
    pub modified: Timestamp,
    pub foreign: ForeignVersion,
}

/// Returns true if a name is one of a version, in this order.
pub(super) fn is_version(order: Order) -> fn(&str) -> bool {
    match order {
        // The time orders any names.
        Order::Time => |_| true,
        _ => is_version_name,
    }
}

/// Returns true if a name begins with a digit, or with a `v` and a digit.
pub(super) fn is_version_name(name: &str) -> bool {
    bare(name).starts_with(|c: char| c.is_ascii_digit())
}

/// Returns a name without the `v` that it may begin with.
fn bare(name: &str) -> &str {
    name.strip_prefix('v').unwrap_or(name)
}

/// Returns the number that a name is.
fn number(name: &str) -> Option<u64> {
    let name = bare(name);
    let is_number = name.bytes().all(|b| b.is_ascii_digit());
    name.parse().ok().filter(|number| is_number && *number <= MOST)
}

/// Gives numbers to the versions of a package. Adds a difference for each version that is left out.
pub(super) fn numbered(
    mut candidates: Vec<Candidate>,
    order: Order,
    differences: &mut Vec<String>,
) -> BTreeMap<Version, ForeignVersion> {
    let all_numbers = || candidates.iter().all(|it| number(&it.version).is_some());
    let order = match order {
        Order::Any if all_numbers() => Order::Number,
        Order::Any => Order::Version,
        order => order,
    };
    match order {
        Order::Time => candidates.sort_by(|one, other| {
            (one.modified, &one.foreign.name).cmp(&(other.modified, &other.foreign.name))
        }),
        _ => candidates.sort_by(|one, other| {
            by_version(&one.version, &other.version)
                .then_with(|| one.version.cmp(&other.version))
                .then_with(|| one.foreign.name.cmp(&other.foreign.name))
        }),
    }
    let mut versions = BTreeMap::new();
    for Candidate { version, foreign, .. } in candidates {
        let mut leave_out = |why: &str| differences.push(format!("{} is left out: {why}", foreign.name));
        if order == Order::Number {
            match number(&version).map(Version::try_from) {
                Some(Ok(number)) if versions.contains_key(&number) => {
                    leave_out(&format!("the number {number} is given twice"));
                }
                Some(Ok(number)) => {
                    versions.insert(number, foreign);
                }
                _ => leave_out(&format!("{version} is no number from 1 to {MOST}")),
            }
            continue;
        }
        let next = versions.len() as u64 + 1;
        let (Ok(next), Ok(label)) =
            (Version::try_from(next), Labels::parse([format!("{LABEL}={version}").as_str()]))
        else {
            leave_out("its version can't be kept as a label");
            continue;
        };
        let labels = foreign.labels.clone().and(&label);
        versions.insert(next, ForeignVersion { labels, ..foreign });
    }
    versions
}

/// A piece of the name of a version, in the order of pieces.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Piece<'a> {
    /// A `-` or `~`: what follows is before the version without it.
    Before,
    End,
    Text(&'a str),
    /// A number without leading zeros: a shorter one is lower.
    Number(usize, &'a str),
}

fn pieces(name: &str) -> Vec<Piece<'_>> {
    let kind = |c: char| (c.is_ascii_digit(), matches!(c, '-' | '~'));
    let (mut pieces, mut rest) = (Vec::new(), name);
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| kind(c) != kind(first)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        pieces.push(match kind(first) {
            (true, _) => {
                let digits = piece.trim_start_matches('0');
                Piece::Number(digits.len(), digits)
            }
            (_, true) => Piece::Before,
            _ => Piece::Text(piece),
        });
        rest = after;
    }
    pieces.push(Piece::End);
    pieces
}

fn by_version(one: &str, other: &str) -> Ordering {
    pieces(bare(one)).cmp(&pieces(bare(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_people_do() {
        let ordered = [
            "0.9",
            "1.0-alpha",
            "1.0-rc1",
            "1.0-rc2",
            "1.0-rc10",
            "1.0",
            "1.0.1",
            "1.9",
            "1.10",
            "1.10.0-dev",
            "1.10.0",
            "2",
            "10",
            "99999999999999999999999999",
        ];
        for pair in ordered.windows(2) {
            assert_eq!(by_version(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(by_version("007", "v7"), Ordering::Equal);
    }

    fn numbers(names: &[&str], order: Order) -> (Vec<(u64, String)>, usize) {
        let candidates = names.iter().enumerate().map(|(at, name)| Candidate {
            version: (*name).to_owned(),
            modified: Timestamp::from_millis(100 - at as u64),
            foreign: ForeignVersion::new(format!("app-{name}")),
        });
        let mut differences = Vec::new();
        let versions = numbered(candidates.collect(), order, &mut differences);
        (versions.into_iter().map(|(number, it)| (number.get(), it.name)).collect(), differences.len())
    }

    #[test]
    fn plain_numbers_stay_and_others_are_counted() {
        let named = |pairs: &[(u64, &str)]| pairs.iter().map(|(n, name)| (*n, (*name).to_owned())).collect();
        let is = |names: &[&str], order, pairs: &[(u64, &str)], left_out| {
            assert_eq!(numbers(names, order), (named(pairs), left_out), "{names:?}");
        };
        is(&["3", "v1"], Order::Any, &[(1, "app-v1"), (3, "app-3")], 0);
        is(&["3", "1.5"], Order::Any, &[(1, "app-1.5"), (2, "app-3")], 0);
        is(&["3", "1.5", "0"], Order::Number, &[(3, "app-3")], 2);
        is(&["2", "02", "1"], Order::Any, &[(1, "app-1"), (2, "app-02")], 1);
        is(&["20240101", "20230101"], Order::Any, &[(1, "app-20230101"), (2, "app-20240101")], 0);
        is(&["3", "1"], Order::Version, &[(1, "app-1"), (2, "app-3")], 0);
        is(&["b", "a"], Order::Time, &[(1, "app-a"), (2, "app-b")], 0);
    }
}
