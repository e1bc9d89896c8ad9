//! The records of tags, and their attributes.

use super::{
    numbers::{number, number_if_any, revision, time, time_if_any},
    record::Record,
    records::{BlobFields, PlanEntries},
};
use crate::{
    model::{
        Actor, Gates, Message, OpId, Override, PackageName, Protection, TagKind, TagMove, TagName, Timestamp,
        Version,
    },
    table::Item,
};
use serde::{Deserialize, Serialize};

/// The present state of a tag: a copy of its last event, and of the blob that it is on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ledger) struct TagItem {
    pub tag: TagName,
    /// The version; absent in a tombstone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob: Option<BlobFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Version>,
    pub kind: TagKind,
    /// The rev of its last event.
    #[serde(deserialize_with = "number")]
    pub set: u64,
    /// The `back` of that event.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "number_if_any")]
    pub back: Option<u64>,
    pub who: Actor,
    #[serde(deserialize_with = "time")]
    pub when: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
    #[serde(default, skip_serializing_if = "Gates::is_empty")]
    pub gates: Gates,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_override: bool,
    /// The `top` of that event. Valid only for its rev: an older release keeps this attribute as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<Top>,
    /// The attributes that a newer release of this program wrote: kept whenever the item is written again.
    #[serde(flatten)]
    pub rest: Item,
}

/// The highest version that a tag was on up to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ledger) struct Top {
    /// The rev of the event.
    #[serde(deserialize_with = "number")]
    pub set: u64,
    /// The version; 0 if the tag was on none.
    #[serde(deserialize_with = "number")]
    pub version: u64,
}

/// An event of a package's tags.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ledger) struct TagEvent {
    pub kind: TagKind,
    /// Absent in a fence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<TagName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The rev of the event whose version a rollback would restore.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "number_if_any")]
    pub back: Option<u64>,
    /// The tag's protection after the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
    /// The tag's standing gates after the event.
    #[serde(default, skip_serializing_if = "Gates::is_empty")]
    pub gates: Gates,
    /// True if these can't be overridden.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_override: bool,
    /// The standing gates that a move passed over.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub overridden: Option<Override>,
    /// The reason of the emergency, in a move that passed a freeze.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<Message>,
    /// The highest version that the tag was on so far; 0 for none. Absent if that is not known, and in a fence.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "number_if_any")]
    pub top: Option<u64>,
    /// The entries of all moves of a plan, in its first entry.
    #[serde(default, skip_serializing_if = "PlanEntries::is_empty")]
    pub moves: PlanEntries,
    /// The package and rev of a plan's first entry, in all others.
    #[serde(default, skip_serializing_if = "PlanEntries::is_empty")]
    pub led_by: PlanEntries,
    pub who: Actor,
    #[serde(deserialize_with = "time")]
    pub when: Timestamp,
    /// The writer's clock, as in a version.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time_if_any")]
    pub clock: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    pub op: OpId,
    #[serde(deserialize_with = "revision")]
    pub rev: u64,
    pub chain: String,
}

impl Record for TagItem {
    // The rev of the event that it is a copy of.
    const MARKS: &'static [&'static str] = &["set"];
}

impl Record for TagEvent {
    const MARKS: &'static [&'static str] = &[];
}

impl TagItem {
    /// Returns the highest version that the tag was on so far, 0 for none, if that is known.
    pub(in crate::ledger) fn top(&self) -> Option<u64> {
        self.top.filter(|top| top.set == self.set).map(|top| top.version)
    }

    pub(in crate::ledger) fn into_move(self, package: &PackageName) -> TagMove {
        TagMove {
            package: package.clone(),
            tag: self.tag,
            version: self.version,
            previous: self.previous,
            kind: self.kind,
            rev: self.set,
            moved_at: self.when,
            moved_by: self.who,
            message: self.message,
            protection: self.protection,
            gates: self.gates,
            no_override: self.no_override,
            overridden: None,
        }
    }
}

impl TagEvent {
    /// Creates the event of a fence, which is of no tag.
    pub(in crate::ledger) fn fence(
        rev: u64,
        (who, op): (Actor, OpId),
        when: Timestamp,
        clock: Option<Timestamp>,
    ) -> Self {
        Self {
            kind: TagKind::Fence,
            tag: None,
            previous: None,
            version: None,
            back: None,
            protection: None,
            gates: Gates::default(),
            no_override: false,
            overridden: None,
            emergency: None,
            top: None,
            moves: PlanEntries::new(),
            led_by: PlanEntries::new(),
            who,
            when,
            clock,
            message: None,
            op,
            rev,
            chain: String::new(),
        }
    }

    /// Returns the item of the tag whose last event this is. `rest` are the attributes that a newer release wrote in
    /// that item.
    pub(in crate::ledger) fn into_item(self, tag: TagName, blob: Option<BlobFields>, rest: Item) -> TagItem {
        TagItem {
            tag,
            version: self.version,
            blob,
            previous: self.previous,
            kind: self.kind,
            set: self.rev,
            back: self.back,
            who: self.who,
            when: self.when,
            message: self.message,
            protection: self.protection,
            gates: self.gates,
            no_override: self.no_override,
            top: self.top.map(|version| Top { set: self.rev, version }),
            rest,
        }
    }

    /// Returns the change of a tag that the event records; `None` for an event of no tag.
    pub(in crate::ledger) fn into_move(self, package: &PackageName) -> Option<TagMove> {
        Some(TagMove {
            package: package.clone(),
            tag: self.tag?,
            version: self.version,
            previous: self.previous,
            kind: self.kind,
            rev: self.rev,
            moved_at: self.when,
            moved_by: self.who,
            message: self.message,
            protection: self.protection,
            gates: self.gates,
            no_override: self.no_override,
            overridden: self.overridden,
        })
    }
}
