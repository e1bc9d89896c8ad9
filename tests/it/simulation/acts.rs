//! The requests of clients: drawn from a seed, made through the operations that the command line uses.

mod drawing;

use super::overview;
use futures_util::TryStreamExt;
use sacker::{
    ledger::{
        self, AddRequest, ApplyRequest, Author, ChangeRequest, Conflict, FreezeRequest, ProtectRequest,
        PruneRequest, Pruned, RecallRequest, RollbackRequest, TagRequest, ThawRequest, UntagRequest,
    },
    model::{
        Expectation, FileName, FreezeEvent, FreezeKind, Gate, IdempotencyKey, Labels, Message, PackageName,
        PackagePrefix, Plan, PlannedMove, Protection, Release, ReleaseChange, Spec, State, TagMove, TagName,
        Timestamp, Until, Version, VersionRange,
    },
    ops::{AddInput, Client, Error},
};
use std::{path::PathBuf, time::Duration};

pub const PACKAGES: [&str; 2] = ["app", "lib"];
pub const TAGS: [&str; 2] = ["live", "canary"];
pub const YEAR: Duration = Duration::from_hours(365 * 24);

/// A request for one package.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// The blob with this number.
    Add {
        blob: usize,
        filename: Option<FileName>,
        labels: Labels,
        tags: Vec<TagName>,
        if_changed: bool,
        expect: Option<Expectation>,
        overriding: Option<Message>,
        confirm: bool,
        emergency: bool,
    },
    Tag {
        spec: Spec,
        tag: TagName,
        expect: Option<Expectation>,
        require: Vec<Gate>,
        overriding: Option<Message>,
        confirm: bool,
        emergency: bool,
    },
    /// To the version before, or to this one.
    Rollback {
        tag: TagName,
        to: Option<u64>,
        expect: Option<Expectation>,
        confirm: bool,
    },
    /// Moves of tags of any package; or taking such a plan back.
    Apply {
        moves: Vec<PlannedMove>,
        undo: bool,
        emergency: bool,
    },
    Protect {
        tag: TagName,
        protection: Option<Protection>,
        require: Vec<Gate>,
        no_override: bool,
    },
    Untag {
        tag: TagName,
        expect: Option<Expectation>,
        confirm: bool,
    },
    Change(u64, ReleaseChange),
    Recall {
        version: u64,
        untag: bool,
        confirm: bool,
    },
    /// Freezes all packages below a prefix.
    Freeze {
        prefix: PackagePrefix,
        strict: bool,
        until: Option<Timestamp>,
    },
    Thaw(PackagePrefix),
    /// Delete this version, unless one of this many rollbacks of a tag goes to it, or it has this label.
    Prune {
        version: u64,
        depth: u16,
        label: &'static str,
    },
    /// Resolve a spec to a version and its blob.
    Read(Spec),
    /// All of a version.
    Info(u64),
    /// All tags of the package.
    Status,
}

/// The answer that the caller got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Added {
        version: u64,
        new: bool,
    },
    Moved(Box<TagMove>),
    Applied(Vec<TagMove>),
    Frozen(Frozen),
    /// The state before, and the moves.
    Recalled(State, Vec<TagMove>),
    /// The state before, and the state after.
    Changed {
        was: State,
        is: State,
    },
    /// The version, and the sha256 and the generation of its blob.
    Read(u64, String),
    /// Without the tags on it, which are read apart.
    Info(Box<Release>),
    /// A line for each tag that is on a version.
    Status(Vec<String>),
    /// Refused: it is not there, not as expected, or not allowed.
    Refused,
}

/// A change of the freezes, as it is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    pub kind: FreezeKind,
    pub strict: bool,
    pub until: Option<u64>,
    pub message: Option<String>,
    pub rev: u64,
    pub at: u64,
    pub by: String,
}

impl From<FreezeEvent> for Frozen {
    fn from(event: FreezeEvent) -> Self {
        Self {
            kind: event.kind,
            strict: event.strict,
            until: event.until.map(Timestamp::as_millis),
            message: event.message.map(|message| message.to_string()),
            rev: event.rev,
            at: event.at.as_millis(),
            by: event.by.to_string(),
        }
    }
}

/// The end of a request.
#[derive(Debug, Clone)]
pub enum Reply {
    Answered(Answer),
    /// Nothing was changed, and the answer says nothing of the state.
    Failed,
    Unknown(IdempotencyKey),
    /// The store belongs to another ledger. This run has changed nothing.
    NotOwner,
    /// An answer that must never be given, whatever fails.
    Wrong(String),
}

