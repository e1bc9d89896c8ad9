//! The target of a move, and whether the move is allowed. Pure: over what was read.

use super::{
    gates::{Forward, Passed},
    log::{Allowed, RollbackLink, allow},
};
use crate::{
    ledger::{
        Conflict, Error, NotFound, Refused, TableLedger,
        engine::operation::Context,
        error::no_version,
        reads::{gates::Candidate, past::back_by},
        schema::{self, BlobFields, TagEvent, TagItem, VersionItem},
        snapshot::{Lookup, Snapshot},
    },
    model::{Expectation, Gate, Message, PackageName, Spec, State, TagKind, TagName, Version},
    table::{Action, Change, Condition, Key},
};

/// The number of steps that a refusal searches back for a version that the tag could be rolled back to.
const NEAREST: usize = 20;

/// One requested move of a tag.
#[derive(Debug, Clone)]
pub(in crate::ledger) struct Move {
    pub package: PackageName,
    pub tag: TagName,
    pub to: Destination,
    pub expect: Option<Expectation>,
    pub require: Vec<Gate>,
    /// The reason for passing over standing gates.
    pub overriding: Option<Message>,
    pub confirmed: bool,
    /// The reason to pass a freeze.
    pub emergency: Option<Message>,
}

/// The requested destination of a tag.
#[derive(Debug, Clone)]
pub(in crate::ledger) enum Destination {
    /// The version that this resolves to at the commit.
    Spec(Spec),
    /// This version, to which the spec resolves permanently: it names a time.
    Fixed(Spec, Version),
    Off,
    /// The tag's previous version.
    Back,
    /// This version, from the event with this rev.
    Earlier(Version, u64),
}

/// The resolved version that a tag is put on.
pub(in crate::ledger) struct Target {
    pub version: Version,
    pub blob: BlobFields,
    /// The condition that must hold for it at the commit.
    pub check: Option<Action>,
    pub link: RollbackLink,
}

impl Move {
    /// Returns the request as text.
    pub(in crate::ledger) fn request_text(&self) -> String {
        let tag = &self.tag;
        match &self.to {
            Destination::Spec(spec) | Destination::Fixed(spec, _) => format!("tag {spec} {tag}"),
            Destination::Off => format!("untag {tag}"),
            Destination::Back => format!("rollback {tag}"),
            Destination::Earlier(version, _) => format!("rollback {tag} --to {version}"),
        }
    }

    /// Returns the items that it depends on, in addition to the head of the package's tags.
    pub(in crate::ledger) fn reads(&self) -> Vec<Key> {
        let package = &self.package;
        let mut keys = vec![schema::tag_key(package, &self.tag)];
        keys.extend(match &self.to {
            Destination::Spec(Spec::Version(version)) | Destination::Fixed(_, version) => {
                vec![schema::version_key(package, version.get())]
            }
            // The event never changes.
            Destination::Earlier(version, rev) => {
                vec![schema::version_key(package, version.get()), schema::tag_event_key(package, *rev)]
            }
            Destination::Spec(Spec::Tag(tag) | Spec::Past(tag, _) | Spec::At(tag, _)) => {
                vec![schema::tag_key(package, tag)]
            }
            Destination::Spec(Spec::Latest) => vec![schema::head_key(&schema::releases(package))],
            Destination::Off | Destination::Back => Vec::new(),
        });
        keys.extend(self.require.iter().filter_map(Gate::tag).map(|tag| schema::tag_key(package, tag)));
        keys
    }

    /// Returns true if the tag goes to a version that somebody chose. Then freezes and gates can refuse it. Back to
    /// where it was, or off its version, responders can always move it.
    pub(in crate::ledger) fn is_forward(&self) -> bool {
        match self.to {
            Destination::Spec(_) | Destination::Fixed(..) => true,
            Destination::Off | Destination::Back | Destination::Earlier(..) => false,
        }
    }

    /// Returns the target version, if the request names it.
    pub(in crate::ledger) fn fixed(&self) -> Option<Version> {
        match &self.to {
            Destination::Spec(Spec::Version(version)) | Destination::Fixed(_, version) => Some(*version),
            Destination::Spec(_) | Destination::Off | Destination::Back | Destination::Earlier(..) => None,
        }
    }

    /// Implements [`Operation::reads_at_once`](crate::ledger::engine::operation::Operation::reads_at_once).
    pub(in crate::ledger) fn reads_at_once(&self) -> bool {
        // A tag that is promoted has no action in the transaction: the head shows that it has not moved, if both were
        // read at one instant. Whether a tag is on `latest` already also needs reads at one instant.
        let promotes = match &self.to {
            Destination::Spec(spec) => !matches!(spec, Spec::Version(_)),
            Destination::Fixed(..) | Destination::Off | Destination::Back | Destination::Earlier(..) => false,
        };
        promotes || self.require.iter().any(|gate| gate.tag().is_some())
    }

