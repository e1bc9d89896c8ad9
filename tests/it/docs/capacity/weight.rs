//! The sizes of the ledger's items, by the rules of
//! [AWS](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).

use crate::support::{backends, servers, world::of};
use sacker::{
    location::LedgerUrl,
    table::{Item, Key, Table, dynamodb::DynamoTable},
};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write as _};

/// The kinds of items: how partition and sort key begin, and what there is one of for each.
const KINDS: [(&str, &str, &str, &str); 10] = [
    ("P#", "V#", "version `V`", "version"),
    ("B#", "B", "blob `B`", "different blob"),
    ("P#", "H", "head `H` of releases", "package"),
    ("D#", "", "directory `D`, for a name of 3 letters", "package"),
    ("", "K#", "key `K`", "change with `--key`"),
    ("P#", "A#", "event `A` of a release (yank, delete, label)", "change"),
    ("T#", "E#", "event `E` of a tag", "move"),
    ("T#", "t#", "tag `t`", "tag"),
    ("T#", "H", "head `H` of tags", "package with tags"),
    ("M", "M", "meta `M`", "ledger"),
];

fn kind_of(key: &Key) -> usize {
    let is = |(pk, sk, ..): &(&str, &str, &str, &str)| key.pk.starts_with(pk) && key.sk.starts_with(sk);
    KINDS.iter().position(is).unwrap_or_else(|| panic!("of what kind is {key}?"))
}

/// The bytes of some attributes, their names included.
pub fn weight(attributes: &Item) -> usize {
    attributes.iter().map(|(name, value)| name.len() + bytes(value)).sum()
}

fn bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Number(number) => number.to_string().len().div_ceil(2) + 1,
        Value::String(text) => text.len(),
        Value::Array(values) => 3 + values.iter().map(|value| 1 + bytes(value)).sum::<usize>(),
        Value::Object(fields) => {
            3 + fields.iter().map(|(name, value)| 1 + name.len() + bytes(value)).sum::<usize>()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_of_items() {
    let sandbox = servers::sandbox();
    sandbox.ok(&["init"]);
    let said = ["-m", "release of the week"];
    for name in ["one", "two", "three"] {
        let file = format!("app-{name}.tar.gz");
        sandbox.write(&file, name);
        let labels = ["--label", "commit=1f3a9c0b7d2e4f5a", "--label", "branch=main"];
        sandbox.ok(&[&["add", "app", &file][..], &labels, &said].concat());
    }
    sandbox.ok(&[&["tag", "app", "1", "live", "--key", "job-1234/deploy"][..], &said].concat());
    sandbox.ok(&[&["tag", "app", "2", "live"][..], &said].concat());
    sandbox.ok(&[&["tag", "app", "2", "canary"][..], &said].concat());
    sandbox.ok(&[&["untag", "app", "canary"][..], &said].concat());
    sandbox.ok(&[&["yank", "app", "3"][..], &said].concat());
    let LedgerUrl::Dynamo { table, .. } = of(sandbox.variable("SACKER_LEDGER")) else { panic!() };
    let client = backends::aws().dynamodb(&backends::at(backends::dynamodb())).await.unwrap();
    let page = DynamoTable::new(client, table).scan(None).await.unwrap();
    assert!(page.next.is_none(), "it is all in one page");
    let mut found: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (key, item) in &page.items {
        let own = "pk".len() + key.pk.len() + "sk".len() + key.sk.len();
        found.entry(kind_of(key)).or_default().push(own + weight(item));
    }
    let mut measured = "| item | least bytes | most | one per |\n|---|---|---|---|\n".to_owned();
    for (kind, (_, _, name, per)) in KINDS.iter().enumerate() {
        let weights = found.get(&kind).unwrap_or_else(|| panic!("there is no {name}"));
        let (least, most) = (weights.iter().min().unwrap(), weights.iter().max().unwrap());
        writeln!(measured, "| {name} | {least} | {most} | {per} |").unwrap();
    }
    super::check("weights", &measured);
}
