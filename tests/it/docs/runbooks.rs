//! `docs/runbooks.md`: each exit code and each alarm has its section; and the commands of pages that are not run exist.

use super::reference::exit_codes;
use crate::support::{
    repository::{files, read},
    sandbox::Sandbox,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

/// The paragraphs of each section.
const PARAGRAPHS: [&str; 4] = ["**Meaning.**", "**Look.**", "**Do.**", "**Escalate.**"];

/// The pages whose commands are not run, since they need an account or damage.
const PAGES: [&str; 8] = [
    "docs/runbooks.md",
    "docs/upgrading.md",
    "docs/migration.md",
    "docs/moving.md",
    "docs/observing.md",
    "docs/restoring.md",
    "docs/checking.md",
    "docs/tutorial.md",
];

/// The sections of the page, by their headings.
fn sections(page: &str) -> BTreeMap<&str, &str> {
    let sections = page.split("\n### ").skip(1);
    sections.map(|section| section.split_once('\n').unwrap()).collect()
}

/// The names of the alarms that the module makes.
fn alarms() -> BTreeSet<String> {
    let source = read("infra/alarms.tf");
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let begins = |pair: &[&str]| {
        let name = pair[0].strip_suffix(" = {")?;
        pair[1].starts_with("description = ").then(|| name.to_owned())
    };
    let found: BTreeSet<_> = lines.windows(2).filter_map(begins).collect();
    let descriptions = source.matches("description = ").count();
    assert!(found.len() == descriptions && found.len() > 4, "the alarms were not found: {found:?}");
    found
}

#[test]
fn each_exit_code_and_each_alarm_has_its_section() {
    let page = read("docs/runbooks.md");
    let sections = sections(&page);
    let codes = exit_codes().into_iter().map(|(code, kind)| format!("Exit code {code}: {kind}"));
    let alarms = alarms().into_iter().map(|name| format!("Alarm {name}"));
    let expected: BTreeSet<_> = codes.chain(alarms).collect();
    let found: BTreeSet<_> = sections.keys().map(|heading| (*heading).to_owned()).collect();
    assert_eq!(found, expected, "the sections of docs/runbooks.md");
    for (heading, text) in sections {
        for paragraph in PARAGRAPHS {
            assert!(text.contains(paragraph), "{heading}: there is no {paragraph}");
        }
    }
}

/// All alarms of the repository are in the file that the test above reads.
#[test]
fn no_other_file_makes_alarms() {
    let makes = |path: &PathBuf| {
        fs::read_to_string(path).is_ok_and(|text| text.contains("\"aws_cloudwatch_metric_alarm\""))
    };
    let found: Vec<_> = files("infra").into_iter().filter(makes).collect();
    let found: Vec<_> = found.iter().map(|path| path.file_name().unwrap()).collect();
    assert_eq!(found, ["alarms.tf"]);
}

/// The commands of the program in the shell blocks of a page, as words.
fn commands(page: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut in_shell = false;
    for line in page.replace("\\\n", " ").lines() {
        let line = line.trim();
        if line.starts_with("```") {
            in_shell = line == "```sh";
        } else if let (true, Some(words)) = (in_shell, line.strip_prefix("sacker ")) {
            let words = words.split(" #").next().unwrap().split(" | ").next().unwrap();
            let words = words.split(" > ").next().unwrap().replace('\'', "");
            found.push(words.split_whitespace().map(str::to_owned).collect());
        }
    }
    found
}

/// The parser reads all words before `--help`, so an unknown command or option is an error.
#[test]
fn the_program_knows_the_commands_and_options_of_the_pages() {
    let sandbox = Sandbox::new();
    let mut seen = 0;
    for page in PAGES {
        for mut words in commands(&read(page)) {
            words.push("--help".to_owned());
            let output = sandbox.command(&words).output().unwrap();
            assert!(output.status.success(), "{page}: sacker {words:?}: {}", sandbox.shown(&output));
            seen += 1;
        }
    }
    assert!(seen > 30, "the commands were not found: {seen}");
}
