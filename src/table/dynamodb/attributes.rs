//! Conversion between items and DynamoDB's attributes.

use crate::table::Key;
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::HashMap;

pub(super) type Attributes = HashMap<String, AttributeValue>;

pub(super) fn attributes(key: &Key) -> Attributes {
    let of = |name: &str, value: &str| (name.to_owned(), AttributeValue::S(value.to_owned()));
    HashMap::from([of("pk", &key.pk), of("sk", &key.sk)])
}

pub(super) fn is_known(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::L(values) => values.iter().all(is_known),
        AttributeValue::M(values) => values.values().all(is_known),
        value => !value.is_unknown(),
    }
}

pub(super) fn take_key(attributes: &mut Attributes) -> Option<Key> {
    let mut take = |name| match attributes.remove(name) {
        Some(AttributeValue::S(value)) => Some(value),
        _ => None,
    };
    Some(Key { pk: take("pk")?, sk: take("sk")? })
}
