//! The hint for a denied request: the permissions that it lacks, and the roles that grant them.

use crate::{
    fault::{Fault, Permission},
    model::roles_granting,
};
use std::collections::BTreeMap;

const NO_TRUST: &str = "these credentials may not assume the role: its trust policy must name them (for a pipeline, the subject of \
                        its token), and in another account their own policy must allow sts:AssumeRole, too";

/// The most partitions or objects that a hint names.
const NAMED: usize = 3;

/// Returns the hint for a denied request whose permissions are known.
pub(super) fn hint(fault: &Fault) -> Option<String> {
    let lacking = &*fault.lacking;
    let reported = fault.source.to_string();
    if reported.contains("perform: sts:AssumeRole") {
        return Some(NO_TRUST.to_owned());
    }
    let first = lacking.first()?;
    let one_action = lacking.iter().all(|one| one.action == first.action);
    let places = listed(lacking);
    if reported.contains("explicit deny") {
        return Some(format!(
            "a policy denies {places} explicitly, whatever a role grants: see the end of the message"
        ));
    }
    let lack = if one_action {
        format!("the credentials lack {places}")
    } else {
        format!("the credentials lack one of: {places}")
    };
    let roles = roles_granting(lacking.iter().map(|one| (one.action.as_str(), one.on.as_str())));
    let grant = match roles.as_slice() {
        [] => return Some(format!("{lack}; SECURITY.md lists what to grant")),
        [one] => format!("the role {one} grants"),
        [most @ .., last] => format!("the roles {} and {last} grant", most.join(", ")),
    };
    let packages = match roles.len() {
        _ if !lacking.iter().any(is_of_a_package) => "",
        1 => " for its packages",
        _ => " for their packages",
    };
    Some(format!("{lack}, which {grant}{packages}: use such a role, or see SECURITY.md for what to grant"))
}

/// Returns each action with its partitions or objects.
fn listed(lacking: &[Permission]) -> String {
    let mut by_action = BTreeMap::<&str, Vec<&str>>::new();
    for Permission { action, on } in lacking {
        by_action.entry(action).or_default().push(on);
    }
    let actions = by_action.into_iter().map(|(action, on)| {
        let more = on.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{action} on {}{more}", on[..on.len().min(NAMED)].join(", "))
    });
    actions.collect::<Vec<_>>().join("; ")
}

fn is_of_a_package(permission: &Permission) -> bool {
    let writes = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:ConditionCheckItem"];
    writes.contains(&permission.action.as_str()) && permission.on.starts_with(['P', 'T'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::FaultKind;
    use insta::assert_snapshot;

    fn hint_of(lacking: &[(&str, &str)], source: &str) -> String {
        let one = |&(action, on): &(&str, &str)| Permission { action: action.to_owned(), on: on.to_owned() };
        let lacking = lacking.iter().map(one).collect();
        let fault = Fault { lacking, ..Fault::new(FaultKind::Denied, "writing to the table `t`", source) };
        hint(&fault).unwrap_or_else(|| "no hint".to_owned())
    }

    #[test]
    fn a_hint_names_action_place_and_role() {
        let hints = [
            hint_of(&[], ""),
            hint_of(&[("dynamodb:PutItem", "T#app")], ""),
            hint_of(&[("dynamodb:PutItem", "D#1"), ("dynamodb:PutItem", "P#app")], ""),
            hint_of(&[("dynamodb:PutItem", "P#app"), ("dynamodb:PutItem", "T#app")], ""),
            hint_of(&[("dynamodb:ConditionCheckItem", "P#app"), ("dynamodb:PutItem", "T#app")], ""),
            hint_of(&[("dynamodb:Scan", "the table t")], ""),
            hint_of(&[("dynamodb:UpdateItem", "B#00")], ""),
            hint_of(&["P#a", "P#b", "P#c", "P#d", "P#e"].map(|on| ("dynamodb:GetItem", on)), ""),
            hint_of(&[("dynamodb:DeleteItem", "D#0")], ""),
            hint_of(&[("s3:GetObject", "p/sha256/00"), ("s3:ListBucket", "b")], ""),
            hint_of(&[("s3:PutObject", "p/OWNER")], ""),
            hint_of(
                &[],
                "no credentials: AccessDenied: User: u is not authorized to perform: sts:AssumeRole on resource: r",
            ),
            hint_of(&[("logs:PutLogEvents", "l")], ""),
            hint_of(
                &[("s3:GetObject", "p/OWNER")],
                "AccessDenied: … with an explicit deny in a resource-based policy",
            ),
        ];
        assert_snapshot!(hints.join("\n"), @"
        no hint
        the credentials lack dynamodb:PutItem on T#app, which the roles promoter and publisher (with publisher_may_tag) grant for their packages: use such a role, or see SECURITY.md for what to grant
        the credentials lack dynamodb:PutItem on D#1, P#app, which the role publisher grants for its packages: use such a role, or see SECURITY.md for what to grant
        the credentials lack dynamodb:PutItem on P#app, T#app, which the role publisher (with publisher_may_tag) grants for its packages: use such a role, or see SECURITY.md for what to grant
        the credentials lack one of: dynamodb:ConditionCheckItem on P#app; dynamodb:PutItem on T#app, which the role promoter grants for its packages: use such a role, or see SECURITY.md for what to grant
        the credentials lack dynamodb:Scan on the table t, which the role auditor grants: use such a role, or see SECURITY.md for what to grant
        the credentials lack dynamodb:UpdateItem on B#00, which the roles publisher and collector grant: use such a role, or see SECURITY.md for what to grant
        the credentials lack dynamodb:GetItem on P#a, P#b, P#c and 2 more, which the roles reader, publisher, promoter, freezer and auditor grant: use such a role, or see SECURITY.md for what to grant
        the credentials lack dynamodb:DeleteItem on D#0, which the role administrator grants: use such a role, or see SECURITY.md for what to grant
        the credentials lack one of: s3:GetObject on p/sha256/00; s3:ListBucket on b, which the roles reader, publisher, promoter, freezer and auditor grant: use such a role, or see SECURITY.md for what to grant
        the credentials lack s3:PutObject on p/OWNER, which the role administrator grants: use such a role, or see SECURITY.md for what to grant
        these credentials may not assume the role: its trust policy must name them (for a pipeline, the subject of its token), and in another account their own policy must allow sts:AssumeRole, too
        the credentials lack logs:PutLogEvents on l; SECURITY.md lists what to grant
        a policy denies s3:GetObject on p/OWNER explicitly, whatever a role grants: see the end of the message
        ");
    }
}
