//! Items of the wrong shape, size or range: reported damage, or harmless, and never a panic.

use super::{V1, code, edit, plant};
use crate::{
    operations::{Site, collect, gc},
    support::{
        backends,
        sandbox::Sandbox,
        world::{adding, author, of, read, tag, tagging, try_add, untagging, version, write},
    },
};
use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use futures_util::TryStreamExt;
use sacker::{
    fault::FaultKind,
    ledger::{ChangeRequest, Error, Ledger, PackageQuery},
    model::{Labels, ReleaseChange},
    ops::{Download, Fsck, Target},
    table::{Key, Table},
};
use serde_json::{Value, json};

/// Runs everything that reads or changes something of a package, and returns the results.
async fn everything(ledger: &dyn Ledger) -> Vec<Result<(), Error>> {
    let mut came = Vec::new();
    came.push(ledger.packages(&PackageQuery::default()).try_collect::<Vec<_>>().await.map(drop));
    came.push(ledger.summaries(&[of("app")]).await.map(drop));
    came.push(ledger.versions(&of("app")).try_collect::<Vec<_>>().await.map(drop));
    came.push(ledger.tags(&of("app")).await.map(drop));
    for spec in ["1", "live", "latest"] {
        came.push(ledger.blob(&of("app"), &of(spec)).await.map(drop));
        came.push(ledger.release(&of("app"), &of(spec)).await.map(drop));
    }
    let label = ReleaseChange::Label(Labels::parse(["x=y"]).unwrap());
    for change in [label, ReleaseChange::Yank, ReleaseChange::Unyank, ReleaseChange::Delete] {
        let request = ChangeRequest::new(of("app"), version(2), change).author(author(None));
        came.push(ledger.change(&request).await.map(drop));
    }
    let keyed = adding("app").author(author(Some("k")));
    came.push(try_add(ledger, &keyed, "one").await.map(drop));
    let tagged = adding("app").tags([of("live")]);
    came.push(try_add(ledger, &tagged, "one").await.map(drop));
    came.push(ledger.tag(&tagging("app", "1", "live")).await.map(drop));
    came.push(ledger.tag(&tagging("app", "live", "canary")).await.map(drop));
    came.push(ledger.untag(&untagging("app", "live")).await.map(drop));
    came
}

/// A package with everything recorded that there is.
async fn populate(site: &Site) {
    let ledger = site.ledger();
    let labels = Labels::parse(["a=b"]).unwrap();
    let request = adding("app").tags([of("live")]).labels(labels).author(author(Some("k")));
    try_add(&*ledger, &request, "one").await.unwrap();
    // The first one claims the store, which must be empty.
    site.add("app", "two").await;
    site.put("one", 0).await;
    let change = ReleaseChange::Label(Labels::parse(["c=d"]).unwrap());
    let request = ChangeRequest::new(of("app"), version(1), change).author(author(None));
    ledger.change(&request).await.unwrap();
    tag(&*ledger, "app", "2", "live").await;
}

async fn dump(table: &dyn Table) -> Vec<(Key, Value)> {
    let page = table.scan(None).await.unwrap();
    page.items.into_iter().map(|(key, item)| (key, Value::Object(item))).collect()
}

/// Every attribute, by where it is.
fn attributes(item: &Value, at: &str, found: &mut Vec<String>) {
    if let Value::Object(map) = item {
        for (name, value) in map {
            let at = format!("{at}/{name}");
            attributes(value, &at, found);
            found.push(at);
        }
    }
}

fn wrong() -> Vec<Value> {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    vec![
        Value::Null,
        json!(true),
        json!(""),
        json!("x".repeat(400_000)),
        json!(-1),
        json!(0),
        json!(1.5),
        json!((1_u64 << 53) + 1),
        json!(u64::MAX),
        json!(i64::MIN),
        json!([]),
        json!({}),
        json!({ "x": "y".repeat(5_000) }),
        deep,
    ]
}

