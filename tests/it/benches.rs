//! The scripts of `benches/`, without their measurements.

use std::{fs, path::Path, process::Command};

/// The help is printed before anything is installed or built: the copy lacks the means for both.
#[test]
fn the_help_of_the_comparison_is_printed_at_once() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir_all(copy.path().join("benches/compare")).unwrap();
    for file in ["benches/run", "benches/compare/rows.py"] {
        fs::copy(project.join(file), copy.path().join(file)).unwrap();
    }
    let rows = fs::read_to_string(project.join("benches/compare/rows.py")).unwrap();
    let rows: Vec<_> =
        rows.lines().filter_map(|line| line.strip_prefix("    name = \"")?.strip_suffix('"')).collect();
    for arguments in [&["--help"][..], &["-h"], &["--rounds", "3", "--help"]] {
        let output =
            Command::new("bash").arg(copy.path().join("benches/run")).args(arguments).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{arguments:?}: {:?}", String::from_utf8_lossy(&output.stderr));
        assert!(printed.starts_with("usage: benches/run [--rounds N] [ROW...]\n"), "{printed}");
        let all = rows.iter().filter(|row| !row.is_empty()).copied().collect::<Vec<_>>().join(" ");
        assert!(all.contains("download") && printed.contains(&all), "{printed}");
    }
}
