//! The owner of a store: the files `OWNER`, `OWNER.1`, `OWNER.2` … of which the highest counts.
//!
//! HDFS has no compare-and-swap, but a rename that fails if the target exists. So an owner is replaced by the next
//! file, and no file is ever replaced or removed: of several replacements of one owner, one succeeds.

use super::{
    HdfsStore,
    calls::{call, found},
    temporary::{remove, small},
};
use crate::{
    failpoint::reach,
    fault::{Fault, FaultKind},
    store::{OWNER_MOST, sending::without_owner},
};

fn name(number: u64) -> String {
    if number == 0 { "OWNER".to_owned() } else { format!("OWNER.{number}") }
}

/// Returns the number in the name of an owner's file.
fn number(name: &str) -> Option<u64> {
    match name.strip_prefix("OWNER")? {
        "" => Some(0),
        rest => rest.strip_prefix('.')?.parse().ok().filter(|number| *number > 0),
    }
}

/// Returns the present owner, and the number of its file.
pub(super) async fn read(store: &HdfsStore) -> Result<Option<(String, u64)>, Fault> {
    let doing = || store.doing("reading the owner");
    let listed = call(doing, store.client.list_status(store.folder(), false)).await;
    let files = listed?.into_iter().filter(|status| !status.isdir);
    let last = files.filter_map(|status| number(status.path.rsplit('/').next()?)).max();
    let Some(last) = last else { return Ok(None) };
    let path = store.path(name(last));
    let gone = || Fault::new(FaultKind::Unavailable, doing(), "its file was removed");
    let reader = found(call(doing, store.client.read(&path)).await)?.ok_or_else(gone)?;
    let length = reader.file_length().min(usize::try_from(OWNER_MOST).unwrap_or(usize::MAX));
    let owner = call(doing, reader.read_range(0, length)).await?;
    Ok(Some((String::from_utf8_lossy(&owner).trim_end().to_owned(), last)))
}

/// Makes `ledger` the owner if there is none.
pub(super) async fn claim(store: &HdfsStore, ledger: &str) -> Result<String, Fault> {
    if let Some((owner, _)) = read(store).await? {
        return Ok(owner);
    }
    let doing = || store.doing("claiming the store");
    let complete = small(store, ledger, doing).await?;
    reach("owner-complete");
    become_owner(store, &complete, 0, doing).await?;
    let present = read(store).await?.map(|(owner, _)| owner);
    present.ok_or_else(|| without_owner(&store.place))
}

/// Makes `to` the owner if `from` is the owner.
pub(super) async fn replace(store: &HdfsStore, from: &str, to: &str) -> Result<String, Fault> {
    let (owner, last) = read(store).await?.ok_or_else(|| without_owner(&store.place))?;
    if owner != from {
        return Ok(owner);
    }
    let doing = || store.doing("replacing the owner");
    let complete = small(store, to, doing).await?;
    reach("owner-replacing");
    become_owner(store, &complete, last + 1, doing).await?;
    let present = read(store).await?.map(|(owner, _)| owner);
    present.ok_or_else(|| without_owner(&store.place))
}

/// Gives a file the name of the owner with this number, unless another has it.
async fn become_owner(
    store: &HdfsStore,
    complete: &str,
    number: u64,
    doing: impl Fn() -> String,
) -> Result<(), Fault> {
    let renamed = call(doing, store.client.rename(complete, &store.path(name(number)), false)).await;
    match renamed {
        Ok(()) => Ok(()),
        Err(fault) => {
            remove(store, complete).await;
            // Another was first.
            if fault.kind == FaultKind::Contended { Ok(()) } else { Err(fault) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_ordered_by_number() {
        for last in [0, 1, 9, 10, 123] {
            assert_eq!(number(&name(last)), Some(last));
        }
        for other in ["OWNERS", "OWNER.", "OWNER.0", "OWNER.x", "OWNER.1.tmp", "sha256"] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
