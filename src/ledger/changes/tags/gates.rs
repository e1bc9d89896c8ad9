//! The freezes and gates of a move: gates of the request, and those that are kept with the tag. Pure: over what was read.

use super::frozen::{self, Unfrozen};
use crate::{
    ledger::{
        Error, GateFailure, Refused,
        engine::operation::Context,
        reads::gates::{Candidate, check},
        schema::{self, TagItem},
        snapshot::{Lookup, Snapshot},
    },
    model::{Gate, GateCheck, Gates, Message, Override, PackageName, Protection, TagName},
    table::{Action, Change, Condition},
};

/// The proof that the freezes and the standing gates of a tag were checked for a move, or that the move need not pass
/// them.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Passed {
    /// The standing gates that the move passes over.
    pub overridden: Option<Override>,
    /// The check that the version still lacks the labels whose gates are passed over.
    pub pin: Option<Action>,
    /// The freezes that were checked.
    pub unfrozen: Unfrozen,
}

impl Passed {
    /// The proof for a change that moves a tag back or takes it off: no freeze refuses it, so that responders can act.
    /// The version that a tag goes back to passed the gates when the tag was put on it.
    pub(in crate::ledger) fn back() -> Self {
        Self::default()
    }
}

/// A move forward of a tag, whose freezes and gates are to be checked.
pub(in crate::ledger) struct Forward<'a> {
    pub package: &'a PackageName,
    pub tag: &'a TagName,
    /// The tag as it is.
    pub before: Option<&'a TagItem>,
    pub candidate: Candidate<'a>,
    /// The gates of the request, which can't be overridden.
    pub require: &'a [Gate],
    /// The reason for passing over standing gates.
    pub overriding: Option<&'a Message>,
    /// The reason to pass a freeze.
    pub emergency: Option<&'a Message>,
}

impl Forward<'_> {
    /// Checks the gates of the request; and first the freezes, and the standing gates, if the tag is not on the version
    /// already.
    ///
    /// # Errors
    /// [`Refused::Frozen`], which names every freeze that refuses the move; [`Refused::Gates`], which names every gate
    /// that failed.
    pub(in crate::ledger) fn pass(
        &self,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Lookup<Passed>, Error> {
        let Self { package, tag, before, candidate, require, overriding, emergency } = *self;
        let version = candidate.version();
        let unfrozen = if before.is_some_and(|before| before.version == Some(version)) {
            Unfrozen::default()
        } else {
            frozen::pass(package, tag, emergency, seen, context)?
        };
        let moved = before.filter(|before| before.version != Some(version));
        let standing = standing(package, moved)?;
        let asked = require.iter().map(|gate| (gate, false));
        let kept = standing.iter().filter(|gate| !require.contains(gate)).map(|gate| (gate, true));
        let checks = match check(package, candidate, kept.chain(asked), seen, context.now)? {
            Lookup::Ready(checks) => checks,
            Lookup::Missing(keys) => return Ok(Lookup::Missing(keys)),
        };
        let failed: Vec<_> = checks.into_iter().filter(|check| !check.passed).collect();
        let no_override = moved.is_some_and(|moved| moved.no_override);
        let may_override = overriding.is_some() && !no_override;
        let (over, failed): (Vec<_>, Vec<_>) =
            failed.into_iter().partition(|check| check.standing && may_override);
        if !failed.is_empty() {
            let no_override = no_override && failed.iter().any(|check| check.standing);
            let failed = failed.into_iter().map(GateFailure::from).collect();
            let (package, tag) = (package.clone(), tag.clone());
            return Err(Refused::Gates { package, tag, version, failed, no_override }.into());
        }
        let pin = self.pin(&over, seen);
        let gates: Gates = over.into_iter().map(|check| check.gate).collect();
        let overridden =
            overriding.filter(|_| !gates.is_empty()).map(|why| Override { why: why.clone(), gates });
        Ok(Lookup::Ready(Passed { overridden, pin, unfrozen }))
    }

    /// Returns the check that the labels of an existing version are as they were read, if a gate for one that it lacks
    /// is passed over.
    fn pin(&self, over: &[GateCheck], seen: &Snapshot) -> Option<Action> {
        let Candidate::Existing(version) = self.candidate else { return None };
        let of_label = |check: &GateCheck| matches!(check.gate, Gate::Label { .. });
        let key = schema::version_key(self.package, version.get());
        let item = over.iter().any(of_label).then(|| seen.item(&key))??;
        let condition = Condition::same("more_labels", item);
        Some(Action { key, condition, change: Change::Check })
    }
}

/// Returns the standing gates of a tag.
///
/// # Errors
/// [`Error::Damaged`] if its protection says that it has gates and there are none, or the reverse.
fn standing(package: &PackageName, before: Option<&TagItem>) -> Result<Gates, Error> {
    let Some(before) = before else { return Ok(Gates::default()) };
    let unknown = matches!(before.protection, Some(Protection::Other(_)));
    if !unknown && before.protection.is_some_and(Protection::has_gates) == before.gates.is_empty() {
        let key = schema::tag_key(package, &before.tag);
        return Err(Error::damaged(&key, "its protection and its gates contradict each other"));
    }
    Ok(before.gates.clone())
}
