//! The implementation of [`Ledger`] over a table.

use super::{
    AddRequest, Added, ApplyRequest, AuditReport, BlobStatus, ChangeRequest, Changed, CheckReport,
    CheckRequest, Draft, Error, ExportItem, FreezeRequest, Freezes, Identity, ImportBatch, Importing, Ledger,
    OnProgress, OnViolation, PackageQuery, Positions, ProtectRequest, PruneRequest, Pruned, RecallRequest,
    Recalled, RollbackRequest, Staged, Stops, TableLedger, TagRequest, ThawRequest, Transfers, UntagRequest,
    changes::freezing::Freezing, contract::sealed::Sealed, schema,
};
use crate::model::{
    Address, Blob, Created, Digest, Event, Freeze, FreezeEvent, Grant, Moment, PackageName, PackageStatus,
    PackageSummary, Release, Revs, Setting, Spec, TagMove, TagName, Tagged, Timestamp, Trial, Version,
    VersionRange,
};
use async_trait::async_trait;
use futures_util::stream::BoxStream;

impl Sealed for TableLedger {}

#[async_trait]
impl Freezes for TableLedger {
    async fn freeze(&self, request: &FreezeRequest) -> Result<FreezeEvent, Error> {
        Error::check_author(&request.author)?;
        self.change_freezes(&Freezing::Freeze(request)).await
    }

    async fn thaw(&self, request: &ThawRequest) -> Result<FreezeEvent, Error> {
        Error::check_author(&request.author)?;
        self.change_freezes(&Freezing::Thaw(request)).await
    }

    async fn freezes(&self) -> Result<Vec<Freeze>, Error> {
        self.read_freezes().await
    }

    fn freeze_history(&self) -> BoxStream<'_, Result<FreezeEvent, Error>> {
        self.read_freeze_history()
    }
}

#[async_trait]
impl Ledger for TableLedger {
    fn describe(&self) -> String {
        self.table().describe()
    }

    async fn create(&self) -> Result<(Created, String), Error> {
        let created = self.retry_policy().run("creating the ledger", || self.table().create()).await?;
        let key = schema::meta_key();
        let meta = self.make_identity(&self.read(vec![key]).await?).await?;
        Ok((created, meta.ledger))
    }

    async fn settings(&self) -> Result<Vec<Setting>, Error> {
        let look = || self.table().settings();
        Ok(self.retry_policy().run("checking the settings of the ledger", look).await?)
    }

    fn server_time(&self) -> Option<Timestamp> {
        let now = self.now();
        now.of_server.then_some(now.at)
    }

    async fn grants(&self, package: Option<&PackageName>, trial: Trial) -> Result<Vec<Grant>, Error> {
        self.try_grants(package, trial).await
    }

