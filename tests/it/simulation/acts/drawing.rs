//! Drawing requests from a seed.

use super::{Act, PACKAGES, TAGS, YEAR};
use crate::simulation::network::BASE;
use sacker::model::{
    Expectation, Gate, Labels, Message, Moment, PackagePrefix, PlannedMove, Protection, ReleaseChange, Spec,
    TagName, Timestamp,
};

fn version_or_none(random: &mut fastrand::Rng) -> Expectation {
    match random.u64(0..5) {
        0 => Expectation::None,
        number => Expectation::Version(number.try_into().unwrap()),
    }
}

fn sometimes<T>(random: &mut fastrand::Rng, make: impl FnOnce(&mut fastrand::Rng) -> T) -> Option<T> {
    (random.u8(0..4) == 0).then(|| make(random))
}

fn tag(random: &mut fastrand::Rng) -> TagName {
    random.choice(TAGS).unwrap().parse().unwrap()
}

fn spec(random: &mut fastrand::Rng) -> Spec {
    match random.u64(0..9) {
        0 | 1 => Spec::Latest,
        2 | 3 => Spec::Tag(tag(random)),
        7 => Spec::Past(tag(random), random.u16(1..3)),
        8 => {
            let year = u64::try_from(YEAR.as_millis()).unwrap();
            let about = random.choice([BASE - year, BASE, BASE, BASE + year]).unwrap();
            let at = Timestamp::from_millis(about + random.u64(0..60_000));
            Spec::At(tag(random), Moment::Time(at))
        }
        number => Spec::Version((number - 3).try_into().unwrap()),
    }
}

/// Labels of which some have the same name and another value, and one that no other request has.
fn labels(random: &mut fastrand::Rng, id: &str) -> Labels {
    let mut pairs = vec![format!("of-{}=yes", id.replace('.', "-"))];
    for name in ["tests", "scan"] {
        pairs.extend(sometimes(random, |random| {
            format!("{name}={}", random.choice(["passed", "passed", "failed"]).unwrap())
        }));
    }
    if pairs.len() > 1 && random.bool() {
        pairs.remove(0);
    }
    Labels::parse(pairs.iter().map(String::as_str)).unwrap()
}

fn gates(random: &mut fastrand::Rng) -> Vec<Gate> {
    let mut gates = Vec::new();
    gates.extend(sometimes(random, tag).map(Gate::Tag));
    if random.u8(0..6) == 0 {
        let gate = ["label:tests=passed", "label:scan=passed", "age:1s", "age:20s", "age:100d"];
        gates.push(random.choice(gate).unwrap().parse().unwrap());
    }
    if random.u8(0..6) == 0 {
        gates.push(of_the_past(random));
    }
    gates
}

/// A gate on the past of a tag.
fn of_the_past(random: &mut fastrand::Rng) -> Gate {
    let gate =
        ["was:canary", "was:live", "soak:canary=1s", "soak:canary=10s", "soak:live=1s", "soak:canary=100d"];
    random.choice(gate).unwrap().parse().unwrap()
}

/// Gates to be kept with a tag.
fn standing(random: &mut fastrand::Rng) -> Vec<Gate> {
    let mut gates = gates(random);
    if gates.is_empty() || random.bool() {
        gates.push(of_the_past(random));
    }
    gates
}

fn why(random: &mut fastrand::Rng) -> Option<Message> {
    random.bool().then(|| "it is urgent".parse().unwrap())
}

fn prefix(random: &mut fastrand::Rng) -> PackagePrefix {
    random.choice(["", "app", "lib", "lib", "x", "x"]).unwrap().parse().unwrap()
}

fn freeze(random: &mut fastrand::Rng) -> Act {
    let until = sometimes(random, |random| Timestamp::from_millis(BASE + random.u64(0..60_000)));
    Act::Freeze { prefix: prefix(random), strict: random.u8(0..3) == 0, until }
}

