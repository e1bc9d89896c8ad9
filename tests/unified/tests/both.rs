//! Programs that are built with and without `preserve_order` and `arbitrary_precision` of `serde_json` share a ledger.
//!
//! Run by `scripts/test`, which builds the other program first.

use sacker::table::{Action, Change, Condition, Item, Key, Table, Transaction, sqlite::SqliteTable};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const WITH: &str = env!("CARGO_BIN_EXE_sacker-unified");

fn without() -> PathBuf {
    let program = Path::new(WITH).with_file_name("sacker");
    assert!(program.exists(), "there is no {}: run `cargo build`", program.display());
    program
}

struct Place {
    dir: PathBuf,
    ledger: String,
}

impl Place {
    fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Self { ledger: format!("file://{}", dir.join("ledger").display()), dir }
    }

    fn on_dynamodb(name: &str) -> Self {
        let url = std::env::var("SACKER_TEST_DYNAMODB").expect("no DynamoDB Local: run `scripts/test`");
        let place = Self::new(name);
        let table = place.dir.file_name().unwrap().to_str().unwrap();
        Self { ledger: format!("dynamodb://{table}?region=us-east-1&endpoint={url}"), ..place }
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Output {
        let variable = |name, otherwise: &str| std::env::var(name).unwrap_or_else(|_| otherwise.to_owned());
        let store = format!("file://{}", self.dir.join("store").display());
        Command::new(program)
            .env_clear()
            .env("HOME", &self.dir)
            .env("AWS_ACCESS_KEY_ID", variable("AWS_ACCESS_KEY_ID", "sackertest"))
            .env("AWS_SECRET_ACCESS_KEY", variable("AWS_SECRET_ACCESS_KEY", "sackertestsecret"))
            .env("SACKER_ACTOR", "someone@host")
            .current_dir(&self.dir)
            .args(["--ledger", &self.ledger, "--store", &store])
            .args(arguments)
            .output()
            .unwrap()
    }

    #[track_caller]
    fn ok(&self, program: &Path, arguments: &[&str]) -> String {
        let output = self.run(program, arguments);
        let shown = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{} {arguments:?}: {shown}", program.display());
        String::from_utf8(output.stdout).unwrap()
    }
}

/// All kinds of changes, by the two programs in turn, and after each the other program finds all as it must be.
fn alternate(place: &Place, programs: [&Path; 2]) {
    for content in ["one", "two", "three"] {
        fs::write(place.dir.join(content), content).unwrap();
    }
    let live = r#"{"package": "app", "tag": "live", "to": 1, "expect": 3}"#;
    let old = r#"{"package": "app", "tag": "old", "to": "1"}"#;
    fs::write(place.dir.join("plan.json"), format!(r#"{{"moves": [{live}, {old}]}}"#)).unwrap();
    let commands: &[&[&str]] = &[
        &["init"],
        &["add", "app", "one", "--label", "b=2", "--label", "a=1", "-m", "first"],
        &["add", "app", "two", "--tag", "live", "--key", "job 7"],
        &["add", "app", "two", "--tag", "live", "--key", "job 7"],
        &["add", "app", "three"],
        &["label", "app", "3", "z=26", "c=3"],
        &["label", "app", "1", "d=4", "aa=1"],
        &["tag", "app", "3", "live", "--require", "label:c=3"],
        &["tag", "app", "3", "canary"],
        &["yank", "app", "2"],
        &["unyank", "app", "2"],
        &["apply", "plan.json", "--key", "release"],
        &["apply", "plan.json", "--key", "release"],
        &["apply", "plan.json", "--undo"],
        &["rollback", "app", "live"],
        &["protect", "app", "live", "--confirm"],
        &["untag", "app", "canary"],
        &["delete", "app", "3"],
        &["gc", "--delete", "--min-age", "0s"],
    ];
    for (number, command) in commands.iter().enumerate() {
        let (one, other) = (programs[number % 2], programs[(number + 1) % 2]);
        place.ok(one, command);
        if number > 0 {
            place.ok(other, &["fsck", "--read-data"]);
        }
    }
    let shown: &[&[&str]] = &[
        &["versions", "app"],
        &["history", "app"],
        &["info", "app", "1"],
        &["tags", "app"],
        &["list", "-l"],
    ];
    for command in shown {
        let command = [command, &["--json"][..]].concat();
        assert_eq!(place.ok(programs[0], &command), place.ok(programs[1], &command), "{command:?}");
    }
}

/// Else the tests below would show nothing.
#[test]
fn the_features_are_on() {
    let as_given = r#"{"b":1.50,"a":2}"#;
    assert_eq!(serde_json::from_str::<serde_json::Value>(as_given).unwrap().to_string(), as_given);
}

#[test]
fn they_share_an_embedded_ledger() {
    let (with, without) = (Path::new(WITH), &*without());
    alternate(&Place::new("with-first"), [with, without]);
    alternate(&Place::new("without-first"), [without, with]);
}

#[test]
fn they_share_a_ledger_on_dynamodb() {
    let (with, without) = (Path::new(WITH), &*without());
    alternate(&Place::on_dynamodb("dynamodb-with-first"), [with, without]);
    alternate(&Place::on_dynamodb("dynamodb-without-first"), [without, with]);
}

/// Numbers that a newer release wrote are neither damage nor lost.
#[tokio::test]
async fn numbers_of_a_newer_release_are_kept() {
    let (place, without) = (Place::new("newer"), without());
    fs::write(place.dir.join("one"), "one").unwrap();
    place.ok(&without, &["add", "app", "one", "--tag", "live"]);
    let table = SqliteTable::open(&place.dir.join("ledger"));
    let newer =
        json!({ "count": 7, "share": 1.5, "less": -2, "more": { "b": [1, 2.25], "a": 10_000_000_000_u64 } });
    let places = [("P#app", "H"), ("T#app", "H"), ("T#app", "t#live"), ("M", "M")];
    for (pk, sk) in places {
        let mut item: Item = table.get(&Key::new(pk, sk)).await.unwrap().unwrap();
        item.insert("newer".to_owned(), newer.clone());
        let mut put = Transaction::new(format!("{pk}{sk}"));
        put.push(Action { key: Key::new(pk, sk), condition: Condition::Always, change: Change::Put(item) });
        table.transact(&put).await.unwrap();
    }
    for program in [Path::new(WITH), &*without] {
        fs::write(place.dir.join("more"), program.as_os_str().as_encoded_bytes()).unwrap();
        place.ok(program, &["add", "app", "more", "--tag", "live"]);
        place.ok(program, &["fsck"]);
        for (pk, sk) in places {
            assert_eq!(table.get(&Key::new(pk, sk)).await.unwrap().unwrap()["newer"], newer, "{pk}/{sk}");
        }
    }
}
