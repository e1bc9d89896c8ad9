//! Reading the logs of a package page by page, and keeping only the data of each item that judging it needs.
//!
//! Entries of releases are in two ranges of sort keys, events before versions. Both are read at once, in the order of
//! `rev`: so the chain is checked as they pass, and only an entry that is out of order is kept whole.

use super::{
    facts::{
        Entry, Place, ReleaseFact, TagFact, Unfit, VersionFact, follows, is_spared, pack, pack_gates,
        pack_item,
    },
    records::{Log, Releases, Tag, Tags, number_in},
    violation::{Invariant, OnProgress, UNKNOWN_ITEM},
    walk::{is_entry, number},
};
use crate::{
    ledger::{
        Error, TableLedger,
        reads::pages::PageSize,
        schema::{self, KeyItem, ReleaseEvent, TagEvent, VersionItem},
    },
    model::{State, Version},
    table::{Item, Key, Order, Query},
};
use std::collections::{BTreeSet, VecDeque};

/// The start of the sort keys of versions; all other items of releases are before it.
const VERSIONS: &str = "V#";

/// A range of a partition, read as needed.
struct Cursor {
    rows: VecDeque<(String, Item)>,
    /// The next page, if there may be one.
    query: Option<Query>,
    size: PageSize,
}

impl Cursor {
    fn whole(pk: &str) -> Self {
        let (from, to) = (" ".to_owned(), schema::HIGHEST.to_owned());
        Self::range(pk, from, to)
    }

    fn range(pk: &str, from: String, to: String) -> Self {
        let size = PageSize::first();
        let limit = size.items();
        let query = Query { pk: pk.to_owned(), from, to, order: Order::Ascending, limit, after: None };
        Self { rows: VecDeque::new(), query: Some(query), size }
    }

    /// Reads on until there is a row, or no more. If a page has entries from after the log's head was read, reads the
    /// head again: it covers entries that were committed in the meantime.
    async fn fill(
        &mut self,
        ledger: &TableLedger,
        log: &mut Log,
        on_progress: OnProgress<'_>,
    ) -> Result<(), Error> {
        while self.rows.is_empty()
            && let Some(query) = &mut self.query
        {
            let page = ledger.next_page(&mut self.size, query).await?;
            if page.next.is_none() {
                self.query = None;
            }
            on_progress(page.items.len() as u64);
            self.rows = page.items.into();
            let highest = self.rows.iter().filter_map(|(sk, item)| rev(sk, item)).max();
            if highest.is_some_and(|rev| rev > log.rev().max(log.seen)) {
                let head = ledger.read_each(&[log.head_key()]).await?.pop().flatten();
                log.seen = log.seen.max(number_in(head.as_ref(), "rev"));
            }
        }
        Ok(())
    }

    /// Splits a range of which one page was read into the rows before the versions, and the rest.
    fn split(mut self) -> [Self; 2] {
        let versions = self.rows.split_off(self.rows.partition_point(|(sk, _)| sk.as_str() < VERSIONS));
        let all_before = versions.is_empty();
        let mut rest = Self { rows: versions, query: self.query.take(), size: self.size };
        if let Some(query) = rest.query.as_mut().filter(|_| all_before) {
            self.query = Some(Query { to: VERSIONS.to_owned(), ..query.clone() });
            *query = Query { from: VERSIONS.to_owned(), after: None, ..query.clone() };
        }
        [self, rest]
    }

    fn next(&self) -> Option<(bool, u64)> {
        let (sk, item) = self.rows.front()?;
        Some((is_entry(sk), rev(sk, item).unwrap_or_default()))
    }
}

/// Returns the rev of the entry that an item is, or is a copy of.
fn rev(sk: &str, item: &Item) -> Option<u64> {
    let name = match sk.get(..2)? {
        "V#" | "A#" | "E#" => "rev",
        "t#" => "set",
        _ => return None,
    };
    Some(number_in(Some(item), name))
}

impl Log {
    /// Returns true if an item is, or is a copy of, an entry that was committed after the head was read.
    fn is_later(&self, sk: &str, item: &Item) -> bool {
        rev(sk, item).is_some_and(|rev| rev > self.rev() && rev <= self.seen)
    }

