//! The options of the module, executed: a key of one's own, packages by the tag of the principal, readers of some
//! packages, a permissions boundary; and half of a policy.

use super::{column::Place, document};
use crate::support::iam::{Ask, Policies, TABLE, ask::Setting};
use serde_json::Value;

fn policies(module: &str, role: &str) -> Policies {
    Policies::of(&document(module, role))
}

impl Place {
    /// Runs a command under these policies, and returns its exit code and output.
    fn code(&self, policies: &Policies, line: &str) -> (i32, String) {
        self.guard.set(Some(policies));
        let output = self.run(line);
        self.guard.set(None);
        let said = format!("`{line}`: {}", self.sandbox.shown(&output));
        (output.status.code().unwrap(), said)
    }

    fn expect(&self, expected: i32, policies: &Policies, line: &str) -> String {
        let (code, said) = self.code(policies, line);
        assert_eq!(code, expected, "{said}");
        said
    }
}

#[test]
fn a_key_of_ones_own_needs_its_grants() {
    let place = Place::new();
    place.guard.setting(|setting| setting.encrypted = true);
    for (role, line) in [
        ("reader", "download app live -o copy -f"),
        ("publisher", "add app new"),
        ("publisher", "add app large"),
        ("promoter", "tag app 1 stable"),
        ("auditor", "fsck --read-data"),
        ("collector", "gc --delete --min-age 0s"),
        ("administrator", "add app spare"),
    ] {
        let said = place.expect(10, &policies("plain", role), line);
        assert!(said.contains("hint: the credentials lack kms:"), "{said}");
        place.expect(0, &policies("key", role), line);
    }
}

#[test]
fn the_tag_of_a_principal_selects_its_packages() {
    let place = Place::new();
    place.administer("add team/web/site one");
    place.administer("add team/db/server one");
    let tagged = |team: Option<&str>| {
        place.guard.setting(|Setting { context, .. }| {
            context.remove("aws:PrincipalTag/team");
            context.extend(team.map(|team| ("aws:PrincipalTag/team".to_owned(), team.to_owned())));
        });
    };
    let (publisher, promoter) = (policies("team", "publisher"), policies("team", "promoter"));
    for (team, expected) in [(None, 10), (Some("db"), 10), (Some("we"), 10), (Some("web"), 0)] {
        tagged(team);
        place.expect(expected, &publisher, "add team/web/site new");
        place.expect(expected, &promoter, "tag team/web/site 1 live");
        place.expect(0, &publisher, "info team/web/site 1");
    }
}

#[test]
fn readers_of_some_packages_read_no_others() {
    let place = Place::new();
    place.administer("add lib/a one --tag live");
    let (reader, promoter) = (policies("narrow", "reader"), policies("narrow", "promoter"));
    place.expect(0, &reader, "info lib/a live");
    place.expect(0, &reader, "list");
    place.expect(10, &reader, "info app live");
    place.expect(0, &promoter, "tag app 1 stable");
    place.expect(10, &promoter, "tag lib/a 1 stable");
}

#[test]
fn a_boundary_limits_a_role() {
    let place = Place::new();
    let boundary = Some(document("plain", "reader"));
    let bounded = Policies { boundary, ..policies("plain", "publisher") };
    place.expect(0, &bounded, "info app live");
    place.expect(10, &bounded, "add app new");
}

/// Such as a `Scan`, if somebody adds it to a statement.
#[test]
fn a_condition_on_keys_allows_no_request_without_keys() {
    for role in ["reader", "publisher", "promoter", "collector", "auditor"] {
        let mut document = document("plain", role);
        for statement in document["Statement"].as_array_mut().unwrap() {
            if statement.get("Condition").is_some() {
                statement["Action"].as_array_mut().unwrap().push("dynamodb:Scan".into());
            }
        }
        document["Statement"].as_array_mut().unwrap().retain(|statement| statement["Sid"] != "ScanLedger");
        let asks = ["Scan", "GetItem", "PutItem", "UpdateItem", "ConditionCheckItem"];
        let asks = asks.map(|action| Ask::new(&format!("dynamodb:{action}"), TABLE));
        assert_eq!(Policies::of(&document).allow(&asks), [false; 5], "{role}");
    }
}

/// As if a policy had been applied up to a statement, or from it on.
#[test]
fn half_of_a_policy_adds_nothing_and_names_what_lacks() {
    let place = Place::new();
    let whole = document("plain", "publisher");
    let statements = whole["Statement"].as_array().unwrap();
    let number = |place: &Place| place.administer("versions app").lines().count();
    let before = number(&place);
    for half in (1..statements.len()).flat_map(|at| [&statements[..at], &statements[at..]]) {
        let mut document = whole.clone();
        document["Statement"] = half.iter().cloned().collect::<Value>();
        let said = place.expect(10, &Policies::of(&document), "add app new");
        assert!(said.contains("hint: the credentials lack "), "{said}");
    }
    assert_eq!(number(&place), before);
    place.expect(0, &Policies::of(&whole), "add app new");
}
