//! The deletion of a version on the basis of the stops of the package's tags.

use super::{
    guard::{Guard, Kept},
    tagging::TagDependencies,
    version::{Changing, Outcome},
};
use crate::{
    ledger::{
        ChangeRequest, Changed, Error, PruneRequest, Pruned, Stops, TableLedger, engine::attempt::Commit,
    },
    model::{ReleaseChange, State},
};

impl TableLedger {
    /// Implements [`Ledger::prune`](crate::ledger::Ledger::prune).
    pub(in crate::ledger) async fn prune_version(
        &self,
        request: &PruneRequest,
        stops: &Stops,
    ) -> Result<Pruned, Error> {
        let PruneRequest { package, version, address, label_keep, author } = request;
        if stops.package != *package {
            return Ok(Pruned::Moved);
        }
        let mut change = ChangeRequest::new(package.clone(), *version, ReleaseChange::Delete);
        change.author = author.clone();
        // It is as of the revs that the transaction is conditional on.
        let tags = TagDependencies {
            rev: stops.tags_rev,
            on: stops.on(*version).iter().map(ToString::to_string).collect(),
            back: Vec::new(),
            unreadable: None,
        };
        let is_stop = !stops.of(*version).is_empty();
        let guard = Guard { releases_rev: stops.releases_rev, label: label_keep.as_deref(), is_stop };
        let (blob, deletion) = (Some(address.clone()), None);
        let operation = Changing { request: &change, tags, blob, deletion, guard: Some(guard) };
        let op = self.op_id(author);
        let commit = Commit { ledger: self, operation: &operation, author, op: &op };
        Ok(match commit.run(None).await? {
            Outcome::Changed(item, previous) => {
                debug_assert_eq!(item.state, State::Deleted, "a deletion deletes");
                Pruned::Deleted(Box::new(Changed { release: item.into_release(package), previous }))
            }
            Outcome::ReadAgain => Pruned::Moved,
            Outcome::Kept(Kept::Latest) => Pruned::Latest,
            Outcome::Kept(Kept::Labelled) => Pruned::Labelled,
            Outcome::Kept(Kept::Stop) => Pruned::Stop,
        })
    }
}
