//! The settings of the store's folder, and a test of the server's properties that the store relies on.

use super::{
    HdfsStore,
    calls::call,
    owner,
    temporary::{remove, small},
};
use crate::{
    fault::{Fault, FaultKind},
    model::{Setting, SettingState, Severity},
};
use hdfs_native::client::FileStatus;

/// The share of a quota that may be used: nine tenths.
const USED: f64 = 0.9;

fn setting(name: &'static str, title: String, state: SettingState, severity: Severity) -> Setting {
    Setting { name, title, state, repair: None, severity, found: None }
}

fn on(is_on: bool) -> SettingState {
    if is_on { SettingState::On } else { SettingState::Off }
}

/// Returns the settings of the folder. HDFS shows neither whether it has snapshots nor whether it is in safe mode.
pub(super) async fn settings(store: &HdfsStore) -> Result<Vec<Setting>, Fault> {
    let folder = store.folder();
    let root = store.root_status(|| store.doing("reading the permissions")).await?;
    let private = Setting {
        repair: Some(format!("hdfs dfs -chmod o-w {folder}")),
        found: Some(format!("mode {:04o}, owner {}:{}", root.permission, root.owner, root.group)),
        ..setting(
            "folder_not_public",
            format!("only the owner and the group may write to the folder {folder}"),
            on(root.permission & 0o002 == 0),
            Severity::Serious,
        )
    };
    Ok(vec![private, replication(store).await?, quota(store).await?])
}

/// Judges the replication by a file that is there: the cluster's default decides.
async fn replication(store: &HdfsStore) -> Result<Setting, Fault> {
    let doing = || store.doing("reading the replication");
    let listed = call(doing, store.client.list_status(store.folder(), false)).await?;
    let owner = listed.into_iter().find(|status: &FileStatus| status.path.ends_with("/OWNER"));
    let copies = owner.and_then(|owner| owner.replication);
    let state = match copies {
        Some(copies) => on(copies > 1),
        None => SettingState::NotKnown("the store has no file yet".to_owned()),
    };
    let folder = store.folder();
    let title = format!("each block in the folder {folder} is on several DataNodes");
    Ok(Setting {
        repair: Some(format!("hdfs dfs -setrep -R 3 {folder}")),
        found: copies.map(|copies| format!("replication {copies}")),
        ..setting("folder_replication", title, state, Severity::Serious)
    })
}

async fn quota(store: &HdfsStore) -> Result<Setting, Fault> {
    let doing = || store.doing("reading the quota");
    let summary = call(doing, store.client.get_content_summary(store.folder())).await?;
    let names = summary.file_count + summary.directory_count;
    let quotas = [(names, summary.quota, "names"), (summary.space_consumed, summary.space_quota, "bytes")];
    // Without a quota it is -1.
    let quotas =
        quotas.into_iter().filter(|(_, quota, _)| i64::try_from(*quota).is_ok_and(|quota| quota > 0));
    let used: Vec<_> = quotas.collect();
    #[expect(clippy::cast_precision_loss, reason = "a share is enough")]
    let has_room = used.iter().all(|(used, quota, _)| (*used as f64) < *quota as f64 * USED);
    let shown: Vec<_> = used.iter().map(|(used, quota, what)| format!("{used} of {quota} {what}")).collect();
    let title = format!("the quotas of the folder {} have room", store.folder());
    Ok(Setting {
        found: Some(if shown.is_empty() { "no quota".to_owned() } else { shown.join(", ") }),
        ..setting("folder_quota", title, on(has_room), Severity::Minor)
    })
}

const CREATE: &str = "server_exclusive_create";
const RENAME: &str = "server_exclusive_rename";
const REPLACE: &str = "server_atomic_replace";
const REMEDY: &str = "use a NameNode of Apache Hadoop 3: other servers of this protocol were not tested";

/// Tests with two files in `tmp/` that the server refuses to create or rename over a file, and replaces one if that is
/// requested. Both are removed.
pub(super) async fn probe(store: &HdfsStore, owner: &str) -> Result<Vec<Setting>, Fault> {
    let doing = || store.doing("testing the server");
    let present = owner::read(store).await?.map(|(owner, _)| owner);
    if present.as_deref() != Some(owner) {
        return Err(Fault::new(FaultKind::Contended, doing(), "the store has another owner"));
    }
    let first = match small(store, "first", doing).await {
        Err(fault) if fault.kind == FaultKind::Denied => {
            let why = format!("writing is not allowed: {}", fault.source);
            let state = || SettingState::NotKnown(why.clone());
            return Ok([CREATE, RENAME, REPLACE].map(|name| property(name, state())).into());
        }
        made => made?,
    };
    let second = small(store, "second", doing).await;
    let tried = match &second {
        Ok(second) => properties(store, &first, second).await,
        Err(_) => Ok([true; 3]),
    };
    remove(store, &first).await;
    remove(store, &second?).await;
    let names = [CREATE, RENAME, REPLACE];
    let lacks: Vec<_> =
        names.into_iter().zip(tried?).filter_map(|(name, has)| (!has).then_some(name)).collect();
    if lacks.is_empty() {
        return Ok(names.map(|name| property(name, SettingState::On)).into());
    }
    let why = format!("the server lacks {}", lacks.join(", "));
    Err(Fault { remedy: Some(REMEDY), ..Fault::new(FaultKind::Misconfigured, doing(), why) })
}

fn property(name: &'static str, state: SettingState) -> Setting {
    let title = match name {
        CREATE => "a file is created only if there is none",
        RENAME => "a file is renamed only if there is none of that name",
        _ => "a file is replaced in one step",
    };
    setting(name, title.to_owned(), state, Severity::Serious)
}

/// Returns true for each property that the server has.
async fn properties(store: &HdfsStore, first: &str, second: &str) -> Result<[bool; 3], Fault> {
    let doing = || store.doing("testing the server");
    let options = hdfs_native::WriteOptions::default().create_parent(false);
    let created = refused(call(doing, store.client.create(first, &options)).await)?;
    let renamed = refused(call(doing, store.client.rename(first, second, false)).await)?;
    let replaced = call(doing, store.client.rename(first, second, true)).await;
    let gone = store.status(first, doing).await?.is_none();
    Ok([created, renamed, replaced.is_ok() && gone])
}

/// Returns true if the server refused, because the target exists.
fn refused<T>(tried: Result<T, Fault>) -> Result<bool, Fault> {
    match tried {
        Ok(_) => Ok(false),
        Err(fault) if fault.kind == FaultKind::Contended => Ok(true),
        Err(fault) => Err(fault),
    }
}
