//! A second ledger, in JSON documents on S3, without the guarantees of the first.

mod document;

use super::{
    AddRequest, Added, Author, Draft, Error, Ledger, NotFound, PackageQuery, Refused, Staged, TagRequest,
    UntagRequest,
    schema::{TagItem, VersionItem, after},
    snapshot::Snapshot,
};
use crate::{
    aws::Objects,
    model::{
        Blob, Created, Digest, Labels, OpId, PackageName, PackageSummary, Release, Spec, State, TagMove,
        Tagged, Timestamp, Version,
    },
    retry::RetryPolicy,
};
use async_trait::async_trait;
use document::{Document, Outcome, check_expectation, unchanged};
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeSet, sync::Arc};

/// A ledger of one JSON document a package, on S3. Each change reads the document, changes it, and writes it back
/// whole, without any condition.
///
/// It does what [`Ledger`] says as long as there is one writer and no request is lost. It exists so that a test can
/// show what goes wrong otherwise; never use it for anything else. The guarantees of
/// [`TableLedger`](super::TableLedger) that it lacks:
///
/// - **Nothing is lost, nothing is duplicated**: if two writers read the same document, each writes its own result, and
///   the second overwrites the first. Two additions get the same number and one of them is lost; an addition silently
///   undoes a tag move; an expectation can become false between the check and the write. The listing still shows the
///   package, so the loss is not visible.
/// - **Every later read sees a change that was reported as successful**: only until the next writer overwrites it.
///   (Each read in itself is consistent, since S3 is.)
/// - **A crash, a timeout or a repeated request leaves the ledger correct**: a write whose answer was lost is written
///   again, and undoes what others wrote in between; so does a copy that arrives late. There is no slot that shows who
///   wrote an entry, so [`Error::Unknown`] is never returned, even when it would be true. An idempotency key is kept in
///   the document and is lost with it.
/// - **A blob that a version needs is never collected**: blobs are not counted and have no generations, so nothing can
///   be collected safely.
/// - **History**: there are no logs, and no hash chain that shows manual edits.
#[derive(Debug)]
pub struct WeakS3Ledger {
    objects: Arc<dyn Objects>,
    retry_policy: RetryPolicy,
}

/// The ledger's identity.
#[derive(Debug, Serialize, Deserialize)]
struct Identity {
    ledger: String,
}

const IDENTITY: &str = "ledger.json";
const PACKAGES: &str = "packages/";

impl WeakS3Ledger {
    /// Creates a ledger over these objects.
    #[must_use]
    pub fn new(objects: Arc<dyn Objects>, retry_policy: RetryPolicy) -> Self {
        Self { objects, retry_policy }
    }

    async fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let bytes = self.retry_policy.run("reading the ledger", || self.objects.get(name)).await?;
        let damaged =
            |error: serde_json::Error| Error::Damaged { what: name.to_owned(), why: error.to_string() };
        bytes
            .map(|bytes| serde_json::from_slice(&bytes).and_then(serde_json::from_value).map_err(damaged))
            .transpose()
    }

    async fn write(&self, name: &str, document: &(impl Serialize + Sync)) -> Result<(), Error> {
        let bytes = serde_json::to_vec(document)
            .map_err(|error| Error::Damaged { what: name.to_owned(), why: error.to_string() })?;
        Ok(self.retry_policy.run("writing the ledger", || self.objects.put(name, bytes.clone())).await?)
    }

    async fn document(&self, package: &PackageName) -> Result<Document, Error> {
        Ok(self.read(&name(package)).await?.unwrap_or_default())
    }

    /// Returns the document of a package, which must exist.
    async fn existing(&self, package: &PackageName) -> Result<Document, Error> {
        let document = self.document(package).await?;
        if document.versions.is_empty() {
            return Err(NotFound::Package(package.clone()).into());
        }
        Ok(document)
    }

    async fn identity(&self) -> Result<(Created, String), Error> {
        if let Some(Identity { ledger }) = self.read(IDENTITY).await? {
            return Ok((Created::Present, ledger));
        }
        let ledger = OpId::from(self.retry_policy.random()).to_string();
        self.write(IDENTITY, &Identity { ledger: ledger.clone() }).await?;
        Ok((Created::Made, ledger))
    }

    async fn move_tag(
        &self,
        package: &PackageName,
        author: &Author,
        request: String,
        change: impl FnOnce(&mut Document) -> Result<TagItem, Error> + Send,
    ) -> Result<TagMove, Error> {
        let mut document = self.existing(package).await?;
        if let Some(Outcome::Moved(item)) = document.remembered(author, &request)? {
            return Ok(item.into_move(package));
        }
        let item = change(&mut document)?;
        document.remember(author.key.as_ref(), request, Outcome::Moved(Box::new(item.clone())));
        self.write(&name(package), &document).await?;
        Ok(item.into_move(package))
    }
}