    /// Records what is common to all items.
    fn meet(&mut self, key: &Key, item: &Item) {
        let place = Place::of(&key.sk);
        self.met.add(&place);
        if let Place::Other(sk) = place
            && is_entry(&sk)
        {
            self.odd.insert(*sk);
        }
        if is_spared(item) {
            self.spared.insert(key.sk.clone());
        }
        self.closed |= is_entry(&key.sk) && schema::least(item, "read").is_some();
    }

    fn push(&mut self, mut entry: Entry, item: Item) {
        entry.unfit = match self.entries.last() {
            Some(last) if last.rev + 1 == entry.rev => {
                (!follows(&entry, &self.pk, &item, &last.chain)).then(|| Box::new(Unfit::No))
            }
            _ => Some(Box::new(Unfit::Unknown(item))),
        };
        self.entries.push(entry);
    }

    /// Takes an idempotency key. The entry that it refers to has been read by now.
    fn take_key(&mut self, key: &Key, item: &Item) {
        if let Some(remembered) = self.keys.read::<KeyItem>(key, item)
            && !self.odd.contains(&remembered.entry)
            && !self.met.has(&remembered.entry)
        {
            self.dangling.push((key.sk.clone(), remembered.entry));
        }
    }
}

impl Releases {
    fn take(&mut self, sk: String, item: Item, tagged: &BTreeSet<Version>) {
        let log = &mut self.log;
        if log.is_later(&sk, &item) {
            return;
        }
        let key = Key::new(&log.pk, sk);
        log.meet(&key, &item);
        match key.sk.get(..2) {
            Some("V#") => self.take_version(&key, item, tagged),
            Some("A#") => {
                let Some(event) = log.read.read::<ReleaseEvent>(&key, &item) else { return };
                let ReleaseEvent { kind, version, was, state, labels, when, op, rev, chain, .. } = event;
                if number(&key.sk) != Some(rev) {
                    log.read.add(&key, Invariant::Form, format!("its key does not match its rev, {rev}"));
                }
                let place = Place::of(&key.sk);
                log.push(Entry::new(place.clone(), rev, when, &op, &chain), item);
                self.events.push(ReleaseFact {
                    place,
                    rev,
                    kind,
                    version,
                    was,
                    state,
                    labels: pack(&labels),
                });
            }
            Some("K#") => log.take_key(&key, &item),
            _ => log.read.unjudged(&key, UNKNOWN_ITEM),
        }
    }

    fn take_version(&mut self, key: &Key, item: Item, tagged: &BTreeSet<Version>) {
        let log = &mut self.log;
        let Some(version) = log.read.read::<VersionItem>(key, &item) else { return };
        let VersionItem { n, state, when, .. } = version;
        if number(&key.sk) != Some(n.get()) {
            log.read.add(key, Invariant::Form, format!("its key does not match its number, {n}"));
        }
        let more_labels = item.get("more_labels").and_then(serde_json::Value::as_object).map(pack_item);
        self.versions.push(VersionFact { n, state, labels: pack(&version.labels), more_labels });
        log.push(Entry::new(Place::of(&key.sk), version.rev, when, &version.op, &version.chain), item);
        // The highest active version is probably `latest`.
        let is_latest = state == State::Active && self.latest.is_none_or(|latest| latest < n);
        if is_latest && let Some(before) = self.latest.replace(n).filter(|before| !tagged.contains(before)) {
            self.blobs.remove(&before);
        }
        if is_latest || tagged.contains(&n) {
            self.blobs.insert(n, Some(version.copied_blob()));
        }
    }
}

impl Tags {
    fn take(&mut self, sk: String, item: Item) {
        let log = &mut self.log;
        let later = log.is_later(&sk, &item);
        if later && is_entry(&sk) {
            return;
        }
        let key = Key::new(&log.pk, sk);
        log.meet(&key, &item);
        match key.sk.get(..2) {
            Some("E#") => self.take_event(&key, item),
            Some("t#") => {
                // A tag without an event is reported, unless the event came later.
                let tag = self.by_key.entry(key.sk.into()).or_default();
                tag.later = later;
                tag.item = Some(pack_item(&item));
            }
            Some("K#") => log.take_key(&key, &item),
            _ => log.read.unjudged(&key, UNKNOWN_ITEM),
        }
    }

