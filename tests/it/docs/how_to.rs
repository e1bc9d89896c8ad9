//! The pages of `docs/how-to/`: their commands are run, as those of `docs/workflows/`.

use super::workflows::check;
use crate::support::{places, sandbox::Sandbox};
use std::{fs, path::Path};

/// Puts a file of the project where a page names it.
fn put(sandbox: &Sandbox, from: &str, to: &str) {
    let path = sandbox.path(to);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(from), path).unwrap();
}

#[test]
fn by_hand() {
    check("../how-to/README.md", places::directory, |sandbox| put(sandbox, "ci/publish.sh", "ci/publish.sh"));
}

#[test]
fn terraform() {
    let program = "infra/modules/version/version.py";
    check("../how-to/terraform.md", places::directory, |sandbox| put(sandbox, program, "version.py"));
}

#[test]
fn each_page_is_listed_and_its_commands_are_run() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/how-to");
    let list = fs::read_to_string(dir.join("README.md")).unwrap();
    let mut pages = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        assert!(name == "README.md" || list.contains(&format!("({name})")), "{name} is not listed");
        let page = fs::read_to_string(entry.path()).unwrap();
        let run = include_str!("how_to.rs").contains(&format!("check(\"../how-to/{name}\""));
        assert_eq!(run, page.contains("```console"), "{name}");
        pages += 1;
    }
    assert!(pages > 5);
}
