//! Reads of the ledger.

use super::pages::{PageSize, merge};
use crate::{
    ledger::{
        ChangeRequest, Error, NotFound, PackageQuery, TableLedger,
        error::no_version,
        schema::{
            self, Head, TagHead, TagItem, VersionItem, decode,
            gated::{self, Gated},
            live::{Live, live},
        },
    },
    model::{
        Address, Blob, PackageName, PackageSummary, Release, ReleaseChange, Spec, State, TagMove, TagName,
        Tagged, Version, VersionRange,
    },
    table::{Key, Order, Query},
};
use futures_util::{
    StreamExt, TryStreamExt,
    future::{join, try_join},
    stream::{self, BoxStream, Stream},
};
use std::{collections::BTreeMap, pin::Pin};

impl TableLedger {
    /// Returns the summaries of these packages for a listing.
    pub(in crate::ledger) async fn read_summaries(
        &self,
        packages: &[PackageName],
    ) -> Result<Vec<PackageSummary>, Error> {
        let keys = packages.iter().map(|package| schema::head_key(&schema::releases(package))).collect();
        let seen = self.read(keys).await?;
        let mut summaries = Vec::with_capacity(packages.len());
        for package in packages {
            let head: Option<Head> = seen.get(&schema::head_key(&schema::releases(package)))?;
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

    pub(in crate::ledger) async fn read_blob(
        &self,
        package: &PackageName,
        spec: &Spec,
    ) -> Result<(Version, Blob), Error> {
        match spec {
            Spec::Version(version) => {
                let item = self.read_version(package, *version).await?;
                Ok((item.n, item.blob.to_blob()))
            }
            Spec::Past(..) | Spec::At(..) => {
                let version = self.version_then(package, spec).await?;
                let item = self.read_version(package, version).await?;
                Ok((item.n, item.blob.to_blob()))
            }
            Spec::Tag(tag) => {
                let item = self.read_tag(package, tag).await?;
                item.and_then(|item| Some((item.version?, item.blob?.to_blob())))
                    .ok_or_else(|| NotFound::Tag { package: package.clone(), tag: tag.clone() }.into())
            }
            Spec::Latest => {
                let head = self.read_head(package).await?;
                let latest = head.latest.zip(head.blob.map(|blob| blob.to_blob()));
                latest.ok_or_else(|| NotFound::Latest(package.clone()).into())
            }
        }
    }

    /// Returns the version that a spec resolves to and, if it is a tag, the revision of the tag's last change.
    pub(in crate::ledger) async fn read_position(
        &self,
        package: &PackageName,
        spec: &Spec,
    ) -> Result<(Version, Option<u64>), Error> {
        let Spec::Tag(tag) = spec else {
            return self.read_blob(package, spec).await.map(|(version, _)| (version, None));
        };
        let (package, tag) = (package.clone(), tag.clone());
        match self.read_tag(&package, &tag).await? {
            Some(TagItem { version: Some(version), set, .. }) => Ok((version, Some(set))),
            Some(TagItem { version: None, set: rev, .. }) => {
                Err(NotFound::Unset { package, tag, rev }.into())
            }
            None => Err(NotFound::Tag { package, tag }.into()),
        }
    }

    /// Returns the present state of a tag, also of one that is on no version.
    pub(in crate::ledger) async fn read_tag(
        &self,
        package: &PackageName,
        tag: &TagName,
    ) -> Result<Option<TagItem>, Error> {
        let key = schema::tag_key(package, tag);
        self.read(vec![key.clone()]).await?.get(&key)
    }

    pub(in crate::ledger) async fn read_release(
        &self,
        package: &PackageName,
        spec: &Spec,
    ) -> Result<Release, Error> {
        let (head, tag_head) = heads(package);
        // For a number all reads are made at once; any other spec must be resolved first.
        let (item, names, rev, gated) = match spec {
            Spec::Version(version) => self.read_version_and_names(package, *version).await?,
            Spec::Past(..) | Spec::At(..) => {
                let version = self.version_then(package, spec).await?;
                self.read_version_and_names(package, version).await?
            }
            Spec::Tag(tag) => {
                let key = schema::tag_key(package, tag);
                let seen = self.read(vec![head.clone(), tag_head.clone(), key.clone()]).await?;
                let latest = head_of(package, seen.get(&head)?)?.latest;
                let item: Option<TagItem> = seen.get(&key)?;
                let at = item.and_then(|item| Some((item.version?, item.set)));
                let (version, rev) =
                    at.ok_or_else(|| NotFound::Tag { package: package.clone(), tag: tag.clone() })?;
                let tag_head: Option<TagHead> = seen.get(&tag_head)?;
                let gated = gated_tags(tag_head.as_ref());
                let live = self.live_tags(package, tag_head);
                let (item, mut live) = try_join(self.read_version(package, version), live).await?;
                // The tag may have moved between the reads, and it is the one that was requested.
                live.insert(tag.to_string(), version);
                (item, by_version(latest, &live), Some(rev), gated)
            }
            Spec::Latest => {
                let seen = self.read(vec![head.clone(), tag_head.clone()]).await?;
                let latest = head_of(package, seen.get(&head)?)?.latest;
                let version = latest.ok_or_else(|| NotFound::Latest(package.clone()))?;
                let tag_head: Option<TagHead> = seen.get(&tag_head)?;
                let gated = gated_tags(tag_head.as_ref());
                let live = self.live_tags(package, tag_head);
                let (item, live) = try_join(self.read_version(package, version), live).await?;
                (item, by_version(latest, &live), None, gated)
            }
        };
        let mut release = item.into_release(package);
        release.tags = names.get(&release.version).cloned().unwrap_or_default();
        release.rev = rev;
        release.gates = self.gates_of(package, release.version, gated).await?;
        Ok(release)
    }

    /// Returns the full tags of a package. If all fit on a page, they are read at once; else only those on a version
    /// are read.
    pub(in crate::ledger) async fn read_tags(&self, package: &PackageName) -> Result<Tagged, Error> {
        let (head, tag_head) = heads(package);
        let first = self.first_moves(package);
        let (seen, first) = try_join(self.read(vec![head.clone(), tag_head.clone()]), first).await?;
        let latest = head_of(package, seen.get(&head)?)?.latest;
        let tags = match (first, live(seen.get(&tag_head)?.as_ref())) {
            (Some(all), _) => all,
            (None, Some(live)) => {
                let key = |name: &String| name.parse().ok().map(|tag| schema::tag_key(package, &tag));
                let keys: Vec<_> = live.keys().filter_map(key).collect();
                let seen = self.read(keys.clone()).await?;
                let items = keys.iter().filter_map(|key| seen.get::<TagItem>(key).transpose());
                moves(package, items)?
            }
            (None, None) => {
                let items: Vec<_> = self.all_tags(package).collect().await;
                moves(package, items)?
            }
        };
        Ok(Tagged { latest, tags })
    }

    /// Returns the tags that are on a version, by name, if all tags are on the first page.
    async fn first_moves(&self, package: &PackageName) -> Result<Option<Vec<TagMove>>, Error> {
        let (pk, (from, to)) = (schema::tags(package), schema::ANY_TAG);
        let (from, to, mut size) = (from.to_owned(), to.to_owned(), PageSize::first());
        let query = Query { pk, from, to, order: Order::Ascending, limit: size.items(), after: None };
        let query = &query;
        let page = size.read(self.retry_policy(), |limit| async move {
            self.table().query(&Query { limit, ..query.clone() }).await
        });
        let page = page.await?;
        if page.next.is_some() {
            return Ok(None);
        }
        let items = page.items.iter().map(|(sk, item)| decode(&Key::new(&query.pk, sk), item));
        moves(package, items).map(Some)
    }

    /// Lists all tags by name, including those on no version.
    pub(super) fn all_tags(
        &self,
        package: &PackageName,
    ) -> impl Stream<Item = Result<TagItem, Error>> + Send {
        let (from, to) = schema::ANY_TAG;
        self.pages(schema::tags(package), from.to_owned(), to.to_owned(), Order::Ascending)
            .map(|row| row.and_then(|(key, item)| decode(&key, &item)))
    }

    /// Returns the tags that are on a version: from the head of the tags as it was read, or, if that does not record
    /// them, by reading all tags.
    pub(in crate::ledger) async fn live_tags(
        &self,
        package: &PackageName,
        head: Option<TagHead>,
    ) -> Result<Live, Error> {
        if let Some(live) = live(head.as_ref()) {
            return Ok(live);
        }
        let tags = self.all_tags(package);
        tags.try_filter_map(|item| {
            std::future::ready(Ok(item.version.map(|version| (item.tag.to_string(), version))))
        })
        .try_collect()
        .await
    }

    /// Reads a version, and concurrently the names on each version.
    async fn read_version_and_names(
        &self,
        package: &PackageName,
        version: Version,
    ) -> Result<(VersionItem, Names, Option<u64>, Gated), Error> {
        let (head, tag_head) = heads(package);
        let key = schema::version_key(package, version.get());
        let seen = self.read(vec![key.clone(), head.clone(), tag_head.clone()]).await?;
        let item = existing_version(seen.get(&key)?, package, version)?;
        let latest = head_of(package, seen.get(&head)?)?.latest;
        let tag_head: Option<TagHead> = seen.get(&tag_head)?;
        let gated = gated_tags(tag_head.as_ref());
        let live = self.live_tags(package, tag_head).await?;
        Ok((item, by_version(latest, &live), None, gated))
    }

    pub(in crate::ledger) fn list_versions(
        &self,
        package: &PackageName,
        range: VersionRange,
    ) -> BoxStream<'_, Result<Release, Error>> {
        let package = package.clone();
        let key = |version: Version| schema::version_key(&package, version.get()).sk;
        let (lowest, highest) = schema::ANY_VERSION;
        let from = range.first.map_or_else(|| lowest.to_owned(), key);
        let to = range.last.map_or_else(|| highest.to_owned(), key);
        let rows = self.pages(schema::releases(&package), from, to, Order::Descending);
        let mut rows = rows.peekable();
        stream::once(async move {
            let (tags, _) = join(self.tags_by_version(&package), Pin::new(&mut rows).peek()).await;
            let tags = tags?;
            Ok::<_, Error>(rows.map(move |row| {
                let (key, item) = row?;
                let item: VersionItem = decode(&key, &item)?;
                let mut release = item.into_release(&package);
                release.tags = tags.get(&release.version).cloned().unwrap_or_default();
                Ok(release)
            }))
        })
        .try_flatten()
        .boxed()
    }

    pub(in crate::ledger) fn list_packages(
        &self,
        query: &PackageQuery,
    ) -> BoxStream<'_, Result<PackageName, Error>> {
        if query.prefix.len() > PackageName::MAX {
            return stream::empty().boxed();
        }
        // Names begin with a letter or digit, so "0" is below all of them.
        let lowest = if query.prefix.is_empty() { "0".to_owned() } else { query.prefix.clone() };
        let from = match &query.after {
            Some(after) if *after.as_str() > *lowest => after.to_string(),
            _ => lowest,
        };
        let to = format!("{}{}", query.prefix, schema::HIGHEST);
        if from > to {
            return stream::empty().boxed();
        }
        let after = query.after.clone();
        let partitions = (0..schema::DIRECTORIES)
            .map(|number| {
                let after = after.clone();
                self.pages(schema::directory(number), from.clone(), to.clone(), Order::Ascending)
                    .map(|row| {
                        let (key, _) = row?;
                        let name = key.sk.parse::<PackageName>();
                        name.map_err(|error| Error::damaged(&key, error.to_string()))
                    })
                    .try_filter(move |name| std::future::ready(after.as_ref() != Some(name)))
                    .boxed()
                    .peekable()
            })
            .collect();
        merge(partitions, PackageName::clone).boxed()
    }

