//! The roles that grant a permission. `SECURITY.md` describes the roles; a test compares this with their policies.

const READERS: &[&str] = &["reader", "publisher", TAGGING, "promoter", "freezer", "auditor"];
const ALL: &[&str] = &["reader", "publisher", TAGGING, "promoter", "freezer", "collector", "auditor"];
const PUBLISHERS: &[&str] = &["publisher", TAGGING];
const COLLECTING: &[&str] = &["publisher", TAGGING, "collector"];
/// The publisher of the module with that variable.
const TAGGING: &str = "publisher (with publisher_may_tag)";

/// Returns the roles that grant all of these pairs of an action and a partition, bucket or object; none for no pair. The
/// administrator, who has every grant, is named only if no other role grants one of them.
pub(crate) fn roles_granting<'a>(
    permissions: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<&'static str> {
    let mut each = permissions.into_iter().map(|(action, on)| of(action, on));
    let mut roles = each.next().unwrap_or_default().to_vec();
    for grants in each {
        roles.retain(|role| grants.contains(role));
    }
    if roles.contains(&"publisher") {
        roles.retain(|role| *role != TAGGING);
    }
    roles
}

/// Returns the roles that grant a permission.
fn of(action: &str, on: &str) -> &'static [&'static str] {
    let kind = on.chars().next().unwrap_or_default();
    let owner = on == "OWNER" || on.ends_with("/OWNER");
    match (action, kind) {
        ("s3:GetObject", _) if owner => &["publisher", TAGGING, "collector", "auditor"],
        ("s3:PutObject", _) if !owner => PUBLISHERS,
        ("s3:AbortMultipartUpload", _) if !owner => COLLECTING,
        ("dynamodb:GetItem" | "dynamodb:BatchGetItem", 'M') | ("s3:ListBucket" | "kms:Decrypt", _) => ALL,
        ("dynamodb:GetItem" | "dynamodb:BatchGetItem" | "dynamodb:UpdateItem", 'B')
        | ("s3:ListMultipartUploadParts", _) => COLLECTING,
        ("dynamodb:PutItem", 'P' | 'D')
        | ("dynamodb:UpdateItem", 'P')
        | ("dynamodb:ConditionCheckItem", 'T')
        | ("dynamodb:Query", 'B')
        | ("kms:GenerateDataKey", _) => PUBLISHERS,
        ("dynamodb:GetItem" | "dynamodb:BatchGetItem" | "dynamodb:Query", 'F') if on != "F" => {
            &[TAGGING, "promoter", "freezer", "auditor"]
        }
        ("dynamodb:GetItem" | "dynamodb:BatchGetItem" | "dynamodb:Query" | "s3:GetObject", _) => READERS,
        ("dynamodb:PutItem", 'T') | ("dynamodb:ConditionCheckItem", 'F') => &["promoter", TAGGING],
        ("dynamodb:PutItem", 'F') => &["freezer"],
        ("dynamodb:ConditionCheckItem", 'P') => &["promoter"],
        ("dynamodb:Scan", _) => &["auditor"],
        ("s3:ListBucketMultipartUploads" | "s3:DeleteObject", _) => &["collector"],
        (action, _) if action.starts_with("dynamodb:") || action.starts_with("s3:") => &["administrator"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_has_the_roles_that_need_it() {
        let of = |action, on| roles_granting([(action, on)]).join(", ");
        assert_eq!(of("dynamodb:PutItem", "P#app"), "publisher");
        assert_eq!(of("dynamodb:PutItem", "T#app"), "promoter, publisher (with publisher_may_tag)");
        assert_eq!(of("dynamodb:Scan", "the whole table"), "auditor");
        assert_eq!(of("dynamodb:CreateTable", "the table t"), "administrator");
        assert_eq!(of("s3:GetObject", "a/OWNER"), "publisher, collector, auditor");
        assert_eq!(of("s3:GetObject", "a/sha256/*"), "reader, publisher, promoter, freezer, auditor");
        assert_eq!(of("dynamodb:PutItem", "F#03"), "freezer");
        assert_eq!(of("dynamodb:ConditionCheckItem", "F#03"), "promoter, publisher (with publisher_may_tag)");
        assert_eq!(of("s3:DeleteObject", "a/sha256/*"), "collector");
        assert_eq!(of("logs:PutLogEvents", "l"), "");
    }

    #[test]
    fn all_permissions_are_of_one_role() {
        let both = roles_granting([("dynamodb:PutItem", "P#app"), ("dynamodb:PutItem", "T#app")]);
        assert_eq!(both, ["publisher (with publisher_may_tag)"]);
        assert!(roles_granting([("dynamodb:Scan", ""), ("s3:DeleteObject", "x")]).is_empty());
        assert!(roles_granting([]).is_empty());
    }
}
