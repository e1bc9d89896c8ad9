//! The tags that a change of a version depends on.

use crate::{
    ledger::{
        ChangeRequest, Error, TableLedger,
        schema::{self, TagEvent, TagHead, TagItem},
    },
    model::{PackageName, ReleaseChange, TagKind, TagName, Version},
};

/// The tags that a change of a version depends on, but for `latest`.
#[derive(Debug)]
pub(in crate::ledger) struct Tagging {
    /// The rev of the head of the package's tags, read before all else here; 0 for none. Each change of a tag advances
    /// it. So under the condition that the head still has it, the rest is as it was read.
    pub rev: u64,
    /// The tags that are on the version.
    pub on: Vec<String>,
    /// For a deletion of a version without tags: the tags that one rollback puts on it.
    pub back: Vec<String>,
}

impl TableLedger {
    /// Reads the tags that a change of a version depends on. Only a deletion reads more than which tags are live.
    pub(in crate::ledger) async fn tagging(&self, request: &ChangeRequest) -> Result<Tagging, Error> {
        let ChangeRequest { package, version, .. } = request;
        let key = schema::head_key(&schema::tags(package));
        let head: Option<TagHead> = self.read(vec![key.clone()]).await?.get(&key)?;
        let rev = head.as_ref().map_or(0, |head| head.rev);
        let live = self.live_tags(package, head).await?;
        let on: Vec<_> = live.iter().filter(|(_, at)| *at == version).map(|(name, _)| name.clone()).collect();
        let mut back = Vec::new();
        if request.change == ReleaseChange::Delete && on.is_empty() {
            let live = live.keys().filter_map(|name| name.parse().ok()).collect();
            back = self.going_back_to(package, *version, live).await?;
        }
        Ok(Tagging { rev, on, back })
    }

    /// Returns those of these live tags that one rollback puts on a version.
    async fn going_back_to(
        &self,
        package: &PackageName,
        version: Version,
        live: Vec<TagName>,
    ) -> Result<Vec<String>, Error> {
        if live.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<_> = live.iter().map(|tag| schema::tag_key(package, tag)).collect();
        let seen = self.read(keys.clone()).await?;
        let (mut names, mut unknown) = (Vec::new(), Vec::new());
        for key in &keys {
            let Some(item) = seen.get::<TagItem>(key)? else { continue };
            match item.back {
                None => {}
                // A move goes back to the entry before it, which has the version that the tag was on.
                Some(_) if item.kind == TagKind::Move => {
                    names.extend((item.previous == Some(version)).then(|| item.tag.to_string()));
                }
                Some(rev) => unknown.push((item.tag, schema::tag_event_key(package, rev))),
            }
        }
        if unknown.is_empty() {
            return Ok(names);
        }
        let seen = self.read(unknown.iter().map(|(_, key)| key.clone()).collect()).await?;
        for (tag, key) in unknown {
            let leads_here =
                seen.told_of::<TagEvent>(&key)?.is_some_and(|event| event.version == Some(version));
            names.extend(leads_here.then(|| tag.to_string()));
        }
        names.sort_unstable();
        Ok(names)
    }
}
