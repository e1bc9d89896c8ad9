//! The number of versions that need each blob, compared with the blobs' items.

use super::{
    compact::Tallies,
    tally::{Spot, Tally},
    violation::{Found, Invariant, OnProgress, OnViolation, Violation},
};
use crate::{
    ledger::{
        Error, TableLedger,
        reads::pages::PageSize,
        schema::{self, BlobItem, BlobState, VersionItem, decode},
        table_ledger::READING,
    },
    model::{Digest, State, epoch},
    table::{Action, Change, Condition, Item, Key, MAX_ACTIONS},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The maximum number of recounts of blobs with a wrong count, in case versions that need them were added or deleted in
/// the meantime, or, for a repair, anyone was writing.
const RECOUNTS: usize = 5;

/// The findings of one pass over the table.
#[derive(Default)]
pub(super) struct Counted {
    pub packages: u64,
    pub versions: u64,
    /// True if a version can only be read by a newer release, so that the blob that it needs is not known.
    unreadable: bool,
    blobs: Tallies,
}

impl Counted {
    pub(super) fn take(&mut self, key: &Key, item: &Item) {
        self.packages += u64::from(key.pk.starts_with("P#") && key.sk == "H");
        self.unreadable |=
            key.pk.starts_with("P#") && key.sk.starts_with("V#") && schema::least(item, "read").is_some();
        if let Some((at, version)) = version(key, item) {
            self.versions += 1;
            if version.state != State::Deleted {
                self.blobs.change(at, |tally| tally.need(&version));
            }
        }
        if let Some((at, item)) = blob(key, item) {
            self.blobs.change(at, |tally| tally.item = Some(item));
        }
    }

    pub(super) fn into_blobs(self) -> Tallies {
        self.blobs
    }
}

/// Returns a version and its blob. An unreadable version is reported with its package.
fn version(key: &Key, item: &Item) -> Option<(Spot, VersionItem)> {
    if !(key.pk.starts_with("P#") && key.sk.starts_with("V#")) {
        return None;
    }
    let version: VersionItem = decode(key, item).ok()?;
    Some(((version.blob.sha256.to_bytes(), epoch(version.blob.generation)), version))
}

fn blob(key: &Key, item: &Item) -> Option<(Spot, (BlobState, u64, u64))> {
    let sha256: Digest = key.pk.strip_prefix("B#")?.parse().ok()?;
    let item: BlobItem = decode(key, item).ok()?;
    let at = (sha256.to_bytes(), epoch(item.generation));
    (*key == blob_key(&at)).then_some((at, (item.state, item.generation, item.refs)))
}

/// Returns true if an item is the readable item of a blob, in the epoch of its key.
pub(super) fn is_blob(key: &Key, item: &Item) -> bool {
    blob(key, item).is_some()
}

/// Returns true if an item of a blob can have this key.
pub(super) fn is_blob_key(key: &Key) -> bool {
    let epoch =
        key.sk.strip_prefix("B#").is_some_and(|epoch| epoch.bytes().all(|byte| byte.is_ascii_digit()));
    key.sk == "B" || epoch
}

fn blob_key((sha256, epoch): &Spot) -> Key {
    schema::blob_key(&Digest::from(*sha256), *epoch)
}

/// The number of blobs that are counted at once.
const JOBS: usize = 8;

/// The versions of one blob, deleted ones included.
#[derive(Debug, Clone, Default, PartialEq)]
struct Need {
    tally: Tally,
    /// The packages that need it, with the revs of their heads.
    packages: BTreeMap<String, u64>,
    /// The keys of the versions, as far as they fit in one read with the blob's item.
    versions: Vec<Key>,
}

/// The counts of some blobs over the whole table, and the packages that need them.
#[derive(Default, PartialEq)]
struct Pass {
    needs: BTreeMap<Spot, Need>,
    /// The hash of all heads: the same in two passes if none has moved in between.
    heads: u128,
}

/// Returns true if all versions of a blob fit in one read with its item.
fn fits(versions: &[Key]) -> bool {
    versions.len() < MAX_ACTIONS
}

impl TableLedger {
    pub(super) async fn audit_counts(
        &self,
        counted: &Counted,
        repair: bool,
        lower: bool,
        on_violation: OnViolation<'_>,
        on_progress: OnProgress<'_>,
    ) -> Result<(), Error> {
        if counted.unreadable {
            let what = "the number of versions that need each blob was not checked: some versions need a newer sacker to be read";
            on_violation(Violation::new("B#*".to_owned(), Invariant::Newer, what));
            return Ok(());
        }
        let mut suspects: BTreeSet<_> =
            counted.blobs.iter().filter(|(_, tally)| tally.wrong().is_some()).map(|(at, _)| at).collect();
        if suspects.is_empty() {
            return Ok(());
        }
        let mut found: BTreeMap<Spot, (Tally, BTreeMap<String, u64>, bool)> = BTreeMap::new();
        for _ in 0..RECOUNTS {
            let first = self.pass(&suspects, on_progress).await?;
            let counts: Vec<_> = suspects.iter().map(|at| self.count(*at, first.needs.get(at))).collect();
            let counts: Vec<_> = stream::iter(counts).buffered(JOBS).try_collect().await?;
            let second = self.pass(&suspects, on_progress).await?;
            let quiet = second == first;
            for (at, counted) in std::mem::take(&mut suspects).into_iter().zip(counts) {
                let Need { tally, packages, versions } = first.needs.get(&at).cloned().unwrap_or_default();
                let later = second.needs.get(&at).cloned().unwrap_or_default();
                // An unreadable one was reported when it was first read.
                let Some(counted) = counted else { continue };
                // Versions are added only once. Of a blob with more versions than fit in one read, one may be deleted and
                // undeleted in between.
                let same = if fits(&versions) { versions == later.versions } else { tally == later.tally };
                if !same {
                    // A version was added or deleted, perhaps before its item was read: the count is inconclusive.
                    suspects.insert(at);
                    continue;
                }
                let tally = if fits(&versions) { counted } else { Tally { item: counted.item, ..tally } };
                if tally.wrong().is_some() {
                    // It can't be repaired while others write, but a later attempt may succeed.
                    if repair && !quiet {
                        suspects.insert(at);
                    }
                    found.insert(at, (tally, packages, quiet));
                } else {
                    found.remove(&at);
                }
            }
            if suspects.is_empty() {
                break;
            }
        }
        for (at, (tally, packages, quiet)) in found {
            let key = blob_key(&at);
            let what = tally.wrong().unwrap_or_default();
            let raised = tally.item.is_none_or(|(_, _, refs)| refs < tally.record.needed);
            let fix = tally.repaired().filter(|_| quiet && (lower || raised) && packages.len() < MAX_ACTIONS);
            let fix = fix.map(|(condition, change)| {
                // If a version is added or deleted, the count or the head of its package changes.
                let unmoved = packages.iter().map(|(log, rev)| Action {
                    key: schema::head_key(log),
                    condition: Condition::equals("rev", *rev),
                    change: Change::Check,
                });
                let put = Action { key: key.clone(), condition, change };
                std::iter::once(put).chain(unmoved).collect()
            });
            let violation = Violation::new(key.to_string(), Invariant::Refs, what);
            self.settle_found(Found { violation, fix }, repair, on_violation).await?;
        }
        Ok(())
    }

    /// Counts the versions of a blob at one instant, if they fit in one read; else reads only its item. Returns `None` if
    /// one of them can't be read.
    async fn count(&self, at: Spot, need: Option<&Need>) -> Result<Option<Tally>, Error> {
        let versions = need.map_or(&[][..], |need| &need.versions);
        let key = blob_key(&at);
        let mut keys = vec![key.clone()];
        if fits(versions) {
            keys.extend(versions.iter().cloned());
        }
        let one = keys.len() > 1;
        let seen = self.retry_policy().run(READING, || self.read_once(keys.clone(), one)).await?;
        let mut tally = Tally::default();
        let Ok(item) = seen.get::<BlobItem>(&key) else { return Ok(None) };
        tally.item = item.map(|item| (item.state, item.generation, item.refs));
        for key in &keys[1..] {
            let Ok(Some(version)) = seen.get::<VersionItem>(key) else { return Ok(None) };
            if version.state == State::Deleted {
                tally.deleted += 1;
            } else {
                tally.need(&version);
            }
        }
        Ok(Some(tally))
    }

    /// Counts some blobs over the whole table.
    async fn pass(&self, suspects: &BTreeSet<Spot>, on_progress: OnProgress<'_>) -> Result<Pass, Error> {
        let mut pass = Pass::default();
        let mut revs: BTreeMap<String, u64> = BTreeMap::new();
        let (mut after, mut size): (Option<Key>, _) = (None, PageSize::first());
        loop {
            let page = self.scan_page(&mut size, after.as_ref()).await?;
            on_progress(page.items.len() as u64);
            for (key, item) in &page.items {
                if key.pk.starts_with("P#") && key.sk == "H" {
                    let rev = item.get("rev").and_then(serde_json::Value::as_u64).unwrap_or_default();
                    let hash = Sha256::digest(format!("{} {rev}", key.pk));
                    let mut part = [0; 16];
                    part.copy_from_slice(&hash[..16]);
                    pass.heads = pass.heads.wrapping_add(u128::from_be_bytes(part));
                    revs.insert(key.pk.clone(), rev);
                }
                let Some((at, version)) = version(key, item) else { continue };
                if !suspects.contains(&at) {
                    continue;
                }
                let Need { tally, packages, versions } = pass.needs.entry(at).or_default();
                if fits(versions) {
                    versions.push(key.clone());
                }
                if version.state == State::Deleted {
                    tally.deleted += 1;
                } else {
                    tally.need(&version);
                    packages.insert(key.pk.clone(), 0);
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        for need in pass.needs.values_mut() {
            for (log, rev) in &mut need.packages {
                *rev = revs.get(log).copied().unwrap_or_default();
            }
        }
        Ok(pass)
    }
}
