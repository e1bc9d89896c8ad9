//! The permissions that the credentials have, and the roles that need each.

use super::findings::{Finding, Findings, Verdict};
use crate::model::{Grant, GrantState, PackageName};

/// The roles that need an action on a kind of partition or object: its first letters, up to the name of a package or
/// blob.
const ROLES: [(&str, &str, &str); 18] = [
    ("dynamodb:GetItem", "M", "reader, publisher, promoter, collector, auditor"),
    ("dynamodb:BatchGetItem", "B#", "publisher, collector"),
    ("dynamodb:Query", "D#", "reader, auditor"),
    ("dynamodb:Query", "P#", "reader, publisher, promoter, auditor"),
    ("dynamodb:Query", "T#", "reader, publisher, promoter, auditor"),
    ("dynamodb:Scan", "", "auditor"),
    ("dynamodb:UpdateItem", "B#", "publisher, collector"),
    ("dynamodb:PutItem", "D#", "publisher"),
    ("dynamodb:PutItem", "P#", "publisher"),
    ("dynamodb:UpdateItem", "P#", "publisher"),
    ("dynamodb:ConditionCheckItem", "P#", "promoter"),
    ("dynamodb:PutItem", "T#", "promoter"),
    ("dynamodb:ConditionCheckItem", "T#", "publisher"),
    ("s3:ListBucket", "", "reader, publisher, collector, auditor"),
    ("s3:ListBucketMultipartUploads", "", "collector"),
    ("s3:PutObject", "", "publisher"),
    ("s3:AbortMultipartUpload", "", "publisher, collector"),
    ("s3:DeleteObject", "", "collector"),
];

fn roles(grant: &Grant) -> &'static str {
    if grant.action == "s3:GetObject" {
        let of_owner = grant.resource.ends_with("OWNER");
        return if of_owner { "publisher, collector, auditor" } else { "reader, publisher, auditor" };
    }
    let row = ROLES.iter().find(|(action, on, _)| grant.action == *action && grant.resource.starts_with(on));
    row.map_or("administrator", |(_, _, roles)| *roles)
}

/// Adds a finding for each permission on the ledger.
pub(super) fn of_ledger(grants: &[Grant], package: Option<&PackageName>, probe: bool, found: &Findings) {
    for grant in grants {
        found.add(finding(grant));
    }
    // Nothing was tried on a ledger without permissions.
    if grants.is_empty() {
        return;
    }
    let name = "grant:dynamodb:writes";
    if !probe {
        let detail = "the permissions to write are tried only with --probe";
        found.add(Finding::new(name, Verdict::Unknown, detail).repair("sacker doctor --probe"));
    } else if package.is_none() {
        let detail = "the permissions to write are tried for a package only with --package";
        found
            .add(Finding::new(name, Verdict::Unknown, detail).repair("sacker doctor --probe --package NAME"));
    }
}

/// Adds a finding for each permission on the store.
pub(super) fn of_store(grants: &[Grant], found: &Findings) {
    for grant in grants {
        found.add(finding(grant));
    }
}

/// Returns the finding of a permission. A permission that is missing is no defect: it depends on the role.
fn finding(grant: &Grant) -> Finding {
    let on = format!("{} on {} (for: {})", grant.action, grant.resource, roles(grant));
    let (verdict, detail) = match &grant.state {
        GrantState::Granted => (Verdict::Ok, format!("{on} is allowed")),
        GrantState::Denied(_) => (Verdict::Ok, format!("{on} is not allowed")),
        GrantState::NotKnown(why) => (Verdict::Unknown, format!("{on} is unknown: {why}")),
    };
    Finding::new(format!("grant:{}:{}", grant.action, grant.resource), verdict, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_permission_names_the_roles_that_need_it() {
        let of = |action, resource: &str| {
            roles(&Grant { action, resource: resource.to_owned(), state: GrantState::Granted })
        };
        assert_eq!(of("dynamodb:PutItem", "P#app"), "publisher");
        assert_eq!(of("dynamodb:PutItem", "T#app"), "promoter");
        assert_eq!(of("dynamodb:Scan", "the whole table"), "auditor");
        assert_eq!(of("s3:GetObject", "a/OWNER"), "publisher, collector, auditor");
        assert_eq!(of("s3:GetObject", "a/sha256/*"), "reader, publisher, auditor");
        assert_eq!(of("s3:DeleteObject", "a/sha256/*"), "collector");
    }
}
