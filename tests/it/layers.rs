//! Who may name whom: the layers of `ARCHITECTURE.md`, read from the source itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Each module of the crate, and the modules that it may name.
const LAYERS: [(&str, &[&str]); 13] = [
    ("durable", &[]),
    ("failpoint", &[]),
    ("model", &[]),
    ("fault", &[]),
    ("clock", &["model"]),
    ("retry", &["fault"]),
    ("aws", &["clock", "fault", "model", "retry"]),
    ("table", &["aws", "fault"]),
    ("store", &["aws", "fault", "model", "retry", "table"]),
    ("ledger", &["aws", "clock", "fault", "model", "retry", "table"]),
    ("ops", &["fault", "ledger", "model", "retry", "store", "table"]),
    ("location", &["aws", "fault", "ledger", "retry", "store", "table"]),
    ("cli", &["aws", "fault", "ledger", "location", "model", "ops", "retry", "store", "table"]),
];

fn sources(under: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file: without comments, and without its unit tests at the end.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let product = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    product.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Every source file with the module of the crate that it belongs to, relative to `src`.
fn files() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    assert!(paths.len() > 40, "the sources were not found");
    let module = |path: &Path| {
        let first = path.strip_prefix(&root).unwrap().components().next().unwrap();
        first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
    };
    paths
        .into_iter()
        .map(|path| (module(&path), path.strip_prefix(&root).unwrap().to_owned(), code(&path)))
        .filter(|(module, _, _)| !matches!(module.as_str(), "lib" | "main"))
        .collect()
}

/// The modules of the crate that some code names: `crate::a::…`, and `use crate::{a::…, b::…}`.
fn named(code: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let mut names = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let Some(list) = after.strip_prefix('{') else {
            names.insert(word(after));
            continue;
        };
        let (mut depth, mut begins) = (1, true);
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => begins = true,
                _ if begins && c.is_ascii_alphabetic() => {
                    names.insert(word(&list[at..]));
                    begins = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    names
}

#[test]
fn every_module_names_only_those_below_it() {
    let allowed: BTreeMap<_, _> = LAYERS.into_iter().collect();
    let mut breaches = Vec::new();
    for (module, path, code) in files() {
        let Some(below) = allowed.get(module.as_str()) else {
            breaches.push(format!("{}: the module {module} is in no layer", path.display()));
            continue;
        };
        for name in named(&code) {
            // A test may want to stop the program anywhere, and files are written in several places.
            if !["durable", "failpoint"].contains(&name.as_str())
                && name != module
                && !below.contains(&name.as_str())
            {
                breaches.push(format!("{}: {module} names {name}", path.display()));
            }
        }
    }
    assert_eq!(breaches, Vec::<String>::new());
}

/// What only some places may hold, and which: `(text, where, what for)`.
const ONLY: [(&[&str], &[&str], &str); 9] = [
    (
        &["aws_sdk_", "aws_config", "aws_smithy"],
        &["aws", "table/dynamodb", "store/s3"],
        "SDK types stay behind the interfaces",
    ),
    (&["rusqlite"], &["table/sqlite"], "so does SQLite"),
    (&["backoff::"], &["retry.rs"], "one place would replace the crate"),
    (&["sleep("], &["retry.rs"], "one place sleeps between tries"),
    (&["println!", "print!(", "eprintln!", "stdout()", "stderr()"], &["cli"], "only the command line prints"),
    (
        &["env::var", "env::temp_dir", "env::home_dir", "env::current_dir"],
        &["cli"],
        "only the command line reads the environment",
    ),
    (
        &["sync_all(", "sync_data(", ".persist(", "persist_noclobber(", "fs::rename("],
        &["durable.rs"],
        "what makes files durable is in one place, where a test sees its order",
    ),
    (
        &[".transact("],
        &["ledger/snapshot/coverage.rs", "ledger/audit.rs", "table"],
        "a transaction is sent where it is checked against what it was decided on; repairs are decided on a whole log",
    ),
    (&["process::exit"], &["cli"], "a library never ends the process"),
];

#[test]
fn what_belongs_to_one_place_is_nowhere_else() {
    let mut breaches = Vec::new();
    for (_, path, code) in files() {
        for (texts, places, what_for) in ONLY {
            let at_home = places.iter().any(|place| path.to_string_lossy().starts_with(place));
            for text in texts.iter().filter(|text| !at_home && code.contains(**text)) {
                breaches.push(format!("{} holds {text}: {what_for}", path.display()));
            }
        }
    }
    assert_eq!(breaches, Vec::<String>::new());
}

#[test]
fn no_file_outgrows_a_reader() {
    const MOST: usize = 450;
    let long: Vec<_> = files()
        .into_iter()
        .map(|(_, path, _)| path)
        .filter(|path| {
            let text =
                fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path)).unwrap();
            text.lines().count() > MOST
        })
        .collect();
    assert_eq!(long, Vec::<PathBuf>::new());
}

#[test]
fn the_reader_of_names_reads_them_all() {
    let code = "use crate::{a::{b, c}, d, e::f::{g}};\nlet x = crate::h::i();";
    let expected = ["a", "d", "e", "h"].map(str::to_owned).into();
    assert_eq!(named(code), expected);
}