fn plan(random: &mut fastrand::Rng) -> Vec<PlannedMove> {
    let all = PACKAGES.iter().flat_map(|package| TAGS.map(|tag| (*package, tag.parse::<TagName>().unwrap())));
    let mut moves: Vec<_> = all
        .map(|(package, tag)| PlannedMove {
            package: package.parse().unwrap(),
            tag,
            to: Some(Spec::Latest),
            expect: None,
            require: Vec::new(),
            confirm: None,
            overriding: None,
        })
        .collect();
    for it in &mut moves {
        it.overriding = why(random);
    }
    // Mostly the same few plans, so that some are there to be taken back.
    if random.bool() {
        let first = moves[0].clone();
        moves.retain(|_| random.bool());
        for it in &mut moves {
            it.to = (random.u8(0..6) > 0).then(|| spec(random));
            if random.u8(0..8) == 0 {
                it.expect = Some(version_or_none(random));
            }
            if it.to.is_some() && random.u8(0..8) == 0 {
                it.require = gates(random);
            }
            it.confirm = sometimes(random, |_| it.tag.clone());
            it.overriding = it.to.as_ref().and_then(|_| why(random));
        }
        if moves.is_empty() {
            moves.push(first);
        }
    }
    moves
}

fn prune(random: &mut fastrand::Rng) -> Act {
    // As long as a read, so that the seeds of other requests stay as they are.
    let version = match spec(random) {
        Spec::Version(version) => version.get(),
        Spec::Past(_, steps) => u64::from(steps) + 1,
        Spec::Latest => 1,
        _ => 2,
    };
    Act::Prune { version, depth: u16::try_from(version % 3).unwrap(), label: "scan" }
}

impl Act {
    /// `id` is of the request alone.
    pub fn draw(random: &mut fastrand::Rng, blobs: usize, id: &str) -> Self {
        let [confirm, emergency] = [(), ()].map(|()| random.u8(0..3) == 0);
        match random.u8(0..42) {
            0..=6 => {
                let both = random.u8(0..8) == 0;
                let mut tags = sometimes(random, tag).into_iter().collect::<Vec<_>>();
                if both {
                    tags = TAGS.map(|tag| tag.parse().unwrap()).to_vec();
                }
                let if_changed = random.u8(0..4) == 0;
                let expect = if random.u8(0..6) == 0 { Some(version_or_none(random)) } else { None };
                let labels = sometimes(random, |random| labels(random, id)).unwrap_or_default();
                let filename = sometimes(random, |_| format!("file of {id}").parse().unwrap());
                Self::Add {
                    blob: random.usize(0..blobs),
                    filename,
                    labels,
                    tags,
                    if_changed,
                    expect,
                    overriding: why(random),
                    confirm,
                    emergency,
                }
            }
            7..=10 => {
                let expect = sometimes(random, version_or_none);
                let require = gates(random);
                let overriding = why(random);
                let (spec, tag) = (spec(random), tag(random));
                Self::Tag { spec, tag, expect, require, overriding, confirm, emergency }
            }
            20 | 21 => {
                let to = sometimes(random, |random| random.u64(1..4));
                let expect = if random.u8(0..8) == 0 { Some(version_or_none(random)) } else { None };
                Self::Rollback { tag: tag(random), to, expect, confirm }
            }
            22..=24 | 35..=37 => Self::Apply { moves: plan(random), undo: random.u8(0..3) == 0, emergency },
            28 => freeze(random),
            29..=31 => Self::Thaw(prefix(random)),
            32..=34 => Self::Recall { version: random.u64(1..5), untag: random.bool(), confirm },
            25 => {
                let how = [None, None, Some(Protection::WriteOnce), Some(Protection::Confirm)];
                let require = if random.u8(0..8) == 0 { standing(random) } else { Vec::new() };
                let no_override = !require.is_empty() && random.u8(0..4) == 0;
                let protection = random.choice(how).unwrap();
                Self::Protect { tag: tag(random), protection, require, no_override }
            }
            11 => Self::Untag { tag: tag(random), expect: sometimes(random, version_or_none), confirm },
            change @ (12..=16 | 26) => {
                let change = match change {
                    12 => ReleaseChange::Yank,
                    13 => ReleaseChange::Unyank,
                    14 | 26 => ReleaseChange::Label(labels(random, id)),
                    16 => ReleaseChange::Undelete,
                    _ => ReleaseChange::Delete,
                };
                Self::Change(random.u64(1..5), change)
            }
            // Of few versions, so that some come back.
            38 | 39 => Self::Change(random.u64(1..4), ReleaseChange::Delete),
            40.. => Self::Change(random.u64(1..4), ReleaseChange::Undelete),
            27 => Self::Info(random.u64(1..5)),
            19 => {
                // As long as a read, so that the seeds of other requests stay as they are.
                let _ = spec(random);
                Self::Status
            }
            18 => prune(random),
            _ => Self::Read(spec(random)),
        }
    }
}
