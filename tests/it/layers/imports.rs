//! The files of `src/` that each file names, read from the paths in its code.
//!
//! A path is followed to the file that defines what it names: through modules, and through what a module imports
//! under that name, such as the re-exports of a `mod.rs`. A `mod` declaration is no import. Unit tests are left out.

use std::collections::{BTreeMap, BTreeSet};

/// The path of a module, or of something in it, from the root of the crate.
type Path = Vec<String>;

/// A file of the crate, as far as names go.
#[derive(Debug, Default)]
struct Module {
    file: String,
    /// The paths that it imports, by the name that each has here.
    imports: BTreeMap<String, Path>,
    /// All paths that its code names, as they stand.
    named: BTreeSet<Path>,
}

/// The files of a crate and what they name.
#[derive(Debug, Default)]
pub struct Crate(BTreeMap<Path, Module>);

impl Crate {
    /// Reads files: their names relative to `src`, and their code without comments and unit tests.
    pub fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let files: Vec<_> = files.into_iter().map(|(file, code)| (module_of(file), file, code)).collect();
        let all: BTreeSet<Path> = files.iter().map(|(module, _, _)| module.clone()).collect();
        let read = |(module, file, code): (Path, &str, &str)| {
            let mut read = Module { file: file.to_owned(), ..Module::default() };
            let children = all.iter().filter(|it| it.split_last().is_some_and(|(_, of)| *of == module));
            let children: BTreeSet<&str> = children.filter_map(|it| it.last()).map(String::as_str).collect();
            let begins =
                |first: &str| ["crate", "self", "super"].contains(&first) || children.contains(first);
            let (uses, rest) = split(code);
            for (path, name) in uses.iter().flat_map(|tree| leaves(tree)).filter(|(path, _)| begins(&path[0]))
            {
                let path = absolute(&module, path);
                read.imports.insert(name, path.clone());
                // Of a module that is imported, what is used counts.
                if !all.contains(&path) {
                    read.named.insert(path);
                }
            }
            for path in paths(&rest) {
                if let Some(import) = read.imports.get(&path[0]) {
                    read.named.insert(import.iter().chain(&path[1..]).cloned().collect());
                } else if begins(&path[0]) {
                    read.named.insert(absolute(&module, path));
                }
            }
            (module, read)
        };
        Self(files.into_iter().map(read).collect())
    }

    /// The files that each file names, itself left out.
    pub fn graph(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let of = |module: &Module| {
            let named = module.named.iter().filter_map(|path| self.file(path, 0));
            named.filter(|file| *file != module.file).collect()
        };
        self.0.values().map(|module| (&*module.file, of(module))).collect()
    }

    /// The file that defines what a path names.
    fn file(&self, path: &[String], steps: usize) -> Option<&str> {
        assert!(steps < 20, "{path:?} leads round");
        // The longest part of it that is a module.
        let depth = (0..=path.len()).rev().find(|depth| self.0.contains_key(&path[..*depth]))?;
        let module = &self.0[&path[..depth]];
        match path.get(depth).and_then(|name| module.imports.get(name)) {
            Some(import) => {
                let rest = path[depth + 1..].iter().cloned();
                self.file(&import.iter().cloned().chain(rest).collect::<Path>(), steps + 1)
            }
            None => Some(&module.file),
        }
    }
}

/// The groups of files, or of other nodes, that reach each other: none, if there is no circle.
pub fn circles<'a>(graph: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Vec<BTreeSet<&'a str>> {
    let reach = |from: &'a str| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(at) = open.pop() {
            open.extend(graph.get(at).into_iter().flatten().copied().filter(|next| reached.insert(*next)));
        }
        reached
    };
    let reached: BTreeMap<&str, _> = graph.keys().map(|from| (*from, reach(from))).collect();
    let mutual = |a: &'a str| {
        let back = |b: &&&str| reached.get(**b).is_some_and(|of_b| of_b.contains(a));
        reached[a].iter().filter(back).copied().collect::<BTreeSet<&str>>()
    };
    let found: BTreeSet<_> =
        graph.keys().map(|from| mutual(from)).filter(|circle| !circle.is_empty()).collect();
    found.into_iter().collect()
}

/// The module that a file is.
fn module_of(file: &str) -> Path {
    let file = file.trim_end_matches(".rs");
    let file = file.strip_suffix("/mod").unwrap_or(file);
    if file == "lib" { Path::new() } else { file.split('/').map(str::to_owned).collect() }
}

/// A path from the root of the crate.
fn absolute(module: &[String], path: Path) -> Path {
    let mut from = module.to_vec();
    let mut rest = path.into_iter().peekable();
    while let Some(word) = rest.next_if(|word| ["crate", "self", "super"].contains(&word.as_str())) {
        match word.as_str() {
            "crate" => from.clear(),
            "super" => drop(from.pop()),
            _ => {}
        }
    }
    from.extend(rest);
    from
}

