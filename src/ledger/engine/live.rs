//! Letting each head of tags say which of them are on a version: see [`schema::live`].

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

/// From how many tags on that are left of too many they are looked for again.
const FEW: u64 = 100;
/// The most items that a page asks for.
const PAGE: u32 = 1000;

/// The name of the tag that an item is of, and the version that it is on.
fn tag(key: &Key, item: &Item) -> Option<(String, Option<Version>)> {
    let name = key.sk.strip_prefix("t#")?;
    let version = item.get("version").map(|version| Version::deserialize(version).ok());
    Some((name.to_owned(), version.flatten()))
}

impl TableLedger {
    /// Lets each head of a tag log that is about to be put say what the live tags are after it. Where the head that was
    /// seen does not say so, they are read, if `read`. No error: without it, readers look at all tags.
    pub(super) async fn record_live_tags(&self, actions: &mut [Action], seen: &Snapshot, read: bool) {
        let is_head = |key: &Key| key.sk == "H" && !schema::is_releases(&key.pk);
        for at in 0..actions.len() {
            let key = actions[at].key.clone();
            let Change::Put(head) = &actions[at].change else { continue };
            let Some(rev) = head.get("rev").and_then(serde_json::Value::as_u64).filter(|_| is_head(&key))
            else {
                continue;
            };
            let mut says = LiveTags::of_item(seen.item(&key));
            if read && says.as_ref().is_none_or(|says| says.on.is_none() && says.count <= FEW) {
                says = self.read_live(&key.pk).await.map(|on| LiveTags::from_live(0, on)).or(says);
            }
            if let Some(says) = &mut says {
                let puts = actions.iter().filter(|action| action.key.pk == key.pk);
                for Action { key, change, .. } in puts {
                    let Change::Put(item) = change else { continue };
                    let Some((name, version)) = tag(key, item) else { continue };
                    let was_on = seen.item(key).is_some_and(|item| item.contains_key("version"));
                    says.put(&name, was_on, version);
                }
            }
            let Change::Put(head) = &mut actions[at].change else { continue };
            head.remove(LIVE);
            if let Some(LiveTags { on, count, .. }) = says {
                let says = match on {
                    Some(on) => LiveTags::from_live(rev, on),
                    None => LiveTags { rev, count, on: None },
                };
                head.insert(LIVE.to_owned(), schema::encode(&says).into());
            }
        }
    }

    /// The live tags, by looking at all tags of a log; `None` if not all of them could be read.
    async fn read_live(&self, log: &str) -> Option<Live> {
        let (from, to) = schema::ANY_TAG;
        let (pk, from, to) = (log.to_owned(), from.to_owned(), to.to_owned());
        let mut query = Query { pk, from, to, order: Order::Ascending, limit: PAGE, after: None };
        let mut live = Live::new();
        loop {
            // Once: a change does not wait for it.
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
