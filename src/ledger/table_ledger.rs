//! The ledger: the protocol over a table.

use super::{
    AddRequest, Added, ApplyRequest, Author, Census, ChangeRequest, Changed, Conflict, Draft, Error,
    Identity, Ledger, PackageQuery, ProtectRequest, RollbackRequest, Staged, Standing, TagRequest, Tell,
    UntagRequest, Went,
    add::{self, Addition, Outcome},
    commit::Commit,
    identity, items,
    moves::Moving,
    operation::{Operation, Plan},
    release::{self, Changing},
    snapshot::Snapshot,
    target::{Move, To},
    times::{Clock, Now},
    undo::Undoing,
};
use crate::{
    clock::ServerTime,
    failpoint::reach,
    fault::Fault,
    model::{
        Address, Blob, Digest, Event, OpId, PackageName, PackageSummary, Release, Spec, TagMove, TagName,
        Tagged, Timestamp, Version,
    },
    retry::Patience,
    table::{Created, Key, Setting, Table},
};
use async_trait::async_trait;
use futures_util::{future::try_join, stream::BoxStream};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::Mutex;

pub(super) const READING: &str = "reading the ledger";

/// A ledger that keeps every promise of [`Ledger`], over any [`Table`].
pub struct TableLedger {
    pub(super) table: Arc<dyn Table>,
    patience: Patience,
    clock: Clock,
    schema_known: AtomicBool,
    asking: Mutex<()>,
}

impl fmt::Debug for TableLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableLedger").field("table", &self.table).finish_non_exhaustive()
    }
}

impl TableLedger {
    /// A ledger in this table, by the clock of this machine.
    #[must_use]
    pub fn new(table: Arc<dyn Table>, patience: Patience) -> Self {
        Self::with_clock(table, patience, Arc::new(Timestamp::now))
    }

