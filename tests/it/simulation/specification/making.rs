//! The items that a change makes.

use super::asking::asked;
use super::{
    Answer, Blob, Change, Commit, EPOCH, Event, File, HOME, Log, Outcome, Overridden, Put, Standing, Step,
    Version, World, blob_of, blob_sk, clock, event_sk, item, labels_after, pairs, shown, state_after,
    version_sk,
};
use crate::simulation::acts::Request;
use sacker::{
    model::{ReleaseChange, State, TagMove},
    table::Item,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

impl Standing {
    /// The attributes of an entry or a tag.
    fn attributes(&self) -> Item {
        let Self { protection, gates, no_override } = self;
        let mut attributes = item(json!({ "protection": protection.map(|it| it.to_string()) }));
        if !gates.is_empty() {
            attributes.insert("gates".to_owned(), json!(gates));
        }
        if *no_override {
            attributes.insert("no_override".to_owned(), json!(true));
        }
        attributes
    }
}

impl World<'_> {
    pub(super) fn put(&mut self, pk: impl Into<String>, sk: impl Into<String>, item: Item) {
        self.dump.entry(pk.into()).or_default().insert(sk.into(), item);
    }

    /// The ledger's identity, and what an adoption makes of it: another id and epoch, at home here. The rest stays.
    pub fn identify(&mut self, ledger: &str, epoch: u64) {
        let there = self.dump.get("M").and_then(|items| items.get("M"));
        let mut meta = there.cloned().unwrap_or_else(|| item(json!({ "schema": 1 })));
        let epoch = Some(epoch).filter(|epoch| *epoch > 0);
        meta.extend(item(json!({ "ledger": ledger, "home": HOME, "epoch": epoch })));
        self.put("M", "M", meta);
    }

    /// Returns the time of a log's last entry; `None` if there is none.
    pub fn last_time(&self, pk: &str) -> Option<u64> {
        let log = match pk.split_once('#') {
            None => &self.freezes,
            Some(("P", name)) => &self.packages.get(name)?.releases,
            Some((_, name)) => &self.packages.get(name)?.tags,
        };
        (log.rev > 0).then_some(log.when)
    }

    /// Makes a change. Returns the answer for its maker, and the outcome that a key leads to.
    pub fn commit(&mut self, name: &str, change: &Change, commit: &Commit<'_>) -> (Answer, Outcome) {
        match change {
            Change::Add { file, filename, labels, steps } => {
                let version = self.add(name, *file, filename.as_deref(), labels, commit);
                self.append(steps, None, commit);
                let outcome = Outcome { entry: version_sk(version), ..Outcome::default() };
                (Answer::Added { version, new: true }, outcome)
            }
            Change::Retag { latest, steps } => {
                self.append(steps, None, commit);
                let outcome = Outcome { entry: version_sk(*latest), unchanged: true, ..Outcome::default() };
                (Answer::Added { version: *latest, new: false }, outcome)
            }
            Change::Version { version, change } => {
                self.change(name, *version, change, &BTreeMap::new(), commit)
            }
            Change::Recall { version, steps } => self.recall(name, *version, steps, commit),
            Change::Freeze { prefix, strict, until } => self.freeze(prefix, Some((*strict, *until)), commit),
            Change::Thaw(prefix) => self.freeze(prefix, None, commit),
            Change::One(step) => {
                let moved = self.append(std::slice::from_ref(step), None, commit).remove(0);
                let outcome = Outcome { entry: event_sk('E', moved.rev), ..Outcome::default() };
                (Answer::Moved(Box::new(moved)), outcome)
            }
            Change::Plan { steps, undo } => {
                let moved = self.append(steps, Some(*undo), commit);
                (Answer::Applied(moved), self.outcome_of_plan(steps, false))
            }
        }
    }

    /// Records the outcome of an operation under its key.
    pub fn remember(&mut self, request: &Request, key: &str, outcome: &Outcome, op: &str) {
        let (log, asked) = asked(request, self.files);
        let kept = json!({
            "request": asked, "entry": outcome.entry, "unchanged": outcome.unchanged.then_some(true),
            "moves": outcome.moves, "op": op,
        });
        self.put(log, format!("K#{key}"), item(kept));
    }

    fn add(
        &mut self,
        name: &str,
        file: usize,
        filename: Option<&str>,
        labels: &BTreeMap<String, String>,
        commit: &Commit<'_>,
    ) -> u64 {
        let generation = self.keep((file, commit.epoch));
        let of = self.packages.entry(name.to_owned()).or_default();
        let number = of.versions.len() as u64 + 1;
        let (rev, when) = of.releases.next(commit.now);
        let File { sha256, size, filename: own, mode } = &self.files[file];
        let entry = json!({
            "n": number, "sha256": sha256, "gen": generation, "size": size,
            "filename": filename.unwrap_or(own), "mode": mode, "labels": labels, "state": "active",
            "who": commit.who, "when": when, "clock": clock(when, commit.now), "message": commit.message,
            "op": commit.op, "rev": rev,
        });
        let (pk, sk) = (format!("P#{name}"), version_sk(number));
        let item = of.releases.append(&pk, &sk, item(entry), commit.tick);
        let (state, labels) = (State::Active, labels.clone());
        let (before, more_labels) = (state, BTreeMap::new());
        let version = Version { file, state, before, labels, more_labels, item: item.clone() };
        of.versions.push(version);
        self.put(pk, sk, item);
        if number == 1 {
            let partition = Sha256::digest(name)[0] % 4;
            self.put(format!("D#{partition}"), name, Item::new());
        }
        self.put_head(name);
        number
    }

    pub(super) fn change(
        &mut self,
        name: &str,
        number: u64,
        change: &ReleaseChange,
        moves: &BTreeMap<String, u64>,
        commit: &Commit<'_>,
    ) -> (Answer, Outcome) {
        let of = self.packages.get_mut(name).expect("its version is there");
        let (rev, when) = of.releases.next(commit.now);
        let version = &mut of.versions[usize::try_from(number).unwrap() - 1];
        let (was, is) = (version.state, state_after(version.state, version.before, change));
        version.before = if is == State::Deleted { was } else { version.before };
        let (kind, labels) = match change {
            ReleaseChange::Yank => ("yank", None),
            ReleaseChange::Unyank => ("unyank", None),
            ReleaseChange::Delete => ("delete", None),
            ReleaseChange::Undelete => ("undelete", None),
            ReleaseChange::Label(labels) => ("label", Some(pairs(labels))),
        };
        version.state = is;
        version.item.insert("state".to_owned(), is.to_string().into());
        if let ReleaseChange::Label(labels) = change
            && let Ok(Some(more)) = labels_after(version, labels)
        {
            version.item.insert("more_labels".to_owned(), json!(more));
            version.more_labels = more;
        }
        let blob = (version.file, version.item["gen"].as_u64().unwrap() / EPOCH);
        let item_now = version.item.clone();
        let entry = json!({
            "kind": kind, "version": number, "was": was.to_string(), "labels": labels, "moves": moves,
            "state": (*change == ReleaseChange::Undelete).then(|| is.to_string()),
            "who": commit.who, "when": when, "message": commit.message, "op": commit.op, "rev": rev,
        });
        let (pk, sk) = (format!("P#{name}"), event_sk('A', rev));
        let entry = of.releases.append(&pk, &sk, item(entry), commit.tick);
        self.put(pk.clone(), sk.clone(), entry);
        self.put(pk, version_sk(number), item_now);
        if matches!(change, ReleaseChange::Delete | ReleaseChange::Undelete) {
            let refs = &mut self.blobs.get_mut(&blob).expect("its blob is there").refs;
            *refs = if is == State::Deleted { *refs - 1 } else { *refs + 1 };
            self.put_blob(blob);
        }
        self.put_head(name);
        (Answer::Changed { was, is }, Outcome { entry: sk, ..Outcome::default() })
    }

    /// Appends the changes of tags. The first entry of a plan leads, and the others refer to it.
    pub(super) fn append(&mut self, steps: &[Step], plan: Option<bool>, commit: &Commit<'_>) -> Vec<TagMove> {
        let leader = steps.iter().filter(|step| step.put.is_some()).map(|step| &step.package).min();
        let leader = leader.filter(|_| plan.is_some());
        let first = leader.map(|leader| self.packages.get(leader).map_or(0, |of| of.tags.rev) + 1);
        let led_by = leader.map(|leader| json!({ leader.as_str(): first }));
        let mut reported = BTreeMap::new();
        let mut count: BTreeMap<&str, u64> = BTreeMap::new();
        for Step { package, tag, put } in steps {
            let of = self.packages.entry(package.clone()).or_default();
            let rev = if put.is_some() {
                let count = count.entry(package).or_default();
                *count += 1;
                of.tags.rev + *count
            } else {
                of.last(tag).expect("what stays is there").0
            };
            reported.insert((package.clone(), tag.clone()), rev);
        }
        let moves: BTreeMap<_, _> =
            reported.iter().map(|((package, tag), rev)| (format!("{package} {tag}"), *rev)).collect();
        let number = (plan == Some(false)).then_some(self.applied.len());
        let mut answers = Vec::new();
        for step in steps {
            let Some(put) = &step.put else {
                answers.push(self.stayed(step));
                continue;
            };
            let of = self.packages.get_mut(&step.package).expect("it was made above");
            let leads = Some(&step.package) == leader && Some(of.tags.rev + 1) == first;
            let more = json!({
                "moves": leads.then_some(&moves), "led_by": led_by.as_ref().filter(|_| !leads),
            });
            answers.push(self.append_one(step, put, number, more, commit));
        }
        if number.is_some() {
            self.applied.push(reported);
        }
        answers
    }

    fn append_one(
        &mut self,
        step: &Step,
        put: &Put,
        plan: Option<usize>,
        more: Value,
        commit: &Commit<'_>,
    ) -> TagMove {
        let Step { package: name, tag, .. } = step;
        let of = self.packages.get_mut(name).expect("it was made before");
        let (rev, when) = of.tags.next(commit.now);
        let previous = of.on(tag);
        let mut entry = item(json!({
            "kind": put.kind.to_string(), "tag": tag.as_str(), "previous": previous, "version": put.version,
            "back": put.back, "top": of.top(tag, put.version), "who": commit.who, "when": when, "clock": clock(when, commit.now), "message": commit.message, "op": commit.op, "rev": rev,
        }));
        entry.extend(item(json!({ "emergency": put.emergency })));
        entry.extend(item(more));
        entry.extend(put.standing.attributes());
        let why = |(why, gates): &Overridden| json!({ "why": why, "gates": gates });
        entry.extend(item(json!({ "override": put.overridden.as_ref().map(why) })));
        let blob = put.version.map(|version| blob_of(&of.version(version).expect("it is there").item));
        let mut stands = item(json!({
            "tag": tag.as_str(), "version": put.version, "blob": blob, "previous": previous,
            "kind": put.kind.to_string(), "set": rev, "back": put.back, "who": commit.who, "when": when,
            "message": commit.message, "top": { "set": rev, "version": of.top(tag, put.version) },
        }));
        stands.extend(put.standing.attributes());
        let (pk, sk) = (format!("T#{name}"), event_sk('E', rev));
        let entry = of.tags.append(&pk, &sk, entry, commit.tick);
        let event = Event {
            tag: tag.clone(),
            kind: put.kind,
            version: put.version,
            previous,
            back: put.back,
            standing: put.standing.clone(),
            overridden: put.overridden.clone(),
            plan,
            who: commit.who.to_owned(),
            when,
            message: commit.message.map(ToOwned::to_owned),
            tick: commit.tick,
        };
        let moved = shown(name, rev, &event);
        of.events.insert(rev, event);
        self.put(pk.clone(), sk, entry);
        self.put(pk, format!("t#{tag}"), stands);
        self.put_tag_head(name);
        moved
    }

    /// Advances the head of a log with an entry that says nothing else.
    pub fn fence(&mut self, pk: &str, commit: &Commit<'_>) {
        let Some(name) = pk.get(2..) else { return self.fence_freezes(commit) };
        let of = self.packages.entry(name.to_owned()).or_default();
        let is_releases = pk.starts_with("P#");
        let log = if is_releases { &mut of.releases } else { &mut of.tags };
        let (rev, when) = log.next(commit.now);
        let sk = event_sk(if is_releases { 'A' } else { 'E' }, rev);
        let clock = clock(when, commit.now).filter(|_| !is_releases);
        let entry = json!({
            "kind": "fence", "who": commit.who, "when": when, "clock": clock, "op": commit.op, "rev": rev,
        });
        let entry = log.append(pk, &sk, item(entry), commit.tick);
        self.put(pk, sk, entry);
        if is_releases { self.put_head(name) } else { self.put_tag_head(name) }
    }

    fn put_head(&mut self, name: &str) {
        let of = &self.packages[name];
        let latest = of.latest();
        let blob = latest.map(|latest| blob_of(&of.version(latest).expect("it is there").item));
        let Log { rev, chain, when, .. } = &of.releases;
        let head = json!({
            "n": of.versions.len(), "latest": latest, "blob": blob, "rev": rev, "chain": chain, "when": when,
        });
        self.put(format!("P#{name}"), "H", item(head));
    }

    fn put_tag_head(&mut self, name: &str) {
        let of = &self.packages[name];
        let Log { rev, chain, when, .. } = &of.tags;
        let named: BTreeSet<_> = of.events.values().map(|event| &event.tag).collect();
        let live = named.into_iter().filter_map(|tag| Some((tag.as_str(), of.on(tag)?)));
        let live: BTreeMap<_, _> = live.collect();
        let mut head = item(json!({ "rev": rev, "chain": chain, "when": when }));
        let mut gated: Vec<_> = of.events.values().map(|event| event.tag.as_str()).collect();
        gated.sort_unstable();
        gated.dedup();
        gated.retain(|tag| !of.standing(&tag.parse().unwrap()).gates.is_empty());
        if !gated.is_empty() {
            head.insert("gated".to_owned(), json!(gated));
        }
        head.insert("live".to_owned(), json!({ "rev": rev, "count": live.len(), "on": live }));
        self.put(format!("T#{name}"), "H", head);
    }

    /// Counts one more version that needs a file in an epoch. Returns its generation.
    fn keep(&mut self, file: (usize, u64)) -> u64 {
        let before = self.blobs.get(&file).copied();
        let blob = match before {
            None => Blob { kept: true, generation: file.1 * EPOCH, refs: 1 },
            Some(Blob { kept: true, generation, refs }) => Blob { kept: true, generation, refs: refs + 1 },
            Some(Blob { kept: false, generation, .. }) => {
                Blob { kept: true, generation: generation + 1, refs: 1 }
            }
        };
        self.blobs.insert(file, blob);
        self.put_blob(file);
        blob.generation
    }

    /// Condemns an object: the one that the next version would need, and in an epoch before `now` any that is not below.
    /// Returns if that may be.
    pub fn condemn(&mut self, sha256: &str, sk: &str, condemned: u64, now: u64) -> bool {
        let Some(file) = self.files.iter().position(|file| file.sha256 == sha256) else { return false };
        let epoch = condemned / EPOCH;
        let (next, unneeded) = match self.blobs.get(&(file, epoch)) {
            None => (epoch * EPOCH, true),
            Some(Blob { kept: true, generation, refs }) => (*generation, *refs == 0),
            Some(Blob { kept: false, generation, .. }) => (generation + 1, true),
        };
        let generation = if epoch < now { condemned.max(next) } else { next };
        self.blobs.insert((file, epoch), Blob { kept: false, generation, refs: 0 });
        self.put_blob((file, epoch));
        unneeded && epoch <= now && sk == blob_sk(epoch)
    }

    fn put_blob(&mut self, of: (usize, u64)) {
        let Blob { kept, generation, refs } = self.blobs[&of];
        let state = if kept { "kept" } else { "condemned" };
        let blob = item(json!({ "state": state, "gen": generation, "refs": refs }));
        let (file, epoch) = of;
        self.put(format!("B#{}", self.files[file].sha256), blob_sk(epoch), blob);
    }
}
