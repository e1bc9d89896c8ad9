//! A store in memory: the executable specification of [`Store`], for tests and simulation.

use super::{
    Body, Content, Listing, Put, PutError, Sending, Sent, Stat, Store,
    sending::{belongs, out_of_range, replaced_while_read, without_owner},
};
use crate::{
    fault::{Fault, FaultKind},
    model::{Address, Created, Digest, Timestamp},
};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use std::{
    collections::BTreeMap,
    fmt, io,
    ops::{Bound, Range},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A store in memory. Its content lives as long as the value; share it by `Arc`.
pub struct MemoryStore {
    state: Mutex<State>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

#[derive(Default)]
struct State {
    owner: Option<String>,
    // Keyed by address as text, which is the order of a listing.
    objects: BTreeMap<String, Object>,
    // The number of stored objects so far, used for etags.
    stored: u64,
}

struct Object {
    bytes: Bytes,
    etag: String,
    modified: Timestamp,
}

const LIST_PAGE: usize = 1000;

impl MemoryStore {
    /// Returns an empty store with this machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Timestamp::now)
    }

    /// Returns an empty store with the given clock.
    #[must_use]
    pub fn with_clock(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { state: Mutex::default(), clock: Box::new(clock) }
    }

    /// Stores any bytes under an address, right or wrong, as a change outside the program could.
    pub fn plant(&self, at: &Address, bytes: impl Into<Bytes>) {
        self.set(&mut self.state(), at, bytes.into());
    }

    fn set(&self, state: &mut State, at: &Address, bytes: Bytes) {
        state.stored += 1;
        let object = Object { bytes, etag: state.stored.to_string(), modified: (self.clock)() };
        state.objects.insert(at.to_string(), object);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A change is computed before anything is written, so a panic elsewhere can't leave a partial change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("objects", &self.state().objects.len()).finish_non_exhaustive()
    }
}

fn is(bytes: &[u8], content: &Content) -> bool {
    bytes.len() as u64 == content.size() && Digest::of(bytes) == *content.sha256()
}

#[async_trait]
impl Store for MemoryStore {
    fn describe(&self) -> String {
        "a store in memory".to_owned()
    }

    async fn create(&self) -> Result<Created, Fault> {
        Ok(Created::Present)
    }

    async fn owner(&self) -> Result<Option<String>, Fault> {
        Ok(self.state().owner.clone())
    }

    async fn claim(&self, ledger: &str) -> Result<String, Fault> {
        Ok(self.state().owner.get_or_insert_with(|| ledger.to_owned()).clone())
    }

    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault> {
        let mut state = self.state();
        let owner = state.owner.as_mut().ok_or_else(|| without_owner(self.describe()))?;
        if owner == from {
            to.clone_into(owner);
        }
        Ok(owner.clone())
    }

    async fn stat(&self, at: &Address) -> Result<Option<Stat>, Fault> {
        let state = self.state();
        let stat = |object: &Object| Stat { size: object.bytes.len() as u64, modified: object.modified };
        Ok(state.objects.get(&at.to_string()).map(stat))
    }

    async fn put(
        &self,
        at: &Address,
        content: &Content,
        _expected: bool,
        sent: Sending<'_>,
    ) -> Result<Put, PutError> {
        belongs(at, content)?;
        let there = || self.state().objects.get(&at.to_string()).map(|object| is(&object.bytes, content));
        if there() == Some(true) {
            return Ok(Put::Present);
        }
        let bytes = match tokio::fs::read(content.path()).await {
            Ok(bytes) if is(&bytes, content) => Bytes::from(bytes),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let doing = format!("reading {}", content.path().display());
                return Err(Fault::new(FaultKind::Disk, doing, error).into());
            }
            _ => return Err(PutError::Changed(content.path().to_owned())),
        };
        sent(Sent::Now(content.size()));
        let mut state = self.state();
        // Checked again under the lock: another put may have finished meanwhile.
        let put = match state.objects.get(&at.to_string()) {
            Some(object) if is(&object.bytes, content) => return Ok(Put::Present),
            Some(_) => Put::Replaced,
            None => Put::Stored,
        };
        self.set(&mut state, at, bytes);
        Ok(put)
    }

    async fn get(&self, at: &Address, range: Range<u64>, etag: Option<&str>) -> Result<Option<Body>, Fault> {
        let state = self.state();
        let Some(object) = state.objects.get(&at.to_string()) else {
            return Ok(None);
        };
        let doing = || format!("reading the blob {at} from {}", self.describe());
        if etag.is_some_and(|etag| etag != object.etag) {
            return Err(replaced_while_read(doing()));
        }
        let size = object.bytes.len() as u64;
        let slice = || Some(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?);
        let bytes = match slice() {
            _ if range.is_empty() => Bytes::new(),
            Some(slice) if range.end <= size => object.bytes.slice(slice),
            _ => return Err(out_of_range(doing(), range.end, size)),
        };
        let chunks = (!bytes.is_empty()).then_some(Ok(bytes));
        Ok(Some(Body { etag: object.etag.clone(), size, stream: stream::iter(chunks).boxed() }))
    }

    async fn delete(&self, at: &Address) -> Result<(), Fault> {
        self.state().objects.remove(&at.to_string());
        Ok(())
    }

    async fn list(&self, after: Option<&str>) -> Result<Listing, Fault> {
        let state = self.state();
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.to_owned()));
        let mut found = state.objects.range((from, Bound::Unbounded));
        let objects: Vec<_> = found
            .by_ref()
            .take(LIST_PAGE)
            .filter_map(|(name, object)| {
                let stat = Stat { size: object.bytes.len() as u64, modified: object.modified };
                Some((name.parse::<Address>().ok()?, stat))
            })
            .collect();
        let next = objects.last().map(|(at, _)| at.to_string()).filter(|_| found.next().is_some());
        Ok(Listing { objects, next })
    }
}