    async fn read_version(&self, package: &PackageName, version: Version) -> Result<VersionItem, Error> {
        let key = schema::version_key(package, version.get());
        existing_version(self.read(vec![key.clone()]).await?.get(&key)?, package, version)
    }

    pub(in crate::ledger) async fn read_head(&self, package: &PackageName) -> Result<Head, Error> {
        let key = schema::head_key(&schema::releases(package));
        head_of(package, self.read(vec![key.clone()]).await?.get(&key)?)
    }

    pub(in crate::ledger) async fn tags_by_version(&self, package: &PackageName) -> Result<Names, Error> {
        let (head, tag_head) = heads(package);
        let seen = self.read(vec![head.clone(), tag_head.clone()]).await?;
        let latest = head_of(package, seen.get(&head)?)?.latest;
        Ok(by_version(latest, &self.live_tags(package, seen.get(&tag_head)?).await?))
    }

    /// Returns the blob of a version that is to be deleted or undeleted, if there is such a version.
    pub(in crate::ledger) async fn blob_to_count(
        &self,
        request: &ChangeRequest,
    ) -> Result<Option<Address>, Error> {
        if !matches!(request.change, ReleaseChange::Delete | ReleaseChange::Undelete) {
            return Ok(None);
        }
        let key = schema::version_key(&request.package, request.version.get());
        let item: Option<VersionItem> = self.read(vec![key.clone()]).await?.get(&key)?;
        Ok(item.map(|item| item.blob.to_blob().address))
    }
}

