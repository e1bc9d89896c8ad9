//! The words of the project: which ones its text avoids, and how a doc comment begins.
//!
//! The text is read by engineers all over the world, so idioms and words with several meanings are left out.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The words and phrases that no text of the project uses. Each matches whole words, in any case.
const AVOIDED: [&str; 30] = [
    "tell",
    "tells",
    "told",
    "telling",
    "come of",
    "comes of",
    "came of",
    "go on with",
    "goes on with",
    "going on with",
    "gone on with",
    "went on with",
    "ride out",
    "rides out",
    "riding out",
    "ridden out",
    "rode out",
    "mend",
    "mends",
    "mended",
    "mending",
    "whoever",
    "so many",
    "for ever",
    "anew",
    "to and fro",
    "beside",
    "see to",
    "sees to",
    "teller",
];

/// The words that no doc comment begins with: a subject and a verb, or a noun phrase, comes first.
const NOT_FIRST: [&str; 13] =
    ["What", "Whether", "Who", "That", "Those", "Of", "Which", "How", "Where", "When", "So", "And", "But"];

/// Text that is left out before a file is read, with the reason.
const EXCEPTIONS: [(&str, &str); 4] = [
    ("\"mended\"", "a name in the JSON that `fsck` prints, which scripts read"),
    ("\\\"mended\\\"", "the same name inside a string"),
    ("`mended`", "the same name in a sentence about it"),
    ("`summary.mended`", "the same name in the list of fields"),
];

/// Files that name the words in order to forbid them.
const LISTS: [&str; 2] = ["tests/it/words.rs", "CONTRIBUTING.md"];

/// Folders and files whose words are checked. The pages at the top of the project are added to them.
const CHECKED: [&str; 12] = [
    "src",
    "tests",
    "benches",
    "fuzz",
    "docs",
    "schema",
    "infra",
    "scripts",
    "ci",
    "templates",
    ".justfile",
    ".ci",
];

/// Folders whose doc comments are checked.
const COMMENTED: [&str; 4] = ["src", "tests", "benches", "fuzz"];

/// A finding: its line, counted from 1, and the words.
type Finding = (usize, String);

/// The words of a text in lower case, with their lines. An entry `None` ends a phrase.
///
/// Names are split: `comes_of` and `ComesOf` are two words.
fn words(text: &str) -> Vec<Option<(usize, String)>> {
    let mut found: Vec<Option<(usize, String)>> = Vec::new();
    let (mut line, mut word, mut previous) = (1, String::new(), ' ');
    for c in text.chars().chain([' ']) {
        let is_hump = c.is_uppercase() && previous.is_lowercase();
        if (!c.is_alphanumeric() || is_hump) && !word.is_empty() {
            found.push(Some((line, std::mem::take(&mut word))));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        } else if !c.is_whitespace() && !"_/!#*`\\".contains(c) {
            found.push(None);
        }
        line += usize::from(c == '\n');
        previous = c;
    }
    found
}

/// The avoided words and phrases in a text.
fn avoided(text: &str) -> Vec<Finding> {
    let text =
        EXCEPTIONS.iter().fold(text.to_owned(), |text, (exception, _)| text.replace(exception, "\"\""));
    let words = words(&text);
    let phrases: Vec<Vec<&str>> = AVOIDED.iter().map(|phrase| phrase.split(' ').collect()).collect();
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some((line, _)) = word else { continue };
        for phrase in &phrases {
            let here = words[at..].iter().take(phrase.len());
            let here: Option<Vec<&str>> =
                here.map(|word| word.as_ref().map(|(_, word)| word.as_str())).collect();
            if here.as_ref() == Some(phrase) {
                found.push((*line, phrase.join(" ")));
            }
        }
    }
    found
}

/// The doc comments of some code that begin with a word that no doc comment begins with.
fn badly_begun(code: &str) -> Vec<Finding> {
    let comment = |line: &str| {
        let line = line.trim_start();
        let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))?;
        Some(text.trim_start().to_owned())
    };
    let (mut found, mut inside) = (Vec::new(), false);
    for (at, line) in code.lines().enumerate() {
        let text = comment(line);
        if let (Some(text), false) = (&text, inside) {
            let word: String = text.chars().take_while(|c| c.is_alphabetic()).collect();
            if NOT_FIRST.contains(&word.as_str()) {
                found.push((at + 1, text.clone()));
            }
        }
        inside = text.is_some();
    }
    found
}