    /// Returns the maximum number of its actions in a transaction, in addition to the head of the package's tags.
    pub(in crate::ledger) fn actions(&self) -> usize {
        match self.to {
            // A label that is passed over is checked in the version's item.
            Destination::Spec(Spec::Tag(_)) if self.overriding.is_some() => 3,
            Destination::Spec(Spec::Latest) if self.overriding.is_some() => 4,
            Destination::Spec(Spec::Tag(_)) | Destination::Off => 2,
            _ => 3,
        }
    }

    /// Checks that the tag is where it is expected to be.
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

    /// Returns the target of the tag; `None` if the tag is removed.
    pub(in crate::ledger) fn target(&self, seen: &Snapshot) -> Result<Lookup<Option<Target>>, Error> {
        let known = match &self.to {
            Destination::Spec(Spec::Version(version)) | Destination::Fixed(_, version) => {
                self.version(*version, RollbackLink::Previous, seen)?
            }
            Destination::Spec(Spec::Tag(source)) => Lookup::Ready(self.promoted(source, seen)?),
            Destination::Spec(Spec::Latest) => Lookup::Ready(self.latest(seen)?),
            Destination::Spec(Spec::Past(source, steps)) => match self.past(source, *steps, seen)? {
                Lookup::Missing(keys) => Lookup::Missing(keys),
                Lookup::Ready(event) => {
                    let steps = *steps;
                    let (package, tag) = (self.package.clone(), source.clone());
                    let version = event.version.ok_or(NotFound::Past { package, tag, steps })?;
                    self.version(version, RollbackLink::Previous, seen)?
                }
            },
            Destination::Spec(Spec::At(..)) => unreachable!("a time is resolved before the commit"),
            Destination::Back => match self.past(&self.tag, 1, seen)? {
                Lookup::Missing(mut keys) => {
                    let item: Option<TagItem> = seen.get(&schema::tag_key(&self.package, &self.tag))?;
                    keys.extend(item.as_ref().and_then(|item| self.predicted_key(item)));
                    Lookup::Missing(keys)
                }
                Lookup::Ready(event) => self.put_back(&event, seen)?,
            },
            Destination::Earlier(version, rev) => {
                let key = schema::tag_event_key(&self.package, *rev);
                match seen.get_referenced::<TagEvent>(&key)? {
                    None => Lookup::Missing(vec![key]),
                    Some(event) if event.version == Some(*version) => self.put_back(&event, seen)?,
                    Some(_) => unreachable!("an event never changes"),
                }
            }
            Destination::Off => return Ok(Lookup::Ready(None)),
        };
        Ok(match known {
            Lookup::Ready(target) => Lookup::Ready(Some(target)),
            Lookup::Missing(keys) => Lookup::Missing(keys),
        })
    }

    fn version(
        &self,
        version: Version,
        link: RollbackLink,
        seen: &Snapshot,
    ) -> Result<Lookup<Target>, Error> {
        let package = &self.package;
        let key = schema::version_key(package, version.get());
        if !seen.contains(&key) {
            return Ok(Lookup::Missing(vec![key]));
        }
        // The caller that shows the error finds out whether the package or the version is missing.
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
        Ok(Lookup::Ready(Target { version, blob: item.blob, check: Some(check), link }))
    }

    fn promoted(&self, source: &TagName, seen: &Snapshot) -> Result<Target, Error> {
        let package = &self.package;
        let item: Option<TagItem> = seen.get(&schema::tag_key(package, source))?;
        let target = item.and_then(|item| Some((item.version?, item.blob?)));
        let (version, blob) =
            target.ok_or_else(|| NotFound::Tag { package: package.clone(), tag: source.clone() })?;
        // A tagged version is active, and the head's rev ensures that this tag is still on it.
        Ok(Target { version, blob, check: None, link: RollbackLink::Previous })
    }

    fn latest(&self, seen: &Snapshot) -> Result<Target, Error> {
        let package = &self.package;
        let key = schema::head_key(&schema::releases(package));
        let Some((version, blob)) = seen.latest(&key)? else {
            let package = package.clone();
            let exists = seen.has_package(&package)?;
            return Err(if exists { NotFound::Latest(package) } else { NotFound::Package(package) }.into());
        };
        let condition = Condition::equals("latest", version.get());
        let check = Action { key, condition, change: Change::Check };
        Ok(Target { version, blob, check: Some(check), link: RollbackLink::Previous })
    }

    /// Returns the event that `steps` rollbacks would restore.
    fn past(&self, tag: &TagName, steps: u16, seen: &Snapshot) -> Result<Lookup<TagEvent>, Error> {
        let package = &self.package;
        let item: Option<TagItem> = seen.get(&schema::tag_key(package, tag))?;
        let item = item.ok_or_else(|| NotFound::Tag { package: package.clone(), tag: tag.clone() })?;
        back_by(package, tag, item.back, steps, |rev| {
            let key = schema::tag_event_key(package, rev);
            Ok(match seen.get_referenced(&key)? {
                Some(event) => Lookup::Ready(event),
                None => Lookup::Missing(vec![key]),
            })
        })
    }

    /// Returns the key of the version that `back` of a tag most likely names, to be read along with the event.
    pub(in crate::ledger) fn predicted_key(&self, item: &TagItem) -> Option<Key> {
        let moved = item.kind == TagKind::Move;
        item.previous.filter(|_| moved).map(|version| schema::version_key(&self.package, version.get()))
    }

