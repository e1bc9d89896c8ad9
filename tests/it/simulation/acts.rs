//! What clients do: drawn from a seed, done through the operations that the command line uses.

use sacker::{
    ledger::{
        self, AddRequest, ApplyRequest, Author, ChangeRequest, Conflict, ProtectRequest, RollbackRequest,
        TagRequest, UntagRequest,
    },
    model::{
        Expectation, Gate, Key, Labels, Plan, PlannedMove, Protection, ReleaseChange, Spec, State, TagName,
        Version,
    },
    ops::{Add, AddInput, Client, Error, Observer, Silent},
};
use std::{path::PathBuf, sync::Arc};

pub const PACKAGES: [&str; 2] = ["app", "lib"];
const TAGS: [&str; 2] = ["live", "canary"];

/// Something to be done to one package.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// The blob with this number.
    Add {
        blob: usize,
        tags: Vec<TagName>,
        if_changed: bool,
        expect: Option<Expectation>,
    },
    Tag {
        spec: Spec,
        tag: TagName,
        expect: Option<Expectation>,
        /// Only what this tag is on.
        require: Option<TagName>,
    },
    /// To where it was before, or to this version.
    Rollback(TagName, Option<u64>),
    /// Moves of tags of any package: to a spec or, with none, off. Or taking such a plan back.
    Apply {
        moves: Vec<(&'static str, TagName, Option<Spec>)>,
        undo: bool,
    },
    Protect(TagName, Option<Protection>),
    Untag {
        tag: TagName,
        expect: Option<Expectation>,
    },
    Change(u64, ReleaseChange),
    Read(Spec),
}

/// What the caller was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Added {
        version: u64,
        new: bool,
    },
    Moved {
        version: Option<u64>,
        previous: Option<u64>,
        rev: u64,
    },
    /// Of each move of a plan: the version and the previous one.
    Applied(Vec<(Option<u64>, Option<u64>)>),
    Protected(Option<Protection>),
    /// What the state was before, and what it is.
    Changed {
        was: State,
        is: State,
    },
    Read(u64),
    /// No: it is not there, not as expected, or not allowed.
    Refused,
}

/// How a request ended.
#[derive(Debug, Clone)]
pub enum Told {
    Answered(Answer),
    /// Nothing was changed, and nothing is said of how things are.
    Failed,
    Unknown(Key),
    /// Something that must never be said, whatever fails.
    Wrong(String),
}

fn version_or_none(random: &mut fastrand::Rng) -> Expectation {
    match random.u64(0..5) {
        0 => Expectation::None,
        number => Expectation::Version(number.try_into().unwrap()),
    }
}

fn sometimes<T>(random: &mut fastrand::Rng, make: impl FnOnce(&mut fastrand::Rng) -> T) -> Option<T> {
    (random.u8(0..4) == 0).then(|| make(random))
}

impl Act {
    pub fn draw(random: &mut fastrand::Rng, blobs: usize, message: &str) -> Self {
        let tag = |random: &mut fastrand::Rng| random.choice(TAGS).unwrap().parse::<TagName>().unwrap();
        let spec = |random: &mut fastrand::Rng| match random.u64(0..8) {
            0 | 1 => Spec::Latest,
            2 | 3 => Spec::Tag(tag(random)),
            7 => Spec::Past(tag(random), random.u16(1..3)),
            number => Spec::Version((number - 3).try_into().unwrap()),
        };
        match random.u8(0..26) {
            0..=6 => {
                let both = random.u8(0..8) == 0;
                let mut tags = sometimes(random, tag).into_iter().collect::<Vec<_>>();
                if both {
                    tags = TAGS.map(|tag| tag.parse().unwrap()).to_vec();
                }
                let if_changed = random.u8(0..4) == 0;
                let expect = if random.u8(0..6) == 0 { Some(version_or_none(random)) } else { None };
                Self::Add { blob: random.usize(0..blobs), tags, if_changed, expect }
            }
            7..=10 => {
                let expect = sometimes(random, version_or_none);
                let require = sometimes(random, tag);
                Self::Tag { spec: spec(random), tag: tag(random), expect, require }
            }
            20 | 21 => Self::Rollback(tag(random), sometimes(random, |random| random.u64(1..4))),
            22..=24 => {
                let all =
                    PACKAGES.iter().flat_map(|package| TAGS.map(|tag| (*package, tag.parse().unwrap())));
                // Mostly the same few plans, so that some are there to be taken back.
                let mut moves: Vec<_> =
                    all.map(|(package, tag)| (package, tag, Some(Spec::Latest))).collect();
                if random.bool() {
                    moves.retain(|_| random.bool());
                    for (_, _, to) in &mut moves {
                        *to = (random.u8(0..6) > 0).then(|| spec(random));
                    }
                }
                let all = [(PACKAGES[0], TAGS[0].parse().unwrap(), Some(Spec::Latest))];
                Self::Apply {
                    moves: if moves.is_empty() { all.to_vec() } else { moves },
                    undo: random.u8(0..3) == 0,
                }
            }
            25 => {
                let how = [None, None, Some(Protection::WriteOnce), Some(Protection::Confirm)];
                Self::Protect(tag(random), random.choice(how).unwrap())
            }
            11 => Self::Untag { tag: tag(random), expect: sometimes(random, version_or_none) },
            change @ 12..=16 => {
                let change = match change {
                    12 => ReleaseChange::Yank,
                    13 => ReleaseChange::Unyank,
                    14 => {
                        let label = format!("{}=done", message.replace(' ', "-"));
                        ReleaseChange::Label(Labels::parse([&*label]).unwrap())
                    }
                    _ => ReleaseChange::Delete,
                };
                Self::Change(random.u64(1..5), change)
            }
            _ => Self::Read(spec(random)),
        }
    }
}