/// The files under a path, relative to the project, that hold text written by people.
fn files(project: &Path, under: &str) -> Vec<PathBuf> {
    let path = project.join(under);
    if path.is_file() {
        return vec![PathBuf::from(under)];
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(&path).unwrap_or_else(|error| panic!("{under}: {error}")) {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        // Built, generated, or random.
        if !["target", "corpus", "artifacts", "coverage", "__pycache__", ".terraform"]
            .contains(&name.as_str())
            && Path::new(&name).extension().is_none_or(|extension| extension != "lock")
        {
            found.extend(files(project, &format!("{under}/{name}")));
        }
    }
    found
}

/// Checks the text under some paths. Fails with every finding, and with their number in each folder.
fn check(paths: &[String], find: fn(&str) -> Vec<Finding>, rust_only: bool) {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut read, mut findings) = (0, Vec::new());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for path in paths {
        for file in files(project, path) {
            let shown = file.to_string_lossy().replace('\\', "/");
            let is_rust = file.extension().is_some_and(|extension| extension == "rs");
            // A file that is no text has no words.
            let Ok(text) = fs::read_to_string(project.join(&file)) else { continue };
            read += 1;
            if LISTS.contains(&shown.as_str()) || rust_only && !is_rust {
                continue;
            }
            for (line, what) in find(&text) {
                findings.push(format!("{shown}:{line}: {what}"));
                *counts.entry(path).or_default() += 1;
            }
        }
    }
    assert!(read > 300, "the files were not found: {read}");
    assert!(findings.is_empty(), "{}\n{counts:?}", findings.join("\n"));
}

#[test]
fn no_text_uses_an_avoided_word() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> = CHECKED.map(str::to_owned).into();
    for entry in fs::read_dir(project).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            paths.push(name);
        }
    }
    for page in ["README.md", "ARCHITECTURE.md", "SECURITY.md", "CHANGELOG.md"] {
        assert!(paths.iter().any(|path| path == page), "{page} was not found");
    }
    check(&paths, avoided, false);
}

#[test]
fn every_doc_comment_begins_with_its_subject() {
    check(&COMMENTED.map(str::to_owned), badly_begun, true);
}

#[test]
fn avoided_words_are_found_in_prose_names_and_across_lines() {
    let found = |text: &str| avoided(text).into_iter().map(|(_, words)| words).collect::<Vec<_>>();
    assert_eq!(found("It Tells all, as told_of and ToldOf say."), ["tells", "told", "told"]);
    assert_eq!(found("fn what_comes_of_it() { ComesOf }"), ["comes of", "comes of"]);
    assert_eq!(avoided("/// one\n/// goes on\n    /// with it"), [(2, "goes on with".to_owned())]);
    assert_eq!(avoided("first\nbeside\nanew"), [(2, "beside".to_owned()), (3, "anew".to_owned())]);
    // Parts of words, and words on both sides of a mark.
    assert_eq!(found("besides, intellectual, amend, stellar; see tools; come. Of it; so, many"), [""; 0]);
    assert_eq!(found(r#"{"mended":0} "{\"mended\":0}" `mended` mended"#), ["mended"]);
}

#[test]
fn only_the_first_word_of_a_doc_comment_counts() {
    let code =
        "/// What it is.\n/// Which follows.\nfn f() {}\n    //! Whether.\n// What a plain comment says.\n";
    assert_eq!(badly_begun(code), [(1, "What it is.".to_owned()), (4, "Whether.".to_owned())]);
    let code = "/// The digest.\n///\n/// When it is known.\nfn f() {}\n/// Sorted.\n/// `So` is a name.\n\n/// Whatever.\n";
    assert_eq!(badly_begun(code), []);
    assert_eq!(badly_begun("a\n/// So.\nb\n\n///What.\n").len(), 2);
}
