//! The layers of `ARCHITECTURE.md`: modules name only those below them, as read from the source itself.

mod imports;

use imports::{Crate, circles};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Each module of the crate, and the modules that it may name.
const LAYERS: [(&str, &[&str]); 16] = [
    ("blocking", &[]),
    ("durable", &[]),
    ("endpoint", &[]),
    ("failpoint", &[]),
    ("model", &[]),
    ("tls", &[]),
    ("fault", &[]),
    ("clock", &["model"]),
    ("retry", &["fault"]),
    ("aws", &["clock", "endpoint", "fault", "model", "retry"]),
    ("table", &["aws", "clock", "endpoint", "fault", "model", "retry", "tls"]),
    ("store", &["aws", "clock", "fault", "model", "retry"]),
    ("ledger", &["aws", "clock", "fault", "model", "retry", "table"]),
    ("ops", &["aws", "fault", "ledger", "location", "model", "retry", "store"]),
    ("location", &["aws", "endpoint", "fault", "ledger", "retry", "store", "table"]),
    ("cli", &["aws", "endpoint", "fault", "ledger", "location", "model", "ops", "retry", "store", "tls"]),
];

fn sources(under: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // Generated sources are not checked.
            if !path.ends_with("target") {
                sources(&path, found);
            }
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
    let mut violations = Vec::new();
    for (module, path, code) in files() {
        let Some(below) = allowed.get(module.as_str()) else {
            violations.push(format!("{}: the module {module} is in no layer", path.display()));
            continue;
        };
        for name in named(&code) {
            // A test may want to stop the program anywhere, and files are written in several places.
            if !["blocking", "durable", "failpoint"].contains(&name.as_str())
                && name != module
                && !below.contains(&name.as_str())
            {
                violations.push(format!("{}: {module} names {name}", path.display()));
            }
        }
    }
    assert_eq!(violations, Vec::<String>::new());
}

/// Text that only some places may hold: `(text, places, reason)`.
const ONLY: [(&[&str], &[&str], &str); 14] = [
    (
        &["aws_sdk_", "aws_config", "aws_smithy"],
        &["aws", "table/dynamodb", "store/s3", "store/azure", "store/body.rs", "store/received.rs"],
        "SDK types stay behind the interfaces",
    ),
    (&["rusqlite"], &["table/sqlite"], "so does SQLite"),
    (&["zookeeper_client"], &["table/zookeeper"], "so does ZooKeeper"),
    (&["tokio_postgres"], &["table/postgres"], "and PostgreSQL"),
    (&["opentelemetry", "hyper_rustls"], &["cli/otlp"], "one place sends traces, in builds with the feature"),
    (&["backoff::"], &["retry"], "one place would replace the crate"),
    (&["sleep("], &["retry"], "one place sleeps between tries"),
    (&["println!", "print!(", "eprintln!", "stdout()", "stderr()"], &["cli"], "only the command line prints"),
    (
        &["env::var", "env::home_dir", "env::current_dir"],
        &["cli", "table/postgres/standard.rs"],
        "only the command line reads the environment, and what reads the standard variables of PostgreSQL, as an SDK does",
    ),
    (
        &["aws::Aws", "open_store(", "open_ledger("],
        &["aws", "location", "ops/open.rs", "cli", "store/azure"],
        "operations use a ledger and a store that are open, whatever they are; one place opens them; Azure is spoken to by the HTTP client of `aws`",
    ),
    (
        &["env::temp_dir"],
        &["ops/open.rs"],
        "only the default of a client that is opened without a directory for temporary files",
    ),
    (
        &["sync_all(", "sync_data(", ".persist(", "persist_noclobber(", "fs::rename("],
        &["durable.rs"],
        "what makes files durable is in one place, where a test sees its order",
    ),
    (
        &[".transact("],
        &["ledger/snapshot/coverage.rs", "ledger/maintenance/audit.rs", "table"],
        "a transaction is sent where it is checked against what it was decided on; repairs are decided on a whole log",
    ),
    (&["process::exit"], &["cli"], "a library never ends the process"),
];

#[test]
fn what_belongs_to_one_place_is_nowhere_else() {
    let mut violations = Vec::new();
    for (_, path, code) in files() {
        for (texts, places, what_for) in ONLY {
            let at_home = places.iter().any(|place| path.to_string_lossy().starts_with(place));
            for text in texts.iter().filter(|text| !at_home && code.contains(**text)) {
                violations.push(format!("{} holds {text}: {what_for}", path.display()));
            }
        }
    }
    assert_eq!(violations, Vec::<String>::new());
}

