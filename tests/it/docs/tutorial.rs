//! `docs/tutorial.md`: its commands are run as its users, each through proxies that enforce the policy of the user's role, as
//! Terraform renders it with the variables of the page.

use super::workflows::compare;
use crate::support::{
    iam::{BUCKET, Guard, PREFIX, Policies, TABLE, guard::name},
    repository::read,
    servers, terraform,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs};

/// The users of the page, and their roles.
const USERS: [(&str, &str); 4] =
    [("admin", "administrator"), ("pipeline", "publisher"), ("promoter", "promoter"), ("host", "reader")];

/// The URLs of the page.
const LEDGER: &str = "dynamodb://sacker?region=eu-west-1";
const STORE: &str = "s3://acme-blobs/sacker?region=eu-west-1";

/// The Terraform code of the page.
fn module(page: &str) -> &str {
    let (_, code) = page.split_once("```hcl\n").unwrap();
    code.split_once("```").unwrap().0
}

/// The variables that the page gives to the module of the roles, with the names of the tests. All strings and lists of strings are literals.
fn variables(page: &str) -> Value {
    let given = |name: &str| {
        let mut lines = module(page).lines().filter_map(|line| line.trim().split_once(" = "));
        let (_, value) = lines.find(|(key, _)| key.trim() == name).unwrap_or_else(|| panic!("no {name}"));
        serde_json::from_str::<Value>(value.trim()).unwrap()
    };
    assert_eq!(given("prefix"), "sacker");
    json!({ "table_arn": TABLE, "bucket_arn": BUCKET, "prefix": PREFIX, "packages": given("packages") })
}

/// The program's words about servers that lack what AWS has.
fn is_of_the_servers(line: &str) -> bool {
    line.starts_with("warning: this server does not support ")
}

#[test]
fn each_step_is_done_as_its_role() {
    let page = read("docs/tutorial.md");
    let documents = terraform::documents(&[("tutorial", variables(&page))]).remove(0);
    let sandbox = servers::sandbox();
    let home = sandbox.home().to_str().unwrap();
    let table = name(sandbox.variable("SACKER_LEDGER"));
    let guard = |(user, role): (&'static str, &str)| {
        let guard = Guard::new(&sandbox);
        guard.set(Some(&Policies::of(&documents[role])));
        fs::create_dir(sandbox.path(user)).unwrap();
        (user, guard)
    };
    let guards = BTreeMap::from(USERS.map(guard));
    let switch = |user: &str| {
        let [ledger, store] = guards[user].urls();
        format!(
            "cd {home}/{user}; export HOME={home}/{user} SACKER_ACTOR={user}@acme 'SACKER_LEDGER={ledger}' \
             'SACKER_STORE={store}'"
        )
    };
    let shown = |output: &str| {
        let mut output = output.replace(home, "/home");
        for guard in guards.values() {
            let [ledger, store] = guard.urls();
            output = output.replace(ledger, LEDGER).replace(store, STORE);
        }
        output = output.replace(table, "sacker");
        output.split_inclusive('\n').filter(|line| !is_of_the_servers(line.trim_end())).collect()
    };
    compare("tutorial.md", &sandbox, &switch, &shown);

    for (user, guard) in &guards {
        let (asked, denied) = guard.asked();
        assert!(!asked.is_empty(), "{user} has asked for nothing");
        // The one step that the page shows as denied.
        assert_eq!(denied.is_empty(), *user != "pipeline", "{user}: {denied:?}");
    }
}

#[test]
fn the_module_of_the_page_is_that_of_the_example() {
    let example = read("infra/examples/tutorial/main.tf");
    let page = read("docs/tutorial.md");
    assert!(module(&page).contains("packages"));
    assert!(example.contains(module(&page)), "infra/examples/tutorial lacks:\n{}", module(&page));
}
