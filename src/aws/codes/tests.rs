//! Compares the table with lists of AWS's codes. The list of S3 contains each code of AWS's list of error responses
//! (November 2026), S3's answers if a bucket has no such setting, and the codes of KMS.

use super::*;
use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use std::collections::BTreeSet;

/// Parses a list: each code with its HTTP status and its meaning.
fn list(text: &str) -> Vec<(&str, u16, FaultKind)> {
    let line = |line| {
        let [code, status, kind] = *str::split_whitespace(line).collect::<Vec<_>>() else { panic!("{line}") };
        let kinds = [
            ("throttled", Throttled),
            ("contended", Contended),
            ("unavailable", Unavailable),
            ("denied", Denied),
            ("missing", Missing),
            ("misconfigured", Misconfigured),
            ("full", Full),
            ("permanent", Unexpected),
        ];
        let kind = kinds.into_iter().find(|(name, _)| *name == kind);
        (code, status.parse().unwrap(), kind.unwrap_or_else(|| panic!("{line}")).1)
    };
    text.lines().filter(|line| !line.is_empty()).map(line).collect()
}

#[test]
fn each_code_of_each_list_has_its_meaning() {
    for of in [
        include_str!("s3.txt"),
        include_str!("dynamodb.txt"),
        include_str!("sts.txt"),
        include_str!("others.txt"),
    ] {
        for (code, status, expected) in list(of) {
            assert_eq!(kind(Some(code), status), expected, "{code}, HTTP {status}");
        }
    }
}

#[test]
fn errors_that_the_sdk_retries_are_transient() {
    for code in THROTTLING_ERRORS.iter().chain(TRANSIENT_ERRORS) {
        assert!(kind(Some(code), 400).is_transient(), "{code}");
    }
}

#[test]
fn no_code_is_there_twice_and_each_is_in_a_list() {
    let listed: BTreeSet<&str> = [
        include_str!("s3.txt"),
        include_str!("dynamodb.txt"),
        include_str!("sts.txt"),
        include_str!("others.txt"),
    ]
    .into_iter()
    .flat_map(list)
    .map(|(code, ..)| code)
    .chain(THROTTLING_ERRORS.iter().copied())
    .collect();
    let mut seen = BTreeSet::new();
    for code in CODES.iter().flat_map(|(_, codes)| *codes) {
        assert!(seen.insert(code), "{code} is there twice");
        assert!(listed.contains(code), "{code} is in no list");
    }
    for (code, _) in REMEDIES {
        assert!(listed.contains(code), "{code} is in no list");
    }
}

#[test]
fn without_a_known_code_the_status_counts() {
    for (code, status, expected) in [
        ("", 200, Unavailable),
        ("", 301, Misconfigured),
        ("", 400, Unexpected),
        ("", 401, Denied),
        ("", 403, Denied),
        ("SomethingNew", 403, Denied),
        ("", 404, Misconfigured),
        ("NotFound", 404, Missing),
        ("", 405, Misconfigured),
        ("", 408, Unavailable),
        ("", 412, Unexpected),
        ("", 429, Throttled),
        ("", 500, Unavailable),
        ("", 501, Misconfigured),
        ("SomethingNew", 501, Misconfigured),
        ("SomethingNew", 502, Unavailable),
        ("", 503, Unavailable),
        ("", 504, Unavailable),
        ("", 505, Misconfigured),
        ("", 507, Full),
        ("SomethingNew", 507, Full),
        ("", 509, Throttled),
    ] {
        let code = Some(code).filter(|code| !code.is_empty());
        assert_eq!(kind(code, status), expected, "{code:?}, HTTP {status}");
    }
}

#[test]
fn special_ways_out() {
    assert!(remedy(Some("InvalidObjectState"), 403).unwrap().contains("restore-object"));
    assert!(remedy(Some("RequestTimeTooSkewed"), 403).unwrap().contains("clock"));
    assert_eq!(remedy(None, 507), Some(FULL));
    assert_eq!(remedy(Some("SomethingNew"), 501), Some(LACKING));
    assert_eq!(remedy(Some("AccessDenied"), 403), None);
    assert!(remedy(Some("ExpiredToken"), 400).unwrap().contains("aws sso login"));
    assert!(remedy(Some("TooManyBuckets"), 400).unwrap().contains("quota"));
    assert!(remedy(Some("AccountProblem"), 403).unwrap().contains("AWS Support"));
}
