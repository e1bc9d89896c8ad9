//! Recording in each head of tags which of them are on a version: see [`schema::live`].

use crate::{
    ledger::{
        TableLedger,
        schema::{
            self,
            live::{LIVE, Live, LiveTags},
        },
        snapshot::Snapshot,
    },
    model::Version,
    table::{Action, Change, Item, Key, Order, Query},
};
use serde::Deserialize;
use tracing::debug;

/// The number of remaining live tags, of formerly too many, at which they are read again.
const FEW: u64 = 100;
/// The maximum number of items in a page.
const PAGE: u32 = 1000;

/// Returns the name of the tag that an item holds, and the version that it is on.
fn tag(key: &Key, item: &Item) -> Option<(String, Option<Version>)> {
    let name = key.sk.strip_prefix("t#")?;
    let version = item.get("version").map(|version| Version::deserialize(version).ok());
    Some((name.to_owned(), version.flatten()))
}

impl TableLedger {
    /// Records in each tag head that is about to be put the live tags after the change. If the head that was seen does
    /// not record them, reads them if `read`. Never fails: without the record, readers read all tags.
    pub(super) async fn record_live_tags(&self, actions: &mut [Action], seen: &Snapshot, read: bool) {
        let is_head = |key: &Key| key.sk == "H" && key.pk.starts_with("T#");
        for at in 0..actions.len() {
            let key = actions[at].key.clone();
            let Change::Put(head) = &actions[at].change else { continue };
            let Some(rev) = head.get("rev").and_then(serde_json::Value::as_u64).filter(|_| is_head(&key))
            else {
                continue;
            };
            let mut recorded = LiveTags::of_item(seen.item(&key));
            if read && recorded.as_ref().is_none_or(|recorded| recorded.on.is_none() && recorded.count <= FEW)
            {
                recorded = self.read_live(&key.pk).await.map(|on| LiveTags::from_live(0, on)).or(recorded);
            }
            if let Some(recorded) = &mut recorded {
                let puts = actions.iter().filter(|action| action.key.pk == key.pk);
                for Action { key, change, .. } in puts {
                    let Change::Put(item) = change else { continue };
                    let Some((name, version)) = tag(key, item) else { continue };
                    let was_on = seen.item(key).is_some_and(|item| item.contains_key("version"));
                    recorded.put(&name, was_on, version);
                }
            }
            let Change::Put(head) = &mut actions[at].change else { continue };
            head.remove(LIVE);
            if let Some(LiveTags { on, count, .. }) = recorded {
                let recorded = match on {
                    Some(on) => LiveTags::from_live(rev, on),
                    None => LiveTags { rev, count, on: None },
                };
                head.insert(LIVE.to_owned(), schema::encode(&recorded).into());
            }
        }
    }

    /// Reads all tags of a log to find the live ones; `None` if not all could be read.
    async fn read_live(&self, log: &str) -> Option<Live> {
        let (from, to) = schema::ANY_TAG;
        let (pk, from, to) = (log.to_owned(), from.to_owned(), to.to_owned());
        let mut query = Query { pk, from, to, order: Order::Ascending, limit: PAGE, after: None };
        let mut live = Live::new();
        loop {
            // Tried once: a change does not wait for it.
            let page = self.table().query(&query).await;
            let page =
                page.inspect_err(|fault| debug!(%fault, "the live tags are left out of the head")).ok()?;
            for (sk, item) in page.items {
                if let Some((name, Some(version))) = tag(&Key::new(log, sk), &item) {
                    live.insert(name, version);
                }
            }
            match page.next {
                None => return Some(live),
                next => query.after = next,
            }
        }
    }
}
