//! The ledger: the protocol over a table.

use super::{
    AddRequest, Added, Draft, Error, Ledger, NotFound, PackageQuery, Staged, TagRequest, UntagRequest,
    add::{self, Addition, Outcome},
    commit::{self, Context, Operation, Plan, Snapshot},
    items::{self, Meta, SCHEMA, encode},
};
use crate::{
    fault::Fault,
    model::{
        Blob, Digest, OpId, PackageName, PackageSummary, Release, Spec, TagMove, Tagged, Timestamp, Version,
    },
    retry::Patience,
    table::{Action, Change, Condition, Created, Key, Table, TransactError, Transaction},
};
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// A ledger that keeps every promise of [`Ledger`], over any [`Table`].
pub struct TableLedger {
    table: Arc<dyn Table>,
    patience: Patience,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    schema_known: AtomicBool,
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
        Self { table, patience, clock, schema_known: AtomicBool::new(false) }
    }

    pub(super) fn table(&self) -> &dyn Table {
        &*self.table
    }

    pub(super) fn patience(&self) -> &Patience {
        &self.patience
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Reads items, each consistently, together with the ledger's identity where that was not checked yet.
    pub(super) async fn read(&self, mut keys: Vec<Key>) -> Result<Snapshot, Error> {
        let check = !self.schema_known.load(Ordering::Relaxed);
        let meta = items::meta_key();
        if check && !keys.contains(&meta) {
            keys.push(meta);
        }
        let items = self.retrying(|| self.table.get_many(&keys)).await?;
        let snapshot = Snapshot::new(keys, items);
        if check {
            check_meta(snapshot.get(&items::meta_key())?.as_ref())?;
            self.schema_known.store(true, Ordering::Relaxed);
        }
        Ok(snapshot)
    }

    /// Checks that this program knows the ledger's schema, where that was not done yet.
    pub(super) async fn check_schema(&self) -> Result<(), Error> {
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
        self.patience.run("reading the ledger", read).await
    }

    /// The ledger's identity, which is made if there is none.
    async fn identity(&self, seen: Option<Meta>) -> Result<Meta, Error> {
        if let Some(meta) = seen {
            return Ok(meta);
        }
        let key = items::meta_key();
        let meta = Meta { schema: SCHEMA, ledger: OpId::from(self.patience.random()).to_string() };
        let mut first = Transaction::new(OpId::from(self.patience.random()).to_string());
        first.push(Action {
            key: key.clone(),
            condition: Condition::Absent,
            change: Change::Put(encode(&meta)),
        });
        let made = self.patience.run("making the ledger's identity", || async {
            match self.table.transact(&first).await {
                Ok(()) | Err(TransactError::Refused(_)) => Ok(()),
                Err(TransactError::Fault(fault)) => Err(fault),
            }
        });
        made.await?;
        // Whoever was first: what stands there counts.
        self.read(vec![key.clone()]).await?.get(&key)?.ok_or_else(|| Error::Damaged {
            what: "the ledger's identity".to_owned(),
            why: "it vanished as soon as it was made".to_owned(),
        })
    }

    /// Says which of package and version is missing.
    async fn explain(&self, package: &PackageName, spec: &Spec, error: Error) -> Error {
        let Error::NotFound(not_found) = &error else { return error };
        if matches!(not_found, NotFound::Deleted { .. } | NotFound::Latest(_)) {
            return error;
        }
        let key = items::head_key(&items::releases(package));
        let head = match self.read(vec![key.clone()]).await.and_then(|seen| seen.get(&key)) {
            Ok(head) => head.filter(|head: &items::Head| head.n > 0),
            Err(error) => return error,
        };
        match (head, spec) {
            (None, _) => NotFound::Package(package.clone()).into(),
            (head, Spec::Version(version)) if !matches!(not_found, NotFound::Tag { .. }) => {
                commit::no_version(package, *version, head.as_ref()).into()
            }
            _ => error,
        }
    }
}

