//! What a move puts a tag on, and whether that may be. Pure: over what was read.

use super::{
    Error,
    error::{Conflict, GateFailure, NotFound, Refused},
    items::{self, BlobFields, TagEvent, TagItem, VersionItem},
    operation::{Context, Known},
    read::no_version,
    snapshot::Snapshot,
    tag_log::Way,
    times::age,
};
use crate::{
    model::{Expectation, Gate, Length, PackageName, Spec, State, TagKind, TagName, Version},
    table::{Action, Change, Condition, Key},
};
use std::time::Duration;

/// How far back a refusal looks for a version that a tag could be put back to.
const NEAREST: usize = 20;

/// One move of a tag that is asked for.
#[derive(Debug, Clone)]
pub(super) struct Move {
    pub package: PackageName,
    pub tag: TagName,
    pub to: To,
    pub expect: Option<Expectation>,
    pub require: Vec<Gate>,
    pub confirmed: bool,
}

/// Where a tag is to go.
#[derive(Debug, Clone)]
pub(super) enum To {
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
pub(super) struct Target {
    pub version: Version,
    pub blob: BlobFields,
    /// What has to be true of it at the commit.
    pub check: Option<Action>,
    pub way: Way,
}

impl Move {
    /// What it is called.
    pub(super) fn asked(&self) -> String {
        let tag = &self.tag;
        match &self.to {
            To::Spec(spec) | To::Fixed(spec, _) => format!("tag {spec} {tag}"),
            To::Off => format!("untag {tag}"),
            To::Back => format!("rollback {tag}"),
            To::Earlier(version, _) => format!("rollback {tag} --to {version}"),
        }
    }

    /// What it is decided on, beside the head of the package's tags.
    pub(super) fn reads(&self) -> Vec<Key> {
        let package = &self.package;
        let mut keys = vec![items::tag_key(package, &self.tag)];
        keys.extend(match &self.to {
            To::Spec(Spec::Version(version)) | To::Fixed(_, version) => {
                vec![items::version_key(package, version.get())]
            }
            // The event never changes.
            To::Earlier(version, rev) => {
                vec![items::version_key(package, version.get()), items::tag_event_key(package, *rev)]
            }
            To::Spec(Spec::Tag(tag) | Spec::Past(tag, _) | Spec::At(tag, _)) => {
                vec![items::tag_key(package, tag)]
            }
            To::Spec(Spec::Latest) => vec![items::head_key(&items::releases(package))],
            To::Off | To::Back => Vec::new(),
        });
        keys.extend(self.require.iter().filter_map(|gate| match gate {
            Gate::Tag(tag) => Some(items::tag_key(package, tag)),
            Gate::Label { .. } | Gate::Age(_) => None,
        }));
        keys
    }

    /// The version that it is to go to, if the request names that.
    pub(super) fn fixed(&self) -> Option<Version> {
        match &self.to {
            To::Spec(Spec::Version(version)) | To::Fixed(_, version) => Some(*version),
            To::Spec(_) | To::Off | To::Back | To::Earlier(..) => None,
        }
    }

    /// See [`Operation::reads_at_once`](super::operation::Operation::reads_at_once).
    pub(super) fn reads_at_once(&self) -> bool {
        // A tag that is promoted is not acted on: that it has not moved follows from the head, if both were read at one
        // instant. And that a tag is on `latest` already must have been true at one instant, too.
        let promotes = match &self.to {
            To::Spec(spec) => !matches!(spec, Spec::Version(_)),
            To::Fixed(..) | To::Off | To::Back | To::Earlier(..) => false,
        };
        promotes || self.require.iter().any(|gate| matches!(gate, Gate::Tag(_)))
    }

    /// The most actions that it takes in a transaction, beside the head of the package's tags.
    pub(super) fn actions(&self) -> usize {
        match self.to {
            To::Spec(Spec::Tag(_)) | To::Off => 2,
            _ => 3,
        }
    }

    /// Sees whether the tag is where it is expected to be.
    pub(super) fn check_expectation(&self, before: Option<&TagItem>) -> Result<(), Error> {
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
    pub(super) fn target(&self, seen: &Snapshot) -> Result<Known<Option<Target>>, Error> {
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
                    let item: Option<TagItem> = seen.get(&items::tag_key(&self.package, &self.tag))?;
                    keys.extend(item.as_ref().and_then(|item| self.foreseen(item)));
                    Known::Read(keys)
                }
                Known::Is(event) => self.put_back(&event, seen)?,
            },
            To::Earlier(version, rev) => {
                let key = items::tag_event_key(&self.package, *rev);
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
        let key = items::version_key(package, version.get());
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
        let item: Option<TagItem> = seen.get(&items::tag_key(package, source))?;
        let target = item.and_then(|item| Some((item.version?, item.blob?)));
        let (version, blob) =
            target.ok_or_else(|| NotFound::Tag { package: package.clone(), tag: source.clone() })?;
        // A tagged version is active, and the head's rev says that this tag is still on it.
        Ok(Target { version, blob, check: None, way: Way::On })
    }

