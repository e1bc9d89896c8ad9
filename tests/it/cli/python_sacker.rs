//! `import --from python-sacker`: the tables of the original sacker.

use crate::support::{sandbox::Sandbox, world::sha256};
use serde_json::{Value, json};
use std::fs;

/// Makes the output of a scan, with DynamoDB's types.
fn scan(items: &[Value]) -> String {
    let typed = |value: &Value| match value {
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), json!({"S": value})));
            json!({"M": fields.collect::<serde_json::Map<_, _>>()})
        }
        value => json!({"S": value}),
    };
    let item = |item: &Value| -> Value {
        item.as_object().unwrap().iter().map(|(name, value)| (name.clone(), typed(value))).collect()
    };
    json!({"Items": items.iter().map(item).collect::<Vec<_>>(), "Count": items.len()}).to_string()
}

fn version(package: &str, version: u64, content: &str) -> Value {
    json!({
        "package_name": package, "version": version, "basename": format!("{content}.bin"),
        "sha": sha256(content).as_str(), "mode": 0o755, "metadata": {"commit": "1f3"},
    })
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("objects")).unwrap();
    for content in ["one", "two", "five"] {
        sandbox.write(&format!("objects/{}", sha256(content)), content);
    }
    let mut odd = version("web", 1, "one");
    odd["metadata"] = "{\"a b\": \"not a name\", \"n\": 7}".into();
    odd["mode"] = "rwx".into();
    let versions = [
        version("app", 5, "five"),
        version("app", 1, "one"),
        version("app", 2, "two"),
        version("app", 2, "one"),
        version("app", 4, "lost"),
        odd,
        version("no name!", 1, "one"),
    ];
    sandbox.write("table.json", scan(&versions));
    let tag = |tag: &str, version: u64| json!({"package_name": "app", "tag": tag, "version": version});
    sandbox.write(
        "tags.json",
        scan(&[tag("live", 2), tag("canary", 5), tag("lost", 4), tag("none", 1), tag("old", 9)]),
    );
    sandbox
}

const IMPORT: [&str; 8] =
    ["import", "table.json", "--from", "python-sacker", "--tags", "tags.json", "--blobs", "objects"];

#[test]
fn numbers_tags_and_metadata_are_carried() {
    let sandbox = sandbox();
    let dry = sandbox.run(&[&IMPORT[..], &["-n"]].concat());
    assert!(dry.contains("1| app: 5 versions, 3 events"), "{dry}");
    assert!(!sandbox.data().exists());
    let imported = sandbox.run(&IMPORT);
    for part in [
        "exit 0\n",
        "app: 1 of 5 numbers have no version; they become deleted versions",
        "app 4 becomes a deleted version: its file objects/",
        "a version is left out: package name \"no name!\"",
        "a version is left out: the number is given twice",
        "a tag is left out: tag \"none\"",
        "a tag is left out: there is no such version",
        "web 1: the mode \"rwx\" is not carried",
        "web 1: the metadata a b is not carried",
        "the tag lost of app is not on 4",
    ] {
        assert!(imported.contains(part), "{part}: {imported}");
    }
    let shown: Value = serde_json::from_str(&sandbox.ok(&["info", "app", "2", "--json"])).unwrap();
    assert_eq!(
        (&shown["filename"], &shown["mode"], &shown["labels"], &shown["tags"]),
        (&json!("two.bin"), &json!("0755"), &json!({"commit": "1f3"}), &json!(["live"]))
    );
    for deleted in ["3", "4"] {
        assert!(sandbox.run(&["info", "app", deleted]).starts_with("exit 4"));
    }
    let web: Value = serde_json::from_str(&sandbox.ok(&["info", "web", "1", "--json"])).unwrap();
    assert_eq!(web["labels"], json!({"n": "7"}));
    assert!(sandbox.ok(&["tags", "app"]).contains("canary        5"));
    // Again: nothing changes, and the next number follows.
    let history = sandbox.ok(&["history", "app"]);
    sandbox.ok(&IMPORT);
    assert_eq!(sandbox.ok(&["history", "app"]), history);
    assert_eq!(sandbox.ok(&["fsck", "--read-data", "-q"]), "");
    assert_eq!(sandbox.ok(&["add", "app", "table.json"]), "6\n");
    // Versions of others are another past.
    let refused = sandbox.run(&IMPORT);
    assert!(refused.starts_with("exit 6") && refused.contains("it has 6 versions here"), "{refused}");
}

#[test]
fn other_bytes_under_a_number_are_refused() {
    let sandbox = sandbox();
    sandbox.ok(&["add", "app", "tags.json"]);
    let refused = sandbox.run(&IMPORT);
    assert!(refused.starts_with("exit 6") && refused.contains("app 1: it has another sha256"), "{refused}");
    assert!(sandbox.run(&["import", "tags.json", "--from", "python-sacker"]).starts_with("exit 2"));
    sandbox.write("table.json", "{}");
    assert!(sandbox.run(&IMPORT).starts_with("exit 2"));
}

/// An interrupted run leaves a version that is there only for its number.
#[test]
fn an_interrupted_import_continues() {
    let sandbox = sandbox();
    sandbox.write("first.json", scan(&[version("app", 1, "one"), version("app", 2, "two")]));
    sandbox.ok(&["import", "first.json", "--from", "python-sacker", "--blobs", "objects"]);
    sandbox.write("gap", "This number had no version where this package was imported from.\n");
    assert_eq!(sandbox.ok(&["add", "app", "gap"]), "3\n");
    sandbox.ok(&IMPORT);
    assert!(sandbox.run(&["info", "app", "3"]).starts_with("exit 4"));
    assert!(sandbox.run(&["info", "app", "5"]).starts_with("exit 0"));
    assert_eq!(sandbox.ok(&["fsck", "--read-data", "-q"]), "");
}
