//! The access control list of the root, and the permissions of the user.

use super::{faults, paths::stripe, table::ZookeeperTable};
use crate::{
    fault::{Fault, FaultKind},
    model::{Grant, GrantState, Setting, SettingState, Severity},
    table::{Access, Key},
};
use zookeeper_client::{Acl, Error, MultiWriteError, Permission};

/// A version that no node reaches.
const NO_VERSION: i32 = i32::MAX;

/// Reads the settings of the root.
pub(super) async fn settings(table: &ZookeeperTable) -> Result<Vec<Setting>, Fault> {
    let doing = format!("checking the settings of the ledger in `{}`", table.paths.root());
    let client = table.session.client(&doing).await?;
    let root = table.paths.root();
    let (state, found) = match table.session.answer(&client, &doing, client.get_acl(root)).await? {
        Ok((acls, _)) => {
            let open: Vec<_> = acls.iter().filter(|acl| is_open(acl)).map(shown).collect();
            let state = if open.is_empty() { SettingState::On } else { SettingState::Off };
            (state, (!open.is_empty()).then(|| open.join(", ")))
        }
        Err(Error::NoAuth) => (SettingState::NotKnown("the user may not read the node".to_owned()), None),
        Err(error) => return Err(faults::of(&doing, error)),
    };
    let repair = (state == SettingState::Off).then(|| {
        let user = table.session.login().map_or("USER", |login| login.user());
        format!("zkCli.sh: addauth digest {user}:PASSWORD; setAcl -R {root} auth::cdrwa")
    });
    Ok(vec![Setting {
        name: "zookeeper_acl",
        title: format!("an access control list on the node {root}"),
        state,
        repair,
        severity: Severity::Minor,
        found,
    }])
}

/// Returns true if everybody can change the node.
fn is_open(acl: &Acl) -> bool {
    acl.scheme() == "world" && acl.permission() != Permission::READ && acl.permission() != Permission::NONE
}

fn shown(acl: &Acl) -> String {
    format!("{}:{}: {}", acl.scheme(), acl.id(), acl.permission())
}

/// Tries each access on the stripe of its partition: what may be done to the nodes below is, for all that sacker made,
/// the same.
pub(super) async fn grants(table: &ZookeeperTable, accesses: &[(Access, Key)]) -> Result<Vec<Grant>, Fault> {
    let mut found: Vec<Grant> = Vec::new();
    for (access, key) in accesses {
        let writes = matches!(access, Access::Put | Access::Update);
        let action = if writes { "zookeeper:write" } else { "zookeeper:read" };
        let resource = match access {
            Access::Scan => "the whole ledger".to_owned(),
            _ => key.pk.clone(),
        };
        if found.iter().any(|grant| grant.action == action && grant.resource == resource) {
            continue;
        }
        let state = match attempt(table, writes, key).await {
            Ok(()) => GrantState::Granted,
            Err(fault) if fault.kind == FaultKind::Denied => GrantState::Denied(fault.source.to_string()),
            Err(fault) if fault.kind.is_transient() => return Err(fault),
            Err(fault) => GrantState::NotKnown(format!("{fault}: {}", fault.source)),
        };
        found.push(Grant { action, resource, state });
    }
    Ok(found)
}

/// Sends a transaction that needs the permission, and that can't succeed.
async fn attempt(table: &ZookeeperTable, writes: bool, key: &Key) -> Result<(), Fault> {
    let doing = table.reading();
    let client = table.session.client(&doing).await?;
    let (stripe, node) = (table.paths.stripe(stripe(&key.pk)), table.session.node());
    let mut multi = client.new_multi_writer();
    let built = if writes {
        let created = multi.add_create(&format!("{stripe}/0"), b"", &node);
        created.and_then(|()| multi.add_set_data(&stripe, b"", Some(NO_VERSION)))
    } else {
        multi.add_check_version(&stripe, NO_VERSION)
    };
    built.map_err(|error| faults::of(&doing, error))?;
    match table.session.answer(&client, &doing, multi.commit()).await? {
        Err(MultiWriteError::OperationFailed { source: Error::BadVersion, .. }) => Ok(()),
        Err(error) => Err(faults::of(&doing, error.into())),
        Ok(_) => Err(Fault::new(FaultKind::Unexpected, doing, "a node had a version that none reaches")),
    }
}
