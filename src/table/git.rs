//! The table in a git repository: one ref, one commit for each transaction, one file for each item.
//!
//! Every change is a commit on top of the one that it was decided on, and the ref moves from that one to the new one
//! by compare-and-swap: `git update-ref` in a repository of this machine, `git push` with a lease in a remote one.
//! Thus all changes are serial, and `git log` of the ref is the history. A read is of one commit, the newest: a remote
//! is asked each time. The program `git` does all of it, with the user's own credentials.
//!
//! - `command`, `failure`: running git, and the meaning of what it says
//! - `paths`, `objects`, `walk`, `view`: the files of items, and reading them
//! - `commit`: making a transaction's commit
//! - `local`, `clone`: the two kinds of repositories; `lock`, `packing` and `seen` are what they need

mod clone;
mod command;
mod commit;
mod failure;
mod local;
mod lock;
mod objects;
mod output;
mod packing;
mod paths;
mod seen;
mod view;
mod walk;

use super::{
    Created, Item, Key, MAX_ACTIONS, Page, Query, Setting, Table, TransactError, Transaction, decide,
    tree::Range,
};
use crate::{
    failpoint::reach,
    fault::{Fault, FaultKind},
};
use async_trait::async_trait;
use clone::Remote;
use failure::Moved;
use local::Local;
use objects::{Objects, Tip};
use seen::Seen;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};
use tokio::sync::Mutex;
use view::{Commit, View};
use walk::Walk;

/// The number of times that a transaction is judged in one attempt, each on a newer commit than before.
const JUDGED: u32 = 16;
const SCAN_PAGE: usize = 500;

/// A table in a git repository.
#[derive(Debug)]
pub struct GitTable {
    place: Place,
    /// The URL, for people.
    url: String,
    reference: String,
    objects: Mutex<Objects>,
}

#[derive(Debug)]
enum Place {
    Local(Local),
    Remote(Remote),
}

impl GitTable {
    /// Opens the table on a ref of a repository of this machine. Touches nothing yet. The last known commit is
    /// remembered in `cache`.
    #[must_use]
    pub fn local(directory: &Path, reference: &str, cache: Option<&Path>) -> Self {
        let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        let url = url::Url::from_directory_path(&directory).map_or_else(
            |()| format!("file://{}", directory.display()),
            |url| url.as_str().trim_end_matches('/').to_owned(),
        );
        let seen = cache.map(|cache| Seen::at(clone::folder(cache, &url, reference).join("tip")));
        let local = Local::new(directory, seen);
        let objects = Objects::of(local.git.clone());
        Self::new(Place::Local(local), &url, reference, objects)
    }

    /// Opens the table on a ref of a remote repository. Touches nothing yet. The clone is in `cache`, or in a folder
    /// that is removed with this value.
    ///
    /// # Errors
    /// [`FaultKind::Disk`] if there is no place for the clone.
    pub fn remote(url: &str, reference: &str, cache: Option<&Path>) -> Result<Self, Fault> {
        let (folder, temporary): (PathBuf, _) = if let Some(cache) = cache {
            (clone::folder(cache, url, reference), None)
        } else {
            let made = tempfile::Builder::new().prefix("sacker-git-").tempdir();
            let made = made.map_err(|error| Fault::new(FaultKind::Disk, "making a clone", error))?;
            (made.path().to_owned(), Some(made))
        };
        let remote = Remote::new(url, reference, folder, temporary);
        let objects = Objects::of(remote.git.clone());
        Ok(Self::new(Place::Remote(remote), url, reference, objects))
    }

    /// Sets the URL that is shown.
    #[must_use]
    pub fn named(self, url: String) -> Self {
        Self { url, ..self }
    }

    fn new(place: Place, url: &str, reference: &str, objects: Objects) -> Self {
        let url = format!("git+{url}#{reference}");
        Self { place, url, reference: reference.to_owned(), objects: Mutex::new(objects) }
    }

    fn reading(&self) -> String {
        format!("reading the ledger in `{}`", self.url)
    }

    fn writing(&self) -> String {
        format!("writing to the ledger in `{}`", self.url)
    }

    fn missing(&self, doing: &str) -> Fault {
        match &self.place {
            Place::Local(_) => Local::missing(doing, &self.reference),
            Place::Remote(_) => Remote::missing(doing, &self.reference),
        }
    }

