//! The steps of an addition: beginning it while its blob is being hashed, returning where the blob must be stored, and
//! committing.

use super::add::{self, Addition, Outcome};
use crate::{
    ledger::{
        AddRequest, Added, Draft, Error, Staged, TableLedger,
        engine::{attempt::Commit, operation::Step},
        schema,
        table_ledger::READING,
    },
    model::{Blob, Digest, IdempotencyKey, Version},
};

impl TableLedger {
    /// Implements [`Ledger::begin_add`](crate::ledger::Ledger::begin_add).
    pub(in crate::ledger) async fn begin_addition(
        &self,
        request: &AddRequest,
        sha256: Option<&Digest>,
    ) -> Result<Draft, Error> {
        let (mut keys, one) = (add::reads(request), add::reads_at_once(request));
        // The epoch is only being read now. Few ledgers ever leave the first.
        keys.extend(sha256.map(|sha256| schema::blob_key(sha256, 0)));
        let read = async {
            let seen = self.retry_policy().run(READING, || self.read_once(keys.clone(), one)).await?;
            let meta = self.make_identity(&seen).await?;
            let ledger = self.identify(meta).await?;
            Ok::<_, Error>((seen, ledger))
        };
        let (seen, ledger) = read.await.map_err(|error| error.unresolved(&request.author))?;
        Ok(Draft::new(ledger, self.op_id(&request.author), seen))
    }

    /// Implements [`Ledger::stage`](crate::ledger::Ledger::stage).
    pub(in crate::ledger) async fn stage_addition(
        &self,
        request: &AddRequest,
        sha256: &Digest,
        draft: &mut Draft,
    ) -> Result<Staged, Error> {
        let addition = Addition { request, sha256, epoch: draft.ledger.epoch, blob: None };
        let key = addition.blob_key();
        if !draft.seen.contains(&key) {
            let item = self.retrying(|| self.table().get(&key)).await;
            let item = item.map_err(|fault| Error::from(fault).unresolved(&request.author))?;
            draft.seen.more([(key, item)]);
        }
        let staged = if let Some(IdempotencyKey::Resume { .. }) = request.author.key {
            // The addition may be committed already: then the state is not as expected, and only the commit can find
            // that out.
            addition.needed(&draft.seen)?
        } else {
            let commit =
                Commit { ledger: self, operation: &addition, author: &request.author, op: &draft.op };
            match commit.expect(&mut draft.seen).await? {
                Step::Done(Outcome::Stage(staged)) => staged,
                _ => Staged::NothingToStore,
            }
        };
        draft.set_staged(staged);
        Ok(staged)
    }

    /// Implements [`Ledger::add`](crate::ledger::Ledger::add).
    pub(in crate::ledger) async fn commit_addition(
        &self,
        request: &AddRequest,
        blob: &Blob,
        draft: &mut Draft,
    ) -> Result<Added, Error> {
        // A committed outcome must be reported, even if a cancellation is requested while the tags are read afterwards.
        let Some(_guard) = self.retry_policy().cancellation().begin_commit() else {
            return Err(Error::Interrupted);
        };
        // The caller stores a blob only where `stage` required it. A blob at any other generation is not in the store.
        let staged_blob = draft.was_staged(blob.address.generation).then_some(blob);
        let epoch = draft.ledger.epoch;
        let addition = Addition { request, sha256: &blob.address.sha256, epoch, blob: staged_blob };
        // The state of the blob is out of date if it was collected since.
        let known = draft.seen.contains(&addition.blob_key())
            && (staged_blob.is_none() || addition.stored(&draft.seen)?.is_some());
        let seen = known.then(|| draft.seen.clone());
        let commit = Commit { ledger: self, operation: &addition, author: &request.author, op: &draft.op };
        let (item, new) = match commit.run(seen).await? {
            Outcome::Made(item) => (item, true),
            Outcome::Unchanged(item) => (item.show(), false),
            Outcome::Stage(staged) => {
                draft.set_staged(staged);
                let Staged::Upload { generation, .. } = staged else {
                    unreachable!("a plan never returns this")
                };
                return Ok(Added::Restage(generation));
            }
        };
        let mut release = item.into_release(&request.package);
        release.tags = self.tags_of_added(request, release.version, new).await;
        Ok(Added::Version { release: Box::new(release), new })
    }

    /// Returns the tags on a version that was added or existed already. Never fails, since the addition is committed.
    async fn tags_of_added(&self, request: &AddRequest, version: Version, new: bool) -> Vec<String> {
        if !new && let Ok(mut tags) = self.tags_by_version(&request.package).await {
            return tags.remove(&version).unwrap_or_default();
        }
        let requested = add::tags(request).into_iter().map(ToString::to_string);
        std::iter::once("latest".to_owned()).chain(requested).collect()
    }
}
