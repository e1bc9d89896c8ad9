//! What a move puts a tag on, and whether that may be. Pure: over what was read.

use super::log::{Allowed, Way, allow};
use crate::{
    ledger::{
        Conflict, Error, NotFound, Refused, TableLedger,
        engine::operation::Context,
        error::no_version,
        reads::past::back_by,
        schema::{self, BlobFields, TagEvent, TagItem, VersionItem},
        snapshot::{Known, Snapshot},
    },
    model::{Expectation, Gate, PackageName, Spec, State, TagKind, TagName, Version},
    table::{Action, Change, Condition, Key},
};

/// How far back a refusal looks for a version that a tag could be put back to.
const NEAREST: usize = 20;

/// One move of a tag that is asked for.
#[derive(Debug, Clone)]
pub(in crate::ledger) struct Move {
    pub package: PackageName,
    pub tag: TagName,
    pub to: To,
    pub expect: Option<Expectation>,
    pub require: Vec<Gate>,
    pub confirmed: bool,
}

/// Where a tag is to go.
#[derive(Debug, Clone)]
pub(in crate::ledger) enum To {
    /// To what this means at the commit.
    Spec(Spec),
    /// To this version, which is what the spec means for ever: it names a time.
    Fixed(Spec, Version),
    Off,
    /// To where it was before.
    Back,
    /// To this version, where it was at the event with this rev.
    Earlier(Version, u64),
}

/// What a tag is put on.
pub(in crate::ledger) struct Target {
    pub version: Version,
    pub blob: BlobFields,
    /// What has to be true of it at the commit.
    pub check: Option<Action>,
    pub way: Way,
}

impl Move {
    /// What it is called.
    pub(in crate::ledger) fn asked(&self) -> String {
        let tag = &self.tag;
        match &self.to {
            To::Spec(spec) | To::Fixed(spec, _) => format!("tag {spec} {tag}"),
            To::Off => format!("untag {tag}"),
            To::Back => format!("rollback {tag}"),
            To::Earlier(version, _) => format!("rollback {tag} --to {version}"),
        }
    }

    /// What it is decided on, beside the head of the package's tags.
    pub(in crate::ledger) fn reads(&self) -> Vec<Key> {
        let package = &self.package;
        let mut keys = vec![schema::tag_key(package, &self.tag)];
        keys.extend(match &self.to {
            To::Spec(Spec::Version(version)) | To::Fixed(_, version) => {
                vec![schema::version_key(package, version.get())]
            }
            // The event never changes.
            To::Earlier(version, rev) => {
                vec![schema::version_key(package, version.get()), schema::tag_event_key(package, *rev)]
            }
            To::Spec(Spec::Tag(tag) | Spec::Past(tag, _) | Spec::At(tag, _)) => {
                vec![schema::tag_key(package, tag)]
            }
            To::Spec(Spec::Latest) => vec![schema::head_key(&schema::releases(package))],
            To::Off | To::Back => Vec::new(),
        });
        keys.extend(self.require.iter().filter_map(|gate| match gate {
            Gate::Tag(tag) => Some(schema::tag_key(package, tag)),
            Gate::Label { .. } | Gate::Age(_) => None,
        }));
        keys
    }

    /// The version that it is to go to, if the request names that.
    pub(in crate::ledger) fn fixed(&self) -> Option<Version> {
        match &self.to {
            To::Spec(Spec::Version(version)) | To::Fixed(_, version) => Some(*version),
            To::Spec(_) | To::Off | To::Back | To::Earlier(..) => None,
        }
    }

    /// See [`Operation::reads_at_once`](crate::ledger::engine::operation::Operation::reads_at_once).
    pub(in crate::ledger) fn reads_at_once(&self) -> bool {
        // A tag that is promoted is not acted on: that it has not moved follows from the head, if both were read at one
        // instant. And that a tag is on `latest` already must have been true at one instant, too.
        let promotes = match &self.to {
            To::Spec(spec) => !matches!(spec, Spec::Version(_)),
            To::Fixed(..) | To::Off | To::Back | To::Earlier(..) => false,
        };
        promotes || self.require.iter().any(|gate| matches!(gate, Gate::Tag(_)))
    }

    /// The most actions that it takes in a transaction, beside the head of the package's tags.
    pub(in crate::ledger) fn actions(&self) -> usize {
        match self.to {
            To::Spec(Spec::Tag(_)) | To::Off => 2,
            _ => 3,
        }
    }