#[test]
fn the_code_map_has_a_row_for_each_module() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let page = fs::read_to_string(page).unwrap();
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `src/")).collect();
    let has_row = |module: &&str| {
        let names = [format!("`src/{module}.rs`"), format!("`src/{module}/`")];
        rows.iter().any(|row| names.iter().any(|name| row.contains(name.as_str())))
    };
    let missing: Vec<_> =
        LAYERS.iter().map(|(module, _)| *module).filter(|module| !has_row(module)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

/// The files of the crate, and what each names, without unit tests.
fn imported() -> Crate {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut paths, mut read) = (Vec::new(), Vec::new());
    sources(&root, &mut paths);
    for path in paths {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        let is_tests = name.ends_with("/tests.rs") || name.contains("/tests/");
        if !is_tests && name != "main.rs" {
            read.push((name, code(&path)));
        }
    }
    Crate::read(read.iter().map(|(name, code)| (name.as_str(), code.as_str())))
}

#[test]
fn no_files_name_each_other_in_a_circle() {
    let read = imported();
    let graph = read.graph();
    let arrows: usize = graph.values().map(BTreeSet::len).sum();
    assert!(arrows > 500, "the imports were not found: {arrows}");
    assert_eq!(circles(&graph), Vec::<BTreeSet<&str>>::new());
}

/// The rooms of the ledger, from the top floor down. A room names those on floors below its own, and no other.
const FLOORS: [&[&str]; 13] = [
    &["mod.rs", "fuzzing.rs"],
    &["api.rs", "weak_s3"],
    &["contract"],
    &["changes", "maintenance", "transfer"],
    &["engine"],
    &["reads"],
    &["outcomes"],
    &["identity.rs"],
    &["table_ledger.rs"],
    &["snapshot"],
    &["schema", "clock.rs"],
    &["error"],
    &["requests"],
];

/// The room of the ledger that a file is in, and its floor.
fn room(file: &str) -> Option<(&str, usize)> {
    let inside = file.strip_prefix("ledger/")?;
    let of = |name: &&str| {
        inside == *name || inside.strip_prefix(*name).is_some_and(|at| at.starts_with(['.', '/']))
    };
    let floor = FLOORS.iter().position(|floor| floor.iter().any(&of));
    let floor = floor.unwrap_or_else(|| panic!("{file} is in no room"));
    let name = FLOORS[floor].iter().find(|name| of(name))?;
    Some((name, FLOORS.len() - floor))
}

#[test]
fn every_room_of_the_ledger_names_only_those_below_it() {
    let read = imported();
    let mut violations = Vec::new();
    for (file, names) in read.graph() {
        for name in names {
            let (Some((from, floor)), Some((to, below))) = (room(file), room(name)) else { continue };
            if from != to && floor <= below {
                violations.push(format!("{file} names {name}"));
            }
        }
    }
    assert_eq!(violations, Vec::<String>::new());
}

/// The most lines of a file, and the folders that are checked.
const MOST_LINES: (usize, [&str; 4]) = (400, ["src", "tests", "benches", "fuzz"]);
/// The most lines of a function, without its comments.
const MOST_OF_A_FUNCTION: usize = 70;

#[test]
fn no_file_outgrows_a_reader() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut long = Vec::new();
    let (most, folders) = MOST_LINES;
    for folder in folders {
        let mut paths = Vec::new();
        sources(&root.join(folder), &mut paths);
        long.extend(paths.into_iter().filter(|path| {
            let text = fs::read_to_string(path).unwrap();
            text.lines().count() > most
        }));
    }
    assert_eq!(long, Vec::<PathBuf>::new());
}

/// The names of the functions of some code that have more lines than that.
fn long_functions(code: &str, most: usize) -> Vec<String> {
    let lines: Vec<_> = code.lines().filter(|line| !line.trim().is_empty()).collect();
    let mut long = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let begins = line.trim_start();
        let before = begins.split("fn ").next().unwrap_or_default();
        let is_function = begins.contains("fn ")
            && before.split_whitespace().all(|word| {
                word.starts_with("pub")
                    || ["async", "const", "crate)", "in", "super)"].contains(&word)
                    || word.ends_with(')')
            });
        if !is_function || begins.ends_with(';') {
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - begins.len()]);
        let length = lines[at..].iter().position(|line| *line == end).map_or(1, |last| last + 1);
        if length > most {
            long.push(begins.to_owned());
        }
    }
    long
}

#[test]
fn no_function_outgrows_a_reader() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in MOST_LINES.1 {
        sources(&root.join(folder), &mut paths);
    }
    let src = root.join("src");
    let read = paths.iter().filter(|path| !(path.starts_with(&src) && path.ends_with("tests.rs")));
    let long = read.flat_map(|path| {
        let long = long_functions(&code(path), MOST_OF_A_FUNCTION);
        long.into_iter().map(move |function| format!("{}: {function}", path.display()))
    });
    assert_eq!(long.collect::<Vec<_>>(), Vec::<String>::new());
    let code = "    pub(super) async fn long(\n    ) {\n        a;\n\n        b;\n    }\n    fn short() {}\n";
    assert_eq!(long_functions(code, 4), ["pub(super) async fn long("]);
    assert_eq!(long_functions(code, 5), Vec::<String>::new());
}

#[test]
fn the_reader_of_names_reads_them_all() {
    let code = "use crate::{a::{b, c}, d, e::f::{g}};\nlet x = crate::h::i();";
    let expected = ["a", "d", "e", "h"].map(str::to_owned).into();
    assert_eq!(named(code), expected);
}
