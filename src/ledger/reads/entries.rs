//! Reading items by their keys, in which a run of entries of a log is read as a range: that costs a unit for 4 KB, not
//! for each entry.

use crate::{
    fault::Fault,
    ledger::{TableLedger, schema},
    table::{Item, Key, Order, Query},
};
use futures_util::future::try_join_all;
use std::collections::BTreeMap;

/// The number of keys from which a run is worth a request of its own.
const RUN: usize = 8;

impl TableLedger {
    /// Reads items once, in the order of their keys, each at an instant of its own.
    pub(in crate::ledger) async fn get_items(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        let runs = runs(keys);
        let single: Vec<_> =
            keys.iter().filter(|key| !runs.iter().any(|run| run.has(key))).cloned().collect();
        let mut items = BTreeMap::new();
        for found in try_join_all(runs.iter().map(|run| self.get_run(run))).await? {
            items.extend(found);
        }
        if !single.is_empty() {
            let found = self.table().get_many(&single).await?;
            items.extend(single.into_iter().zip(found).filter_map(|(key, item)| Some((key, item?))));
        }
        Ok(keys.iter().map(|key| items.get(key).cloned()).collect())
    }

    async fn get_run(&self, run: &Run) -> Result<Vec<(Key, Item)>, Fault> {
        let Run { pk, from, to, count } = run;
        let limit = u32::try_from(*count).unwrap_or(u32::MAX);
        let mut query = Query {
            pk: pk.clone(),
            from: from.clone(),
            to: to.clone(),
            order: Order::Ascending,
            limit,
            after: None,
        };
        let mut items = Vec::with_capacity(*count);
        loop {
            let page = self.table().query(&query).await?;
            items.extend(page.items.into_iter().map(|(sk, item)| (Key::new(pk, sk), item)));
            match page.next {
                // A page of as many items as there are may have a next one, which is empty.
                Some(next) if items.len() < *count => query.after = Some(next),
                _ => return Ok(items),
            }
        }
    }
}

/// Consecutive entries of the log of a package's tags.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    pk: String,
    from: String,
    to: String,
    count: usize,
}

impl Run {
    fn has(&self, key: &Key) -> bool {
        key.pk == self.pk && (self.from.as_str()..=self.to.as_str()).contains(&key.sk.as_str())
    }
}

/// Returns the runs among these keys: for each log, if its entries are consecutive and many.
fn runs(keys: &[Key]) -> Vec<Run> {
    let mut by_log = BTreeMap::<&str, Vec<(u64, &str)>>::new();
    for key in keys {
        if let Some(rev) = schema::rev_of_tag_entry(key) {
            by_log.entry(&key.pk).or_default().push((rev, &key.sk));
        }
    }
    let run = |(pk, mut entries): (&str, Vec<(u64, &str)>)| {
        entries.sort_unstable();
        entries.dedup();
        let ((first, from), (last, to)) = (*entries.first()?, *entries.last()?);
        let count = entries.len();
        let is_run = count >= RUN && last - first + 1 == count as u64;
        is_run.then(|| Run { pk: pk.to_owned(), from: from.to_owned(), to: to.to_owned(), count })
    };
    by_log.into_iter().filter_map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_consecutive_entries_of_a_log_are_a_run() {
        let key = |log: &str, rev: u64| Key::new(log, format!("E#{rev:016}"));
        let consecutive: Vec<_> = (3..11).rev().map(|rev| key("T#app", rev)).collect();
        let found = runs(&[&consecutive[..], &[key("T#web", 3), Key::new("T#app", "t#live")]].concat());
        let [run] = &found[..] else { panic!("{found:?}") };
        assert_eq!((run.pk.as_str(), run.count), ("T#app", 8));
        assert!(run.has(&key("T#app", 3)) && run.has(&key("T#app", 10)));
        assert!(!run.has(&key("T#app", 11)) && !run.has(&key("T#web", 3)));
        // With a gap, or few: each is read by its key.
        assert_eq!(runs(&[&consecutive[1..], &[key("T#app", 12)]].concat()), []);
        assert_eq!(runs(&consecutive[1..]), []);
    }
}
