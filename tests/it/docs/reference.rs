//! The reference: pages that the program and the schemas write, and pages by hand that name everything that there is.
//!
//! To write the pages again: set `SACKER_WRITE_REFERENCE`, and read the difference.

mod schemas;

use super::generated::Generated;
use crate::{
    cli::help::commands,
    support::{
        repository::{files, read},
        sandbox::Sandbox,
    },
};
use std::{collections::BTreeSet, fmt::Write as _, fs};

const WRITE: &str = "SACKER_WRITE_REFERENCE";

/// The text of a help from a line on, up to another.
fn between<'a>(help: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = help.split_once(&format!("{from}\n")).unwrap_or_else(|| panic!("no {from:?} in {help}"));
    rest.split_once(&format!("\n{to}\n")).map_or(rest, |(text, _)| text)
}

/// The text without spaces at the ends of its lines.
fn trimmed(text: &str) -> String {
    text.trim_end().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Writes the help of a command, without the options of all commands, and of the commands below it.
fn section(sandbox: &Sandbox, command: &str, page: &mut String) {
    let words: Vec<_> = command.split(' ').chain(["--help"]).collect();
    let help = sandbox.ok(&words);
    let text = help.split("\nGlobal options:\n").next().unwrap();
    write!(page, "## sacker {command}\n\n```text\n{}\n```\n\n", trimmed(text)).unwrap();
    if help.contains("\nCommands:\n") {
        for line in between(&help, "Commands:", "").lines() {
            let name = line.trim_start().split(' ').next().unwrap();
            if line.starts_with("  ") && !line.starts_with("   ") && name != "help" {
                section(sandbox, &format!("{command} {name}"), page);
            }
        }
    }
}

#[test]
fn the_commands_are_those_of_the_program() {
    let sandbox = Sandbox::new();
    let whole = sandbox.ok(&["--help"]);
    let mut page = String::new();
    for (title, from, to) in [
        ("Options of all commands", "Global options:", "Exit codes:"),
        ("How to name a version", "A SPEC is one of:", "Environment:"),
    ] {
        write!(page, "## {title}\n\n```text\n{}\n```\n\n", trimmed(between(&whole, from, to))).unwrap();
    }
    for command in commands(&sandbox) {
        section(&sandbox, &command, &mut page);
    }
    Generated::find("reference/commands.md", "help").must_be(&page, WRITE);
}

#[test]
fn each_command_has_a_row_in_the_overview() {
    let page = read("docs/reference/commands.md");
    let (overview, _) = page.split_once("<!-- help -->").unwrap();
    let cells = overview.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let named: BTreeSet<_> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter_map(|code| code.split(' ').next())
        .collect();
    for command in commands(&Sandbox::new()) {
        assert!(
            named.contains(command.as_str()),
            "the overview of docs/reference/commands.md lacks `{command}`"
        );
    }
}

#[test]
fn the_schemas_are_those_of_the_folder() {
    Generated::find("reference/json.md", "schemas").must_be(&schemas::page(), WRITE);
}

/// The exit codes and kinds of the code, except that of success.
pub fn exit_codes() -> Vec<(u8, String)> {
    let source = read("src/cli/error.rs");
    let arm = |line: &str| {
        let (kind, value) = line.trim().strip_prefix("Self::")?.split_once(" => ")?;
        Some((kind.to_owned(), value.strip_suffix(',')?.trim_matches('"').to_owned()))
    };
    let arms: Vec<_> = source.lines().filter_map(arm).collect();
    let of = |kind: &str, is_code: bool| {
        let value = |(name, value): &(String, String)| {
            (name == kind && value.bytes().all(|b| b.is_ascii_digit()) == is_code).then(|| value.clone())
        };
        arms.iter().find_map(value).unwrap_or_else(|| panic!("{kind} was not found in {arms:?}"))
    };
    let kinds: BTreeSet<_> = arms.iter().map(|(kind, _)| kind.clone()).collect();
    let mut codes: Vec<(u8, String)> =
        kinds.iter().map(|kind| (of(kind, true).parse().unwrap(), of(kind, false))).collect();
    codes.retain(|(code, _)| *code != 0);
    codes.sort();
    assert!(codes.len() >= 11, "{codes:?}");
    codes
}

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let page = read("docs/reference/exit-codes.md");
    let rows: Vec<(u8, String)> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
            let code = cells.next()?.parse().ok()?;
            Some((code, cells.next()?.trim_matches('`').to_owned()))
        })
        .collect();
    assert_eq!(rows[0], (0, String::new()));
    assert_eq!(rows[1..], exit_codes());
    let help = Sandbox::new().ok(&["--help"]);
    let listed = between(&help, "Exit codes:", "A SPEC is one of:");
    let code = |line: &str| line.trim_start().split(' ').next()?.parse::<u8>().ok();
    let listed: Vec<_> = listed.lines().filter_map(code).collect();
    assert_eq!(listed, rows.iter().map(|(code, _)| *code).collect::<Vec<_>>());
    let schema: serde_json::Value = serde_json::from_str(&read("schema/error.json")).unwrap();
    let kinds = &schema["properties"]["error"]["properties"]["kind"]["enum"];
    let kinds: BTreeSet<_> = kinds.as_array().unwrap().iter().map(|kind| kind.as_str().unwrap()).collect();
    assert_eq!(kinds, rows[1..].iter().map(|(_, kind)| kind.as_str()).collect());
}

/// Returns true for the name of a variable that is a setting. Those that sacker gives to the program `git`, and those that a
/// completion script gives to sacker, are none.
fn is_variable(text: &str) -> bool {
    let begins = ["SACKER_", "AWS_", "XDG_", "HADOOP_", "AZURE_", "OTEL_", "PG"];
    let named = ["CI", "HOME", "TMPDIR", "TERM", "NO_COLOR", "TRACEPARENT", "TRACESTATE"];
    let is_name =
        text.len() > 2 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    named.contains(&text)
        || is_name
            && text != "SACKER_COMPLETE"
            && (begins.iter().any(|it| text.starts_with(it)) || text.ends_with("_PROXY"))
}

#[test]
fn the_settings_are_those_of_the_program() {
    let page = read("docs/reference/settings.md");
    let sources: Vec<_> = files("src").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let found: BTreeSet<_> =
        sources.iter().flat_map(|source| source.split('"')).filter(|text| is_variable(text)).collect();
    assert!(found.len() > 20, "the variables were not found: {found:?}");
    let missing: Vec<_> = found.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/reference/settings.md lacks {missing:?}");
    let help = Sandbox::new().ok(&["--help"]);
    let options = between(&help, "Global options:", "Exit codes:");
    for option in options.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2) {
        let option = option.trim_end_matches(|c: char| !c.is_ascii_lowercase());
        assert!(page.contains(&format!("`{option}")), "docs/reference/settings.md lacks {option}");
    }
}