/// Returns `true` if it is an answer that means something to its reader.
fn is_reported(error: &Error) -> bool {
    match error {
        Error::Fault(fault) => fault.kind == FaultKind::Corrupt,
        Error::Unknown { .. } => false,
        _ => true,
    }
}

async fn try_all(site: &Site, what: &str) -> usize {
    let mut damaged = 0;
    for came in everything(&*site.ledger()).await {
        if let Err(error) = came {
            assert!(is_reported(&error), "{what}: {error:?}");
            damaged += usize::from(matches!(error, Error::Damaged { .. } | Error::Schema { .. }));
        }
    }
    let client = site.client();
    for spec in ["1", "live", "latest"] {
        let target = Target::Path(site.dir.path().join("downloaded"));
        let download = Download::new(of("app"), of(spec), target).force(true);
        // Whatever the result, the command ends.
        let _ = client.download(download).await;
    }
    let _ = gc(&client, collect(true)).await;
    for repair in [false, true] {
        let _ = client.fsck(Fsck::new().repair(repair).read_data(100), &mut |_| ()).await;
    }
    damaged
}

#[tokio::test(start_paused = true)]
async fn nothing_that_an_item_holds_makes_it_panic() {
    let model = Site::memory();
    populate(&model).await;
    let sound = dump(&*model.table()).await;
    let (mut tried, mut damaged) = (0, 0);
    for (key, item) in &sound {
        let mut places = Vec::new();
        attributes(item, "", &mut places);
        for (number, place) in places.into_iter().enumerate() {
            // A third of them for each attribute, which is each of them for every kind of item.
            for (_, value) in wrong().into_iter().enumerate().filter(|(at, _)| (at + number) % 3 == 0) {
                let site = Site::memory();
                populate(&site).await;
                let mut item = item.clone();
                let (parent, name) = place.rsplit_once('/').unwrap();
                let parent = item.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                match value {
                    Value::Null => drop(parent.remove(name)),
                    ref value => drop(parent.insert(name.to_owned(), value.clone())),
                }
                write(&*site.table(), &key.pk, &key.sk, item).await;
                let shown: String = value.to_string().chars().take(30).collect();
                damaged += usize::from(try_all(&site, &format!("{key}{place} = {shown}")).await > 0);
                tried += 1;
            }
        }
    }
    println!("{tried} tried, {damaged} reported as damage");
    assert!(tried > 300 && damaged * 2 > tried, "{damaged} of {tried}");
}

#[tokio::test]
async fn a_number_beyond_every_log_is_damage_and_not_an_overflow() {
    for (pk, sk, name) in [
        ("P#app", "H", "n"),
        ("P#app", "H", "rev"),
        ("P#app", "H", "when"),
        ("T#app", "H", "rev"),
        ("T#app", "H", "when"),
        ("T#app", "t#live", "set"),
        ("P#app", V1, "rev"),
        ("P#app", V1, "size"),
        ("P#app", V1, "gen"),
    ] {
        for number in [(1 << 53) + 1, u64::MAX] {
            let site = Site::memory();
            populate(&site).await;
            let table = site.table();
            crate::support::world::edit(&*table, pk, sk, json!({ name: number })).await;
            assert!(try_all(&site, &format!("{pk}/{sk} {name}")).await > 0, "{pk}/{sk}: {name} = {number}");
            assert_eq!(read(&*table, pk, sk).await.unwrap()[name], json!(number), "it was built upon");
        }
    }
}

/// Values that DynamoDB can hold and that no item of sacker has.
fn foreign() -> Vec<AttributeValue> {
    vec![
        AttributeValue::B(Blob::new(vec![7; 100])),
        AttributeValue::Bs(vec![Blob::new(vec![7; 100])]),
        AttributeValue::Ns(vec!["1".to_owned(), "2".to_owned()]),
        AttributeValue::Ss(vec!["1".to_owned(), "2".to_owned()]),
        AttributeValue::N("99999999999999999999999999999999999999".to_owned()),
        AttributeValue::N("1E+125".to_owned()),
        AttributeValue::N("-9.9999999999999999999999999999999999999E-130".to_owned()),
        AttributeValue::Null(true),
        AttributeValue::Bool(false),
        AttributeValue::L(vec![AttributeValue::Null(true)]),
        AttributeValue::S("x".repeat(390_000)),
    ]
}

