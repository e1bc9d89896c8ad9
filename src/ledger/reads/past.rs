//! The earlier versions of a tag, from its log.

use crate::{
    ledger::{
        Error, NotFound, TableLedger,
        schema::{self, TagEvent, TagItem},
        snapshot::Lookup,
    },
    model::{PackageName, Spec, TagName, Version},
    table::Order,
};
use futures_util::TryStreamExt;

impl TableLedger {
    /// Returns the version that a past position of a tag names. The log only grows, so what was read of it stays valid;
    /// the number of rollbacks counts from the tag's present state.
    ///
    /// # Errors
    /// [`NotFound::Tag`], [`NotFound::Past`]; those of [`version_at`](Self::version_at).
    pub(in crate::ledger) async fn version_then(
        &self,
        package: &PackageName,
        spec: &Spec,
    ) -> Result<Version, Error> {
        match spec {
            Spec::Past(tag, steps) => self.back(package, tag, *steps).await,
            Spec::At(tag, moment) => self.version_at(package, tag, *moment).await,
            Spec::Version(_) | Spec::Tag(_) | Spec::Latest => unreachable!("the spec names no past position"),
        }
    }

    async fn back(&self, package: &PackageName, tag: &TagName, steps: u16) -> Result<Version, Error> {
        let key = schema::tag_key(package, tag);
        let mut seen = self.read(vec![key.clone()]).await?;
        let item: Option<TagItem> = seen.get(&key)?;
        let (of, tag_name) = (package.clone(), tag.clone());
        let item = item.ok_or_else(|| NotFound::Tag { package: of.clone(), tag: tag_name.clone() })?;
        loop {
            let found = back_by(package, tag, item.back, steps, |rev| {
                let key = schema::tag_event_key(package, rev);
                Ok(match seen.get_referenced(&key)? {
                    Some(event) => Lookup::Ready(event),
                    None => Lookup::Missing(vec![key]),
                })
            });
            match found? {
                Lookup::Ready(event) => {
                    let nowhere = NotFound::Past { package: of, tag: tag_name, steps };
                    return Ok(event.version.ok_or(nowhere)?);
                }
                Lookup::Missing(keys) => {
                    for key in keys {
                        let item = self.retrying(|| self.table().get(&key)).await?;
                        seen.more([(key, item)]);
                    }
                }
            }
        }
    }

    pub(in crate::ledger) async fn event(&self, package: &PackageName, rev: u64) -> Result<TagEvent, Error> {
        let key = schema::tag_event_key(package, rev);
        let missing = || Error::damaged(&key, "it is missing, and its log has later entries");
        self.read(vec![key.clone()]).await?.get(&key)?.ok_or_else(missing)
    }

    /// Returns the last event of a package's tags, from this rev downwards, that satisfies the predicate.
    pub(in crate::ledger) async fn find_event(
        &self,
        package: &PackageName,
        rev: u64,
        mut is: impl FnMut(&TagEvent) -> bool,
    ) -> Result<Option<TagEvent>, Error> {
        let (from, _) = schema::ANY_TAG_EVENT;
        let to = schema::tag_event_key(package, rev).sk;
        let events = self.events::<TagEvent>(schema::tags(package), from.to_owned(), to, Order::Descending);
        events.try_filter(|event| std::future::ready(is(event))).try_next().await
    }

    /// Returns the rev of the last event that put a tag on a version, or left it there.
    ///
    /// # Errors
    /// [`NotFound::Never`].
    pub(in crate::ledger) async fn last_on(
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
}

/// Follows the `back` links of a tag by `steps` rollbacks, from the one of its last event.
///
/// # Errors
/// [`NotFound::Past`] if there are fewer; those of `event`.
pub(in crate::ledger) fn back_by(
    package: &PackageName,
    tag: &TagName,
    mut back: Option<u64>,
    steps: u16,
    event: impl Fn(u64) -> Result<Lookup<TagEvent>, Error>,
) -> Result<Lookup<TagEvent>, Error> {
    let nowhere = || NotFound::Past { package: package.clone(), tag: tag.clone(), steps };
    let mut steps_left = steps;
    loop {
        let found = match event(back.ok_or_else(nowhere)?)? {
            Lookup::Ready(found) => found,
            Lookup::Missing(keys) => return Ok(Lookup::Missing(keys)),
        };
        steps_left -= 1;
        if steps_left == 0 {
            return Ok(Lookup::Ready(found));
        }
        back = found.back;
    }
}