/// One request: an act, and what comes with it. Made again under the same key, it is the same.
#[derive(Debug, Clone)]
pub struct Request {
    pub package: &'static str,
    pub act: Act,
    /// Says in the ledger whose it was.
    pub message: String,
    pub key: Option<Key>,
}

impl Request {
    fn author(&self) -> Author {
        let message = Some(self.message.parse().unwrap());
        Author { actor: "someone@host".parse().unwrap(), message, key: self.key.clone() }
    }

    /// Does it.
    pub async fn run(&self, client: &Client, blobs: &[PathBuf]) -> Told {
        match self.try_run(client, blobs).await {
            Ok(answer) => Told::Answered(answer),
            Err(Error::Ledger(error)) => told(error),
            Err(Error::Store(fault)) if fault.kind.is_transient() => Told::Failed,
            Err(error) => Told::Wrong(format!("{error:?}")),
        }
    }

    async fn try_run(&self, client: &Client, blobs: &[PathBuf]) -> Result<Answer, Error> {
        let (package, author) = (self.package.parse().unwrap(), self.author());
        Ok(match self.act.clone() {
            Act::Add { blob, tags, if_changed, expect } => {
                let labels = Labels::default();
                let request = AddRequest {
                    package,
                    author,
                    labels,
                    tags,
                    if_changed,
                    expect_latest: expect,
                    confirm: Vec::new(),
                };
                let add = Add { request, input: AddInput::File(blobs[blob].clone()), filename: None };
                let observer: Arc<dyn Observer> = Arc::new(Silent);
                let (release, new) = client.add(add, &observer).await?;
                Answer::Added { version: release.version.get(), new }
            }
            Act::Tag { spec, tag, expect, require } => {
                let require = require.into_iter().map(Gate::Tag).collect();
                let request = TagRequest { package, spec, tag, expect, require, confirm: false, author };
                moved_to(&client.tag(&request).await?)
            }
            Act::Rollback(tag, to) => {
                let to = to.map(|to| to.try_into().unwrap());
                let request = RollbackRequest { package, tag, to, expect: None, confirm: false, author };
                moved_to(&client.rollback(&request).await?)
            }
            Act::Apply { moves, undo } => {
                let planned = |(package, tag, to): (&str, _, _)| PlannedMove {
                    package: package.parse().unwrap(),
                    tag,
                    to,
                    expect: None,
                    require: Vec::new(),
                    confirm: None,
                };
                let plan = Plan::new(None, moves.into_iter().map(planned).collect()).unwrap();
                let moved = client.apply(&ApplyRequest { plan, undo, author }).await?;
                Answer::Applied(moved.iter().map(|it| (number(it.version), number(it.previous))).collect())
            }
            Act::Protect(tag, protection) => {
                let request = ProtectRequest { package, tag, protection, author };
                Answer::Protected(client.protect(&request).await?.protection)
            }
            Act::Untag { tag, expect } => {
                let moved =
                    client.untag(&UntagRequest { package, tag, expect, confirm: false, author }).await?;
                moved_to(&moved)
            }
            Act::Change(version, change) => {
                let version = version.try_into().unwrap();
                let changed = client.change(&ChangeRequest { package, version, change, author }).await?;
                Answer::Changed { was: changed.previous, is: changed.release.state }
            }
            Act::Read(spec) => Answer::Read(client.ledger().blob(&package, &spec).await?.0.get()),
        })
    }
}

fn number(version: Option<Version>) -> Option<u64> {
    version.map(Version::get)
}

fn moved_to(moved: &sacker::model::TagMove) -> Answer {
    Answer::Moved { version: number(moved.version), previous: number(moved.previous), rev: moved.rev }
}

fn told(error: ledger::Error) -> Told {
    match error {
        ledger::Error::Unknown { key, .. } => Told::Unknown(key),
        ledger::Error::Conflict(Conflict::Key { .. }) => Told::Wrong(format!("{error:?}")),
        ledger::Error::Conflict(Conflict::Contention(_)) | ledger::Error::Interrupted => Told::Failed,
        ledger::Error::Fault(fault) if fault.kind.is_transient() => Told::Failed,
        ledger::Error::NotFound(_)
        | ledger::Error::Conflict(_)
        | ledger::Error::Refused(_)
        | ledger::Error::Moves { .. } => Told::Answered(Answer::Refused),
        error => Told::Wrong(format!("{error:?}")),
    }
}