#[tokio::test]
async fn attribute_types_that_are_never_written_are_reported() {
    let site = Site::cloud(false).await;
    populate(&site).await;
    let client = backends::aws().dynamodb(&backends::at(backends::dynamodb())).await.unwrap();
    let table = site.table().describe().trim_start_matches("dynamodb://").to_owned();
    for (pk, sk, name) in
        [("P#app", "H", "rev"), ("P#app", V1, "size"), ("T#app", "t#live", "set"), ("P#app", V1, "labels")]
    {
        let key = [("pk", pk), ("sk", sk)]
            .map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())));
        let found = client.get_item().table_name(&table).set_key(Some(key.into())).send().await.unwrap();
        let sound = found.item.unwrap();
        for value in foreign() {
            let mut item = sound.clone();
            item.insert(name.to_owned(), value.clone());
            client.put_item().table_name(&table).set_item(Some(item)).send().await.unwrap();
            let shown: String = format!("{value:?}").chars().take(40).collect();
            let spec = match (pk, sk) {
                ("P#app", "H") => "latest",
                ("P#app", _) => "1",
                _ => "live",
            };
            let error = site.ledger().blob(&of("app"), &of(spec)).await.expect_err(&shown);
            assert!(
                matches!(&error, Error::Damaged { .. })
                    || matches!(&error, Error::Fault(fault) if fault.kind == FaultKind::Corrupt),
                "{pk}/{sk} {name} = {shown}: {error:?}"
            );
            let fsck = site.client().fsck(Fsck::new().read_data(0), &mut |_| ()).await;
            assert!(fsck.is_err() || fsck.unwrap().violations > 0, "{shown}");
        }
        client.put_item().table_name(&table).set_item(Some(sound)).send().await.unwrap();
    }
    // It is the same table, and sound again.
    let checked = site.client().fsck(Fsck::new().read_data(0), &mut |_| ()).await;
    assert_eq!(checked.unwrap().violations, 0);
}

#[test]
fn a_row_of_the_embedded_ledger_that_is_no_item_is_reported() {
    let sandbox = Sandbox::with_app();
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let huge = format!("{{\"sha256\":\"{}\"}}", "x".repeat(50 << 20));
    for item in ["", "null", "[]", "{", "{}", "{\"rev\":1e999}", "{\"rev\":\"\u{1b}\"}", &deep, &huge] {
        plant(&sandbox, "P#app", V1, item);
        let shown: String = item.chars().take(20).collect();
        for command in [&["info", "app", "1"][..], &["versions", "app"], &["download", "app", "1"], &["fsck"]]
        {
            let output = sandbox.command(command).output().unwrap();
            assert_eq!(code(&output), 8, "{shown}: {command:?}");
            assert!(output.stderr.len() < 4_000, "{shown}: {command:?}: {} bytes", output.stderr.len());
        }
    }
}

#[test]
fn a_size_that_is_not_the_blobs_is_damage() {
    let sandbox = Sandbox::with_app();
    std::fs::create_dir(sandbox.path("in")).unwrap();
    for size in [0, 1, 3, 5, 1_u64 << 40, 1 << 53] {
        edit(&sandbox, "P#app", V1, |item| item["size"] = json!(size));
        for target in ["in/file", "-"] {
            let output = sandbox.command(&["download", "app", "1", "-o", target]).output().unwrap();
            assert_eq!(code(&output), 8, "{size}: {}", sandbox.shown(&output));
            assert_eq!(output.stdout, b"", "{size}");
            assert_eq!(sandbox.files("in"), Vec::<String>::new(), "{size}");
        }
    }
}
