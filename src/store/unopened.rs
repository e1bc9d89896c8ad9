//! A placeholder for commands that use only the ledger.

use super::{Body, Content, Created, Listing, Put, PutError, Sending, Stat, Store};
use crate::{
    fault::{Fault, FaultKind},
    model::Address,
};
use async_trait::async_trait;
use std::ops::Range;

/// A store that was not opened. Every request is a fault.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unopened;

fn fault() -> Fault {
    Fault::new(FaultKind::Unexpected, "using the store", "it is not open")
}

#[async_trait]
impl Store for Unopened {
    fn describe(&self) -> String {
        "no store".to_owned()
    }

    async fn create(&self) -> Result<Created, Fault> {
        Err(fault())
    }

    async fn owner(&self) -> Result<Option<String>, Fault> {
        Err(fault())
    }

    async fn claim(&self, _: &str) -> Result<String, Fault> {
        Err(fault())
    }

    async fn replace_owner(&self, _: &str, _: &str) -> Result<String, Fault> {
        Err(fault())
    }

    async fn stat(&self, _: &Address) -> Result<Option<Stat>, Fault> {
        Err(fault())
    }

    async fn put(&self, _: &Address, _: &Content, _: bool, _: Sending<'_>) -> Result<Put, PutError> {
        Err(fault().into())
    }

    async fn get(&self, _: &Address, _: Range<u64>, _: Option<&str>) -> Result<Option<Body>, Fault> {
        Err(fault())
    }

    async fn delete(&self, _: &Address) -> Result<(), Fault> {
        Err(fault())
    }

    async fn list(&self, _: Option<&str>) -> Result<Listing, Fault> {
        Err(fault())
    }
}
