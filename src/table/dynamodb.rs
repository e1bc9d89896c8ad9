//! The table in DynamoDB.
//!
//! Every read is [strongly consistent](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html)
//! and every change is a
//! [transaction](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html), so that the
//! table of one region is serialisable. It has no index: one could not be read consistently.

mod attributes;
mod canonical;
mod capacity;
mod client;
mod create;
mod expression;
mod grants;
mod rows;
mod settings;

pub use client::DynamoTable;
pub use rows::rows;

use super::{Access, Item, Key, MAX_ACTIONS, Order, Page, Query, Table, TransactError, Transaction};
use crate::{
    aws,
    fault::{Fault, FaultKind},
    model::{Created, Grant, Setting},
};
use async_trait::async_trait;
use attributes::{Attributes, attributes, take_key};
use aws_sdk_dynamodb::{
    error::BuildError,
    operation::{transact_get_items::TransactGetItemsError, transact_write_items::TransactWriteItemsError},
    types::{AttributeValue, Get, TransactGetItem},
};
use client::{BATCH, worst};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use std::collections::{BTreeSet, HashMap};
use tracing::{Instrument, debug_span};

/// The number of concurrent batches.
const BATCHES: usize = 8;

#[async_trait]
impl Table for DynamoTable {
    fn describe(&self) -> String {
        format!("dynamodb://{}", self.name)
    }

    /// Returns its name and region. A copy with both in another account is not distinguished: the ARN would need a
    /// permission that publishers need not have.
    async fn home(&self) -> Result<Option<String>, Fault> {
        let region = self.client.config().region().map_or("", AsRef::as_ref);
        Ok(Some(format!("dynamodb:{region}/{}", self.name)))
    }

    async fn create(&self) -> Result<Created, Fault> {
        create::create(self).await
    }

    async fn settings(&self) -> Result<Vec<Setting>, Fault> {
        settings::look(self).await
    }

    async fn grants(&self, accesses: &[(Access, Key)]) -> Result<Vec<Grant>, Fault> {
        grants::grants(self, accesses).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        if let [key] = keys {
            return Ok(vec![self.get_one(key).await?]);
        }
        // A batch may not name a key twice.
        let different: Vec<&Key> = keys.iter().collect::<BTreeSet<_>>().into_iter().collect();
        let batches = different.chunks(BATCH).map(|batch| self.get_batch(batch)).collect::<Vec<_>>();
        let found: Vec<_> = stream::iter(batches).buffer_unordered(BATCHES).try_collect().await?;
        let found: HashMap<Key, Item> = found.into_iter().flatten().collect();
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        debug_assert!(keys.len() <= MAX_ACTIONS);
        let mut request = self.client.transact_get_items();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        for key in keys {
            let get = Get::builder().table_name(&self.name).set_key(Some(attributes(key))).build();
            let get = get.map_err(|error| Fault::new(FaultKind::Unexpected, self.reading(), error))?;
            request = request.transact_items(TransactGetItem::builder().get(get).build());
        }
        let request = request.set_return_consumed_capacity(capacity::wanted());
        let sent = request.send().instrument(debug_span!("dynamodb.TransactGetItems", table = self.name));
        let answer = sent.await.map_err(|error| match error.as_service_error() {
            Some(TransactGetItemsError::TransactionCanceledException(cancelled)) => {
                let (kind, source) = worst(cancelled.cancellation_reasons())
                    .unwrap_or((FaultKind::Unexpected, "cancelled without a reason".to_owned()));
                Fault::new(kind, self.reading(), source)
            }
            _ => aws::fault(self.reading(), error),
        })?;
        capacity::read(answer.consumed_capacity());
        let items = answer.responses.unwrap_or_default();
        if items.len() != keys.len() {
            let source = format!("{} answers to {} keys", items.len(), keys.len());
            return Err(Fault::new(FaultKind::Unexpected, self.reading(), source));
        }
        let item = |item: Attributes| self.item(item).map(|(_, item)| item);
        items
            .into_iter()
            .map(|answer| answer.item.filter(|item| !item.is_empty()).map(item).transpose())
            .collect()
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        // DynamoDB refuses an empty range, and a start outside of the range.
        if query.is_exhausted() {
            return Ok(NOTHING);
        }
        let after = match (&query.after, query.order) {
            (Some(after), Order::Ascending) => Some(after).filter(|after| **after >= query.from),
            (Some(after), Order::Descending) => Some(after).filter(|after| **after <= query.to),
            (None, _) => None,
        };
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", AttributeValue::S(query.pk.clone()))
            .expression_attribute_values(":from", AttributeValue::S(query.from.clone()))
            .expression_attribute_values(":to", AttributeValue::S(query.to.clone()))
            .scan_index_forward(query.order == Order::Ascending)
            .limit(query.limit.try_into().unwrap_or(i32::MAX))
            .set_exclusive_start_key(after.map(|sk| attributes(&Key::new(&query.pk, sk))))
            .set_return_consumed_capacity(capacity::wanted());
        let sent = request.send().instrument(debug_span!("dynamodb.Query", table = self.name));
        let answer = sent.await.map_err(|error| aws::fault(self.reading(), error))?;
        capacity::read(&answer.consumed_capacity);
        let items = answer.items.unwrap_or_default().into_iter().map(|item| self.item(item));
        let items = items.map(|item| item.map(|(key, item)| (key.sk, item))).collect::<Result<_, _>>()?;
        let next = answer.last_evaluated_key.and_then(|mut last| take_key(&mut last)).map(|key| key.sk);
        Ok(Page { items, next })
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.scan_at_most(after, u32::MAX).await
    }

    async fn scan_at_most(&self, after: Option<&Key>, most: u32) -> Result<Page<Key>, Fault> {
        let request = self.client.scan().table_name(&self.name).consistent_read(true);
        let request = request.limit(most.try_into().unwrap_or(i32::MAX));
        let request = request.set_exclusive_start_key(after.map(attributes));
        let request = request.set_return_consumed_capacity(capacity::wanted());
        let sent = request.send().instrument(debug_span!("dynamodb.Scan", table = self.name));
        let answer = sent.await.map_err(|error| aws::fault(self.reading(), error))?;
        capacity::read(&answer.consumed_capacity);
        let items = answer.items.unwrap_or_default().into_iter().map(|item| self.item(item));
        let items = items.collect::<Result<_, _>>()?;
        Ok(Page { items, next: answer.last_evaluated_key.and_then(|mut last| take_key(&mut last)) })
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        if transaction.actions().is_empty() {
            return Ok(());
        }
        let unexpected =
            |error: BuildError| Fault::new(FaultKind::Unexpected, self.writing(), error.to_string());
        let items = transaction.actions().iter().map(|action| expression::compile(&self.name, action));
        let items = items.collect::<Result<_, _>>().map_err(unexpected)?;
        let request = self
            .client
            .transact_write_items()
            .client_request_token(transaction.token())
            .set_transact_items(Some(items))
            .set_return_consumed_capacity(capacity::wanted())
            .customize()
            .interceptor(canonical::CanonicalBody);
        let span = debug_span!(
            "dynamodb.TransactWriteItems",
            table = self.name,
            items = transaction.actions().len()
        );
        let error = match request.send().instrument(span).await {
            Ok(answer) => {
                capacity::written(answer.consumed_capacity());
                return Ok(());
            }
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                let reasons = cancelled.cancellation_reasons().to_vec();
                Err(self.cancelled(reasons, transaction.actions().len()))
            }
            _ => Err(aws::fault(self.writing(), error).into()),
        }
    }
}

const NOTHING: Page<String> = Page { items: Vec::new(), next: None };
