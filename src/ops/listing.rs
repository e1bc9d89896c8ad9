//! Everything that is in the store: page by page, and of a large store many pages at once.

use super::{client::Client, error::Error, fetch::spawned};
use crate::{
    model::Address,
    store::{Listing, Stat},
};
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};

/// Objects of one page.
pub(super) type Objects = Vec<(Address, Stat)>;

/// The first digits of an address: as many parts are listed at once.
const DIGITS: [&str; 16] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f"];

/// A store of so many pages is listed in parts. In a smaller one the last part would end hardly sooner than a listing
/// in order.
const LARGE: u32 = 32;

/// The place where a listing continues.
enum Next {
    Begin,
    After(String),
    End,
}

impl From<Option<String>> for Next {
    fn from(next: Option<String>) -> Self {
        next.map_or(Self::End, Self::After)
    }
}

impl Client {
    /// Every blob that is in the store all the while, once, page by page: in the order of addresses, unless there are
    /// many pages. Those are read 16 at a time and come in no order. At most 17 pages are in memory.
    pub(super) fn listing(&self) -> BoxStream<'_, Result<Objects, Error>> {
        let pages = async move {
            let first = self.page("", None).await?;
            if self.store.lists_in_parts() && is_large(&first) {
                // The first page is read once more, with its part.
                let parts = DIGITS.map(|digit| self.pages(digit, Next::Begin));
                return Ok::<_, Error>(stream::select_all(parts).boxed());
            }
            let rest = self.pages("", first.next.into());
            Ok(stream::iter([Ok(first.objects)]).chain(rest).boxed())
        };
        stream::once(pages).try_flatten().boxed()
    }

    fn pages(&self, prefix: &'static str, from: Next) -> BoxStream<'_, Result<Objects, Error>> {
        stream::try_unfold(from, move |next| async move {
            let after = match next {
                Next::Begin => None,
                Next::After(after) => Some(after),
                Next::End => return Ok(None),
            };
            let client = self.clone();
            // An answer is read as it arrives, also while nobody asks for the page.
            let page = spawned(async move { client.page(prefix, after.as_deref()).await }).await?;
            Ok(Some((page.objects, page.next.into())))
        })
        .boxed()
    }

    async fn page(&self, prefix: &str, after: Option<&str>) -> Result<Listing, Error> {
        let list = || async move {
            match prefix {
                "" => self.store.list(after).await,
                prefix => self.store.list_part(prefix, after).await,
            }
        };
        Ok(self.retry_policy.run("listing the store", list).await?)
    }
}

/// Returns true if a first page ends so early among all addresses that there must be many more: a sha256 is as likely to
/// be anywhere.
fn is_large(first: &Listing) -> bool {
    let start =
        |at: &Address| at.sha256.to_bytes().first_chunk().map_or(0, |start| u32::from_be_bytes(*start));
    let last = first.objects.last().filter(|_| first.next.is_some());
    last.is_some_and(|(at, _)| start(at) < u32::MAX / LARGE)
}