    fn latest(&self, seen: &Snapshot) -> Result<Target, Error> {
        let package = &self.package;
        let key = items::head_key(&items::releases(package));
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
        let item: Option<TagItem> = seen.get(&items::tag_key(package, tag))?;
        let item = item.ok_or_else(|| NotFound::Tag { package: package.clone(), tag: tag.clone() })?;
        back_by(package, tag, item.back, steps, |rev| {
            let key = items::tag_event_key(package, rev);
            Ok(match seen.told_of(&key)? {
                Some(event) => Known::Is(event),
                None => Known::Read(vec![key]),
            })
        })
    }

    /// The version that `back` of a tag most likely leads to, to be read along with the event that says so.
    pub(super) fn foreseen(&self, item: &TagItem) -> Option<Key> {
        let moved = item.kind == TagKind::Move;
        item.previous.filter(|_| moved).map(|version| items::version_key(&self.package, version.get()))
    }

    /// The version of an earlier event, if the tag can be put on it again.
    pub(super) fn put_back(&self, event: &TagEvent, seen: &Snapshot) -> Result<Known<Target>, Error> {
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
            let key = items::tag_event_key(&self.package, rev);
            let Some(event) = seen.told_of::<TagEvent>(&key)? else { return Ok(Known::Read(vec![key])) };
            if let Some(version) = event.version {
                let key = items::version_key(&self.package, version.get());
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

    /// Sees whether the gates are open for a version. What is read of a label or an age holds for ever; a tag's place
    /// follows from the head.
    pub(super) fn gates(
        &self,
        version: Version,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Known<()>, Error> {
        if self.require.is_empty() {
            return Ok(Known::Is(()));
        }
        let package = &self.package;
        let key = items::version_key(package, version.get());
        if !seen.contains(&key) {
            return Ok(Known::Read(vec![key]));
        }
        let item = seen.version(&key)?.ok_or_else(|| no_version(package, version, None))?;
        let mut failed = Vec::new();
        for gate in &self.require {
            let found = match gate {
                Gate::Label { name, value } => match seen.label(&key, name)? {
                    Some(there) if there == *value => continue,
                    Some(there) => format!("it has {name}={there}"),
                    None => format!("it has no label {name}"),
                },
                Gate::Tag(tag) => {
                    let there: Option<TagItem> = seen.get(&items::tag_key(package, tag))?;
                    match there.and_then(|there| there.version) {
                        Some(there) if there == version => continue,
                        Some(there) => format!("{tag} is on {there}"),
                        None => format!("{tag} is on no version"),
                    }
                }
                Gate::Age(least) => {
                    let seconds = |age: Duration| Length::from(Duration::from_secs(age.as_secs()));
                    match age(&item, context.now) {
                        Ok(age) if age >= least.as_duration() => continue,
                        Ok(age) => format!("it was added {} ago", seconds(age)),
                        Err(unknown) => unknown,
                    }
                }
            };
            failed.push(GateFailure { gate: gate.clone(), found });
        }
        if failed.is_empty() {
            return Ok(Known::Is(()));
        }
        let (package, tag) = (package.clone(), self.tag.clone());
        Err(Refused::Gates { package, tag, version, failed }.into())
    }
}

/// Follows a tag's way back by `steps` rollbacks, from what its last event has as `back`.
///
/// # Errors
/// [`NotFound::Past`] if it does not reach so far; those of `event`.
pub(super) fn back_by(
    package: &PackageName,
    tag: &TagName,
    mut back: Option<u64>,
    steps: u16,
    event: impl Fn(u64) -> Result<Known<TagEvent>, Error>,
) -> Result<Known<TagEvent>, Error> {
    let nowhere = || NotFound::Past { package: package.clone(), tag: tag.clone(), steps };
    let mut steps_left = steps;
    loop {
        let found = match event(back.ok_or_else(nowhere)?)? {
            Known::Is(found) => found,
            Known::Read(keys) => return Ok(Known::Read(keys)),
        };
        steps_left -= 1;
        if steps_left == 0 {
            return Ok(Known::Is(found));
        }
        back = found.back;
    }
}
