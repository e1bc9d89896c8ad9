//! The tags of a package that have standing gates, in the head of its tag log.
//!
//! A reader that shows the gates of all tags must not read all tags that ever existed. A move reads the gates in the
//! tag's own item, and does not depend on this list. An older release leaves the list as it is, and that stays right:
//! such a release neither adds standing gates nor removes them.

use crate::{
    model::{Protection, TagName},
    table::Item,
};
use serde::Deserialize;
use std::collections::BTreeSet;

/// The name of the attribute in the head.
pub(in crate::ledger) const GATED: &str = "gated";

/// The maximum number of tags of a package that have standing gates, because each change of a tag writes the list.
pub(in crate::ledger) const MOST: usize = 50;

/// The tags that have standing gates.
pub(in crate::ledger) type Gated = BTreeSet<TagName>;

/// Returns the tags that have standing gates, from the attributes of a head.
pub(in crate::ledger) fn gated(head: &Item) -> Gated {
    head.get(GATED).and_then(|tags| Gated::deserialize(tags).ok()).unwrap_or_default()
}

/// Records the protection of a tag after a change.
pub(in crate::ledger) fn record(head: &mut Item, tag: &TagName, protection: Option<Protection>) {
    let mut tags = gated(head);
    let has_gates = protection.is_some_and(Protection::has_gates);
    let changed = if has_gates { tags.insert(tag.clone()) } else { tags.remove(tag) };
    if changed {
        store(head, &tags);
    }
}

/// Stores the tags in a head; the attribute is absent if there are none.
pub(in crate::ledger) fn store(head: &mut Item, tags: &Gated) {
    if tags.is_empty() {
        head.remove(GATED);
    } else {
        let names: Vec<_> = tags.iter().map(TagName::as_str).collect();
        head.insert(GATED.to_owned(), names.into());
    }
}
