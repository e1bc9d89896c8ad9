//! The permissions that the credentials have, and the roles that need each.

use super::findings::{Finding, Findings, Verdict};
use crate::model::{Grant, GrantState, PackageName, roles_granting};

/// The command that tries the permissions to write.
pub(super) const PROBE: &str = "sacker doctor --probe";

/// Adds a finding for each permission on the ledger.
pub(super) fn of_ledger(grants: &[Grant], package: Option<&PackageName>, probe: bool, found: &Findings) {
    for grant in grants {
        found.add(finding(grant, probe));
    }
    // Elsewhere nothing was tried, one permission to write is for all packages, or the grants are known without a trial.
    if !grants.iter().any(|grant| grant.action.starts_with("dynamodb:")) {
        return;
    }
    let name = "grant:dynamodb:writes";
    if !probe {
        let detail = "the permissions to write are tried only with --probe";
        found.add(Finding::new(name, Verdict::Unknown, detail).repair(PROBE));
    } else if package.is_none() {
        let detail = "the permissions to write are tried for a package only with --package";
        found
            .add(Finding::new(name, Verdict::Unknown, detail).repair("sacker doctor --probe --package NAME"));
    }
}

/// Adds a finding for each permission on the store.
pub(super) fn of_store(grants: &[Grant], probe: bool, found: &Findings) {
    for grant in grants {
        found.add(finding(grant, probe));
    }
}

/// Returns the finding of a permission. A permission that is missing is no defect: it depends on the role.
fn finding(grant: &Grant, probe: bool) -> Finding {
    let roles = roles_granting([(grant.action, grant.resource.as_str())]).join(", ");
    let roles = if roles.is_empty() { roles } else { format!(" (for: {roles})") };
    let on = format!("{} on {}{roles}", grant.action, grant.resource);
    let (verdict, detail) = match &grant.state {
        GrantState::Granted => (Verdict::Ok, format!("{on} is allowed")),
        GrantState::Denied(_) => (Verdict::Ok, format!("{on} is not allowed")),
        GrantState::NotKnown(why) => (Verdict::Unknown, format!("{on} is unknown: {why}")),
        GrantState::NotTried if probe => (
            Verdict::Unknown,
            format!("{on} is unknown: without a test of the server, nothing is written to it"),
        ),
        GrantState::NotTried => (Verdict::Unknown, format!("{on} is unknown: it is tried only with --probe")),
    };
    let found = Finding::new(format!("grant:{}:{}", grant.action, grant.resource), verdict, detail);
    if grant.state == GrantState::NotTried && !probe { found.repair(PROBE) } else { found }
}
