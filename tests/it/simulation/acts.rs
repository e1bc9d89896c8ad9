//! What clients do: drawn from a seed, done through the operations that the command line uses.

use sacker::{
    ledger::{self, AddRequest, Author, ChangeRequest, Conflict, TagRequest, UntagRequest},
    model::{Expectation, Key, Labels, ReleaseChange, Spec, State, TagName},
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
    },
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
        let spec = |random: &mut fastrand::Rng| match random.u64(0..7) {
            0 | 1 => Spec::Latest,
            2 | 3 => Spec::Tag(tag(random)),
            number => Spec::Version((number - 3).try_into().unwrap()),
        };
        match random.u8(0..20) {
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
                Self::Tag { spec: spec(random), tag: tag(random), expect }
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
            Act::Tag { spec, tag, expect } => {
                let moved = client
                    .tag(&TagRequest {
                        package,
                        spec,
                        tag,
                        expect,
                        require: Vec::new(),
                        confirm: false,
                        author,
                    })
                    .await?;
                moved_to(&moved)
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

fn moved_to(moved: &sacker::model::TagMove) -> Answer {
    let number = |version: Option<sacker::model::Version>| version.map(sacker::model::Version::get);
    Answer::Moved { version: number(moved.version), previous: number(moved.previous), rev: moved.rev }
}

fn told(error: ledger::Error) -> Told {
    match error {
        ledger::Error::Unknown { key, .. } => Told::Unknown(key),
        ledger::Error::Conflict(Conflict::Key { .. }) => Told::Wrong(format!("{error:?}")),
        ledger::Error::Conflict(Conflict::Contention(_)) | ledger::Error::Interrupted => Told::Failed,
        ledger::Error::Fault(fault) if fault.kind.is_transient() => Told::Failed,
        ledger::Error::NotFound(_) | ledger::Error::Conflict(_) | ledger::Error::Refused(_) => {
            Told::Answered(Answer::Refused)
        }
        error => Told::Wrong(format!("{error:?}")),
    }
}