impl Act {
    /// A number for what kind of act it is, below [`Act::KINDS`].
    pub fn kind(&self) -> u32 {
        match self {
            Self::Add { .. } => 0,
            Self::Tag { .. } => 1,
            Self::Rollback { .. } => 2,
            Self::Apply { .. } => 3,
            Self::Protect { .. } => 4,
            Self::Untag { .. } => 5,
            Self::Change(_, ReleaseChange::Yank) => 6,
            Self::Change(_, ReleaseChange::Unyank | ReleaseChange::Undelete) => 7,
            Self::Change(_, ReleaseChange::Delete) | Self::Prune { .. } => 8,
            Self::Change(_, ReleaseChange::Label(_)) => 9,
            Self::Read(_) | Self::Info(_) | Self::Status => 10,
            Self::Freeze { .. } => 11,
            Self::Thaw(_) => 12,
            Self::Recall { .. } => 13,
        }
    }

    pub const KINDS: u32 = 14;

    pub fn only_reads(&self) -> bool {
        matches!(self, Self::Read(_) | Self::Info(_) | Self::Status)
    }
}

/// One request: an act with its author and key. Made again under the same key, it is the same.
#[derive(Debug, Clone)]
pub struct Request {
    pub package: &'static str,
    pub act: Act,
    /// In the ledger as the actor, which no other request has.
    pub id: String,
    pub message: Option<String>,
    pub key: Option<IdempotencyKey>,
}

impl Request {
    /// The actor of the request, as the ledger has it.
    pub fn who(&self) -> String {
        format!("request-{}@host", self.id)
    }

    /// The reason to pass a freeze, if the request gives one.
    pub fn emergency(&self, given: bool) -> Option<Message> {
        given.then(|| format!("emergency of {}", self.id).parse().unwrap())
    }

    fn author(&self) -> Author {
        let message = self.message.as_ref().map(|message| message.parse().unwrap());
        let mut author = Author::new(self.who().parse().unwrap());
        author.message = message;
        author.key.clone_from(&self.key);
        author
    }

    /// Makes the request.
    pub async fn run(&self, client: &Client, blobs: &[PathBuf]) -> Reply {
        match self.try_run(client, blobs).await {
            Ok(answer) => Reply::Answered(answer),
            Err(Error::Ledger(error)) => reported(error),
            Err(Error::Store(fault)) if fault.kind.is_transient() => Reply::Failed,
            Err(Error::NotOwner { .. }) => Reply::NotOwner,
            Err(error) => Reply::Wrong(format!("{error:?}")),
        }
    }

    /// Makes the request, and returns the answer that the caller gets.
    pub async fn try_run(&self, client: &Client, blobs: &[PathBuf]) -> Result<Answer, Error> {
        let package = self.package.parse().unwrap();
        match self.act.clone() {
            Act::Read(spec) => {
                let (version, blob) = client.ledger().blob(&package, &spec).await?;
                let address = format!("{}.{}", blob.address.sha256, blob.address.generation);
                Ok(Answer::Read(version.get(), address))
            }
            Act::Info(version) => {
                let spec = Spec::Version(version.try_into().unwrap());
                let release = client.ledger().release(&package, &spec).await?;
                Ok(Answer::Info(Box::new(Release { tags: Vec::new(), gates: Vec::new(), ..release })))
            }
            Act::Status => Ok(Answer::Status(overview::status(client, &package).await?)),
            change => self.try_change(change, client, blobs).await,
        }
    }

    async fn recall(
        &self,
        (version, untag, confirm): (u64, bool, bool),
        client: &Client,
    ) -> Result<Answer, Error> {
        let (package, version) = (self.package.parse().unwrap(), version.try_into().unwrap());
        let mut request = RecallRequest::new(package, version).untag(untag).author(self.author());
        if confirm {
            request.confirm = TAGS.map(|tag| tag.parse().unwrap()).to_vec();
        }
        let recalled = client.recall(&request).await?;
        Ok(Answer::Recalled(recalled.previous, recalled.moves))
    }

    async fn thaw(&self, prefix: PackagePrefix, client: &Client) -> Result<Answer, Error> {
        let request = ThawRequest::new(prefix).author(self.author());
        Ok(Answer::Frozen(client.thaw(&request).await?.into()))
    }

