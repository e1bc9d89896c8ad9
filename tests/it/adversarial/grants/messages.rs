//! A denied command says what its role lacks, where, and which roles have it.

use super::{ROLES, column::Cell};
use crate::support::iam::{Ask, guard::Denied};

/// The package `app` in the place of one that is nobody's.
fn granted(ask: &Ask) -> Ask {
    let mut ask = ask.clone();
    for key in ask.context.get_mut("dynamodb:LeadingKeys").into_iter().flatten() {
        *key = key.replace("#other", "#app").replace("#ghost", "#app");
    }
    ask
}

/// Returns true if the hint names the action and the place of a denial.
fn is_named(denied: &Denied, hint: &str) -> bool {
    let (of_table, key) = denied.ask.resource.split_once('/').unwrap_or_default();
    let places: Vec<_> = match denied.ask.keys() {
        [] if of_table.contains(":dynamodb:") => vec!["the table"],
        [] => vec![key],
        keys => keys.iter().map(String::as_str).collect(),
    };
    let all = places.iter().all(|place| hint.contains(place)) || hint.contains(" more");
    hint.contains(&denied.ask.action) && all
}

/// Checks the hint of a denied command against the policies.
pub fn hint_is_true(cell: &Cell) {
    let said = &cell.said;
    let lines: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("2| hint: ")).collect();
    let [hint] = lines.as_slice() else { panic!("{said}") };
    // Of several at once, one is reported.
    let denied = cell.denied.iter().find(|denied| is_named(denied, hint));
    let denied = denied.unwrap_or_else(|| panic!("{:?} is not in {said}", cell.denied));

    let (_, named) = hint.split_once(", which the role").unwrap_or_else(|| panic!("no roles: {said}"));
    let named = named.split_once(" grant").unwrap().0.trim_start_matches('s').trim();
    let named: Vec<_> = named.split(", ").flat_map(|some| some.split(" and ")).collect();
    let asks: Vec<_> = denied.asks.iter().map(granted).collect();
    for role in &ROLES {
        let grants = role.policies().allow(&asks).iter().all(|allowed| *allowed);
        let is_named = match role.title {
            "publisher with tags" => {
                named.contains(&"publisher") || named.contains(&"publisher (with publisher_may_tag)")
            }
            title => named.contains(&title),
        };
        assert!(grants || !is_named, "the {} has no such right: {said}", role.title);
        // Some are left out: the administrator, if others have it, and who has only one of two that are possible.
        let may_be_left_out =
            role.title == "administrator" && named != ["administrator"] || hint.contains("one of: ");
        assert!(!grants || is_named || may_be_left_out, "the {} has this right, too: {said}", role.title);
    }
}
