//! The effects of a change of a version on other items: on `latest`, and on the count of the blob. Pure, but for looking for
//! the last deletion of a version.

use crate::{
    ledger::{
        ChangeRequest, Error, Refused, TableLedger,
        schema::{self, BlobFields, BlobItem, BlobState, Head, ReleaseEvent, ReleaseEventKind, VersionItem},
        snapshot::{Lookup, Snapshot},
    },
    model::{PackageName, ReleaseChange, State, Version, epoch},
    table::{Action, Change, Condition, Item, Key, Order},
};
use futures_util::TryStreamExt;

/// The number of versions read at once below a withdrawn `latest`, to find the one that replaces it.
const BELOW: u64 = 50;

/// The last deletion of a version, as far as the release log was read.
#[derive(Debug, Clone, Copy)]
pub(in crate::ledger) struct Deletion {
    /// The rev of the head of the log, up to which the log was read.
    pub looked_at: u64,
    /// The state before the deletion; `None` if the last entry about the version is no deletion.
    pub was: Option<State>,
}

impl Deletion {
    /// Checks that the state before the deletion is one that a deleted version can return to.
    pub(super) fn check(self, version: &Key) -> Result<(), Error> {
        match self.was {
            Some(State::Active | State::Yanked) => Ok(()),
            Some(State::Other(word)) => {
                Err(Error::unknown_word(&format!("the state of {version}"), word.as_str(), "be restored"))
            }
            Some(State::Deleted) | None => {
                Err(Error::damaged(version, "it is deleted, and no entry of its log states that"))
            }
        }
    }
}

impl TableLedger {
    /// Returns the last deletion of a version that is to be undeleted.
    pub(super) async fn last_deletion(&self, request: &ChangeRequest) -> Result<Option<Deletion>, Error> {
        if request.change != ReleaseChange::Undelete {
            return Ok(None);
        }
        let log = schema::releases(&request.package);
        let (head, version) =
            (schema::head_key(&log), schema::version_key(&request.package, request.version.get()));
        let seen = self.read(vec![head.clone(), version.clone()]).await?;
        let looked_at = seen.get::<Head>(&head)?.map_or(0, |head| head.rev);
        let item: Option<VersionItem> = seen.get(&version)?;
        if item.is_none_or(|item| item.state != State::Deleted) {
            return Ok(Some(Deletion { looked_at, was: None }));
        }
        let (from, _) = schema::ANY_RELEASE_EVENT;
        let to = schema::release_event_key(&request.package, looked_at).sk;
        let events = self.events::<ReleaseEvent>(log, from.to_owned(), to, Order::Descending);
        let is_of_it = |event: &ReleaseEvent| std::future::ready(event.version == Some(request.version));
        let was = match events.try_filter(is_of_it).try_next().await? {
            Some(ReleaseEvent { kind: ReleaseEventKind::Delete, was, .. }) => was,
            Some(ReleaseEvent { kind: ReleaseEventKind::Other(word), .. }) => {
                let what = format!("an event of version {} of {}", request.version, request.package);
                return Err(Error::unknown_word(&what, word.as_str(), "be reversed"));
            }
            _ => None,
        };
        Ok(Some(Deletion { looked_at, was }))
    }
}

/// Returns `latest` after the change, or the keys that must be read to know.
pub(super) fn latest(
    package: &PackageName,
    head: &Head,
    item: &VersionItem,
    seen: &Snapshot,
) -> Result<Lookup<Option<(Version, BlobFields)>>, Error> {
    let as_it_is = || head.latest.zip(head.blob.clone());
    if item.state == State::Active {
        let higher = head.latest.is_none_or(|latest| item.n > latest);
        return Ok(Lookup::Ready(if higher { Some((item.n, item.copied_blob())) } else { as_it_is() }));
    }
    if head.latest != Some(item.n) {
        return Ok(Lookup::Ready(as_it_is()));
    }
    // The head's rev covers all versions, and was read before them.
    let mut below = item.n.get();
    while below > 1 {
        let keys: Vec<_> = (below.saturating_sub(BELOW).max(1)..below)
            .rev()
            .map(|number| schema::version_key(package, number))
            .collect();
        if !keys.iter().all(|key| seen.contains(key)) {
            return Ok(Lookup::Missing(keys));
        }
        for key in &keys {
            let Some(candidate) = seen.get_referenced::<VersionItem>(key)? else { continue };
            if candidate.state == State::Active {
                return Ok(Lookup::Ready(Some((candidate.n, candidate.copied_blob()))));
            }
        }
        below -= keys.len() as u64;
    }
    Ok(Lookup::Ready(None))
}

/// Decrements the number of versions that need the blob; `None` if the blob was not read.
pub(super) fn release_blob(
    package: &PackageName,
    item: &VersionItem,
    seen: &Snapshot,
) -> Result<Option<Action>, Error> {
    let key = schema::blob_key(&item.blob.sha256, epoch(item.blob.generation));
    if seen.shown::<BlobItem>(&key)?.is_none() {
        return Ok(None);
    }
    let counted = count((package, item), key.clone(), -1, seen)?;
    let why = || format!("{package} {} needs it, and its count does not include that", item.n);
    counted.map(Some).ok_or_else(|| Error::damaged(&key, why()))
}

/// Increments the number of versions that need the blob again; `None` if the blob was not read.
///
/// # Errors
/// [`Refused::Gone`] if the blob was collected, or is about to be.
pub(super) fn keep_blob(
    package: &PackageName,
    item: &VersionItem,
    seen: &Snapshot,
) -> Result<Option<Action>, Error> {
    let key = schema::blob_key(&item.blob.sha256, epoch(item.blob.generation));
    if !seen.contains(&key) {
        return Ok(None);
    }
    let counted = count((package, item), key, 1, seen)?;
    counted.map(Some).ok_or_else(|| Refused::Gone { package: package.clone(), version: item.n }.into())
}

/// Adds to the number of versions that need a blob, of which this is one; `None` if the blob is not kept for it, or if there
/// are fewer than are subtracted.
fn count(
    (package, version): (&PackageName, &VersionItem),
    key: Key,
    by: i64,
    seen: &Snapshot,
) -> Result<Option<Action>, Error> {
    let mut condition =
        vec![Condition::equals("state", "kept"), Condition::equals("gen", version.blob.generation)];
    condition.extend((by < 0).then_some(Condition::AtLeast("refs", 1)));
    let condition = Condition::All(condition);
    if !seen.fits(&key, &condition) {
        if let Some(BlobItem { state: BlobState::Other(word), .. }) = seen.get(&key)? {
            let what = format!("the blob of version {} of {package}", version.n);
            return Err(Error::unknown_word(&what, word.as_str(), "be changed"));
        }
        return Ok(None);
    }
    let change = Change::Update { set: Item::new(), add: [("refs", by)].into() };
    let condition = Condition::All(vec![condition, schema::still_needs(seen.item(&key))]);
    Ok(Some(Action { key, condition, change }))
}