    /// A ledger in this table, by another clock.
    #[must_use]
    pub fn with_clock(
        table: Arc<dyn Table>,
        patience: Patience,
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Self {
        let clock = Clock::new(clock);
        Self { table, patience, clock, schema_known: AtomicBool::new(false), asking: Mutex::new(()) }
    }

    /// The same ledger, with its clock corrected by the time of the server that has the table, as soon as an answer has
    /// stated one: what is recorded is then the server's time, which all clients share.
    #[must_use]
    pub fn with_server_time(self, server: ServerTime) -> Self {
        Self { clock: self.clock.with_server(server), ..self }
    }

    pub(super) fn table(&self) -> &dyn Table {
        &*self.table
    }

    pub(super) fn patience(&self) -> &Patience {
        &self.patience
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    /// Reads items, each consistently, together with the ledger's identity where that was not checked yet.
    pub(super) async fn read(&self, mut keys: Vec<Key>) -> Result<Snapshot, Error> {
        let meta = items::meta_key();
        let asks = !self.schema_known.load(Ordering::Relaxed) && !keys.contains(&meta);
        // Who only wants it checked meanwhile waits for this, and need not ask.
        let _asking = asks.then(|| self.asking.try_lock());
        if asks {
            keys.push(meta);
        }
        self.patience.run(READING, || self.read_once(keys.clone(), false)).await
    }

    /// One try to read items: as one snapshot, or each for itself. Checks the ledger's identity if it is among them.
    pub(super) async fn read_once(&self, keys: Vec<Key>, one: bool) -> Result<Snapshot, Error> {
        let items =
            if one { self.table.get_transact(&keys).await? } else { self.table.get_many(&keys).await? };
        let snapshot = Snapshot::new(keys, items, one);
        let meta = items::meta_key();
        if snapshot.contains(&meta) {
            identity::check_schema(snapshot.get(&meta)?.as_ref())?;
            self.schema_known.store(true, Ordering::Relaxed);
        }
        Ok(snapshot)
    }

    /// Checks that this program knows the ledger's schema, where that was not done yet.
    pub(super) async fn check_schema(&self) -> Result<(), Error> {
        if self.schema_known.load(Ordering::Relaxed) {
            return Ok(());
        }
        // Of several at once, one asks.
        let _asking = self.asking.lock().await;
        if !self.schema_known.load(Ordering::Relaxed) {
            self.read(Vec::new()).await?;
        }
        Ok(())
    }

    /// Tries a read until it succeeds or the deadline passes.
    pub(super) async fn retrying<T, F>(&self, read: impl FnMut() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        self.patience.run(READING, read).await
    }

    /// The tags on a version that was added, or found to be there. No error: what was done is done.
    async fn tags_of_added(&self, request: &AddRequest, version: Version, new: bool) -> Vec<String> {
        if !new && let Ok(mut tags) = self.tags_by_version(&request.package).await {
            return tags.remove(&version).unwrap_or_default();
        }
        let asked = add::tags(request).into_iter().map(ToString::to_string);
        std::iter::once("latest".to_owned()).chain(asked).collect()
    }

    async fn move_one(&self, the_move: Move, author: &Author) -> Result<TagMove, Error> {
        let mut moved = self.commit(&Moving::one(the_move, author.clone()), author).await?;
        Ok(moved.pop().expect("one tag was to be moved"))
    }

    /// Makes the moves of a plan or takes them back; or only says what would come of it.
    async fn apply_plan(&self, request: &ApplyRequest, dry: bool) -> Result<Vec<TagMove>, Error> {
        let author = &request.author;
        let moves = self.moves_of(request).await;
        let moves = moves.map_err(|error| if dry { error } else { error.unresolved(author) })?;
        if request.undo {
            self.commit_or_foresee(&Undoing::new(request, moves)?, author, dry).await
        } else {
            self.commit_or_foresee(&Moving::plan(moves, author.clone())?, author, dry).await
        }
    }

    async fn commit<O: Operation>(&self, operation: &O, author: &Author) -> Result<O::Outcome, Error> {
        self.commit_or_foresee(operation, author, false).await
    }

    /// Commits an operation; or only says what it would come to now.
    async fn commit_or_foresee<O: Operation>(
        &self,
        operation: &O,
        author: &Author,
        dry: bool,
    ) -> Result<O::Outcome, Error> {
        let op = self.op_id(author);
        let commit = Commit { ledger: self, operation, author, op: &op };
        if dry { self.patience.run(READING, || commit.foresee()).await } else { commit.run(None).await }
    }

    /// The identity of an operation: a new one, or the one that is taken up again.
    fn op_id(&self, author: &Author) -> OpId {
        match &author.key {
            Some(crate::model::Key::Resume { op, .. }) => op.clone(),
            _ => OpId::from(self.patience.random()),
        }
    }
}

/// How often a change of a version looks at the package's tags again because one has moved.
const TAG_LOOKS: usize = 100;

#[async_trait]
impl Ledger for TableLedger {
    fn describe(&self) -> String {
        self.table.describe()
    }

    async fn create(&self) -> Result<(Created, String), Error> {
        let created = self.patience.run("making the ledger", || self.table.create()).await?;
        let key = items::meta_key();
        let meta = self.make_identity(&self.read(vec![key]).await?).await?;
        Ok((created, meta.ledger))
    }

    async fn settings(&self) -> Result<Vec<Setting>, Error> {
        let look = || self.table.settings();
        Ok(self.patience.run("looking at the settings of the ledger", look).await?)
    }

    fn packages(&self, query: &PackageQuery) -> BoxStream<'_, Result<PackageName, Error>> {
        self.list_packages(query)
    }

    async fn summaries(&self, packages: &[PackageName]) -> Result<Vec<PackageSummary>, Error> {
        let keys = packages.iter().map(|package| items::head_key(&items::releases(package))).collect();
        let seen = self.read(keys).await?;
        let mut summaries = Vec::with_capacity(packages.len());
        for package in packages {
            let head: Option<items::Head> = seen.get(&items::head_key(&items::releases(package)))?;
            let Some(head) = head else { continue };
            let Ok(versions) = Version::try_from(head.n) else { continue };
            summaries.push(PackageSummary {
                package: package.clone(),
                versions,
                latest: head.latest,
                size: head.blob.map(|blob| blob.size),
                changed_at: head.when,
            });
        }
        Ok(summaries)
    }

    fn versions(&self, package: &PackageName) -> BoxStream<'_, Result<Release, Error>> {
        self.list_versions(package)
    }

    async fn tags(&self, package: &PackageName) -> Result<Tagged, Error> {
        self.read_tags(package).await
    }

    async fn blob(&self, package: &PackageName, spec: &Spec) -> Result<(Version, Blob), Error> {
        match self.read_blob(package, spec).await {
            Ok(found) => Ok(found),
            Err(error) => Err(self.explain(package, spec, error).await),
        }
    }

