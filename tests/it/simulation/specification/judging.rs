//! The outcome of a request.

use super::{
    Act, Answer, Change, EPOCH, Event, Outcome, Package, Put, RollbackLink, Standing, Step, Verdict, View,
    World, event_sk, is_met, labels_after, pairs, release, shown, state_after, version_sk,
};
use crate::simulation::acts::Request;
use sacker::model::{PlannedMove, Protection, ReleaseChange, State, TagKind, TagMove, TagName};
use std::collections::BTreeMap;

impl World<'_> {
    /// Returns the outcome of a request that is made now.
    pub fn judge(&self, request: &Request, view: View) -> Verdict {
        self.try_judge(request, view).unwrap_or(Verdict::Refused)
    }

    fn try_judge(&self, request: &Request, view: View) -> Option<Verdict> {
        let name = request.package;
        let none = Package::default();
        let of = self.packages.get(name).unwrap_or(&none);
        match &request.act {
            Act::Add { .. } => self.judge_add(name, of, request, view),
            Act::Recall { version, untag, confirm } => {
                Self::judge_recall(name, of, *version, *untag, *confirm)
            }
            Act::Freeze { .. } | Act::Thaw(_) => self.judge_freezing(&request.act, view),
            Act::Tag { spec, tag, expect, require, overriding, confirm, .. } => {
                is_met(*expect, of.on(tag))?;
                let version = of.active(of.named(spec, view)?)?;
                let over = of.pass(tag, version, (require, overriding.as_ref()), view).ok()?;
                let step = of.step(name, tag, (Some(version), RollbackLink::Previous), over, *confirm)?;
                Some(self.one(self.forward(vec![step], request, view)?.remove(0)))
            }
            Act::Rollback { tag, to, expect, confirm } => {
                let event = match to {
                    None => of.past(tag, 1)?,
                    Some(to) => {
                        let on = |event: &&Event| {
                            event.tag == *tag && event.tick <= view.looked && event.version == Some(*to)
                        };
                        of.events.values().rev().find(on)?
                    }
                };
                is_met(*expect, of.on(tag))?;
                let version = of.active(event.version?)?;
                Some(self.one(of.step(
                    name,
                    tag,
                    (Some(version), RollbackLink::From(event.back)),
                    None,
                    *confirm,
                )?))
            }
            Act::Untag { tag, expect, confirm } => {
                of.last(tag)?;
                is_met(*expect, of.on(tag))?;
                Some(self.one(of.step(name, tag, (None, RollbackLink::Previous), None, *confirm)?))
            }
            Act::Protect { .. } => self.judge_protect(name, of, &request.act),
            Act::Apply { moves, undo, .. } => {
                let steps = if *undo {
                    self.undone(moves)?
                } else {
                    self.forward(self.planned(moves, view)?, request, view)?
                };
                if steps.iter().any(|step| step.put.is_some()) {
                    return Some(Verdict::Changes(Change::Plan { steps, undo: *undo }));
                }
                let answer = Answer::Applied(steps.iter().map(|step| self.stayed(step)).collect());
                Some(Verdict::Stays(answer, self.outcome_of_plan(&steps, true)))
            }
            Act::Change(version, change) => self.judge_change(of, *version, change),
            Act::Prune { version, depth, label } => self.judge_prune(of, *version, *depth, label),
            Act::Read(_) | Act::Status | Act::Info(_) => {
                let answer = self.judge_read(name, of, &request.act, view)?;
                Some(Verdict::Stays(answer, Outcome::default()))
            }
        }
    }

    fn judge_read(&self, name: &str, of: &Package, act: &Act, view: View) -> Option<Answer> {
        let there = |number| of.version(number).filter(|version| version.state != State::Deleted);
        match act {
            Act::Read(spec) => {
                let number = of.named(spec, view)?;
                let version = there(number)?;
                let address = format!("{}.{}", self.files[version.file].sha256, version.item["gen"]);
                Some(Answer::Read(number, address))
            }
            Act::Status => Some(Answer::Status(of.status())),
            Act::Info(number) => Some(Answer::Info(Box::new(release(name, there(*number)?)))),
            _ => None,
        }
    }

    fn judge_add(&self, name: &str, of: &Package, request: &Request, view: View) -> Option<Verdict> {
        let Act::Add { blob, filename, labels, tags, if_changed, expect, overriding, confirm, .. } =
            &request.act
        else {
            return None;
        };
        is_met(*expect, of.latest())?;
        let mut tags = tags.clone();
        tags.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        let same = |latest: &u64| of.version(*latest).is_some_and(|version| version.file == *blob);
        let there = of.latest().filter(|latest| *if_changed && same(latest));
        let version = there.unwrap_or(of.versions.len() as u64 + 1);
        let step = |tag| {
            let why = overriding.as_ref();
            let over = match there {
                Some(version) => of.pass(tag, version, (&[], why), view).ok()?,
                None => of.pass_new(tag, &pairs(labels), why).ok()?,
            };
            of.step(name, tag, (Some(version), RollbackLink::Previous), over, *confirm)
        };
        let steps = tags.iter().map(step).collect::<Option<Vec<_>>>()?;
        let mut steps = self.forward(steps, request, view)?;
        let Some(latest) = there else {
            let (file, labels) = (*blob, pairs(labels));
            let filename = filename.as_ref().map(ToString::to_string);
            return Some(Verdict::Changes(Change::Add { file, filename, labels, steps }));
        };
        steps.retain(|step| step.put.is_some());
        if steps.is_empty() {
            let outcome = Outcome { entry: version_sk(latest), unchanged: true, ..Outcome::default() };
            return Some(Verdict::Stays(Answer::Added { version: latest, new: false }, outcome));
        }
        Some(Verdict::Changes(Change::Retag { latest, steps }))
    }

    fn judge_protect(&self, name: &str, of: &Package, act: &Act) -> Option<Verdict> {
        let Act::Protect { tag, protection, require, no_override } = act else { return None };
        let last = of.last(tag);
        let removes = protection.is_none() && require.is_empty();
        if of.versions.is_empty() || last.is_none() && removes {
            return None;
        }
        let there = of.standing(tag);
        let kind = |protection: Option<Protection>| match protection {
            Some(Protection::WriteOnce | Protection::WriteOnceGates) => "write-once",
            Some(Protection::Confirm | Protection::ConfirmGates) => "confirm",
            _ => "",
        };
        let (had, asked) = (kind(there.protection), kind(*protection));
        if !had.is_empty() && !asked.is_empty() && had != asked {
            return None;
        }
        let mut gates = there.gates.clone();
        gates.extend(require.iter().map(ToString::to_string));
        let is = match (if had.is_empty() { asked } else { had }, gates.is_empty()) {
            ("", true) => None,
            ("", false) => Some(Protection::Gates),
            ("confirm", true) => Some(Protection::Confirm),
            ("confirm", false) => Some(Protection::ConfirmGates),
            (_, true) => Some(Protection::WriteOnce),
            (_, false) => Some(Protection::WriteOnceGates),
        };
        let no_override = !gates.is_empty() && (there.no_override || *no_override);
        let standing = Standing { protection: is, gates, no_override };
        let standing = if removes { Standing::default() } else { standing };
        let step = |put| Step { package: name.to_owned(), tag: tag.clone(), put };
        if last.is_some() && there == standing {
            return Some(self.one(step(None)));
        }
        let kind = if removes { TagKind::Unprotect } else { TagKind::Protect };
        let back = last.and_then(|(_, event)| event.back);
        let version = last.and_then(|(_, event)| event.version);
        let (overridden, emergency) = (None, None);
        Some(self.one(step(Some(Put { kind, version, back, standing, overridden, emergency }))))
    }

    /// The deletion of a version that nothing keeps.
    fn judge_prune(&self, of: &Package, number: u64, depth: u16, label: &str) -> Option<Verdict> {
        let version = of.version(number)?;
        let labelled = version.labels.contains_key(label) || version.more_labels.contains_key(label);
        let kept = of.latest() == Some(number) || labelled || of.is_stop(number, depth);
        if version.state != State::Deleted && kept {
            return None;
        }
        // Even the next stop of a tag is no stop if none is to be kept.
        self.judge_withdrawal(of, number, &ReleaseChange::Delete, true)
    }

    fn judge_change(&self, of: &Package, number: u64, change: &ReleaseChange) -> Option<Verdict> {
        self.judge_withdrawal(of, number, change, false)
    }

    fn judge_withdrawal(
        &self,
        of: &Package,
        number: u64,
        change: &ReleaseChange,
        force: bool,
    ) -> Option<Verdict> {
        let version = of.version(number)?;
        let is = state_after(version.state, version.before, change);
        if *change == ReleaseChange::Undelete && version.state == State::Deleted {
            let generation = version.item["gen"].as_u64()?;
            let blob = self.blobs.get(&(version.file, generation / EPOCH))?;
            let there = blob.kept && blob.generation == generation;
            return there
                .then(|| Verdict::Changes(Change::Version { version: number, change: change.clone() }));
        }
        let adds = match change {
            ReleaseChange::Label(labels) => labels_after(version, labels).ok().map(|more| more.is_some()),
            _ => Some(false),
        };
        if is == version.state && adds == Some(false) {
            let deleted = is == State::Deleted && *change != ReleaseChange::Delete;
            let outcome = Outcome { entry: version_sk(number), unchanged: true, ..Outcome::default() };
            return (!deleted).then_some(Verdict::Stays(Answer::Changed { was: is, is }, outcome));
        }
        adds?;
        let withdraws = matches!(change, ReleaseChange::Yank | ReleaseChange::Delete);
        let mut tags: Vec<_> = of.events.values().map(|event| &event.tag).collect();
        tags.dedup();
        let is_tagged = tags.iter().any(|tag| of.on(tag) == Some(number));
        if version.state == State::Deleted || withdraws && is_tagged {
            return None;
        }
        let leads_here = |tag: &&TagName| {
            of.on(tag).is_some() && of.past(tag, 1).and_then(|event| event.version) == Some(number)
        };
        let is_way_back = version.state == State::Active && tags.iter().any(leads_here);
        if *change == ReleaseChange::Delete && is_way_back && !force {
            return None;
        }
        Some(Verdict::Changes(Change::Version { version: number, change: change.clone() }))
    }

    fn planned(&self, moves: &[PlannedMove], view: View) -> Option<Vec<Step>> {
        let none = Package::default();
        let step = |it: &PlannedMove| {
            let name = it.package.as_str();
            let of = self.packages.get(name).unwrap_or(&none);
            is_met(it.expect, of.on(&it.tag))?;
            let version = match &it.to {
                None => of.last(&it.tag).map(|_| None)?,
                Some(spec) => Some(of.active(of.named(spec, view)?)?),
            };
            let over = match version {
                None => None,
                Some(version) => {
                    of.pass(&it.tag, version, (&it.require, it.overriding.as_ref()), view).ok()?
                }
            };
            of.step(name, &it.tag, (version, RollbackLink::Previous), over, it.confirm.is_some())
        };
        moves.iter().map(step).collect()
    }

    fn undone(&self, moves: &[PlannedMove]) -> Option<Vec<Step>> {
        let stands = |reported: &BTreeMap<(String, TagName), u64>| {
            reported.len() == moves.len()
                && moves.iter().all(|it| {
                    let last = self.packages.get(it.package.as_str()).and_then(|of| of.last(&it.tag));
                    let rev = reported.get(&(it.package.to_string(), it.tag.clone()));
                    last.is_some() && last.map(|(rev, _)| rev) == rev.copied()
                })
        };
        let plan = self.applied.iter().rposition(stands)?;
        let step = |it: &PlannedMove| {
            let name = it.package.as_str();
            let of = self.packages.get(name)?;
            let (_, event) = of.last(&it.tag)?;
            if event.plan != Some(plan) {
                return Some(Step { package: name.to_owned(), tag: it.tag.clone(), put: None });
            }
            let before = event.back.map(|back| &of.events[&back]);
            let version = before.and_then(|before| before.version);
            if let Some(version) = version {
                of.active(version)?;
            }
            let back = before.and_then(|before| before.back);
            of.step(name, &it.tag, (version, RollbackLink::From(back)), None, it.confirm.is_some())
        };
        moves.iter().map(step).collect()
    }

    /// A verdict on one tag.
    fn one(&self, step: Step) -> Verdict {
        if step.put.is_some() {
            return Verdict::Changes(Change::One(step));
        }
        let (rev, _) = self.packages[&step.package].last(&step.tag).expect("what stays is there");
        let outcome = Outcome { entry: event_sk('E', rev), unchanged: true, ..Outcome::default() };
        Verdict::Stays(Answer::Moved(Box::new(self.stayed(&step))), outcome)
    }

    /// A tag that stays, as it is shown.
    pub(super) fn stayed(&self, step: &Step) -> TagMove {
        let (rev, event) = self.packages[&step.package].last(&step.tag).expect("what stays is there");
        shown(&step.package, rev, &Event { previous: event.version, overridden: None, ..event.clone() })
    }

    /// Returns the outcome that the key of a plan leads to, once its entries are made.
    pub(super) fn outcome_of_plan(&self, steps: &[Step], unchanged: bool) -> Outcome {
        let mut revs: Vec<_> = steps
            .iter()
            .map(|step| {
                let (rev, _) = self.packages[&step.package].last(&step.tag).expect("it has an entry");
                (&step.package, step.tag.as_str(), rev)
            })
            .collect();
        revs.sort_unstable();
        let entry = event_sk('E', revs[0].2);
        let moves = revs.iter().map(|(package, tag, rev)| (format!("{package} {tag}"), *rev)).collect();
        Outcome { entry, unchanged, moves }
    }
}