    /// Returns the newest commit, which the repository or its clone then has; `None` if there is no ref.
    async fn newest(&self, doing: &str, objects: &mut Objects) -> Result<Option<Tip>, Fault> {
        match &self.place {
            Place::Local(local) => {
                let Some(tip) = objects.tip(doing, &self.reference).await? else {
                    local.check_absent(doing)?;
                    return Ok(None);
                };
                local.check(doing, &tip).await?;
                Ok(Some(tip))
            }
            Place::Remote(_) => objects.tip(doing, clone::KNOWN).await,
        }
    }

    /// Returns the newest commit, to read from it.
    #[tracing::instrument(level = "debug", name = "git.read", skip_all, fields(doing))]
    async fn view<'a>(&'a self, doing: &'a str) -> Result<View<'a>, Fault> {
        if let Place::Remote(remote) = &self.place
            && !remote.refresh(doing).await?
        {
            return Err(self.missing(doing));
        }
        let mut objects = self.objects.lock().await;
        let tip = self.newest(doing, &mut objects).await?.ok_or_else(|| self.missing(doing))?;
        self.check(doing, &mut objects, &tip).await?;
        Ok(View { remote: self.remote_place(), doing, objects, tip })
    }

    /// Refuses a commit that is none of a ledger.
    async fn check(&self, doing: &str, objects: &mut Objects, tip: &Tip) -> Result<(), Fault> {
        let root = objects.tree(doing, &tip.tree).await?;
        if root.iter().any(|entry| entry.name == commit::MARK) {
            return Ok(());
        }
        let other = root.iter().find_map(|entry| entry.name.strip_prefix(commit::ANY_MARK));
        let why = match other {
            Some(layout) => format!("its layout is {layout}, and this version of sacker knows only 1"),
            None => {
                format!("`{}` is a branch of something else: it has no `{}`", self.reference, commit::MARK)
            }
        };
        Err(Fault::new(FaultKind::Misconfigured, doing, why))
    }

    /// Returns a reader of a commit of the ledger.
    fn commit<'a>(&'a self, doing: &'a str, objects: &'a mut Objects, tip: &'a Tip) -> Commit<'a> {
        Commit { walk: Walk { objects, doing, root: &tip.tree }, remote: self.remote_place() }
    }

    fn remote_place(&self) -> Option<&Remote> {
        match &self.place {
            Place::Local(_) => None,
            Place::Remote(remote) => Some(remote),
        }
    }

    /// Makes one judgement of a transaction, on this commit, and tries to commit it. The writers' lock is held.
    async fn judge(
        &self,
        doing: &str,
        objects: &mut Objects,
        tip: &Tip,
        transaction: &Transaction,
    ) -> Result<Judged, Fault> {
        let keys: Vec<_> = transaction.actions().iter().map(|action| action.key.clone()).collect();
        self.check(doing, objects, tip).await?;
        let items = self.commit(doing, objects, tip).items(&keys).await?;
        let items: HashMap<_, _> = keys.iter().zip(items).collect();
        let decided = decide(transaction, |key| Ok::<_, TransactError>(items.get(key).cloned().flatten()));
        let after = match decided {
            Ok(after) if after.is_empty() => return Ok(Judged::NothingToDo),
            Ok(after) => after,
            Err(TransactError::Fault(fault)) => return Err(fault),
            Err(refused) => return Ok(Judged::Refused(refused)),
        };
        let git = match &self.place {
            Place::Local(local) => &local.git,
            Place::Remote(remote) => &remote.git,
        };
        let made = commit::make(git, doing, tip, transaction, &after).await?;
        reach("git-made");
        let moved = match &self.place {
            Place::Local(local) => local.advance(doing, &self.reference, &tip.commit, &made).await?,
            Place::Remote(remote) => remote.advance(doing, Some(&tip.commit), &made).await?,
        };
        reach("git-moved");
        Ok(if moved == Moved::Done { Judged::Done } else { Judged::Lost })
    }

    async fn transact_locally(&self, local: &Local, transaction: &Transaction) -> Result<(), TransactError> {
        let doing = &self.writing();
        let locked = local.lock(doing).await?;
        let mut objects = self.objects.lock().await;
        for _ in 0..JUDGED {
            let tip = self.newest(doing, &mut objects).await?.ok_or_else(|| self.missing(doing))?;
            match self.judge(doing, &mut objects, &tip, transaction).await? {
                Judged::Done => {
                    drop((locked, objects));
                    local.tidy().await;
                    return Ok(());
                }
                Judged::NothingToDo => return Ok(()),
                Judged::Refused(refused) => return Err(refused),
                Judged::Lost => {}
            }
        }
        Err(contended(doing).into())
    }

