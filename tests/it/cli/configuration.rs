//! The settings for the ledger and the store, and `init`.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

#[test]
fn with_no_configuration_a_change_says_where_it_goes() {
    let sandbox = Sandbox::new();
    sandbox.write("f", "x");
    assert_snapshot!(sandbox.run(&["init"]), @"
    exit 0
    1| ledger: file://[HOME]/.local/share/sacker/ledger (created), id [ID]
    1| store: file://[HOME]/.local/share/sacker/store (created)
    2| note: nothing is configured; using the embedded ledger and store under [HOME]/.local/share/sacker
    ");
    assert_snapshot!(sandbox.run(&["init", "--json"]), @r#"
    exit 0
    1| {"ledger":"file://[HOME]/.local/share/sacker/ledger","ledger_made":false,"ledger_id":"[ID]","store":"file://[HOME]/.local/share/sacker/store","store_made":false,"settings":[]}
    "#);
    assert_snapshot!(sandbox.run(&["add", "app", "f", "--json"]), @r#"
    exit 0
    1| {"package":"app","version":1,"sha256":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881","size":1,"filename":"f","mode":"0644","labels":{},"message":null,"state":"active","added_at":"[TIME]","added_by":"tester@host","tags":["latest"],"new":true}
    "#);
    assert_snapshot!(sandbox.run(&["add", "app", "f", "-q"]), @"
    exit 0
    1| 2
    ");
    assert_snapshot!(sandbox.run(&["tag", "app", "1", "live"]), @"
    exit 0
    1| live: none -> 1
    ");
    assert_snapshot!(sandbox.run(&["untag", "app", "live"]), @"
    exit 0
    1| live: 1 -> none
    ");
    assert_snapshot!(sandbox.run(&["list"]), @"
    exit 0
    1| app
    ");
}

#[test]
fn that_nothing_is_configured_is_said_once_a_day_and_where_the_ledger_is_made() {
    let sandbox = Sandbox::new();
    sandbox.write("f", "x");
    let is_said = |arguments: &[&str]| {
        let output = sandbox.command(arguments).output().unwrap();
        assert!(output.status.success(), "{}", sandbox.shown(&output));
        String::from_utf8_lossy(&output.stderr).contains("note: nothing is configured")
    };
    // One that nobody was shown does not count.
    assert!(!is_said(&["add", "app", "f", "-q"]));
    assert!(is_said(&["add", "app", "f"]));
    assert!(!is_said(&["add", "app", "f"]));
    assert!(!is_said(&["tag", "app", "1", "live"]));
    let mark = sandbox.path(".cache/sacker/embedded-noticed");
    let hours = std::time::Duration::from_hours;
    let now = std::time::SystemTime::now();
    for (time, expected) in [(now - hours(23), false), (now - hours(25), true), (now + hours(1000), true)] {
        std::fs::File::options().write(true).open(&mark).unwrap().set_modified(time).unwrap();
        assert_eq!(is_said(&["add", "app", "f"]), expected);
        assert!(!is_said(&["add", "app", "f"]));
    }
    std::fs::remove_dir_all(sandbox.data()).unwrap();
    assert!(is_said(&["add", "app", "f"]), "it is made");
    // It is another one.
    let output =
        sandbox.command(&["add", "app", "f"]).env("XDG_DATA_HOME", sandbox.path("other")).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("note: nothing is configured"));
    // Where it can't be remembered, it is said each time.
    std::fs::remove_dir_all(sandbox.path(".cache")).unwrap();
    sandbox.write(".cache", "no directory");
    assert!(is_said(&["add", "app", "f"]));
    assert!(is_said(&["add", "app", "f"]));
}

#[test]
fn a_pipeline_without_configuration_changes_nothing() {
    let sandbox = Sandbox::new().set("CI", "true");
    sandbox.write("f", "x");
    assert_snapshot!(sandbox.run(&["add", "app", "f"]), @"
    exit 2
    2| error: nothing is configured, and CI is set
    2| hint: nothing was changed; set SACKER_LEDGER and SACKER_STORE: while CI is set, the embedded default is read-only, so that a pipeline can't publish to its local disk by accident
    ");
    assert_snapshot!(sandbox.run(&["tag", "app", "1", "live"]), @"
    exit 2
    2| error: nothing is configured, and CI is set
    2| hint: nothing was changed; set SACKER_LEDGER and SACKER_STORE: while CI is set, the embedded default is read-only, so that a pipeline can't publish to its local disk by accident
    ");
    assert_snapshot!(sandbox.run(&["untag", "app", "live", "--json"]), @r#"
    exit 2
    2| {"error":{"kind":"invalid","message":"nothing is configured, and CI is set","hint":"nothing was changed; set SACKER_LEDGER and SACKER_STORE: while CI is set, the embedded default is read-only, so that a pipeline can't publish to its local disk by accident","exit_code":2}}
    "#);
    assert_snapshot!(sandbox.run(&["init"]), @"
    exit 2
    2| error: nothing is configured, and CI is set
    2| hint: nothing was changed; set SACKER_LEDGER and SACKER_STORE: while CI is set, the embedded default is read-only, so that a pipeline can't publish to its local disk by accident
    ");
    assert_snapshot!(sandbox.run(&["list"]), @"exit 0");
    assert!(!sandbox.data().exists());
    let (ledger, store) =
        (format!("file://{}/l", sandbox.home().display()), format!("file://{}/s", sandbox.home().display()));
    assert_snapshot!(sandbox.run(&["add", "app", "f", "--ledger", &ledger, "--store", &store]), @"
    exit 0
    1| 1
    ");
}

#[test]
fn the_file_in_the_home_is_read() {
    let sandbox = Sandbox::new();
    let home = sandbox.home().display();
    sandbox.write(".sacker.json", format!(r#"{{"ledger": "file://{home}/l", "store": "file://{home}/s"}}"#));
    sandbox.write("f", "x");
    assert_snapshot!(sandbox.run(&["init"]), @"
    exit 0
    1| ledger: file://[HOME]/l (created), id [ID]
    1| store: file://[HOME]/s (created)
    ");
    assert_snapshot!(sandbox.run(&["add", "app", "f"]), @"
    exit 0
    1| 1
    ");
    assert!(sandbox.path("l").is_dir() && sandbox.path("s").is_dir() && !sandbox.data().exists());
}

#[test]
fn a_configuration_that_is_wrong_says_how() {
    let sandbox = Sandbox::new();
    sandbox.write("unknown.json", "{\n  \"ledger\": \"file:///l\",\n  \"bucket\": \"b\"\n}");
    sandbox.write("broken.json", "{ \"ledger\": ");
    sandbox.write("half.json", r#"{"store": "file:///s"}"#);
    assert_snapshot!(sandbox.run(&["list", "--config", "missing.json"]), @"
    exit 2
    2| error: can't read the configuration file missing.json: No such file or directory
    2| hint: check --config and SACKER_CONFIG
    ");
    assert_snapshot!(sandbox.run(&["list", "--config", "unknown.json"]), @r#"
    exit 2
    2| error: the configuration file unknown.json, line 3, column 10: unknown field `bucket`, expected `ledger` or `store`
    2| hint: an example: {"ledger": "dynamodb://TABLE", "store": "s3://BUCKET/PREFIX"}
    "#);
    assert_snapshot!(sandbox.run(&["list", "--config", "broken.json", "--json"]), @r#"
    exit 2
    2| {"error":{"kind":"invalid","message":"the configuration file broken.json, line 1, column 12: EOF while parsing a value","hint":"an example: {\"ledger\": \"dynamodb://TABLE\", \"store\": \"s3://BUCKET/PREFIX\"}","exit_code":2}}
    "#);
    assert_snapshot!(sandbox.run(&["list", "--config", "half.json"]), @"
    exit 2
    2| error: `store` in half.json sets the store, but the ledger is not set
    2| hint: set the ledger too: --ledger, SACKER_LEDGER, or `ledger` in the file
    ");
    assert_snapshot!(sandbox.run(&["list", "--ledger", "file:///l"]), @"
    exit 2
    2| error: --ledger sets the ledger, but the store is not set
    2| hint: set the store too: --store, SACKER_STORE, or `store` in the file
    ");
    assert_snapshot!(sandbox.run(&["--ledger", "file:///l", "list", "--store", "http://x"]), @r#"
    exit 2
    2| error: --store: store URL "http://x": unknown scheme "http"; a store is s3://, azure://, hdfs:// or file:///
    "#);
    assert_snapshot!(sandbox.run(&["list", "--ledger", "dynamo://eu-west-1/t", "--store", "file:///s"]), @r#"
    exit 2
    2| error: --ledger: ledger URL "dynamo://eu-west-1/t": unknown scheme "dynamo"; a ledger is dynamodb://, git+…, postgres://, zookeeper:// or file:///
    "#);
    assert_snapshot!(sandbox.run(&["list", "--ledger", "file://relative", "--store", "file:///s"]), @r#"
    exit 2
    2| error: --ledger: ledger URL "file://relative": it must be absolute: file:///DIRECTORY
    "#);
    assert_snapshot!(sandbox.run(&["list", "--ledger", "dynamodb://table?zone=a", "--store", "file:///s"]), @r#"
    exit 2
    2| error: --ledger: ledger URL "dynamodb://table?zone=a": unknown parameter "zone"; known are region and endpoint
    "#);
}

#[test]
fn an_empty_variable_is_an_error() {
    for name in ["SACKER_LEDGER", "SACKER_STORE", "SACKER_CONFIG"] {
        let shown = Sandbox::new().set(name, "").run(&["list"]);
        assert_eq!(
            shown,
            format!("exit 2\n2| error: {name} is set, but empty\n2| hint: set it to a value, or unset it\n")
        );
    }
    let sandbox = Sandbox::new().set("SACKER_ACTOR", "");
    sandbox.write("f", "x");
    assert_snapshot!(sandbox.run(&["add", "app", "f", "-q"]), @r#"
    exit 2
    2| error: SACKER_ACTOR: actor "" is empty
    "#);
}

#[test]
fn without_a_home_the_default_has_no_place() {
    let sandbox = Sandbox::new();
    let output = sandbox.command(&["list"]).env_remove("HOME").output().unwrap();
    assert_snapshot!(sandbox.shown(&output), @"
    exit 2
    2| error: nothing is configured, and there is no default: HOME is not set to an absolute path
    2| hint: set HOME, or give --ledger and --store
    ");
}

#[cfg(not(feature = "weak-s3-ledger"))]
#[test]
fn a_ledger_on_s3_is_refused_with_the_reason() {
    let sandbox =
        Sandbox::new().set("SACKER_LEDGER", "s3://bucket/ledger").set("SACKER_STORE", "s3://bucket/blobs");
    assert_snapshot!(sandbox.run(&["list"]), @r#"
    exit 2
    2| error: SACKER_LEDGER: ledger URL "s3://bucket/ledger": a ledger on S3 is weakly consistent and loses concurrent changes
    2| hint: use dynamodb://TABLE with s3:// as the store; the ledger on S3 is for tests only, and needs the cargo feature `weak-s3-ledger`
    "#);
    assert_snapshot!(sandbox.run(&["list", "--json"]), @r#"
    exit 2
    2| {"error":{"kind":"invalid","message":"SACKER_LEDGER: ledger URL \"s3://bucket/ledger\": a ledger on S3 is weakly consistent and loses concurrent changes","hint":"use dynamodb://TABLE with s3:// as the store; the ledger on S3 is for tests only, and needs the cargo feature `weak-s3-ledger`","exit_code":2}}
    "#);
}

#[test]
fn a_store_belongs_to_one_ledger() {
    let sandbox = Sandbox::new();
    let url = |name: &str| format!("file://{}", sandbox.path(name).display());
    sandbox.write("f", "x");
    sandbox.ok(&["init", "--ledger", &url("first"), "--store", &url("store")]);
    assert_snapshot!(sandbox.run(&["init", "--ledger", &url("second"), "--store", &url("store")]), @"
    exit 2
    2| error: creating the ledger and the store: the store file://[HOME]/store belongs to another ledger ([ID]), not to file://[HOME]/second ([ID])
    2| hint: use the ledger that the store belongs to, or give this ledger its own store: another directory
    ");
    assert_snapshot!(sandbox.run(&["add", "app", "f", "--ledger", &url("second"), "--store", &url("store")]), @"
    exit 2
    2| error: adding f to app: the store file://[HOME]/store belongs to another ledger ([ID]), not to file://[HOME]/second ([ID])
    2| hint: use the ledger that the store belongs to, or give this ledger its own store: another directory
    ");
    assert_eq!(sandbox.ok(&["list", "--ledger", &url("second"), "--store", &url("store")]), "");
}
