//! The trust policies of the roles, executed: the tokens of pipelines, and the principals, that may assume each role.

use crate::support::{
    iam::{Ask, Policies},
    terraform,
};
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::111122223333:role/sacker-publisher";
const GITHUB: &str = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
const GITLAB: &str = "arn:aws:iam::111122223333:oidc-provider/gitlab.com";
/// The audiences that the module names if nothing else is said.
const AWS: &str = "sts.amazonaws.com";
const OF_GITLAB: &str = "https://gitlab.com";
const SECURITY: &str = "arn:aws:iam::111122223333:role/security";

/// Returns the request that exchanges a token for the credentials of a role. A token without a subject has none.
fn token(provider: &str, audience: &str, subject: &str) -> Ask {
    let (_, host) = provider.split_once("oidc-provider/").unwrap();
    let subject = Some(subject).filter(|subject| !subject.is_empty());
    let ask = Ask::new("sts:AssumeRoleWithWebIdentity", ROLE).with(&format!("{host}:aud"), [audience]);
    Ask { principal: Some(provider.to_owned()), ..ask.with(&format!("{host}:sub"), subject) }
}

fn principal(arn: &str) -> Ask {
    Ask { principal: Some(arn.to_owned()), ..Ask::new("sts:AssumeRole", ROLE) }
}

fn trust() -> Value {
    terraform::trust(&json!({
        "table_arn": crate::support::iam::TABLE,
        "bucket_arn": crate::support::iam::BUCKET,
        "github_oidc_provider_arn": GITHUB,
        "gitlab_oidc_provider_arn": GITLAB,
        "roles": {
            "publisher": { "github_subjects": ["repo:acme/app:ref:refs/heads/main", "repo:acme/web:ref:refs/tags/v*"] },
            "promoter": { "github_subjects": ["repo:acme/app:environment:production"] },
            "collector": { "gitlab_subjects": ["project_path:acme/app:ref_type:branch:ref:main"] },
            "auditor": { "principals": [SECURITY] },
        },
    }))
}

fn allows(trust: &Value, ask: Ask) -> bool {
    let policies = Policies { role: vec![], resource: Some(trust.clone()), boundary: None };
    policies.allow(&[ask]) == [true]
}

#[test]
fn only_the_tokens_that_a_role_names_may_assume_it() {
    let trust = trust();
    let main = "repo:acme/app:ref:refs/heads/main";
    let of_gitlab = "project_path:acme/app:ref_type:branch:ref:main";
    for (role, expected, ask) in [
        ("publisher", true, token(GITHUB, AWS, main)),
        ("publisher", true, token(GITHUB, AWS, "repo:acme/web:ref:refs/tags/v1")),
        ("publisher", false, token(GITHUB, AWS, "repo:acme/other:ref:refs/heads/main")),
        ("publisher", false, token(GITHUB, AWS, "repo:other/app:ref:refs/heads/main")),
        ("publisher", false, token(GITHUB, AWS, "repo:acme/app:ref:refs/heads/main2")),
        ("publisher", false, token(GITHUB, AWS, "repo:acme/app:ref:refs/heads/other")),
        ("publisher", false, token(GITHUB, AWS, "repo:acme/app:pull_request")),
        ("publisher", false, token(GITHUB, AWS, "repo:acme/web:ref:refs/heads/v1")),
        ("publisher", false, token(GITHUB, "https://github.com/acme", main)),
        ("publisher", false, token(GITHUB, AWS, "")),
        ("publisher", false, token(GITLAB, AWS, main)),
        ("promoter", true, token(GITHUB, AWS, "repo:acme/app:environment:production")),
        ("promoter", false, token(GITHUB, AWS, main)),
        ("promoter", false, token(GITHUB, AWS, "repo:acme/app:environment:canary")),
        ("collector", true, token(GITLAB, OF_GITLAB, of_gitlab)),
        ("collector", false, token(GITLAB, OF_GITLAB, "project_path:acme/other:ref_type:branch:ref:main")),
        ("collector", false, token(GITLAB, OF_GITLAB, "project_path:acme/app:ref_type:branch:ref:other")),
        ("collector", false, token(GITLAB, OF_GITLAB, "project_path:acme/app:ref_type:tag:ref:main")),
        ("collector", false, token(GITLAB, "https://gitlab.example", of_gitlab)),
        ("collector", false, token(GITLAB, OF_GITLAB, "")),
        ("collector", false, token(GITHUB, OF_GITLAB, of_gitlab)),
        ("auditor", true, principal(SECURITY)),
        ("auditor", false, principal("arn:aws:iam::111122223333:role/tester")),
        ("auditor", false, token(GITHUB, AWS, main)),
        ("publisher", false, principal(SECURITY)),
    ] {
        assert_eq!(allows(&trust[role], ask.clone()), expected, "{role}: {ask:?}");
    }
}

/// Each condition counts: without it, another token could assume the role.
#[test]
fn without_a_condition_another_token_may_assume_a_role() {
    for (role, provider, audience, subject) in [
        ("promoter", GITHUB, AWS, "repo:acme/app:environment:production"),
        ("collector", GITLAB, OF_GITLAB, "project_path:acme/app:ref_type:branch:ref:main"),
    ] {
        let trust = trust().get(role).cloned().unwrap();
        for (operator, other) in [
            ("StringLike", token(provider, audience, "repo:somebody/else:ref:refs/heads/main")),
            ("StringEquals", token(provider, "another", subject)),
        ] {
            assert!(!allows(&trust, other.clone()), "{role}: {other:?}");
            let mut without = trust.clone();
            let conditions = without["Statement"][0]["Condition"].as_object_mut().unwrap();
            assert!(conditions.remove(operator).is_some(), "{role} has no {operator}");
            assert!(allows(&without, other.clone()), "{role} without {operator}: {other:?}");
        }
    }
}
