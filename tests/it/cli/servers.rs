//! The main job on the real servers: DynamoDB Local and MinIO.

use crate::{
    operations::owner::copied,
    support::{backends, sandbox::Sandbox, servers::sandbox},
};
use insta::assert_snapshot;
use sacker::table::{Table, dynamodb::DynamoTable};
use std::net::TcpListener;

/// Without the names that differ from run to run.
pub fn run(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let mut shown = sandbox.run(arguments);
    for name in ["SACKER_LEDGER", "SACKER_STORE"] {
        let url = sandbox.variable(name);
        shown = shown.replace(url, &format!("[{name}]"));
        let name = url.split("://").nth(1).unwrap().split(['?', '/']).next().unwrap();
        shown = shown.replace(name, "[NAME]");
    }
    shown
}

#[test]
fn the_main_job() {
    let sandbox = sandbox();
    sandbox.write("one", "first");
    sandbox.write("two", vec![7; 20 << 20]);
    assert_snapshot!(run(&sandbox, &["init"]), @"
    exit 0
    1| ledger: [SACKER_LEDGER] (created), id [ID]
    1| store: [SACKER_STORE] (created)
    2| warning: this server does not support the public access block bucket=[NAME] code=MalformedXML
    2| warning: this server does not support ownership of all objects bucket=[NAME] code=MalformedXML
    2| warning: this server does not support default encryption bucket=[NAME] code=NotImplemented
    2| warning: this server does not support the rule that aborts incomplete uploads bucket=[NAME] code=InvalidArgument
    ");
    assert_snapshot!(run(&sandbox, &["init"]), @"
    exit 0
    1| ledger: [SACKER_LEDGER] (exists already), id [ID]
    1| store: [SACKER_STORE] (exists already)
    ");
    assert_snapshot!(run(&sandbox, &["list"]), @"exit 0");
    assert_snapshot!(run(
        &sandbox,
        &["add", "app", "one", "--tag", "live", "--label", "commit=1f3", "-m", "why"]
    ), @"
    exit 0
    1| 1
    ");
    assert_snapshot!(run(&sandbox, &["add", "app", "two", "--key", "build 2"]), @"
    exit 0
    1| 2
    ");
    assert_snapshot!(run(&sandbox, &["add", "app", "two", "--key", "build 2"]), @"
    exit 0
    1| 2
    ");
    assert_snapshot!(run(&sandbox, &["add", "app", "two", "--if-changed"]), @"
    exit 0
    1| 2
    2| note: nothing was added: app 2 has this sha256 already
    ");
    assert_snapshot!(run(&sandbox, &["add", "app", "one", "--expect-latest", "1"]), @"
    exit 5
    2| error: adding one to app in [SACKER_LEDGER]: app latest is 2, not 1
    2| hint: nothing was added; `sacker versions app --limit 5` lists the last versions
    ");
    assert_snapshot!(run(&sandbox, &["versions", "app"]), @"
    exit 0
    1| VERSION  STATE          SIZE  ADDED                 SHA256                                                            TAGS
    1|       2  active     20.0 MiB  [TIME]  92bfec7ec8cf2f28a714e46dcce73e643a632e5613aea37245cf56c9689f9ff9  latest
    1|       1  active          5 B  [TIME]  a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e  live
    ");
    promote_and_fetch(&sandbox);
}

/// The second half of the main job: moves of tags, and downloads.
fn promote_and_fetch(sandbox: &Sandbox) {
    assert_snapshot!(run(sandbox, &["tag", "app", "latest", "canary"]), @"
    exit 0
    1| canary: none -> 2
    ");
    assert_snapshot!(run(sandbox, &["tag", "app", "canary", "live", "--expect", "1"]), @"
    exit 0
    1| live: 1 -> 2
    ");
    assert_snapshot!(run(sandbox, &["tags", "app"]), @"
    exit 0
    1| TAG     VERSION
    1| latest        2
    1| canary        2
    1| live          2
    ");
    assert_snapshot!(run(sandbox, &["info", "app", "live", "--json"]), @r#"
    exit 0
    1| {"package":"app","version":2,"sha256":"92bfec7ec8cf2f28a714e46dcce73e643a632e5613aea37245cf56c9689f9ff9","size":20971520,"filename":"two","mode":"0644","labels":{},"message":null,"state":"active","added_at":"[TIME]","added_by":"tester@host","tags":["latest","canary","live"],"rev":3}
    "#);
    assert_snapshot!(run(sandbox, &["download", "app", "live", "-o", "copy"]), @"
    exit 0
    1| copy
    ");
    assert!(std::fs::read(sandbox.path("copy")).unwrap() == vec![7; 20 << 20], "the same bytes come back");
    assert_snapshot!(run(sandbox, &["download", "app", "1", "-o", "-"]), @"
    exit 0
    1| first
    ");
    assert_snapshot!(run(sandbox, &["untag", "app", "canary"]), @"
    exit 0
    1| canary: 2 -> none
    ");
    assert_snapshot!(run(sandbox, &["list", "-l"]), @"
    exit 0
    1| PACKAGE                            LATEST        SIZE  CHANGED
    1| app                                     2    20.0 MiB  [TIME]
    ");
}

#[test]
fn a_table_or_bucket_that_is_missing_is_made_by_init() {
    let sandbox = sandbox();
    sandbox.write("f", "x");
    assert_snapshot!(run(&sandbox, &["list"]), @"
    exit 2
    2| error: listing the packages in [SACKER_LEDGER]: reading the table `[NAME]`: it does not exist: ResourceNotFoundException: Cannot do operations on a non-existent table
    2| hint: run `sacker init` to create it, or check its name and region
    ");
    // Elsewhere it is there: two that are missing are reported in either order.
    let elsewhere = format!("file://{}", sandbox.path("store").display());
    assert_snapshot!(run(&sandbox, &["add", "app", "f", "--store", &elsewhere]), @"
    exit 2
    2| error: adding f to app in [SACKER_LEDGER]: reading the table `[NAME]`: it does not exist: ResourceNotFoundException: Cannot do operations on a non-existent table
    2| hint: run `sacker init` to create it, or check its name and region
    ");
    sandbox.ok(&["init", "--store", &elsewhere]);
    assert_snapshot!(run(&sandbox, &["add", "app", "f", "--json"]), @r#"
    exit 2
    2| {"error":{"kind":"invalid","message":"adding f to app in [SACKER_STORE]: reading the owner in s3://[NAME]/blobs: it does not exist: NoSuchBucket: The specified bucket does not exist","hint":"run `sacker init` to create it, or check its name and region","exit_code":2}}
    "#);
    sandbox.ok(&["init"]);
    assert_snapshot!(run(&sandbox, &["add", "app", "f"]), @"
    exit 0
    1| 1
    ");
}

#[test]
fn a_store_that_belongs_to_another_ledger_is_refused() {
    let (sandbox, other) = (sandbox(), sandbox());
    sandbox.write("f", "x");
    sandbox.ok(&["init"]);
    other.ok(&["init"]);
    let refused = run(&sandbox, &["add", "app", "f", "--ledger", other.variable("SACKER_LEDGER")]);
    assert!(refused.starts_with("exit 2\n2| error: adding f to app: the store "), "{refused}");
    assert!(refused.contains("belongs to another ledger"), "{refused}");
}

#[test]
fn wrong_credentials_are_denied() {
    let sandbox = sandbox();
    sandbox.write("f", "x");
    sandbox.ok(&["init"]);
    let sandbox = sandbox.set("AWS_SECRET_ACCESS_KEY", "wrong");
    // DynamoDB Local takes any secret; MinIO does not.
    let shown = run(&sandbox, &["add", "app", "f", "--json"]);
    assert!(shown.starts_with("exit 10\n2| {\"error\":{\"kind\":\"denied\""), "{shown}");
}

#[test]
fn each_call_is_shown_with_its_duration_and_attempt() {
    let sandbox = sandbox();
    sandbox.write("f", "x");
    sandbox.ok(&["init"]);
    let shown = run(&sandbox, &["-v", "add", "app", "f"]);
    for call in ["dynamodb.TransactWriteItems", "s3.PutObject"] {
        let line =
            shown.lines().find(|line| line.contains(call)).unwrap_or_else(|| panic!("{call}: {shown}"));
        assert!(line.ends_with(" ms, attempt 1"), "{line}");
    }
}

#[test]
fn unfinished_uploads_are_reported_and_aborted() {
    let bucket = backends::unique("uploads");
    let store = format!("s3://{bucket}/blobs?endpoint={}", crate::support::rewriting::moto());
    let sandbox = sandbox();
    sandbox.ok(&["init", "-q"]);
    // moto lacks what `init` asks of a server.
    let sandbox = sandbox.set("SACKER_STORE", store);
    sandbox.write("f", "a blob");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let client = backends::aws().s3(&backends::at(backends::moto())).await.unwrap();
        client.create_bucket().bucket(&bucket).send().await.unwrap();
        let key = format!("blobs/sha256/{}", "a".repeat(64));
        client.create_multipart_upload().bucket(&bucket).key(key).send().await.unwrap();
    });
    sandbox.ok(&["add", "app", "f"]);
    assert_snapshot!(run(&sandbox, &["gc"]), @"
    exit 0
    2| note: 0 blobs, 0 B, can be removed with --delete
    2| note: 1 upload, idle for a day, can be aborted with --delete
    ");
    assert_snapshot!(run(&sandbox, &["gc", "--delete", "--json", "-q"]), @r#"
    exit 0
    1| {"sha256":null,"generation":null,"size":null,"upload":"sha256/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","removed":true}
    1| {"summary":{"command":"gc","blobs":0,"bytes":0,"uploads":1,"removed":true}}
    "#);
    assert_snapshot!(run(&sandbox, &["gc", "--delete"]), @"
    exit 0
    2| note: 0 blobs, 0 B, removed
    ");
}

/// A table that was restored under another name is reported as a copy, with the next step.
#[test]
fn a_restored_table_is_reported_with_the_next_step() {
    let sandbox = sandbox();
    sandbox.write("f", "x");
    sandbox.ok(&["init", "-q"]);
    sandbox.ok(&["add", "app", "f"]);
    let url = sandbox.variable("SACKER_LEDGER").to_owned();
    let original = url.trim_start_matches("dynamodb://").split('?').next().unwrap().to_owned();
    let copy = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let client = backends::aws().dynamodb(&backends::at(backends::dynamodb())).await.unwrap();
        copied(&DynamoTable::new(client, &original)).await.describe()
    });
    let copy = copy.trim_start_matches("dynamodb://").to_owned();
    let ledger = url.replace(&original, &copy);
    let on_copy = |arguments: &[&str]| {
        let shown = run(&sandbox, &[arguments, &["--ledger", &ledger]].concat());
        shown.replace(&ledger, "[COPY]").replace(&copy, "[COPY]")
    };
    assert_snapshot!(on_copy(&["gc"]), @"
    exit 2
    2| error: finding garbage: the store s3://[NAME]/blobs belongs to another ledger ([ID], in dynamodb:us-east-1/[NAME]), not to dynamodb://[COPY] (a copy of [ID])
    2| hint: use the ledger that this is a copy of; only to replace that ledger, run `sacker init --adopt-store`
    ");
    assert_snapshot!(on_copy(&["init"]), @"
    exit 2
    2| error: creating the ledger and the store: the store s3://[NAME]/blobs belongs to another ledger ([ID], in dynamodb:us-east-1/[NAME]), not to dynamodb://[COPY] (a copy of [ID])
    2| hint: use the ledger that this is a copy of; only to replace that ledger, run `sacker init --adopt-store`
    ");
    assert_snapshot!(on_copy(&["init", "--adopt-store"]), @"
    exit 0
    1| ledger: [COPY] (exists already), id [ID]
    1| store: [SACKER_STORE] (exists already)
    1| adopted: former owner [ID]; blobs are added at generation 1000000000 and up
    2| note: `sacker fsck` checks that the store has every blob that this ledger needs
    ");
    assert_snapshot!(on_copy(&["add", "app", "f"]), @"
    exit 0
    1| 2
    ");
    assert_snapshot!(on_copy(&["fsck", "--read-data"]), @"
    exit 0
    2| note: checked 1 package, 2 versions and 2 blobs; read the bytes of 2 blobs
    ");
    assert_snapshot!(run(&sandbox, &["gc"]), @"
    exit 2
    2| error: finding garbage: the store s3://[NAME]/blobs belongs to another ledger ([ID] 1), not to dynamodb://[NAME] ([ID])
    2| hint: use the ledger that the store belongs to, or give this ledger its own store: another prefix, such as s3://[NAME]/OTHER
    ");
}

#[test]
fn the_metadata_service_is_not_asked_for_what_is_set() {
    let sandbox = sandbox();
    sandbox.ok(&["init"]);
    sandbox.write("f", "first");
    let metadata = TcpListener::bind("127.0.0.1:0").unwrap();
    metadata.set_nonblocking(true).unwrap();
    let [ledger, store] = ["SACKER_LEDGER", "SACKER_STORE"]
        .map(|name| format!("{}&region={}", sandbox.variable(name), sandbox.variable("AWS_REGION")));
    for arguments in [&["add", "app", "f"][..], &["info", "app", "1"], &["download", "app", "1", "-o", "-"]] {
        let mut command = sandbox.command(arguments);
        command.env_remove("AWS_EC2_METADATA_DISABLED").env_remove("AWS_REGION");
        command
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{}", metadata.local_addr().unwrap()));
        let output = command.env("SACKER_LEDGER", &ledger).env("SACKER_STORE", &store).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(metadata.accept().is_err(), "{arguments:?} asked it");
    }
}
