//! The tags that a change of a version depends on.
//!
//! The item of a tag is a copy of its last event. If the item can't be read, the tag's last event has the same content.
//! Only if that can't be read either is the change of an active version refused.

use crate::{
    ledger::{
        ChangeRequest, Error, TableLedger,
        schema::{
            self, TagEvent, TagHead, TagItem, decode,
            live::{Live, live},
        },
    },
    model::{PackageName, ReleaseChange, TagKind, TagName, Version},
    table::{Key, Order},
};
use futures_util::TryStreamExt;

/// The tags that a change of a version depends on, except `latest`.
#[derive(Debug)]
pub(in crate::ledger) struct TagDependencies {
    /// The rev of the head of the package's tags, read before everything else here; 0 for none. Each change of a tag
    /// advances it. So under the condition that the head still has it, the rest is as it was read.
    pub rev: u64,
    /// The tags that are on the version.
    pub on: Vec<String>,
    /// The tags that one rollback would put on the version, if a version without tags is to be deleted.
    pub back: Vec<String>,
    /// A tag that may be among these.
    pub unreadable: Option<Unreadable>,
}

/// A tag whose version or rollback target is neither in its item nor in its log.
#[derive(Debug)]
pub(in crate::ledger) struct Unreadable {
    tag: TagName,
    /// The unreadable item.
    key: Key,
    why: String,
}

impl Unreadable {
    /// Returns the error of a change of a version that depends on the tag.
    pub(in crate::ledger) fn error(&self, package: &PackageName, version: Version) -> Error {
        let Self { tag, key, why } = self;
        let why = format!(
            "{why}; the tag {tag} may be on {package} {version} or go back to it, so nothing was changed; \
             run `sacker fsck --repair` to repair what can be repaired"
        );
        Error::damaged(key, why)
    }
}

/// The position of a tag, from its item or from its last event.
struct Position {
    kind: TagKind,
    version: Option<Version>,
    previous: Option<Version>,
    back: Option<u64>,
}

impl From<TagItem> for Position {
    fn from(item: TagItem) -> Self {
        let TagItem { kind, version, previous, back, .. } = item;
        Self { kind, version, previous, back }
    }
}

impl From<TagEvent> for Position {
    fn from(event: TagEvent) -> Self {
        let TagEvent { kind, version, previous, back, .. } = event;
        Self { kind, version, previous, back }
    }
}

impl TableLedger {
    /// Reads the tags that a change of a version depends on. Only a deletion that is not forced reads more than the names
    /// of the live tags.
    pub(in crate::ledger) async fn tagging(&self, request: &ChangeRequest) -> Result<TagDependencies, Error> {
        let ChangeRequest { package, version, .. } = request;
        let key = schema::head_key(&schema::tags(package));
        let head: Option<TagHead> = self.read(vec![key.clone()]).await?.get(&key)?;
        let rev = head.as_ref().map_or(0, |head| head.rev);
        let mut tagging = TagDependencies { rev, on: Vec::new(), back: Vec::new(), unreadable: None };
        let live = match live(head.as_ref()) {
            Some(live) => live,
            None => self.look_for_live(package, &mut tagging).await?,
        };
        tagging.on = live.iter().filter(|(_, at)| *at == version).map(|(name, _)| name.clone()).collect();
        if request.change == ReleaseChange::Delete && tagging.on.is_empty() && !request.force {
            let live = live.keys().filter_map(|name| name.parse().ok()).collect();
            self.look_for_ways_back(package, *version, live, &mut tagging).await?;
        }
        Ok(tagging)
    }

    /// Returns the live tags by reading all tags.
    async fn look_for_live(
        &self,
        package: &PackageName,
        tagging: &mut TagDependencies,
    ) -> Result<Live, Error> {
        let (from, to) = schema::ANY_TAG;
        let mut rows = self.pages(schema::tags(package), from.to_owned(), to.to_owned(), Order::Ascending);
        let mut live = Live::new();
        while let Some((key, item)) = rows.try_next().await? {
            // No tag has another form of name.
            let Some(Ok(tag)) = key.sk.strip_prefix("t#").map(str::parse::<TagName>) else { continue };
            let item = decode::<TagItem>(&key, &item).map(Some);
            let position = self.position_of(package, &tag, item, tagging).await?;
            if let Some(version) = position.and_then(|position| position.version) {
                live.insert(tag.to_string(), version);
            }
        }
        Ok(live)
    }

    /// Returns the live tags that one rollback puts on a version.
    async fn look_for_ways_back(
        &self,
        package: &PackageName,
        version: Version,
        live: Vec<TagName>,
        tagging: &mut TagDependencies,
    ) -> Result<(), Error> {
        if live.is_empty() {
            return Ok(());
        }
        let seen = self.read(live.iter().map(|tag| schema::tag_key(package, tag)).collect()).await?;
        let mut elsewhere = Vec::new();
        for tag in live {
            let item = seen.get::<TagItem>(&schema::tag_key(package, &tag));
            let Some(position) = self.position_of(package, &tag, item, tagging).await? else { continue };
            match position.back {
                None => {}
                // A move goes back to the previous entry, which has the version that the tag was on.
                Some(_) if position.kind == TagKind::Move => {
                    tagging.back.extend((position.previous == Some(version)).then(|| tag.to_string()));
                }
                Some(rev) => elsewhere.push((tag, schema::tag_event_key(package, rev))),
            }
        }
        if elsewhere.is_empty() {
            return Ok(());
        }
        let seen = self.read(elsewhere.iter().map(|(_, key)| key.clone()).collect()).await?;
        for (tag, key) in elsewhere {
            match seen.get_referenced::<TagEvent>(&key) {
                Ok(event) => {
                    let leads_here = event.is_some_and(|event| event.version == Some(version));
                    tagging.back.extend(leads_here.then(|| tag.to_string()));
                }
                Err(Error::Damaged { why, .. }) => tagging.unreadable = Some(Unreadable { tag, key, why }),
                Err(error) => return Err(error),
            }
        }
        tagging.back.sort_unstable();
        Ok(())
    }

    /// Returns the position of a tag from its item or, if that is damaged or missing, from its last event. Records a
    /// tag if neither can be read.
    async fn position_of(
        &self,
        package: &PackageName,
        tag: &TagName,
        item: Result<Option<TagItem>, Error>,
        tagging: &mut TagDependencies,
    ) -> Result<Option<Position>, Error> {
        let why = match item {
            Ok(Some(item)) => return Ok(Some(item.into())),
            Ok(None) => "it is missing".to_owned(),
            Err(Error::Damaged { why, .. }) => why,
            Err(error) => return Err(error),
        };
        match self.last_event(package, tag, tagging.rev).await {
            Ok(Some(event)) => Ok(Some(event.into())),
            Ok(None) | Err(Error::Damaged { .. }) => {
                let key = schema::tag_key(package, tag);
                tagging.unreadable = Some(Unreadable { tag: tag.clone(), key, why });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the last event of a tag in the log up to this rev; `None` if there is none, or one above it is missing.
    async fn last_event(
        &self,
        package: &PackageName,
        tag: &TagName,
        rev: u64,
    ) -> Result<Option<TagEvent>, Error> {
        let mut expected = rev;
        let mut dense = true;
        let of_tag = |event: &TagEvent| {
            dense &= event.rev == expected;
            expected = expected.saturating_sub(1);
            !dense || event.tag.as_ref() == Some(tag)
        };
        let found = self.find_event(package, rev, of_tag).await?;
        Ok(found.filter(|_| dense))
    }
}
