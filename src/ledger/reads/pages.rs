//! Reading results of many pages, over a link of any speed.
//!
//! DynamoDB ends a page at 1 MB. That takes no time within a data centre and half a minute at 250 kbit/s, so the
//! requested size of a page follows from the time that the previous ones took, and a page that failed in transit is
//! requested again in smaller pieces.

use crate::{
    fault::{Fault, FaultKind},
    ledger::{Error, TableLedger, table_ledger::READING},
    retry::RetryPolicy,
    table::{Item, Key, Order, Page, Query, Table},
};
use futures_util::{
    TryStreamExt,
    future::{join_all, try_join},
    stream::{self, BoxStream, Peekable, Stream, StreamExt},
};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{task::JoinHandle, time::Instant};
use tracing::Instrument;

/// The number of items that the next page asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) struct PageSize {
    requested: u32,
    /// The size of the last page, which may be less than requested: a page also ends at 1 MB.
    received: u32,
}

impl PageSize {
    /// Few items, for a quick first answer.
    const FIRST: u32 = 250;
    /// DynamoDB ends a page of small items at about this number.
    const MOST: u32 = 2000;
    /// A smaller page saves nothing: its overhead and round trip take longer than its items.
    const LEAST: u32 = 16;
    /// A page that took less may be followed by one that is twice as large.
    const QUICK: Duration = Duration::from_secs(1);
    /// A page that took more is followed by one half as large.
    const SLOW: Duration = Duration::from_secs(2);

    /// Returns the size of the first page.
    pub fn first() -> Self {
        Self { requested: Self::FIRST, received: Self::FIRST }
    }

    /// Returns the size of the first piece of a read by keys: few keys are read in one piece, since there is nothing to
    /// show early.
    fn of_keys() -> Self {
        Self { requested: Self::MOST, received: Self::MOST }
    }

    /// Returns the maximum number of items of the next page.
    pub fn items(self) -> u32 {
        self.requested
    }

    /// Records that a page has arrived.
    fn arrived(&mut self, items: usize, took: Duration) {
        self.received = u32::try_from(items).unwrap_or(u32::MAX).clamp(Self::LEAST, self.requested);
        if took > Self::SLOW {
            self.requested = (self.received / 2).max(Self::LEAST);
        } else if took < Self::QUICK {
            self.requested = (self.requested * 2).min(Self::MOST);
        }
    }

    /// Records that a page has not arrived, or not completely.
    fn failed(&mut self) {
        self.requested = (self.requested.min(self.received) / 4).max(Self::LEAST);
    }

    /// Reads a page of at most the number of items that the closure receives. Repeats until it succeeds or the deadline
    /// passes; after each missing or incomplete answer, with a smaller page.
    ///
    /// # Errors
    /// The last fault.
    pub async fn read<K, F>(
        &mut self,
        retry_policy: &RetryPolicy,
        page: impl Fn(u32) -> F,
    ) -> Result<Page<K>, Fault>
    where
        F: Future<Output = Result<Page<K>, Fault>>,
    {
        let small = |fault: &Fault| fault.kind == FaultKind::Unavailable;
        self.read_unless(retry_policy, page, |page| page.items.len(), small).await
    }

    /// Does the same as [`read`](Self::read) for anything that has a length. The next attempt is smaller after a fault
    /// for which `small` returns true.
    async fn read_unless<T, F>(
        &mut self,
        retry_policy: &RetryPolicy,
        page: impl Fn(u32) -> F,
        length: impl Fn(&T) -> usize,
        small: impl Fn(&Fault) -> bool,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let size = Mutex::new(*self);
        let (shared, page, length, small) = (&size, &page, &length, &small);
        let read = retry_policy.run(READING, || async move {
            let began = Instant::now();
            let requested = locked(shared).items();
            let read = page(requested).await;
            match &read {
                Ok(page) => locked(shared).arrived(length(page), began.elapsed()),
                Err(fault) if small(fault) => locked(shared).failed(),
                Err(_) => {}
            }
            read
        });
        let read = read.await;
        *self = *locked(&size);
        read
    }

    /// Does the same as [`read`](Self::read) for this query, and advances the query to the next page.
    async fn query(
        &mut self,
        table: &dyn Table,
        retry_policy: &RetryPolicy,
        query: &mut Query,
    ) -> Result<Page<String>, Fault> {
        let requested = &*query;
        let page = self.read(retry_policy, |limit| async move {
            table.query(&Query { limit, ..requested.clone() }).await
        });
        let page = page.await?;
        query.after.clone_from(&page.next);
        Ok(page)
    }
}

