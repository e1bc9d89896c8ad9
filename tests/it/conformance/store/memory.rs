//! The store in memory.

use super::{Bench, conformance};
use async_trait::async_trait;
use sacker::store::{Store, memory::MemoryStore};
use std::{future::ready, sync::Arc};

struct Memory(Arc<MemoryStore>);

#[async_trait]
impl Bench for Memory {
    fn store(&self) -> Arc<dyn Store> {
        self.0.clone()
    }

    async fn plant(&self, name: &str, bytes: Vec<u8>) {
        if let Ok(at) = name.parse() {
            self.0.plant(&at, bytes);
        }
    }

    async fn plant_leftovers(&self) -> Vec<String> {
        Vec::new()
    }
}

fn bench() -> Memory {
    Memory(Arc::new(MemoryStore::new()))
}

conformance!(ready(bench()));