/// The trees of all `use`, and the code without them.
fn split(code: &str) -> (Vec<String>, String) {
    let (mut uses, mut rest) = (Vec::new(), String::new());
    // A visibility is no use of the module that it names.
    let code: String = code
        .split("(in ")
        .map(|part| {
            part.split_once(')').filter(|(path, _)| !path.contains(' ')).map_or(part, |(_, after)| after)
        })
        .collect();
    let mut left = &*code;
    while let Some(at) = left.find("use ") {
        let (before, after) = left.split_at(at);
        rest.push_str(before);
        // The word occurs in text, too.
        let visibility = before.rsplit('\n').next().unwrap_or_default().trim();
        let opens = visibility.is_empty() || visibility.starts_with("pub");
        let end = after.find(';').filter(|_| opens);
        let Some(end) = end else {
            rest.push_str("use ");
            left = &after["use ".len()..];
            continue;
        };
        uses.push(after["use ".len()..end].to_owned());
        left = &after[end..];
    }
    rest.push_str(left);
    (uses, rest)
}

/// Each path of a tree of a `use`, and the name that what it leads to has then.
fn leaves(tree: &str) -> Vec<(Path, String)> {
    let tree = tree.trim();
    if let Some((prefix, list)) = tree.split_once('{') {
        let prefix: Path = words(prefix);
        let list = list.trim_end().strip_suffix('}').expect("a list ends");
        let (mut depth, mut begins, mut parts) = (0, 0, Vec::new());
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    parts.push(&list[begins..at]);
                    begins = at + 1;
                }
                _ => {}
            }
        }
        parts.push(&list[begins..]);
        let parts = parts.into_iter().filter(|part| !part.trim().is_empty()).flat_map(leaves);
        return parts.map(|(path, name)| joined(&prefix, path, name)).collect();
    }
    let (path, renamed) = tree.split_once(" as ").map_or((tree, None), |(path, name)| (path, Some(name)));
    let path = words(path);
    let name =
        renamed.map_or_else(|| path.last().cloned().unwrap_or_default(), |name| name.trim().to_owned());
    vec![(path, name)]
}

fn joined(prefix: &[String], path: Path, name: String) -> (Path, String) {
    // `a::{self}` is `a`.
    let is_self = path == ["self"] && !prefix.is_empty();
    let whole: Path = prefix.iter().cloned().chain(path.into_iter().filter(|_| !is_self)).collect();
    let name = if is_self && name == "self" { whole.last().cloned().unwrap_or_default() } else { name };
    (whole, name)
}

fn words(path: &str) -> Path {
    path.split("::")
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty() && word != "*")
        .collect()
}

/// All paths of more than one word in some code.
fn paths(code: &str) -> BTreeSet<Path> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = BTreeSet::new();
    for text in code.split(|c: char| !is_word(c) && c != ':') {
        let path = words(text);
        // `::name` goes on from something else, such as `<T>`; `name:` says a type.
        if text.contains("::") && !text.starts_with(':') {
            found.insert(path);
        }
    }
    found
}

#[test]
fn a_path_is_followed_to_the_file_that_defines_what_it_names() {
    let read = Crate::read([
        ("lib.rs", "pub mod a; pub mod d;\npub use a::Thing;"),
        ("a/mod.rs", "mod b;\nmod c;\npub use b::{Thing, other as renamed};"),
        ("a/b.rs", "pub struct Thing;"),
        ("a/c.rs", "use super::{Thing, renamed,};\nfn f() { super::b::Thing::new(); std::mem::take(x) }"),
        (
            "d.rs",
            "use crate::{a::{self, renamed}, e::{g::{h}}};\npub(in crate::a) fn because_of() { a::Thing::new() }",
        ),
        ("e.rs", "mod g;\nfn f() { g::h() }"),
        ("e/g.rs", "use super::f;"),
    ]);
    let expected = [
        ("a/b.rs", vec![]),
        ("a/c.rs", vec!["a/b.rs"]),
        ("a/mod.rs", vec!["a/b.rs"]),
        ("d.rs", vec!["a/b.rs", "e/g.rs"]),
        ("e.rs", vec!["e/g.rs"]),
        ("e/g.rs", vec!["e.rs"]),
        ("lib.rs", vec!["a/b.rs"]),
    ];
    let expected: BTreeMap<_, BTreeSet<_>> =
        expected.into_iter().map(|(file, names)| (file, names.into_iter().collect())).collect();
    assert_eq!(read.graph(), expected);
    assert_eq!(circles(&read.graph()), [["e.rs", "e/g.rs"].into()]);
}
