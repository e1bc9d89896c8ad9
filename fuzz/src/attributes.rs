//! Items as DynamoDB writes them.

use arbitrary::Arbitrary;
use sacker::table::{Item, Key};
use serde_json::{Map, Value, json};

/// The name of an attribute.
#[derive(Arbitrary, Debug, Clone)]
pub enum Name {
    Pk,
    Sk,
    Any(String),
}

/// The value of an attribute.
#[derive(Arbitrary, Debug, Clone)]
pub enum Attribute {
    Key(bool),
    S(String),
    Whole(i64),
    N(String),
    Bool(bool),
    Null(bool),
    L(Vec<Attribute>),
    M(Vec<(String, Attribute)>),
    B(String),
    Ss(Vec<String>),
    Ns(Vec<String>),
    Other(String),
}

impl Attribute {
    /// As DynamoDB writes it.
    fn wire(&self) -> Value {
        match self {
            Self::Key(first) => json!({"S": keys()[usize::from(!first)].sk}),
            Self::S(text) => json!({"S": text}),
            Self::Whole(number) => json!({"N": number.to_string()}),
            Self::N(text) => json!({"N": text}),
            Self::Bool(value) => json!({"BOOL": value}),
            Self::Null(value) => json!({"NULL": value}),
            Self::L(values) => json!({"L": values.iter().map(Self::wire).collect::<Vec<_>>()}),
            Self::M(values) => {
                let values = values.iter().map(|(name, value)| (name.clone(), value.wire()));
                json!({"M": values.collect::<Map<_, _>>()})
            }
            Self::B(text) => json!({"B": text}),
            Self::Ss(texts) => json!({"SS": texts}),
            Self::Ns(texts) => json!({"NS": texts}),
            Self::Other(name) => json!({name: 1}),
        }
    }

    /// Returns the value that it must be read as, if it is something that the ledger writes.
    fn plain(&self) -> Option<Value> {
        match self {
            Self::Key(first) => Some(keys()[usize::from(!first)].sk.clone().into()),
            Self::S(text) => Some(text.clone().into()),
            Self::Whole(number) => Some((*number).into()),
            Self::Bool(value) => Some((*value).into()),
            Self::M(values) => {
                let values = values.iter().map(|(name, value)| Some((name.clone(), value.plain()?)));
                values.collect::<Option<Map<_, _>>>().map(Value::from)
            }
            _ => None,
        }
    }
}

/// The keys that are asked for.
#[must_use]
pub fn keys() -> [Key; 2] {
    [Key::new("P#app", "H"), Key::new("P#app", "V#0000000000000001")]
}

fn name(name: &Name) -> String {
    match name {
        Name::Pk => "pk".to_owned(),
        Name::Sk => "sk".to_owned(),
        Name::Any(name) => name.clone(),
    }
}

/// An item as DynamoDB writes it.
#[must_use]
pub fn wire(item: &[(Name, Attribute)]) -> Map<String, Value> {
    item.iter().map(|(key, value)| (name(key), value.wire())).collect()
}

/// Returns the item that it must be read as, less its key, if it is something that the ledger writes.
#[must_use]
pub fn plain(item: &[(Name, Attribute)]) -> Option<Item> {
    let all = item.iter().map(|(key, value)| Some((name(key), value.plain()?)));
    let mut all: Item = all.collect::<Option<_>>()?;
    let key = [all.remove("pk")?, all.remove("sk")?];
    key.iter().all(Value::is_string).then_some(all)
}