    async fn position(&self, package: &PackageName, spec: &Spec) -> Result<(Version, Option<u64>), Error> {
        match self.read_position(package, spec).await {
            Ok(found) => Ok(found),
            Err(error) => Err(self.explain(package, spec, error).await),
        }
    }

    async fn release(&self, package: &PackageName, spec: &Spec) -> Result<Release, Error> {
        match self.read_release(package, spec).await {
            Ok(release) => Ok(release),
            Err(error) => Err(self.explain(package, spec, error).await),
        }
    }

    async fn begin_add(&self, request: &AddRequest, sha256: Option<&Digest>) -> Result<Draft, Error> {
        let (mut keys, one) = (add::reads(request), add::reads_at_once(request));
        // Which epoch it is, is read only now. Few ledgers ever leave the first.
        keys.extend(sha256.map(|sha256| items::blob_key(sha256, 0)));
        let read = async {
            let seen = self.patience.run(READING, || self.read_once(keys.clone(), one)).await?;
            let meta = self.make_identity(&seen).await?;
            let ledger = self.identify(meta).await?;
            Ok::<_, Error>((seen, ledger))
        };
        let (seen, ledger) = read.await.map_err(|error| error.unresolved(&request.author))?;
        Ok(Draft { ledger, op: self.op_id(&request.author), seen, told: Arc::default() })
    }

    async fn stage(&self, request: &AddRequest, sha256: &Digest, draft: &mut Draft) -> Result<Staged, Error> {
        let addition = Addition { request, sha256, epoch: draft.ledger.epoch, blob: None };
        let key = addition.blob_key();
        if !draft.seen.contains(&key) {
            let item = self.retrying(|| self.table.get(&key)).await;
            let item = item.map_err(|fault| Error::from(fault).unresolved(&request.author))?;
            draft.seen.more([(key, item)]);
        }
        let staged = if let Some(crate::model::Key::Resume { .. }) = request.author.key {
            // It may have happened already: then nothing is as expected, and only the commit can tell why.
            addition.needed(&draft.seen)?
        } else {
            let commit =
                Commit { ledger: self, operation: &addition, author: &request.author, op: &draft.op };
            match commit.expect(&mut draft.seen).await? {
                Plan::Done(Outcome::Stage(staged)) => staged,
                _ => Staged::Settled,
            }
        };
        draft.tell(staged);
        Ok(staged)
    }

    async fn add(&self, request: &AddRequest, blob: &Blob, draft: &Draft) -> Result<Added, Error> {
        // What happened must be told, whatever is requested while the tags are read afterwards.
        let Some(_committing) = self.patience.stop().begin_commit() else {
            return Err(Error::Interrupted);
        };
        // The caller stores a blob where it was told to. What it was not told to store is not there.
        let told = draft.was_told(blob.address.generation).then_some(blob);
        let epoch = draft.ledger.epoch;
        let addition = Addition { request, sha256: &blob.address.sha256, epoch, blob: told };
        // What was seen of the blob is out of date if it was collected since.
        let known = draft.seen.contains(&addition.blob_key())
            && (told.is_none() || addition.stored(&draft.seen)?.is_some());
        let seen = known.then(|| draft.seen.clone());
        let commit = Commit { ledger: self, operation: &addition, author: &request.author, op: &draft.op };
        let (item, new) = match commit.run(seen).await? {
            Outcome::Made(item) => (item, true),
            Outcome::Unchanged(item) => (item.show(), false),
            Outcome::Stage(staged) => {
                draft.tell(staged);
                let Staged::Upload { generation, .. } = staged else { unreachable!("a plan never says so") };
                return Ok(Added::Restage(generation));
            }
        };
        let mut release = item.into_release(&request.package);
        release.tags = self.tags_of_added(request, release.version, new).await;
        Ok(Added::Version { release: Box::new(release), new })
    }

    async fn tag(&self, request: &TagRequest) -> Result<TagMove, Error> {
        let TagRequest { package, spec, tag, expect, require, confirm, author } = request.clone();
        let moved = async {
            let to = self.destination(&package, &spec).await.map_err(|error| error.unresolved(&author))?;
            let the_move = Move { package: package.clone(), tag, to, expect, require, confirmed: confirm };
            self.move_one(the_move, &author).await
        };
        match moved.await {
            Ok(moved) => Ok(moved),
            Err(error) => Err(self.explain(&package, &spec, error).await),
        }
    }