    async fn try_change(&self, act: Act, client: &Client, blobs: &[PathBuf]) -> Result<Answer, Error> {
        let (package, author) = (self.package.parse().unwrap(), self.author());
        Ok(match act {
            Act::Add { blob, filename, labels, tags, if_changed, expect, overriding, confirm, emergency } => {
                let confirm = if confirm { tags.clone() } else { Vec::new() };
                let request = AddRequest::new(package).author(author).labels(labels).tags(tags);
                let mut request = request.if_changed(if_changed);
                (request.expect_latest, request.confirm) = (expect, confirm);
                request.overriding = overriding;
                request.emergency = self.emergency(emergency);
                let input = AddInput::file(&blobs[blob]);
                let input = match filename {
                    Some(filename) => input.filename(filename),
                    None => input,
                };
                let (release, new) = client.add(request, input).await?;
                Answer::Added { version: release.version.get(), new }
            }
            Act::Tag { spec, tag, expect, require, overriding, confirm, emergency } => {
                let mut request = TagRequest::new(package, spec, tag).confirm(confirm).author(author);
                (request.expect, request.require, request.overriding) = (expect, require, overriding);
                request.emergency = self.emergency(emergency);
                Answer::Moved(Box::new(client.tag(&request).await?))
            }
            Act::Rollback { tag, to, expect, confirm } => {
                let mut request = RollbackRequest::new(package, tag).confirm(confirm).author(author);
                (request.to, request.expect) = (to.map(|to| to.try_into().unwrap()), expect);
                Answer::Moved(Box::new(client.rollback(&request).await?))
            }
            Act::Apply { moves, undo, emergency } => {
                let plan = Plan::new(None, moves).unwrap();
                let mut request = ApplyRequest::new(plan).undo(undo).author(author);
                request.emergency = self.emergency(emergency);
                Answer::Applied(client.apply(&request).await?)
            }
            Act::Protect { tag, protection, require, no_override } => {
                let mut request = ProtectRequest::new(package, tag, protection).author(author);
                (request.require, request.no_override) = (require, no_override);
                Answer::Moved(Box::new(client.protect(&request).await?))
            }
            Act::Untag { tag, expect, confirm } => {
                let mut request = UntagRequest::new(package, tag).confirm(confirm).author(author);
                request.expect = expect;
                Answer::Moved(Box::new(client.untag(&request).await?))
            }
            Act::Freeze { prefix, strict, until } => {
                let why = "x".parse().unwrap();
                let mut request = FreezeRequest::new(prefix, why).strict(strict).author(author);
                request.until = until.map(Until::Time);
                Answer::Frozen(client.freeze(&request).await?.into())
            }
            Act::Recall { version, untag, confirm } => self.recall((version, untag, confirm), client).await?,
            Act::Thaw(prefix) => self.thaw(prefix, client).await?,
            Act::Change(version, change) => {
                let request = ChangeRequest::new(package, version.try_into().unwrap(), change);
                let changed = client.change(&request.author(author)).await?;
                Answer::Changed { was: changed.previous, is: changed.release.state }
            }
            Act::Prune { version, depth, label } => {
                self.prune(client, (version.try_into().unwrap(), depth, label), author).await?
            }
            Act::Read(_) | Act::Info(_) | Act::Status => unreachable!("they change nothing"),
        })
    }
}

/// The number of times that a version is decided on again.
const DECISIONS: usize = 10;

impl Request {
    /// Deletes a version as `prune` does, without the limits by number and age.
    async fn prune(
        &self,
        client: &Client,
        (version, depth, label): (Version, u16, &str),
        author: Author,
    ) -> Result<Answer, Error> {
        let package: PackageName = self.package.parse().unwrap();
        let range = VersionRange { first: Some(version), last: Some(version) };
        let mut found = client.ledger().versions_in(&package, range);
        let Some(release) = found.try_next().await? else { return Ok(Answer::Refused) };
        let mut request = PruneRequest::new(&release).label_keep(label);
        request.author = author;
        for _ in 0..DECISIONS {
            let stops = client.stops(&package, depth).await?;
            match client.ledger().prune(&request, &stops).await? {
                Pruned::Deleted(changed) => {
                    return Ok(Answer::Changed { was: changed.previous, is: changed.release.state });
                }
                Pruned::Latest | Pruned::Labelled | Pruned::Stop => return Ok(Answer::Refused),
                _ => {}
            }
        }
        Err(Error::Ledger(Conflict::Contention(package).into()))
    }
}

fn reported(error: ledger::Error) -> Reply {
    match error {
        ledger::Error::Unknown { key, .. } => Reply::Unknown(key),
        ledger::Error::Conflict(Conflict::Key { .. }) => Reply::Wrong(format!("{error:?}")),
        ledger::Error::Conflict(Conflict::Contention(_) | Conflict::FreezeContention)
        | ledger::Error::Interrupted => Reply::Failed,
        ledger::Error::Fault(fault) if fault.kind.is_transient() => Reply::Failed,
        ledger::Error::NotFound(_)
        | ledger::Error::Conflict(_)
        | ledger::Error::Refused(_)
        | ledger::Error::Moves { .. } => Reply::Answered(Answer::Refused),
        error => Reply::Wrong(format!("{error:?}")),
    }
}