/// Returns the keys of the heads of a package's two logs.
fn heads(package: &PackageName) -> (Key, Key) {
    (schema::head_key(&schema::releases(package)), schema::head_key(&schema::tags(package)))
}

/// Selects the tags that are on a version.
fn moves(
    package: &PackageName,
    items: impl IntoIterator<Item = Result<TagItem, Error>>,
) -> Result<Vec<TagMove>, Error> {
    let on = |item: &Result<TagItem, Error>| item.as_ref().map_or(true, |item| item.version.is_some());
    items.into_iter().filter(on).map(|item| item.map(|item| item.into_move(package))).collect()
}

/// Returns the tags that have standing gates.
fn gated_tags(head: Option<&TagHead>) -> Gated {
    head.map(|head| gated::gated(&head.rest)).unwrap_or_default()
}

/// Returns a version that exists and is readable.
fn existing_version(
    item: Option<VersionItem>,
    package: &PackageName,
    version: Version,
) -> Result<VersionItem, Error> {
    let item = item.ok_or_else(|| no_version(package, version, None))?;
    if item.state == State::Deleted {
        return Err(NotFound::Deleted { package: package.clone(), version }.into());
    }
    if let State::Other(word) = item.state {
        let what = format!("version {version} of {package}");
        return Err(Error::unknown_word(&what, word.as_str(), "be read"));
    }
    Ok(item)
}

/// Returns the head of a package that must exist.
fn head_of(package: &PackageName, head: Option<Head>) -> Result<Head, Error> {
    head.filter(|head| head.n > 0).ok_or_else(|| NotFound::Package(package.clone()).into())
}

/// The names on each version, `latest` first.
pub(in crate::ledger) type Names = BTreeMap<Version, Vec<String>>;

/// Groups the names by version, `latest` first.
fn by_version(latest: Option<Version>, live: &Live) -> Names {
    let mut names = Names::new();
    if let Some(latest) = latest {
        names.entry(latest).or_default().push("latest".to_owned());
    }
    for (name, version) in live {
        names.entry(*version).or_default().push(name.clone());
    }
    names
}