    async fn untag(&self, request: &UntagRequest) -> Result<TagMove, Error> {
        let UntagRequest { package, tag, expect, confirm, author } = request.clone();
        let spec = Spec::Tag(tag.clone());
        let the_move = Move { package, tag, to: To::Off, expect, require: Vec::new(), confirmed: confirm };
        match self.move_one(the_move, &author).await {
            Ok(moved) => Ok(moved),
            Err(error) => Err(self.explain(&request.package, &spec, error).await),
        }
    }

    async fn rollback(&self, request: &RollbackRequest) -> Result<TagMove, Error> {
        let RollbackRequest { package, tag, to, expect, confirm, author } = request.clone();
        let spec = Spec::Tag(tag.clone());
        let moved = async {
            let to = match to {
                None => To::Back,
                Some(version) => {
                    let found = self.last_on(&package, &tag, version).await;
                    To::Earlier(version, found.map_err(|error| error.unresolved(&author))?)
                }
            };
            let (package, require) = (package.clone(), Vec::new());
            let the_move = Move { package, tag, to, expect, require, confirmed: confirm };
            self.move_one(the_move, &author).await
        };
        match moved.await {
            Ok(moved) => Ok(moved),
            Err(error) => Err(self.explain(&package, &spec, error).await),
        }
    }

    async fn apply(&self, request: &ApplyRequest) -> Result<Vec<TagMove>, Error> {
        match self.apply_plan(request, false).await {
            Ok(moved) => Ok(moved),
            Err(error) => Err(self.explain_moves(request, error).await),
        }
    }

    async fn preview(&self, request: &ApplyRequest) -> Result<Vec<TagMove>, Error> {
        match self.apply_plan(request, true).await {
            Ok(moved) => Ok(moved),
            Err(error) => Err(self.explain_moves(request, error).await),
        }
    }

    async fn protect(&self, request: &ProtectRequest) -> Result<TagMove, Error> {
        self.commit(request, &request.author).await
    }

    fn history(&self, package: &PackageName, tag: Option<&TagName>) -> BoxStream<'_, Result<Event, Error>> {
        self.read_history(package, tag)
    }

    async fn change(&self, request: &ChangeRequest) -> Result<Changed, Error> {
        let op = self.op_id(&request.author);
        // As long as tags of the package keep moving, it takes another look at them.
        for _ in 0..TAG_LOOKS {
            let looked = try_join(self.tagging(request), self.blob_to_delete(request)).await;
            let (tags, blob) = looked.map_err(|error| error.unresolved(&request.author))?;
            reach("change-looked");
            let operation = Changing { request, tags, blob };
            let commit = Commit { ledger: self, operation: &operation, author: &request.author, op: &op };
            if let release::Outcome::Changed(item, previous) = commit.run(None).await? {
                reach("change-done");
                let mut release = item.into_release(&request.package);
                // What was done is done, whether or not its tags can be read now.
                let tags = self.tags_by_version(&request.package).await;
                let tags = tags.map(|mut tags| tags.remove(&request.version).unwrap_or_default());
                release.tags = tags.unwrap_or(operation.tags.on);
                return Ok(Changed { release, previous });
            }
        }
        Err(Conflict::Contention(request.package.clone()).into())
    }

    async fn identity(&self) -> Result<Option<Identity>, Error> {
        let key = items::meta_key();
        match self.read(vec![key.clone()]).await?.get(&key)? {
            Some(meta) => Ok(Some(self.identify(meta).await?)),
            None => Ok(None),
        }
    }

    async fn adopt(&self, seen: &Identity, epoch: u64) -> Result<Identity, Error> {
        self.change_identity(seen, epoch).await
    }

    async fn standings(&self, addresses: &[Address]) -> Result<Vec<Standing>, Error> {
        self.read_standings(addresses).await
    }

    async fn condemn(&self, address: &Address) -> Result<bool, Error> {
        self.condemn_one(address).await
    }

    async fn audit_observed(&self, repair: bool, tell: Tell<'_>, went: Went<'_>) -> Result<Census, Error> {
        self.audit_all(repair, tell, went).await
    }
}
