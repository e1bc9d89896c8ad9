//! Recalls: where the tags of a version go, and what that makes.

use super::{Answer, Change, Commit, Outcome, Package, RollbackLink, Step, Verdict, World, version_sk};
use sacker::model::{ReleaseChange, State, TagName};
use std::collections::{BTreeMap, BTreeSet};

impl World<'_> {
    pub(super) fn judge_recall(
        name: &str,
        of: &Package,
        number: u64,
        untag: bool,
        confirm: bool,
    ) -> Option<Verdict> {
        let version = of.version(number)?;
        match version.state {
            State::Active => {}
            State::Yanked => {
                let outcome = Outcome { entry: version_sk(number), unchanged: true, ..Outcome::default() };
                return Some(Verdict::Stays(Answer::Recalled(State::Yanked, Vec::new()), outcome));
            }
            _ => return None,
        }
        let tags: BTreeSet<_> = of.events.values().map(|event| event.tag.as_str()).collect();
        let tags = tags.into_iter().map(|tag| tag.parse::<TagName>().unwrap());
        let on = tags.filter(|tag| of.on(tag) == Some(number));
        let step = |tag: TagName| {
            let mut back = of.last(&tag)?.1.back;
            while let Some(rev) = back {
                let event = &of.events[&rev];
                let earlier = event.version.filter(|earlier| *earlier != number);
                if let Some(earlier) = earlier.and_then(|earlier| of.active(earlier)) {
                    return of.step(
                        name,
                        &tag,
                        (Some(earlier), RollbackLink::From(event.back)),
                        None,
                        confirm,
                    );
                }
                back = event.back;
            }
            if untag { of.step(name, &tag, (None, RollbackLink::Previous), None, confirm) } else { None }
        };
        let steps = on.map(step).collect::<Option<Vec<_>>>()?;
        Some(Verdict::Changes(Change::Recall { version: number, steps }))
    }

    pub(super) fn recall(
        &mut self,
        name: &str,
        number: u64,
        steps: &[Step],
        commit: &Commit<'_>,
    ) -> (Answer, Outcome) {
        let moved = self.append(steps, None, commit);
        let entries: BTreeMap<_, _> = moved.iter().map(|it| (format!("{name} {}", it.tag), it.rev)).collect();
        let (_, outcome) = self.change(name, number, &ReleaseChange::Yank, &entries, commit);
        (Answer::Recalled(State::Active, moved), Outcome { moves: entries, ..outcome })
    }
}
