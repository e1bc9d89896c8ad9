//! `import --from python-sacker` of live tables, with objects in a bucket.

use super::importers::put;
use crate::support::{backends, sandbox::Sandbox, servers, world::sha256};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use std::collections::HashMap;

type Row = HashMap<String, AttributeValue>;

/// The number of versions: with this much metadata they are several pages of a scan.
const MANY: usize = 6;

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn version(number: usize, content: &str) -> Row {
    let metadata = HashMap::from([
        ("built".to_owned(), text("2019-01-01")),
        ("log".to_owned(), text("x".repeat(300_000))),
    ]);
    let fields = [
        ("package_name", text("app")),
        ("version", AttributeValue::N(number.to_string())),
        ("basename", text("app.bin")),
        ("sha", text(sha256(content).as_str())),
        ("mode", AttributeValue::N("493".to_owned())),
        ("metadata", AttributeValue::M(metadata)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Makes a table with these keys and rows.
async fn make(table: &str, keys: [(&str, ScalarAttributeType); 2], rows: Vec<Row>) {
    let client = backends::aws().dynamodb(&backends::at(backends::dynamodb())).await.unwrap();
    let mut create = client.create_table().table_name(table).billing_mode(BillingMode::PayPerRequest);
    for ((name, kind), key) in keys.into_iter().zip([KeyType::Hash, KeyType::Range]) {
        create = create
            .attribute_definitions(
                AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap(),
            )
            .key_schema(KeySchemaElement::builder().attribute_name(name).key_type(key).build().unwrap());
    }
    create.send().await.unwrap();
    for row in rows {
        client.put_item().table_name(table).set_item(Some(row)).send().await.unwrap();
    }
}

/// Makes both tables, and the objects of all versions but the third.
fn tables() -> (String, String) {
    let (table, bucket) = (backends::unique("python"), backends::unique("python"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut rows: Vec<_> = (1..=MANY)
            .filter(|number| *number != 2)
            .map(|number| version(number, &number.to_string()))
            .collect();
        rows[0].insert("uploader".to_owned(), text("ann"));
        let keys = [("package_name", ScalarAttributeType::S), ("version", ScalarAttributeType::N)];
        make(&table, keys, rows).await;
        let tag = |tag: &str, number: usize| {
            let fields = [
                ("package_name", text("app")),
                ("tag", text(tag)),
                ("version", AttributeValue::N(number.to_string())),
            ];
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
        };
        let keys = [("package_name", ScalarAttributeType::S), ("tag", ScalarAttributeType::S)];
        make(&format!("{table}-tags"), keys, vec![tag("live", 1), tag("canary", 6)]).await;
        let client = backends::s3_client(&backends::s3()).await;
        client.create_bucket().bucket(&bucket).send().await.unwrap();
    });
    for number in (1..=MANY).filter(|number| *number != 3) {
        put(&bucket, sha256(&number.to_string()).as_str(), number.to_string().as_bytes());
    }
    (
        format!("dynamodb://{table}?endpoint={}", backends::dynamodb()),
        format!("s3://{bucket}?endpoint={}", backends::s3()),
    )
}

#[test]
fn live_tables_are_imported_page_by_page() {
    let (table, bucket) = tables();
    let credentials = servers::sandbox();
    let embedded = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"]
        .into_iter()
        .fold(Sandbox::new(), |sandbox, name| sandbox.set(name, credentials.variable(name)));
    credentials.ok(&["init"]);
    for sandbox in [embedded, credentials] {
        let import = ["import", &table, "--from", "python-sacker", "--blobs", &bucket];
        let dry = sandbox.run(&[&import[..], &["-n"]].concat());
        assert!(dry.contains("1| app: 6 versions, 2 events\n"), "{dry}");
        // Several pages were read.
        let traced = sandbox.run(&[&import[..], &["-n", "-v"]].concat());
        assert!(traced.matches("dynamodb.Scan").count() > 2, "{traced}");
        let imported = sandbox.run(&import);
        for part in [
            "exit 0\n",
            "app: 1 of 6 numbers have no version; they become deleted versions",
            "app 3 becomes a deleted version: its file",
            "app 1: the attribute uploader is not carried",
            "app 1: the metadata log is not carried",
        ] {
            assert!(imported.contains(part), "{part}: {imported}");
        }
        let shown: serde_json::Value =
            serde_json::from_str(&sandbox.ok(&["info", "app", "live", "--json"])).unwrap();
        assert_eq!(shown["version"], 1);
        assert_eq!(shown["labels"], serde_json::json!({"built": "2019-01-01"}));
        assert_eq!((&shown["mode"], &shown["filename"]), (&"0755".into(), &"app.bin".into()));
        let history = sandbox.ok(&["history", "app"]);
        sandbox.ok(&import);
        assert_eq!(sandbox.ok(&["history", "app"]), history);
        assert_eq!(sandbox.ok(&["fsck", "--read-data", "-q"]), "");
        assert!(sandbox.files("tmp").is_empty());
    }
}

#[test]
fn tables_that_can_t_be_read_change_nothing() {
    let sandbox = servers::sandbox();
    sandbox.ok(&["init"]);
    let (table, bucket) = tables();
    let run = |table: &str, blobs: &str, more: &[&str]| {
        let import = ["import", table, "--from", "python-sacker", "--blobs", blobs];
        sandbox.run(&[&import[..], more].concat())
    };
    let missing = format!("dynamodb://missing-table?endpoint={}", backends::dynamodb());
    let gone = "http://127.0.0.1:1";
    let (no_table, no_bucket) =
        (format!("dynamodb://table?endpoint={gone}"), format!("s3://bucket?endpoint={gone}"));
    let soon: &[&str] = &["--deadline", "1s"];
    let again = "what was imported stays; run it again to continue";
    for (run, code, parts) in [
        (
            run(&missing, &bucket, &[]),
            2,
            ["missing-table", "check the name, the region and the endpoint of the source"],
        ),
        (run(&table, &bucket, &["--tags", &missing]), 2, ["missing-table", "it does not exist"]),
        (run(&no_table, &bucket, soon), 7, ["reading the table `table`", again]),
        (run(&table, &no_bucket, soon), 7, ["s3://bucket", again]),
        (run("file:///some/ledger", &bucket, &[]), 2, ["/some/ledger", "only a table in DynamoDB has rows"]),
    ] {
        assert!(run.starts_with(&format!("exit {code}\n")), "{run}");
        // The destination has nothing to do with it.
        assert!(parts.iter().all(|part| run.contains(part)) && !run.contains("sacker init"), "{run}");
    }
    assert_eq!(sandbox.ok(&["list", "-q"]), "");
}