    fn packages(&self, query: &PackageQuery) -> BoxStream<'_, Result<PackageName, Error>> {
        self.list_packages(query)
    }

    async fn summaries(&self, packages: &[PackageName]) -> Result<Vec<PackageSummary>, Error> {
        self.read_summaries(packages).await
    }

    fn versions(&self, package: &PackageName) -> BoxStream<'_, Result<Release, Error>> {
        self.list_versions(package, VersionRange::ALL)
    }

    fn versions_in(
        &self,
        package: &PackageName,
        range: VersionRange,
    ) -> BoxStream<'_, Result<Release, Error>> {
        self.list_versions(package, range)
    }

    async fn time_of(&self, moment: Moment) -> Result<Timestamp, Error> {
        self.read_time(moment).await
    }

    async fn status(
        &self,
        packages: &[PackageName],
        tags: &[TagName],
        at: Option<Timestamp>,
    ) -> Result<Vec<PackageStatus>, Error> {
        self.read_statuses(packages, tags, at).await
    }

    async fn revs(&self, packages: &[PackageName]) -> Result<Vec<Revs>, Error> {
        self.read_revs(packages).await
    }

    fn events(&self, package: &PackageName, after: Revs) -> BoxStream<'_, Result<Event, Error>> {
        self.read_events(package, after)
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
        Error::check_author(&request.author)?;
        self.begin_addition(request, sha256).await
    }

    async fn stage(&self, request: &AddRequest, sha256: &Digest, draft: &mut Draft) -> Result<Staged, Error> {
        Error::check_author(&request.author)?;
        self.stage_addition(request, sha256, draft).await
    }

    async fn add(&self, request: &AddRequest, blob: &Blob, draft: &mut Draft) -> Result<Added, Error> {
        Error::check_author(&request.author)?;
        self.commit_addition(request, blob, draft).await
    }

    async fn tag(&self, request: &TagRequest) -> Result<TagMove, Error> {
        Error::check_author(&request.author)?;
        self.move_tag(request).await
    }

    async fn untag(&self, request: &UntagRequest) -> Result<TagMove, Error> {
        Error::check_author(&request.author)?;
        self.take_tag_off(request).await
    }

    async fn rollback(&self, request: &RollbackRequest) -> Result<TagMove, Error> {
        Error::check_author(&request.author)?;
        self.put_tag_back(request).await
    }

    async fn apply(&self, request: &ApplyRequest) -> Result<Vec<TagMove>, Error> {
        Error::check_author(&request.author)?;
        self.apply_moves(request).await
    }

    async fn preview(&self, request: &ApplyRequest) -> Result<Vec<TagMove>, Error> {
        Error::check_author(&request.author)?;
        self.preview_moves(request).await
    }

    async fn protect(&self, request: &ProtectRequest) -> Result<TagMove, Error> {
        Error::check_author(&request.author)?;
        self.commit(request, &request.author).await
    }

    async fn check(&self, request: &CheckRequest) -> Result<CheckReport, Error> {
        self.check_gates(request).await
    }

    fn history(&self, package: &PackageName, tag: Option<&TagName>) -> BoxStream<'_, Result<Event, Error>> {
        self.read_history(package, tag)
    }

    async fn change(&self, request: &ChangeRequest) -> Result<Changed, Error> {
        Error::check_author(&request.author)?;
        self.change_version(request).await
    }

    async fn recall(&self, request: &RecallRequest) -> Result<Recalled, Error> {
        Error::check_author(&request.author)?;
        self.recall_version(request, false).await
    }

    async fn preview_recall(&self, request: &RecallRequest) -> Result<Recalled, Error> {
        Error::check_author(&request.author)?;
        self.recall_version(request, true).await
    }

    async fn stops(&self, package: &PackageName, depth: u16) -> Result<Stops, Error> {
        self.read_stops(package, depth).await
    }

    async fn prune(&self, request: &PruneRequest, stops: &Stops) -> Result<Pruned, Error> {
        Error::check_author(&request.author)?;
        self.prune_version(request, stops).await
    }

    async fn identity(&self) -> Result<Option<Identity>, Error> {
        let key = schema::meta_key();
        match self.read(vec![key.clone()]).await?.get(&key)? {
            Some(meta) => Ok(Some(self.identify(meta).await?)),
            None => Ok(None),
        }
    }

    async fn adopt(&self, seen: &Identity, epoch: u64) -> Result<Identity, Error> {
        self.change_identity(seen, epoch, None).await
    }

    async fn raise(&self, seen: &Identity, epoch: u64) -> Result<Identity, Error> {
        self.change_identity(seen, epoch, Some(seen.mark())).await
    }

    async fn blob_statuses(&self, addresses: &[Address]) -> Result<Vec<BlobStatus>, Error> {
        self.read_blob_statuses(addresses).await
    }

    async fn condemn(&self, address: &Address) -> Result<bool, Error> {
        self.condemn_one(address).await
    }

    async fn audit_observed(
        &self,
        repair: bool,
        on_violation: OnViolation<'_>,
        on_progress: OnProgress<'_>,
    ) -> Result<AuditReport, Error> {
        self.audit_all(repair, on_violation, on_progress).await
    }
}

#[async_trait]
impl Transfers for TableLedger {
    async fn positions(&self, packages: &[PackageName]) -> Result<Vec<Positions>, Error> {
        self.read_positions(packages).await
    }

    async fn has_passed(&self, package: &PackageName, at: &Positions) -> Result<bool, Error> {
        self.has_entries(package, at).await
    }

    fn export(&self, package: &PackageName, from: &Positions) -> BoxStream<'_, Result<ExportItem, Error>> {
        self.export_package(package, from)
    }

    async fn mark_import(&self, begins: bool) -> Result<Identity, Error> {
        self.mark(begins).await
    }

    async fn import(&self, importing: &mut Importing, batch: &ImportBatch, last: bool) -> Result<(), Error> {
        self.import_batch(importing, batch, last).await
    }
}