/// Whether this program knows the schema of a ledger. A ledger with no identity yet is empty.
pub(super) fn check_meta(meta: Option<&Meta>) -> Result<(), Error> {
    match meta {
        Some(meta) if meta.schema != SCHEMA => Err(Error::Schema { found: meta.schema, known: SCHEMA }),
        _ => Ok(()),
    }
}

#[async_trait]
impl Ledger for TableLedger {
    fn describe(&self) -> String {
        self.table.describe()
    }

    async fn create(&self) -> Result<(Created, String), Error> {
        let created = self.patience.run("making the ledger", || self.table.create()).await?;
        let key = items::meta_key();
        let meta = self.identity(self.read(vec![key.clone()]).await?.get(&key)?).await?;
        Ok((created, meta.ledger))
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

    async fn release(&self, package: &PackageName, spec: &Spec) -> Result<Release, Error> {
        match self.read_release(package, spec).await {
            Ok(release) => Ok(release),
            Err(error) => Err(self.explain(package, spec, error).await),
        }
    }

    async fn begin_add(&self, request: &AddRequest) -> Result<Draft, Error> {
        let seen = self.read(add::reads(request)).await?;
        let ledger = self.identity(seen.get(&items::meta_key())?).await?.ledger;
        Ok(Draft { ledger, op: self.op_id(&request.author), seen })
    }

    async fn stage(&self, request: &AddRequest, sha256: &Digest, draft: &mut Draft) -> Result<Staged, Error> {
        let key = items::blob_key(sha256);
        let item = self.retrying(|| self.table.get(&key)).await?;
        draft.seen.insert(key, item);
        let addition = Addition { request, sha256, blob: None };
        if let Some(crate::model::Key::Resume { .. }) = request.author.key {
            // It may have happened already: then nothing is as expected, and only the commit can tell why.
            return addition.upload(&draft.seen);
        }
        let context = Context { op: &draft.op, author: &request.author, now: self.now() };
        Ok(match addition.plan(&draft.seen, &context)? {
            Plan::Done(Outcome::Stage(staged)) => staged,
            _ => Staged::Settled,
        })
    }

    async fn add(&self, request: &AddRequest, blob: &Blob, draft: &Draft) -> Result<Added, Error> {
        let addition = Addition { request, sha256: &blob.address.sha256, blob: Some(blob) };
        // Tags may have moved even where nothing is added: what happened must be told, whatever is requested meanwhile.
        let Some(_committing) = self.patience.stop().begin_commit() else {
            return Err(Error::Interrupted);
        };
        let outcome = self.commit(&addition, &request.author, &draft.op, Some(draft.seen.clone())).await?;
        match outcome {
            Outcome::Made(item) => {
                let mut release = item.into_release(&request.package);
                release.tags = std::iter::once("latest".to_owned())
                    .chain(request.tags.iter().map(ToString::to_string))
                    .collect();
                Ok(Added::Version { release: Box::new(release), new: true })
            }
            Outcome::Unchanged(version) => {
                let release = self.release(&request.package, &Spec::Version(version)).await?;
                Ok(Added::Version { release: Box::new(release), new: false })
            }
            Outcome::Stage(Staged::Upload { generation, .. }) => Ok(Added::Restage(generation)),
            Outcome::Stage(Staged::Settled) => unreachable!("a plan never says so"),
        }
    }

    async fn tag(&self, request: &TagRequest) -> Result<TagMove, Error> {
        let op = self.op_id(&request.author);
        match self.commit(request, &request.author, &op, None).await {
            Ok(moved) => Ok(moved),
            Err(error) => Err(self.explain(&request.package, &request.spec, error).await),
        }
    }

    async fn untag(&self, request: &UntagRequest) -> Result<TagMove, Error> {
        let op = self.op_id(&request.author);
        match self.commit(request, &request.author, &op, None).await {
            Ok(moved) => Ok(moved),
            Err(error) => {
                let spec = Spec::Tag(request.tag.clone());
                Err(self.explain(&request.package, &spec, error).await)
            }
        }
    }
}
