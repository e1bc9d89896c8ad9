//! The commands that turn the settings of the bucket on.

use super::{
    known::{ABORT_DAYS, NONCURRENT_DAYS},
    policy::tls_only,
};
use crate::store::s3::client::S3Store;
use serde_json::json;

/// Returns the shell command that turns a setting on.
pub(super) fn repair(store: &S3Store, name: &str, server: &str) -> String {
    let bucket = &store.bucket;
    let call = match name {
        "bucket_versioning" => "put-bucket-versioning --versioning-configuration Status=Enabled".to_owned(),
        "bucket_public_access_block" => "put-public-access-block --public-access-block-configuration \
             BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
            .to_owned(),
        "bucket_ownership" => "put-bucket-ownership-controls --ownership-controls \
             'Rules=[{ObjectOwnership=BucketOwnerEnforced}]'"
            .to_owned(),
        "bucket_encryption" => {
            let by_default = json!({ "SSEAlgorithm": "AES256" });
            let rules = json!({ "Rules": [{ "ApplyServerSideEncryptionByDefault": by_default }] });
            format!("put-bucket-encryption --server-side-encryption-configuration '{rules}'")
        }
        // The command replaces all existing rules: rules that are to stay must be part of it.
        "bucket_abort_uploads" | "bucket_expire_old_versions" | "bucket_keeps_blobs" => {
            let abort = json!({
                "ID": "abort-incomplete-uploads", "Status": "Enabled", "Filter": {},
                "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": ABORT_DAYS },
            });
            let expire = json!({
                "ID": "expire-noncurrent-versions", "Status": "Enabled", "Filter": {},
                "NoncurrentVersionExpiration": { "NoncurrentDays": NONCURRENT_DAYS },
                "Expiration": { "ExpiredObjectDeleteMarker": true },
            });
            let rules = json!({ "Rules": [abort, expire] });
            format!("put-bucket-lifecycle-configuration --lifecycle-configuration '{rules}'")
        }
        _ => {
            let region = store.client.config().region().map_or("", AsRef::as_ref);
            format!("put-bucket-policy --policy '{}'", tls_only(region, bucket))
        }
    };
    format!("aws s3api {call} --bucket {bucket}{server}")
}