fn name(package: &PackageName) -> String {
    format!("{PACKAGES}{package}.json")
}

fn request_text(sha256: &Digest) -> String {
    format!("add {sha256}")
}

impl super::contract::sealed::Sealed for WeakS3Ledger {}

#[async_trait]
impl super::Freezes for WeakS3Ledger {}

#[async_trait]
impl super::Transfers for WeakS3Ledger {}

#[async_trait]
impl Ledger for WeakS3Ledger {
    fn describe(&self) -> String {
        self.objects.describe()
    }

    async fn create(&self) -> Result<(Created, String), Error> {
        self.identity().await
    }

    fn packages(&self, query: &PackageQuery) -> BoxStream<'_, Result<PackageName, Error>> {
        let query = query.clone();
        stream::once(async move {
            let names = self.retry_policy.run("listing the ledger", || self.objects.list(PACKAGES)).await?;
            let names: BTreeSet<PackageName> = names
                .iter()
                .filter_map(|name| name.strip_prefix(PACKAGES)?.strip_suffix(".json")?.parse().ok())
                .filter(|name: &PackageName| name.as_str().starts_with(&query.prefix))
                .filter(|name| query.after.as_ref().is_none_or(|after| name > after))
                .collect();
            Ok::<_, Error>(stream::iter(names.into_iter().map(Ok).collect::<Vec<_>>()))
        })
        .try_flatten()
        .boxed()
    }

    async fn summaries(&self, packages: &[PackageName]) -> Result<Vec<PackageSummary>, Error> {
        let mut summaries = Vec::new();
        for package in packages {
            let document = self.document(package).await?;
            let Some(latest) = document.latest() else { continue };
            summaries.push(PackageSummary {
                package: package.clone(),
                versions: latest.n,
                latest: Some(latest.n),
                size: Some(latest.blob.size),
                changed_at: latest.when,
            });
        }
        Ok(summaries)
    }

    fn versions(&self, package: &PackageName) -> BoxStream<'_, Result<Release, Error>> {
        let package = package.clone();
        stream::once(async move {
            let document = self.existing(&package).await?;
            let releases: Vec<_> =
                document.versions.iter().rev().map(|item| Ok(document.release(&package, item))).collect();
            Ok::<_, Error>(stream::iter(releases))
        })
        .try_flatten()
        .boxed()
    }

    async fn tags(&self, package: &PackageName) -> Result<Tagged, Error> {
        let document = self.existing(package).await?;
        let latest = document.latest().map(|latest| latest.n);
        let on = document.tags.into_values().filter(|tag| tag.version.is_some());
        Ok(Tagged { latest, tags: on.map(|tag| tag.into_move(package)).collect() })
    }

    async fn blob(&self, package: &PackageName, spec: &Spec) -> Result<(Version, Blob), Error> {
        let document = self.document(package).await?;
        let item = document.resolve(package, spec)?;
        Ok((item.n, item.blob.to_blob()))
    }

    async fn release(&self, package: &PackageName, spec: &Spec) -> Result<Release, Error> {
        let document = self.document(package).await?;
        Ok(document.release(package, document.resolve(package, spec)?))
    }

    async fn begin_add(&self, _: &AddRequest, _: Option<&Digest>) -> Result<Draft, Error> {
        let (_, id) = self.identity().await?;
        let ledger = super::Identity { id, epoch: 0, schema: 1, copy_of: None, former_mark: None };
        let op = OpId::from(self.retry_policy.random());
        Ok(Draft::new(ledger, op, Snapshot::default()))
    }

    async fn stage(&self, request: &AddRequest, sha256: &Digest, draft: &mut Draft) -> Result<Staged, Error> {
        let document = self.document(&request.package).await?;
        let settled = document.remembered(&request.author, &request_text(sha256))?.is_some()
            || unchanged(&document, request, sha256)?.is_some();
        let staged =
            if settled { Staged::NothingToStore } else { Staged::Upload { generation: 0, expected: false } };
        draft.set_staged(staged);
        Ok(staged)
    }

    async fn add(&self, request: &AddRequest, blob: &Blob, draft: &mut Draft) -> Result<Added, Error> {
        Error::check_author(&request.author)?;
        let (package, sha256) = (&request.package, &blob.address.sha256);
        let mut document = self.document(package).await?;
        if let Some(Outcome::Added { version, new }) =
            document.remembered(&request.author, &request_text(sha256))?
        {
            let mut release = document.release(package, document.version(package, version)?);
            if new {
                let tags: BTreeSet<String> = request.tags.iter().map(ToString::to_string).collect();
                release.tags = std::iter::once("latest".to_owned()).chain(tags).collect();
            }
            return Ok(Added::Version { release: Box::new(release), new });
        }
        let unchanged = unchanged(&document, request, sha256)?;
        let number = match unchanged {
            Some(latest) => latest.get(),
            None if !draft.was_staged(blob.address.generation) => {
                draft.set_staged(Staged::Upload { generation: 0, expected: false });
                return Ok(Added::Restage(0));
            }
            None => document.latest().map_or(0, |latest| latest.n.get()) + 1,
        };
        let version = Version::try_from(number).map_err(|_| Refused::Full(package.clone()))?;
        if unchanged.is_none() {
            document.versions.push(VersionItem {
                n: version,
                blob: blob.into(),
                labels: request.labels.clone(),
                more_labels: Labels::default(),
                state: State::Active,
                who: request.author.who(),
                when: after(Timestamp::now(), document.latest().map(|latest| latest.when)),
                clock: None,
                message: request.author.message.clone(),
                op: draft.op.clone(),
                rev: number,
                chain: String::new(),
            });
        }
        let fields = document.version(package, version)?.blob.clone();
        for tag in &request.tags {
            document.set(tag, Some((version, fields.clone())), &request.author);
        }
        let new = unchanged.is_none();
        document.remember(request.author.key.as_ref(), request_text(sha256), Outcome::Added { version, new });
        self.write(&name(package), &document).await?;
        let release = document.release(package, document.version(package, version)?);
        Ok(Added::Version { release: Box::new(release), new })
    }

    async fn tag(&self, request: &TagRequest) -> Result<TagMove, Error> {
        Error::check_author(&request.author)?;
        let TagRequest { package, spec, tag, expect, require, author, .. } = request;
        // This ledger has no protection, so there is nothing to confirm.
        if !require.is_empty() {
            return Err(Refused::Unsupported.into());
        }
        let request_text = format!("tag {spec} {tag}");
        let change = |document: &mut Document| {
            let target = document.resolve(package, spec)?;
            let target = (target.n, target.blob.clone());
            check_expectation(document, package, tag, *expect)?;
            Ok(document.set(tag, Some(target), author))
        };
        self.move_tag(package, author, request_text, change).await
    }

    async fn untag(&self, request: &UntagRequest) -> Result<TagMove, Error> {
        Error::check_author(&request.author)?;
        let UntagRequest { package, tag, expect, confirm: _, author } = request;
        let change = |document: &mut Document| {
            if !document.tags.contains_key(tag) {
                return Err(NotFound::Tag { package: package.clone(), tag: tag.clone() }.into());
            }
            check_expectation(document, package, tag, *expect)?;
            Ok(document.set(tag, None, author))
        };
        self.move_tag(package, author, format!("untag {tag}"), change).await
    }
}
