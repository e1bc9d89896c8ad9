//! The version of a tag at a time, as far as the times of its log are known.
//!
//! An entry's time is now, or just after the previous entry if the head is ahead of now: times grow along each log. A
//! single entry from a clock that was far ahead raises all that follow. So an entry whose time had to be raised by more
//! than clocks normally differ also records the clock's time (`clock`).

use crate::{
    ledger::{
        Error, NotFound, Refused, TableLedger, UncertainTime,
        schema::{self, TagEvent, TagHead, TagItem, is_ahead},
    },
    model::{Moment, PackageName, TagName, Timestamp, Version},
};

/// Returns the error for an event close to the requested time whose own time is not known.
pub(super) fn uncertain(
    (package, tag): (&PackageName, &TagName),
    at: Timestamp,
    event: &TagEvent,
    now: Timestamp,
) -> Error {
    let (package, tag) = (package.clone(), tag.clone());
    let TagEvent { rev, who, when: recorded, clock, .. } = event.clone();
    Refused::UncertainTime(Box::new(UncertainTime { package, tag, at, rev, who, recorded, clock, now }))
        .into()
}

impl TableLedger {
    /// Returns the version that a tag was on at a time.
    ///
    /// # Errors
    /// [`NotFound::Tag`], [`NotFound::Then`]; [`Refused::UncertainTime`] if a clock was wrong around that time, and the
    /// tag has moved since.
    pub(in crate::ledger) async fn version_at(
        &self,
        package: &PackageName,
        tag: &TagName,
        moment: Moment,
    ) -> Result<Version, Error> {
        let (head_key, tag_key) = (schema::head_key(&schema::tags(package)), schema::tag_key(package, tag));
        let seen = self.read(vec![head_key.clone(), tag_key.clone()]).await?;
        // After a read, because the server has stated its time by then.
        let now = self.now();
        let at = moment.as_of(now.at);
        let item: Option<TagItem> = seen.get(&tag_key)?;
        let item = item.ok_or_else(|| NotFound::Tag { package: package.clone(), tag: tag.clone() })?;
        let head: Option<TagHead> = seen.get(&head_key)?;
        let (rev, when) = head.map_or((0, now.at), |head| (head.rev, head.when));
        let last = if when <= at { rev } else { self.last_event_at(package, rev, at).await? };
        let uncertain = |event: &TagEvent| uncertain((package, tag), at, event, now.at);
        // The entry may have happened before `at`, as may all after it: their recorded times are only known to be
        // wrong.
        if last < rev && item.set > last {
            let next = self.event(package, last + 1).await?;
            if is_ahead(next.when, now.at) {
                return Err(uncertain(&next));
            }
        }
        // An entry before one with a correct time has happened before it. An entry whose time was raised may have
        // happened later than recorded, unless the server's time was known.
        let mut certain = false;
        let of_tag = |event: &TagEvent| {
            certain |= event.clock.is_none() || now.of_server;
            event.tag.as_ref() == Some(tag)
        };
        let event = self.find_event(package, last, of_tag).await?;
        if let Some(event) = event.as_ref().filter(|_| !certain) {
            return Err(uncertain(event));
        }
        let then = event.and_then(|event| event.version);
        Ok(then.ok_or_else(|| NotFound::Then { package: package.clone(), tag: tag.clone(), at })?)
    }

    /// Returns the rev of the last event up to `rev` in a package's tag log at a time; 0 if there was none. Times grow
    /// along a log, so it takes one read for each doubling of its length.
    pub(in crate::ledger) async fn last_event_at(
        &self,
        package: &PackageName,
        rev: u64,
        at: Timestamp,
    ) -> Result<u64, Error> {
        let (mut before, mut after) = (0, rev);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            let event = self.event(package, middle).await?;
            if event.when <= at { before = middle } else { after = middle }
        }
        Ok(before)
    }
}
