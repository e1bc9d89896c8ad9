//! The meaning of the bucket's lifecycle rules.

use super::known::ABORT_DAYS;
use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule, TransitionStorageClass};

/// Returns the rules that are in force.
pub(super) fn enabled(rules: &[LifecycleRule]) -> impl Iterator<Item = &LifecycleRule> {
    rules.iter().filter(|rule| rule.status == ExpirationStatus::Enabled)
}

/// Returns true if incomplete uploads are aborted, but none that may still be running.
pub(super) fn aborts(rules: &[LifecycleRule]) -> bool {
    let days = |rule: &LifecycleRule| rule.abort_incomplete_multipart_upload.as_ref()?.days_after_initiation;
    enabled(rules).filter_map(days).min().is_some_and(|days| days >= ABORT_DAYS)
}

/// Returns true if old versions of objects are removed, and the delete markers that they leave.
pub(super) fn expires(rules: &[LifecycleRule]) -> bool {
    let marker = |rule: &LifecycleRule| rule.expiration.as_ref()?.expired_object_delete_marker;
    enabled(rules).any(|rule| rule.noncurrent_version_expiration.is_some())
        && enabled(rules).any(|rule| marker(rule) == Some(true))
}

/// Returns true if a rule removes current versions of objects, or moves them to where they can't be read at once. A
/// rule for a prefix that has nothing in common with the store's is harmless; a rule that a filter restricts in another
/// way may apply to any blob.
pub(super) fn takes_blobs(rule: &LifecycleRule, prefix: &str) -> bool {
    let of_rule = rule.filter.as_ref().and_then(|filter| {
        filter.prefix.as_deref().or_else(|| filter.and.as_ref().and_then(|and| and.prefix.as_deref()))
    });
    let of_rule = of_rule.unwrap_or_default();
    let blobs = format!("{prefix}sha256/");
    let applies = blobs.starts_with(of_rule) || of_rule.starts_with(&blobs);
    let removes = rule.expiration.as_ref().is_some_and(|found| found.days.is_some() || found.date.is_some());
    let archives = rule.transitions().iter().any(|found| {
        matches!(
            found.storage_class,
            Some(TransitionStorageClass::Glacier | TransitionStorageClass::DeepArchive)
        )
    });
    applies && (removes || archives)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::types::{
        LifecycleExpiration, LifecycleRuleFilter, NoncurrentVersionExpiration, Transition,
    };

    #[test]
    fn uploads_that_may_still_be_running_are_not_to_be_aborted() {
        let rule = |days, status| {
            let abort = aws_sdk_s3::types::AbortIncompleteMultipartUpload::builder();
            LifecycleRule::builder()
                .status(status)
                .abort_incomplete_multipart_upload(abort.days_after_initiation(days).build())
                .build()
                .unwrap()
        };
        assert!(!aborts(&[]));
        assert!(aborts(&[rule(30, ExpirationStatus::Enabled), rule(1, ExpirationStatus::Disabled)]));
        assert!(!aborts(&[rule(30, ExpirationStatus::Enabled), rule(7, ExpirationStatus::Enabled)]));
        assert!(!aborts(&[rule(30, ExpirationStatus::Disabled)]));
    }

    #[test]
    fn old_versions_are_removed_with_their_markers() {
        let old = NoncurrentVersionExpiration::builder().noncurrent_days(30).build();
        let marker = LifecycleExpiration::builder().expired_object_delete_marker(true).build();
        let rule = || LifecycleRule::builder().status(ExpirationStatus::Enabled);
        let of_versions = rule().noncurrent_version_expiration(old).build().unwrap();
        let of_markers = rule().expiration(marker).build().unwrap();
        assert!(!expires(std::slice::from_ref(&of_versions)) && !expires(std::slice::from_ref(&of_markers)));
        assert!(expires(&[of_versions, of_markers]));
    }

    #[test]
    fn a_rule_that_takes_blobs_is_seen() {
        let rule = |prefix: &str| {
            let filter = LifecycleRuleFilter::builder().prefix(prefix).build();
            LifecycleRule::builder().status(ExpirationStatus::Enabled).filter(filter)
        };
        let after_a_year = || LifecycleExpiration::builder().days(365).build();
        let expires = |prefix| rule(prefix).expiration(after_a_year()).build().unwrap();
        for prefix in ["", "a/", "a/sha256/", "a/sha256/00"] {
            assert!(takes_blobs(&expires(prefix), "a/"), "{prefix}");
        }
        for prefix in ["b/", "a/logs/", "sha256/"] {
            assert!(!takes_blobs(&expires(prefix), "a/"), "{prefix}");
        }
        let marker = LifecycleExpiration::builder().expired_object_delete_marker(true).build();
        assert!(!takes_blobs(&rule("").expiration(marker).build().unwrap(), "a/"));
        let moved = |class| {
            let transition = Transition::builder().days(30).storage_class(class).build();
            rule("").transitions(transition).build().unwrap()
        };
        assert!(takes_blobs(&moved(TransitionStorageClass::DeepArchive), "a/"));
        assert!(!takes_blobs(&moved(TransitionStorageClass::StandardIa), "a/"));
    }
}
