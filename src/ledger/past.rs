//! Where a tag was: reading its log.

use super::{
    ApplyRequest, Error, NotFound, TableLedger,
    items::{self, TagEvent, TagHead, TagItem},
    operation::Known,
    target::{Move, To, back_by},
};
use crate::{
    model::{Moment, PackageName, Spec, TagName, Timestamp, Version},
    table::Order,
};
use futures_util::TryStreamExt;

impl TableLedger {
    /// The version that a tag's past means. Its log only grows, so what is read of it stays true; but how far back a
    /// number of rollbacks goes is judged by the tag as it stands now.
    ///
    /// # Errors
    /// [`NotFound::Tag`], [`NotFound::Past`], [`NotFound::Then`].
    pub(super) async fn version_then(&self, package: &PackageName, spec: &Spec) -> Result<Version, Error> {
        match spec {
            Spec::Past(tag, steps) => self.back(package, tag, *steps).await,
            Spec::At(tag, moment) => self.at(package, tag, *moment).await,
            Spec::Version(_) | Spec::Tag(_) | Spec::Latest => unreachable!("it names no past"),
        }
    }

    async fn back(&self, package: &PackageName, tag: &TagName, steps: u16) -> Result<Version, Error> {
        let key = items::tag_key(package, tag);
        let mut seen = self.read(vec![key.clone()]).await?;
        let item: Option<TagItem> = seen.get(&key)?;
        let (of, named) = (package.clone(), tag.clone());
        let item = item.ok_or_else(|| NotFound::Tag { package: of.clone(), tag: named.clone() })?;
        loop {
            let found = back_by(package, tag, item.back, steps, |rev| {
                let key = items::tag_event_key(package, rev);
                Ok(match seen.told_of(&key)? {
                    Some(event) => Known::Is(event),
                    None => Known::Read(vec![key]),
                })
            });
            match found? {
                Known::Is(event) => {
                    let nowhere = NotFound::Past { package: of, tag: named, steps };
                    return Ok(event.version.ok_or(nowhere)?);
                }
                Known::Read(keys) => {
                    for key in keys {
                        let item = self.retrying(|| self.table().get(&key)).await?;
                        seen.more([(key, item)]);
                    }
                }
            }
        }
    }

    async fn at(&self, package: &PackageName, tag: &TagName, moment: Moment) -> Result<Version, Error> {
        let at = moment.as_of(self.now());
        let last = self.last_event_at(package, at).await?;
        let of_tag = |event: &TagEvent| event.tag.as_ref() == Some(tag);
        let event = self.find_event(package, last, of_tag).await?;
        let then = event.and_then(|event| event.version);
        if then.is_none() {
            let key = items::tag_key(package, tag);
            if self.read(vec![key.clone()]).await?.item(&key).is_none() {
                return Err(NotFound::Tag { package: package.clone(), tag: tag.clone() }.into());
            }
        }
        Ok(then.ok_or_else(|| NotFound::Then { package: package.clone(), tag: tag.clone(), at })?)
    }

    /// The rev of the last event in a package's tag log at some time; 0 if there was none. Times grow along a log, so it
    /// takes one read for each doubling of its length.
    async fn last_event_at(&self, package: &PackageName, at: Timestamp) -> Result<u64, Error> {
        let key = items::head_key(&items::tags(package));
        let head: Option<TagHead> = self.read(vec![key.clone()]).await?.get(&key)?;
        let Some(head) = head else { return Ok(0) };
        if head.when <= at {
            return Ok(head.rev);
        }
        let (mut before, mut after) = (0, head.rev);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            let event = self.event(package, middle).await?;
            if event.when <= at { before = middle } else { after = middle }
        }
        Ok(before)
    }

    async fn event(&self, package: &PackageName, rev: u64) -> Result<TagEvent, Error> {
        let key = items::tag_event_key(package, rev);
        let missing = || Error::Damaged {
            what: format!("the ledger's item {key}"),
            why: "it is missing, and its log goes on after it".to_owned(),
        };
        self.read(vec![key.clone()]).await?.get(&key)?.ok_or_else(missing)
    }

    /// The last event of a package's tags, from this rev downwards, for which this is true.
    async fn find_event(
        &self,
        package: &PackageName,
        rev: u64,
        mut is: impl FnMut(&TagEvent) -> bool,
    ) -> Result<Option<TagEvent>, Error> {
        let (from, _) = items::ANY_TAG_EVENT;
        let to = items::tag_event_key(package, rev).sk;
        let events = self.events::<TagEvent>(items::tags(package), from.to_owned(), to, Order::Descending);
        events.try_filter(|event| std::future::ready(is(event))).try_next().await
    }

    /// The rev of the last event that put a tag on a version, or left it there.
    ///
    /// # Errors
    /// [`NotFound::Never`].
    pub(super) async fn last_on(
        &self,
        package: &PackageName,
        tag: &TagName,
        version: Version,
    ) -> Result<u64, Error> {
        let on = |event: &TagEvent| event.tag.as_ref() == Some(tag) && event.version == Some(version);
        let found = self.find_event(package, Version::MAX, on).await?;
        let never = || NotFound::Never { package: package.clone(), tag: tag.clone(), version };
        Ok(found.ok_or_else(never)?.rev)
    }

    /// Where a spec leads: a time is resolved now, once and for all.
    pub(super) async fn destination(&self, package: &PackageName, spec: &Spec) -> Result<To, Error> {
        Ok(match spec {
            Spec::At(..) => To::Fixed(spec.clone(), self.version_then(package, spec).await?),
            _ => To::Spec(spec.clone()),
        })
    }

    /// The moves of a plan, with its times resolved.
    pub(super) async fn moves_of(&self, request: &ApplyRequest) -> Result<Vec<Move>, Error> {
        let mut moves = Vec::new();
        for planned in request.plan.moves() {
            let to = match &planned.to {
                Some(spec) if request.undo => To::Spec(spec.clone()),
                Some(spec) => self.destination(&planned.package, spec).await?,
                None => To::Off,
            };
            moves.push(Move {
                package: planned.package.clone(),
                tag: planned.tag.clone(),
                to,
                expect: planned.expect,
                require: planned.require.clone(),
                confirmed: planned.confirm.as_ref() == Some(&planned.tag),
            });
        }
        Ok(moves)
    }
}
