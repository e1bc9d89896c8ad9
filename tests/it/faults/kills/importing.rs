//! Imports from other programs under kills: the next run continues, and no number is given twice or to another file.

use super::{PLACES, World};
use std::fs;

/// The steps of an import, and how often each is passed before the kill.
const STEPS: [(&str, usize); 8] = [
    ("add-hashed", 1),
    ("add-uploaded", 0),
    ("commit-planned", 2),
    ("commit-answered", 2),
    ("import-added", 0),
    ("import-added", 1),
    ("import-deleted", 0),
    ("import-tagged", 0),
];

#[test]
fn each_step_of_an_import_from_another_program() {
    for place in PLACES {
        let world = World::new(place);
        let sandbox = &world.sandbox;
        fs::create_dir(sandbox.path("objects")).unwrap();
        for (number, (step, times)) in STEPS.into_iter().enumerate() {
            let package = format!("app{number}");
            // Of the numbers 1 to 4, 2 has no version, and the object of 3 is lost.
            let mut items = Vec::new();
            for number in [1, 3, 4] {
                let content = format!("{package} {number}");
                let sha256 = crate::support::world::sha256(&content);
                if number != 3 {
                    sandbox.write(&format!("objects/{sha256}"), &content);
                }
                items.push(serde_json::json!({
                    "package_name": package, "version": number, "sha": sha256.as_str(), "basename": "f",
                }));
            }
            sandbox.write("table", serde_json::to_vec(&items).unwrap());
            let tag = serde_json::json!([{"package_name": package, "tag": "live", "version": 4}]);
            sandbox.write("tags", tag.to_string());
            let arguments = [
                "import",
                "table",
                "--from",
                "python-sacker",
                "--tags",
                "tags",
                "--blobs",
                "objects",
                "--json",
                "-q",
                "--jobs=1",
            ];
            world.killed_after(times, step, &arguments);
            sandbox.ok(&arguments);
            let history = sandbox.ok(&["history", &package]);
            sandbox.ok(&arguments);
            assert_eq!(sandbox.ok(&["history", &package]), history, "{step} {times}");
            for (version, code) in [("1", "exit 0"), ("2", "exit 4"), ("3", "exit 4"), ("4", "exit 0")] {
                let run = sandbox.run(&["info", &package, version]);
                assert!(run.starts_with(code), "{step} {times}: {version}: {run}");
            }
            assert!(sandbox.ok(&["tags", &package]).contains("live          4"), "{step} {times}");
            // Below the names of the columns: four versions, of which two are deleted, and a tag.
            assert_eq!(history.lines().count(), 8, "{step} {times}: {history}");
            assert_eq!(sandbox.ok(&["add", &package, "table", "-q"]), "5\n", "{step} {times}");
        }
        world.is_sound();
    }
}