    /// Sees whether the tag is where it is expected to be.
    pub(in crate::ledger) fn check_expectation(&self, before: Option<&TagItem>) -> Result<(), Error> {
        let found = before.and_then(|before| before.version);
        match self.expect {
            Some(expected) if !expected.is_met_by(found) => Err(Conflict::Tag {
                package: self.package.clone(),
                tag: self.tag.clone(),
                expected,
                found,
                kind: before.map(|before| before.kind),
                by: before.map(|before| (before.who.clone(), before.when)),
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// What the tag goes on; `None` if it is taken off.
    pub(in crate::ledger) fn target(&self, seen: &Snapshot) -> Result<Known<Option<Target>>, Error> {
        let known = match &self.to {
            To::Spec(Spec::Version(version)) | To::Fixed(_, version) => {
                self.version(*version, Way::On, seen)?
            }
            To::Spec(Spec::Tag(source)) => Known::Is(self.promoted(source, seen)?),
            To::Spec(Spec::Latest) => Known::Is(self.latest(seen)?),
            To::Spec(Spec::Past(source, steps)) => match self.past(source, *steps, seen)? {
                Known::Read(keys) => Known::Read(keys),
                Known::Is(event) => {
                    let steps = *steps;
                    let (package, tag) = (self.package.clone(), source.clone());
                    let version = event.version.ok_or(NotFound::Past { package, tag, steps })?;
                    self.version(version, Way::On, seen)?
                }
            },
            To::Spec(Spec::At(..)) => unreachable!("a time is resolved before the commit"),
            To::Back => match self.past(&self.tag, 1, seen)? {
                Known::Read(mut keys) => {
                    let item: Option<TagItem> = seen.get(&schema::tag_key(&self.package, &self.tag))?;
                    keys.extend(item.as_ref().and_then(|item| self.foreseen(item)));
                    Known::Read(keys)
                }
                Known::Is(event) => self.put_back(&event, seen)?,
            },
            To::Earlier(version, rev) => {
                let key = schema::tag_event_key(&self.package, *rev);
                match seen.told_of::<TagEvent>(&key)? {
                    None => Known::Read(vec![key]),
                    Some(event) if event.version == Some(*version) => self.put_back(&event, seen)?,
                    Some(_) => unreachable!("an event never changes"),
                }
            }
            To::Off => return Ok(Known::Is(None)),
        };
        Ok(match known {
            Known::Is(target) => Known::Is(Some(target)),
            Known::Read(keys) => Known::Read(keys),
        })
    }

    fn version(&self, version: Version, way: Way, seen: &Snapshot) -> Result<Known<Target>, Error> {
        let package = &self.package;
        let key = schema::version_key(package, version.get());
        if !seen.contains(&key) {
            return Ok(Known::Read(vec![key]));
        }
        // Which of package and version is missing is found out by who shows the error.
        let item = seen.version(&key)?.ok_or_else(|| no_version(package, version, None))?;
        let condition = Condition::equals("state", "active");
        if !seen.fits(&key, &condition) {
            let state = seen.get::<VersionItem>(&key)?.map_or(State::Deleted, |item| item.state);
            if let State::Other(word) = state {
                let what = format!("version {version} of {package}");
                return Err(Error::unknown_word(&what, word.as_str(), "be tagged"));
            }
            return Err(Refused::NotActive { package: package.clone(), version, state }.into());
        }
        let check = Action { key, condition, change: Change::Check };
        Ok(Known::Is(Target { version, blob: item.blob, check: Some(check), way }))
    }

    fn promoted(&self, source: &TagName, seen: &Snapshot) -> Result<Target, Error> {
        let package = &self.package;
        let item: Option<TagItem> = seen.get(&schema::tag_key(package, source))?;
        let target = item.and_then(|item| Some((item.version?, item.blob?)));
        let (version, blob) =
            target.ok_or_else(|| NotFound::Tag { package: package.clone(), tag: source.clone() })?;
        // A tagged version is active, and the head's rev says that this tag is still on it.
        Ok(Target { version, blob, check: None, way: Way::On })
    }

    fn latest(&self, seen: &Snapshot) -> Result<Target, Error> {
        let package = &self.package;
        let key = schema::head_key(&schema::releases(package));
        let Some((version, blob)) = seen.latest(&key)? else {
            let package = package.clone();
            let there = seen.has_package(&package)?;
            return Err(if there { NotFound::Latest(package) } else { NotFound::Package(package) }.into());
        };
        let condition = Condition::equals("latest", version.get());
        let check = Action { key, condition, change: Change::Check };
        Ok(Target { version, blob, check: Some(check), way: Way::On })
    }

    /// The event that a tag would be put back to by `steps` rollbacks.
    fn past(&self, tag: &TagName, steps: u16, seen: &Snapshot) -> Result<Known<TagEvent>, Error> {
        let package = &self.package;
        let item: Option<TagItem> = seen.get(&schema::tag_key(package, tag))?;
        let item = item.ok_or_else(|| NotFound::Tag { package: package.clone(), tag: tag.clone() })?;
        back_by(package, tag, item.back, steps, |rev| {
            let key = schema::tag_event_key(package, rev);
            Ok(match seen.told_of(&key)? {
                Some(event) => Known::Is(event),
                None => Known::Read(vec![key]),
            })
        })
    }

    /// The version that `back` of a tag most likely leads to, to be read along with the event that says so.
    pub(in crate::ledger) fn foreseen(&self, item: &TagItem) -> Option<Key> {
        let moved = item.kind == TagKind::Move;
        item.previous.filter(|_| moved).map(|version| schema::version_key(&self.package, version.get()))
    }

    /// The version of an earlier event, if the tag can be put on it again.
    pub(in crate::ledger) fn put_back(
        &self,
        event: &TagEvent,
        seen: &Snapshot,
    ) -> Result<Known<Target>, Error> {
        let refused = match event.version {
            None => None,
            Some(version) => match self.version(version, Way::Back(event.back), seen) {
                Err(Error::Refused(Refused::NotActive { state, .. })) => Some((version, state)),
                other => return other,
            },
        };
        Ok(match self.nearest(event.back, seen)? {
            Known::Read(keys) => Known::Read(keys),
            Known::Is(nearest) => {
                let (package, tag) = (self.package.clone(), self.tag.clone());
                return Err(Refused::Rollback { package, tag, to: refused, nearest }.into());
            }
        })
    }

    /// The nearest version further back that the tag can be put on, for a refusal to name.
    fn nearest(&self, mut back: Option<u64>, seen: &Snapshot) -> Result<Known<Option<Version>>, Error> {
        for _ in 0..NEAREST {
            let Some(rev) = back else { break };
            let key = schema::tag_event_key(&self.package, rev);
            let Some(event) = seen.told_of::<TagEvent>(&key)? else { return Ok(Known::Read(vec![key])) };
            if let Some(version) = event.version {
                let key = schema::version_key(&self.package, version.get());
                let Some(item) = seen.shown::<VersionItem>(&key)? else {
                    return Ok(Known::Read(vec![key]));
                };
                if item.show().state == State::Active {
                    return Ok(Known::Is(Some(version)));
                }
            }
            back = event.back;
        }
        Ok(Known::Is(None))
    }
}

/// What is to be done with one tag.
pub(in crate::ledger) enum Decision<'a> {
    /// It is where it is to be, as long as this holds.
    Stay(Box<TagItem>, Option<Action>),
    Put(Box<Allowed<'a>>, Box<Target>),
    TakeOff(Box<Allowed<'a>>, Way),
}

impl Move {
    /// What is to be done with the tag.
    pub(in crate::ledger) fn decide<'a>(
        &'a self,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Known<Decision<'a>>, Error> {
        let Move { package, tag, to, .. } = self;
        let before: Option<TagItem> = seen.get(&schema::tag_key(package, tag))?;
        if before.is_none() && matches!(to, To::Off | To::Back | To::Earlier(..)) {
            return Err(NotFound::Tag { package: package.clone(), tag: tag.clone() }.into());
        }
        self.check_expectation(before.as_ref())?;
        // A version that is tagged is active: so a tag that is there already rests on the tag alone.
        if let (Some(before), Some(version)) = (&before, self.fixed())
            && before.version == Some(version)
        {
            return Ok(match self.gates(version, seen, context)? {
                Known::Is(()) => Known::Is(Decision::Stay(Box::new(before.clone()), None)),
                Known::Read(keys) => Known::Read(keys),
            });
        }
        let target = match self.target(seen)? {
            Known::Is(target) => target,
            Known::Read(keys) => return Ok(Known::Read(keys)),
        };
        let version = target.as_ref().map(|target| target.version);
        if let Some(version) = version
            && let Known::Read(keys) = self.gates(version, seen, context)?
        {
            return Ok(Known::Read(keys));
        }
        if let Some(before) = before.filter(|before| before.version == version) {
            let check = target.and_then(|target| target.check);
            return Ok(Known::Is(Decision::Stay(Box::new(before), check)));
        }
        let allowed = Box::new(allow(package, tag, self.confirmed, seen)?);
        Ok(Known::Is(match target {
            Some(target) => Decision::Put(allowed, Box::new(target)),
            None => Decision::TakeOff(allowed, Way::On),
        }))
    }
}

impl TableLedger {
    /// Where a spec leads: a time is resolved now, once and for all.
    pub(in crate::ledger) async fn destination(
        &self,
        package: &PackageName,
        spec: &Spec,
    ) -> Result<To, Error> {
        Ok(match spec {
            Spec::At(..) => To::Fixed(spec.clone(), self.version_then(package, spec).await?),
            _ => To::Spec(spec.clone()),
        })
    }
}