fn locked(size: &Mutex<PageSize>) -> MutexGuard<'_, PageSize> {
    size.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TableLedger {
    /// Lists the items of a range of a partition. Requests a page when half of the previous one has been taken.
    pub(in crate::ledger) fn pages(
        &self,
        pk: String,
        from: String,
        to: String,
        order: Order,
    ) -> BoxStream<'_, Result<(Key, Item), Error>> {
        let limit = PageSize::first().items();
        let first =
            Next { query: Query { pk, from, to, order, limit, after: None }, size: PageSize::first() };
        stream::try_unfold(Some(Paging::Ask(first)), move |paging| async move {
            let (next, page) = match paging {
                None => return Ok::<_, Error>(None),
                Some(Paging::Rest(rows, next)) => {
                    let ahead = Ahead::ask(Arc::clone(&self.table), self.retry_policy().clone(), next);
                    return Ok(Some((stream::iter(rows), Some(Paging::Asked(ahead)))));
                }
                Some(Paging::Ask(next)) => {
                    let page = async { Ok(next.read(self.table(), self.retry_policy()).await?) };
                    try_join(page, self.check_schema()).await?.0
                }
                Some(Paging::Asked(ahead)) => ahead.answer().await?,
            };
            let pk = &next.query.pk;
            let mut rows: Vec<_> =
                page.items.into_iter().map(|(sk, item)| Ok((Key::new(pk, sk), item))).collect();
            let rest = page.next.map(|_| {
                let rest = rows.split_off(rows.len() / 2);
                Paging::Rest(rest, next)
            });
            Ok(Some((stream::iter(rows), rest)))
        })
        .try_flatten()
        .boxed()
    }

    /// Reads the next page of a query, and advances the query past it.
    pub(in crate::ledger) async fn next_page(
        &self,
        size: &mut PageSize,
        query: &mut Query,
    ) -> Result<Page<String>, Error> {
        Ok(size.query(self.table(), self.retry_policy(), query).await?)
    }

    /// Reads items as [`Table::get_many`] does, in pieces: a piece that fails, or that DynamoDB answers in part, is
    /// requested again in smaller ones; the pieces before it are not requested again.
    pub(in crate::ledger) async fn read_each(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Error> {
        let (mut all, mut size) = (Vec::with_capacity(keys.len()), PageSize::of_keys());
        let small = |fault: &Fault| matches!(fault.kind, FaultKind::Unavailable | FaultKind::Throttled);
        while let Some(rest) = keys.get(all.len()..).filter(|rest| !rest.is_empty()) {
            let ask = |most: u32| {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                self.table().get_many(&rest[..rest.len().min(most)])
            };
            all.extend(size.read_unless(self.retry_policy(), ask, Vec::len, small).await?);
        }
        Ok(all)
    }

    /// Reads a page of the whole table; see [`Table::scan`].
    pub(in crate::ledger) async fn scan_page(
        &self,
        size: &mut PageSize,
        after: Option<&Key>,
    ) -> Result<Page<Key>, Error> {
        let page = size.read(self.retry_policy(), |most| self.table().scan_at_most(after, most));
        Ok(page.await?)
    }
}

/// A page to be requested.
struct Next {
    query: Query,
    size: PageSize,
}

impl Next {
    async fn read(
        mut self,
        table: &dyn Table,
        retry_policy: &RetryPolicy,
    ) -> Result<(Self, Page<String>), Fault> {
        let page = self.size.query(table, retry_policy, &mut self.query).await?;
        Ok((self, page))
    }
}

/// The state of reading a range.
enum Paging {
    /// This page is to be requested.
    Ask(Next),
    /// These rows of a page are left, and this page follows.
    Rest(Vec<Result<(Key, Item), Error>>, Next),
    Asked(Ahead),
}

/// A page that was requested ahead of time. Dropping this cancels the request.
struct Ahead(JoinHandle<Result<(Next, Page<String>), Fault>>);

impl Ahead {
    fn ask(table: Arc<dyn Table>, retry_policy: RetryPolicy, next: Next) -> Self {
        let requested = async move { next.read(&*table, &retry_policy).await };
        Self(tokio::spawn(requested.in_current_span()))
    }

    async fn answer(mut self) -> Result<(Next, Page<String>), Fault> {
        match (&mut self.0).await {
            Ok(answer) => answer,
            Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
            // The runtime is shutting down.
            Err(stopped) => Err(Fault::new(FaultKind::Unavailable, READING, stopped)),
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A stream of records in order.
pub(in crate::ledger) type Ordered<'a, T> = Peekable<BoxStream<'a, Result<T, Error>>>;

/// Merges streams that are each ordered by `key` into one; their pages are read in parallel. Of equal records, those of
/// the first stream come first.
pub(in crate::ledger) fn merge<'a, T: Send + Sync + 'a, K: Ord>(
    streams: Vec<Ordered<'a, T>>,
    key: impl Fn(&T) -> K + Send + 'a,
) -> impl Stream<Item = Result<T, Error>> + Send + 'a {
    stream::unfold((streams, key), |(mut streams, key)| async move {
        let heads = join_all(streams.iter_mut().map(|it| Pin::new(it).peek())).await;
        let least = heads
            .iter()
            .enumerate()
            .filter_map(|(number, head)| head.map(|head| (number, head.as_ref())))
            // An error comes first: the records after it may not be in order.
            .min_by_key(|(_, head)| head.ok().map(&key))
            .map(|(number, _)| number);
        let next = streams[least?].next().await?;
        Some((next, (streams, key)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn pages_grow_while_they_are_quick_and_shrink_when_they_are_slow() {
        let mut size = PageSize::first();
        let requested: Vec<_> = (0..5)
            .map(|_| {
                let items = size.items();
                size.arrived(items as usize, millis(20));
                items
            })
            .collect();
        assert_eq!(requested, [250, 500, 1000, 2000, 2000]);
        size.arrived(2000, millis(1500));
        assert_eq!(size.items(), 2000);
        size.arrived(2000, millis(9000));
        assert_eq!(size.items(), 1000);
        // A page of large items ends at 1 MB: half of its actual size counts, not half of the requested size.
        size.arrived(100, millis(9000));
        assert_eq!(size.items(), 50);
        for _ in 0..9 {
            size.arrived(50, millis(9000));
        }
        assert_eq!(size.items(), PageSize::LEAST);
    }

    #[test]
    fn a_page_that_failed_is_asked_for_in_smaller_pieces_down_to_a_least_one() {
        let mut size = PageSize::first();
        let requested: Vec<_> = (0..4)
            .map(|_| {
                size.failed();
                size.items()
            })
            .collect();
        assert_eq!(requested, [62, 16, 16, 16]);
        let mut size = PageSize { requested: 2000, received: 100 };
        size.failed();
        assert_eq!(size.items(), 25);
    }
}