    fn take_event(&mut self, key: &Key, item: Item) {
        let log = &mut self.log;
        let Some(event) = log.read.read::<TagEvent>(key, &item) else { return };
        if number(&key.sk) != Some(event.rev) {
            log.read.add(key, Invariant::Form, format!("its key does not match its rev, {}", event.rev));
        }
        let tag = event.tag.as_ref().map(|tag| {
            let met = self.met;
            let tag = self.by_key.entry(format!("t#{tag}").into()).or_default();
            let number = *tag.number.get_or_insert(met);
            self.met = met.max(number + 1);
            if tag.last.as_ref().is_none_or(|(rev, ..)| *rev <= event.rev) {
                tag.last = Some((event.rev, event.version, pack_item(&item)));
            }
            number
        });
        let place = Place::of(&key.sk);
        log.push(Entry::new(place.clone(), event.rev, event.when, &event.op, &event.chain), item);
        let TagEvent { rev, kind, previous, version, back, protection, top, .. } = event;
        let gates = pack_gates(&event.gates, event.no_override);
        self.events.push(TagFact { place, rev, kind, tag, previous, version, back, protection, gates, top });
    }

    /// Returns the versions that tags are on.
    pub fn versions(&self) -> BTreeSet<Version> {
        self.by_key.values().filter_map(|tag: &Tag| tag.last.as_ref()?.1).collect()
    }
}

impl TableLedger {
    /// Reads a package's releases, with the blobs of the versions that tags are on.
    pub(super) async fn gather_releases(
        &self,
        log: Log,
        tagged: &BTreeSet<Version>,
        on_progress: OnProgress<'_>,
    ) -> Result<Releases, Error> {
        let mut releases = Releases::new(log);
        let mut all = Cursor::whole(&releases.log.pk);
        all.fill(self, &mut releases.log, on_progress).await?;
        let [mut events, mut versions] = all.split();
        loop {
            events.fill(self, &mut releases.log, on_progress).await?;
            versions.fill(self, &mut releases.log, on_progress).await?;
            // Items that are not entries are taken last, when all targets of keys are known.
            let first = match (events.next(), versions.next()) {
                (None, None) => break,
                (Some((true, event)), Some((_, version))) => event <= version,
                (event, version) => event.is_some() && version.is_none(),
            };
            let cursor = if first { &mut events } else { &mut versions };
            if let Some((sk, item)) = cursor.rows.pop_front().filter(|(sk, _)| sk != "H") {
                releases.take(sk, item, tagged);
            }
        }
        // Of two versions with the same number, the last one counts.
        releases.versions.reverse();
        releases.versions.sort_by_key(|version| version.n);
        releases.versions.dedup_by_key(|version| version.n);
        Ok(releases)
    }

    /// Reads a package's tags.
    pub(super) async fn gather_tags(&self, log: Log, on_progress: OnProgress<'_>) -> Result<Tags, Error> {
        let mut tags = Tags::new(log);
        let mut all = Cursor::whole(&tags.log.pk);
        loop {
            all.fill(self, &mut tags.log, on_progress).await?;
            match all.rows.pop_front() {
                None => return Ok(tags),
                Some((sk, _)) if sk == "H" => {}
                Some((sk, item)) => tags.take(sk, item),
            }
        }
    }

    /// Reads all items of a range of a partition.
    pub(super) async fn each(
        &self,
        pk: &str,
        from: String,
        to: String,
        mut take: impl FnMut(Key, Item),
    ) -> Result<(), Error> {
        let mut range = Cursor::range(pk, from, to);
        while let Some(query) = &mut range.query {
            let page = self.next_page(&mut range.size, query).await?;
            if page.next.is_none() {
                range.query = None;
            }
            page.items.into_iter().for_each(|(sk, item)| take(Key::new(pk, sk), item));
        }
        Ok(())
    }
}