    /// Judges on the known commit first, which saves a fetch if it is the newest. Only a push proves that: any other
    /// outcome is judged again after a fetch.
    async fn transact_remotely(
        &self,
        remote: &Remote,
        transaction: &Transaction,
    ) -> Result<(), TransactError> {
        let doing = &self.writing();
        let _locked = remote.lock(doing).await?;
        let mut objects = self.objects.lock().await;
        let mut is_newest = false;
        for _ in 0..JUDGED {
            let tip = self.newest(doing, &mut objects).await?;
            let judged = match &tip {
                Some(tip) => self.judge(doing, &mut objects, tip, transaction).await?,
                None if is_newest => return Err(self.missing(doing).into()),
                None => Judged::Lost,
            };
            match judged {
                Judged::Done => {
                    drop(objects);
                    remote.tidy().await;
                    return Ok(());
                }
                Judged::NothingToDo if is_newest => return Ok(()),
                Judged::Refused(refused) if is_newest => return Err(refused),
                _ => {}
            }
            if !remote.fetch(doing).await? {
                return Err(self.missing(doing).into());
            }
            is_newest = true;
        }
        Err(contended(doing).into())
    }
}

fn contended(doing: &str) -> Fault {
    let why = format!("other writers were first, {JUDGED} times in a row");
    Fault::new(FaultKind::Contended, doing, why)
}

/// The outcome of one judgement.
enum Judged {
    Done,
    NothingToDo,
    Refused(TransactError),
    Lost,
}

#[async_trait]
impl Table for GitTable {
    fn describe(&self) -> String {
        self.url.clone()
    }

    async fn home(&self) -> Result<Option<String>, Fault> {
        Ok(match &self.place {
            Place::Local(local) => local.home(&self.reference),
            Place::Remote(remote) => Some(remote.home()),
        })
    }

    async fn create(&self) -> Result<Created, Fault> {
        let doing = &self.writing();
        if let Place::Local(local) = &self.place {
            local.create(doing).await?;
        }
        for _ in 0..JUDGED {
            let (_locked, exists) = match &self.place {
                Place::Local(local) => (local.lock(doing).await?, true),
                Place::Remote(remote) => (remote.lock(doing).await?, remote.fetch(doing).await?),
            };
            let mut objects = self.objects.lock().await;
            if let (true, Some(tip)) = (exists, self.newest(doing, &mut objects).await?) {
                self.check(doing, &mut objects, &tip).await?;
                return Ok(Created::Present);
            }
            let moved = match &self.place {
                Place::Local(local) => {
                    let first = local.first(doing).await?;
                    local.advance(doing, &self.reference, &"0".repeat(first.len()), &first).await?
                }
                Place::Remote(remote) => remote.advance(doing, None, &remote.first(doing).await?).await?,
            };
            if moved == Moved::Done {
                return Ok(Created::Made);
            }
        }
        Err(contended(doing))
    }

    async fn settings(&self) -> Result<Vec<Setting>, Fault> {
        match &self.place {
            Place::Local(local) => local.settings(&self.reading()).await,
            // A server does not show its settings.
            Place::Remote(_) => Ok(Vec::new()),
        }
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.view(&self.reading()).await?.commit().items(keys).await
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        debug_assert!(keys.len() <= MAX_ACTIONS);
        self.get_many(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        let limit = query.limit as usize;
        let doing = self.reading();
        let mut view = self.view(&doing).await?;
        let Some(range) = Range::of(query) else { return Ok(Page { items: Vec::new(), next: None }) };
        let mut commit = view.commit();
        let found = commit.walk.range(&query.pk, &range, query.order, limit.saturating_add(1)).await?;
        let Page { items, next } = commit.page(found, limit).await?;
        let items = items.into_iter().map(|(key, item)| (key.sk, item)).collect();
        Ok(Page { items, next: next.map(|next| next.sk) })
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        let doing = self.reading();
        let mut view = self.view(&doing).await?;
        let mut commit = view.commit();
        let found = commit.walk.all(after, SCAN_PAGE + 1).await?;
        commit.page(found, SCAN_PAGE).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        if transaction.actions().is_empty() {
            return Ok(());
        }
        match &self.place {
            Place::Local(local) => self.transact_locally(local, transaction).await,
            Place::Remote(remote) => self.transact_remotely(remote, transaction).await,
        }
    }
}