    /// Returns the version of an earlier event, if the tag can be put on it again.
    pub(in crate::ledger) fn put_back(
        &self,
        event: &TagEvent,
        seen: &Snapshot,
    ) -> Result<Lookup<Target>, Error> {
        let refused = match event.version {
            None => None,
            Some(version) => match self.version(version, RollbackLink::From(event.back), seen) {
                Err(Error::Refused(Refused::NotActive { state, .. })) => Some((version, state)),
                other => return other,
            },
        };
        Ok(match self.nearest(event.back, seen)? {
            Lookup::Missing(keys) => Lookup::Missing(keys),
            Lookup::Ready(nearest) => {
                let (package, tag) = (self.package.clone(), self.tag.clone());
                return Err(Refused::Rollback { package, tag, to: refused, nearest }.into());
            }
        })
    }

    /// Returns the nearest earlier version that the tag can be put on, for a refusal to name.
    fn nearest(&self, mut back: Option<u64>, seen: &Snapshot) -> Result<Lookup<Option<Version>>, Error> {
        for _ in 0..NEAREST {
            let Some(rev) = back else { break };
            let key = schema::tag_event_key(&self.package, rev);
            let Some(event) = seen.get_referenced::<TagEvent>(&key)? else {
                return Ok(Lookup::Missing(vec![key]));
            };
            if let Some(version) = event.version {
                let key = schema::version_key(&self.package, version.get());
                let Some(item) = seen.shown::<VersionItem>(&key)? else {
                    return Ok(Lookup::Missing(vec![key]));
                };
                if item.show().state == State::Active {
                    return Ok(Lookup::Ready(Some(version)));
                }
            }
            back = event.back;
        }
        Ok(Lookup::Ready(None))
    }
}

impl Move {
    /// Checks the freezes and the gates of the move for a version. A move back passes all of them.
    fn gates(
        &self,
        before: Option<&TagItem>,
        version: Version,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Lookup<Passed>, Error> {
        if !self.is_forward() {
            return Ok(Lookup::Ready(Passed::back()));
        }
        let forward = Forward {
            package: &self.package,
            tag: &self.tag,
            before,
            candidate: Candidate::Existing(version),
            require: &self.require,
            overriding: self.overriding.as_ref(),
            emergency: self.emergency.as_ref(),
        };
        forward.pass(seen, context)
    }
}

/// The decision for one tag.
pub(in crate::ledger) enum Decision<'a> {
    /// The tag stays where it is, as long as this check holds.
    Stay(Box<TagItem>, Option<Action>),
    Put(Box<Allowed<'a>>, Box<Target>),
    TakeOff(Box<Allowed<'a>>, RollbackLink),
}

impl Move {
    /// Decides what to do with the tag.
    pub(in crate::ledger) fn decide<'a>(
        &'a self,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Lookup<Decision<'a>>, Error> {
        let Move { package, tag, to, .. } = self;
        let before: Option<TagItem> = seen.get(&schema::tag_key(package, tag))?;
        if before.is_none() && matches!(to, Destination::Off | Destination::Back | Destination::Earlier(..)) {
            return Err(NotFound::Tag { package: package.clone(), tag: tag.clone() }.into());
        }
        self.check_expectation(before.as_ref())?;
        // A tagged version is active, so a tag that stays depends only on the tag.
        if let (Some(before), Some(version)) = (&before, self.fixed())
            && before.version == Some(version)
        {
            return Ok(match self.gates(Some(before), version, seen, context)? {
                Lookup::Ready(_) => Lookup::Ready(Decision::Stay(Box::new(before.clone()), None)),
                Lookup::Missing(keys) => Lookup::Missing(keys),
            });
        }
        let target = match self.target(seen)? {
            Lookup::Ready(target) => target,
            Lookup::Missing(keys) => return Ok(Lookup::Missing(keys)),
        };
        let version = target.as_ref().map(|target| target.version);
        let passed = match version {
            None => Passed::back(),
            Some(version) => match self.gates(before.as_ref(), version, seen, context)? {
                Lookup::Ready(passed) => passed,
                Lookup::Missing(keys) => return Ok(Lookup::Missing(keys)),
            },
        };
        if let Some(before) = before.filter(|before| before.version == version) {
            let check = target.and_then(|target| target.check);
            return Ok(Lookup::Ready(Decision::Stay(Box::new(before), check)));
        }
        let allowed = Box::new(allow(package, tag, self.confirmed, passed, seen)?);
        Ok(Lookup::Ready(match target {
            Some(target) => Decision::Put(allowed, Box::new(target)),
            None => Decision::TakeOff(allowed, RollbackLink::Previous),
        }))
    }
}

impl TableLedger {
    /// Resolves a spec to a destination: a time is resolved now, once.
    pub(in crate::ledger) async fn destination(
        &self,
        package: &PackageName,
        spec: &Spec,
    ) -> Result<Destination, Error> {
        Ok(match spec {
            Spec::At(..) => Destination::Fixed(spec.clone(), self.version_then(package, spec).await?),
            _ => Destination::Spec(spec.clone()),
        })
    }
}
