//! The permissions that `doctor` reports of a role, compared with its policy.

use super::{ROLES, Role, column::Cell};
use crate::support::iam::{Ask, BUCKET, TABLE};

/// A permission, as a line of `doctor` states it.
struct Line<'a> {
    action: &'a str,
    on: &'a str,
    roles: Vec<&'a str>,
    /// None if it is unknown.
    allowed: Option<bool>,
}

impl<'a> Line<'a> {
    /// Reads the lines about permissions: "ACTION on RESOURCE (for: ROLES) is allowed".
    fn all(said: &'a str) -> Vec<Self> {
        let details = said.lines().filter_map(|line| {
            let (_, rest) = line.split_once("  grant:")?;
            rest.split_once("  ").map(|(_, detail)| detail)
        });
        let read = |detail: &'a str| {
            let (action, rest) = detail.split_once(" on ")?;
            let (on, rest) = rest.split_once(" (for: ")?;
            let (roles, state) = rest.rsplit_once(") is ")?;
            let allowed = match state {
                "allowed" => Some(true),
                "not allowed" => Some(false),
                state if state.starts_with("unknown: ") => None,
                other => panic!("{other}"),
            };
            Some(Self { action, on, roles: roles.split(", ").collect(), allowed })
        };
        details.filter_map(read).collect()
    }

    /// Returns the request that needs it.
    fn ask(&self) -> Ask {
        let action = self.action;
        match self.on {
            "the whole table" => Ask::new(action, TABLE),
            key if action.starts_with("dynamodb:") => {
                Ask::new(action, TABLE).with("dynamodb:LeadingKeys", [key])
            }
            key if key.contains('/') => Ask::new(action, format!("{BUCKET}/{}", key.replace('*', "00"))),
            _ => Ask::new(action, BUCKET),
        }
    }
}

/// Checks each permission that was reported, and the roles that are named for it. With `probe`, those that are needed to
/// write are reported, too, if the role can read the owner of the store.
pub fn report_is_true(role: &Role, cell: &Cell, probe: bool) {
    let lines = Line::all(&cell.said);
    for Line { action, on, roles, allowed } in &lines {
        let ask = Line { action, on, roles: Vec::new(), allowed: None }.ask();
        let grants = |role: &Role| role.policies().allow(std::slice::from_ref(&ask)) == [true];
        assert!(
            allowed.is_none_or(|allowed| allowed == grants(role)),
            "{action} on {on} is reported as {allowed:?} of the {}",
            role.title
        );
        for other in ROLES.iter().filter(|other| other.title != "administrator") {
            let named = match other.title {
                "publisher with tags" => {
                    roles.contains(&"publisher") || roles.contains(&"publisher (with publisher_may_tag)")
                }
                title => roles.contains(&title),
            };
            assert_eq!(named, grants(other), "{action} on {on} of the {}: {roles:?}", other.title);
        }
    }
    let of = |kind: &str, known: bool| {
        lines.iter().filter(|line| line.action.starts_with(kind) && line.allowed.is_some() == known).count()
    };
    let reads_owner = !["reader", "promoter", "freezer"].contains(&role.title);
    let unknown: Vec<_> =
        lines.iter().filter(|line| line.allowed.is_none()).map(|line| line.action).collect();
    let expected: &[&str] = if probe && reads_owner {
        &[]
    } else {
        &["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"]
    };
    assert_eq!(unknown, expected, "{}: {}", role.title, cell.said);
    assert_eq!(of("dynamodb:", false), 0);
    assert_eq!(of("dynamodb:", true), if probe { 13 } else { 4 }, "{}: {}", role.title, cell.said);
}
