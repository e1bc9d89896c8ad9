//! The commands that turn the settings of the bucket on.

use super::{
    known::{ABORT_DAYS, NONCURRENT_DAYS},
    policy::{Encryption, tls_only, whole},
};
use crate::store::s3::client::S3Store;
use serde_json::json;

/// Returns the shell command that turns a setting on. Without the encryption of the bucket, its policy is only about
/// TLS.
pub(super) fn repair(store: &S3Store, name: &str, encryption: Option<&Encryption>, server: &str) -> String {
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
        // It replaces all existing statements, too.
        _ => {
            let region = store.client.config().region().map_or("", AsRef::as_ref);
            let policy = match encryption {
                Some(encryption) => whole(region, bucket, encryption),
                None if name == "bucket_tls_only" => tls_only(region, bucket),
                None => whole(region, bucket, &Encryption::of_s3()),
            };
            format!("put-bucket-policy --policy '{policy}'")
        }
    };
    format!("aws s3api {call} --bucket {bucket}{server}")
}
