//! The policies of the Terraform module, executed: every command runs as every role through a proxy that asks an
//! evaluator of IAM policies whether the role may do what the command asks for.

mod column;
mod doctor;
mod messages;
mod removal;
mod rows;
mod tls;
mod trust;
mod variants;

use crate::support::{
    iam::{BUCKET, KEY, PREFIX, Policies, TABLE},
    repository::read,
    terraform,
};
use column::{Cell, Place, column};
use serde_json::{Value, json};
use std::{fmt::Write, sync::LazyLock, thread};

/// A role, and the variables of the module that its document is rendered with.
#[derive(Debug)]
struct Role {
    /// Its name in the table of the page.
    title: &'static str,
    name: &'static str,
    module: &'static str,
}

const fn role(title: &'static str, name: &'static str, module: &'static str) -> Role {
    Role { title, name, module }
}

const ROLES: [Role; 8] = [
    role("reader", "reader", "plain"),
    role("publisher", "publisher", "plain"),
    role("publisher with tags", "publisher", "tagging"),
    role("promoter", "promoter", "plain"),
    role("freezer", "freezer", "plain"),
    role("collector", "collector", "plain"),
    role("auditor", "auditor", "plain"),
    role("administrator", "administrator", "plain"),
];

/// The documents of the module for some settings of its variables, as Terraform renders them: once for all tests.
static DOCUMENTS: LazyLock<Vec<(&'static str, Value)>> = LazyLock::new(|| {
    let with = |more: Value| {
        let mut all = json!({
            "table_arn": TABLE, "bucket_arn": BUCKET, "prefix": PREFIX, "packages": ["app", "web/*"],
        });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let settings = [
        ("plain", with(json!({}))),
        ("tagging", with(json!({ "publisher_may_tag": true }))),
        ("narrow", with(json!({ "readable_packages": ["lib/*"] }))),
        ("key", with(json!({ "kms_key_arn": KEY }))),
        ("team", with(json!({ "packages": ["team/$${aws:PrincipalTag/team}/*"] }))),
    ];
    let names = settings.each_ref().map(|(name, _)| *name);
    names.into_iter().zip(terraform::documents(&settings)).collect()
});

fn document(module: &str, role: &str) -> Value {
    let (_, documents) = DOCUMENTS.iter().find(|(name, _)| *name == module).unwrap();
    documents[role].clone()
}

impl Role {
    fn policies(&self) -> Policies {
        Policies::of(&document(self.module, self.name))
    }
}

/// The rows of the page's table of commands and roles.
fn table(columns: &[Vec<Cell>]) -> String {
    let titles: Vec<_> = ROLES.iter().map(|role| role.title).collect();
    let mut table = format!("| command | {} |\n|---|{}\n", titles.join(" | "), "---|".repeat(titles.len()));
    for (at, row) in rows::ROWS.iter().enumerate() {
        let Some(name) = row.name else { continue };
        let name = name.strip_suffix(" `").map_or_else(|| format!("`{name}`"), |name| format!("`{name}"));
        let marks = columns.iter().map(|cells| if cells[at].allowed { "yes" } else { "–" });
        writeln!(table, "| {name} | {} |", marks.collect::<Vec<_>>().join(" | ")).unwrap();
    }
    table
}

/// The documents for those without Terraform.
#[test]
fn the_rendered_documents_are_those_of_the_module() {
    let example = json!({
        "table_arn": TABLE, "bucket_arn": BUCKET, "prefix": "sacker", "packages": ["app"],
    });
    let documents = terraform::documents(&[("example", example)]).remove(0);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/infra/modules/roles/rendered");
    let files: serde_json::Map<_, _> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            let role = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (role, serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
        })
        .collect();
    assert_eq!(documents, Value::Object(files));
}

#[test]
fn every_command_is_run_as_every_role() {
    let columns = thread::scope(|scope| {
        let run = |role: &'static Role| {
            let place = Place::new();
            let cells = column(&place, &role.policies());
            cells.iter().filter(|cell| !cell.allowed).for_each(messages::hint_is_true);
            for cell in cells.iter().filter(|cell| cell.row.line.starts_with("doctor")) {
                doctor::report_is_true(role, cell, cell.row.line.contains("--probe"));
            }
            removal::each_statement_counts(role, &place, &cells);
            cells
        };
        let threads: Vec<_> = ROLES.iter().map(|role| scope.spawn(move || run(role))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let table = table(&columns);
    assert!(read("SECURITY.md").contains(&table), "SECURITY.md lacks:\n{table}");
}
