//! Creates the bucket, with safe settings.

use super::{
    client::S3Store,
    faults::{code, status},
    settings::{ABORT_DAYS, Encryption, NONCURRENT_DAYS, is_unknown, tls_only, whole},
};
use crate::{
    aws::{fault, is_expired},
    failpoint::reach,
    fault::{Fault, FaultKind},
    model::Created,
};
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{BuildError, ProvideErrorMetadata, SdkError},
    types::{
        AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLocationConstraint,
        BucketVersioningStatus, CreateBucketConfiguration, ExpirationStatus, LifecycleExpiration,
        LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration, ObjectOwnership, OwnershipControls,
        OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption,
        ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
        VersioningConfiguration,
    },
};
use std::{error::Error, sync::atomic::Ordering::Relaxed};
use tracing::{Instrument, debug_span, warn};

/// The region of a bucket created without a location constraint: S3
/// [refuses](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html) this one as a constraint.
const DEFAULT_REGION: &str = "us-east-1";

/// Creates the bucket and its settings, unless it exists.
pub(super) async fn create(store: &S3Store) -> Result<Created, Fault> {
    let made = match look(store).await? {
        Created::Present => Created::Present,
        Created::Made => make(store).await?,
    };
    // A bucket that an earlier attempt of this client created may lack settings.
    if made == Created::Made || store.unfinished.load(Relaxed) {
        store.unfinished.store(true, Relaxed);
        reach("bucket-made");
        settle(store).await?;
        store.unfinished.store(false, Relaxed);
        return Ok(Created::Made);
    }
    Ok(made)
}

/// Returns `Made` if the bucket has yet to be created.
async fn look(store: &S3Store) -> Result<Created, Fault> {
    let doing = || format!("checking the bucket {}", store.bucket);
    let answer = store.client.head_bucket().bucket(&store.bucket).send();
    let Err(error) = answer.instrument(debug_span!("s3.HeadBucket")).await else {
        return Ok(Created::Present);
    };
    match status(&error) {
        Some(404) => Ok(Created::Made),
        Some(301 | 400) if !error.raw_response().is_some_and(is_expired) => {
            let region = error.raw_response().and_then(|answer| answer.headers().get("x-amz-bucket-region"));
            let why = match region {
                Some(region) => format!("the bucket is in the region {region}"),
                None => "the bucket is in another region, or its name is not valid".to_owned(),
            };
            Err(Fault::new(FaultKind::Misconfigured, doing(), why))
        }
        Some(403) => {
            let why =
                "these credentials have no access to it (s3:ListBucket), or it belongs to another account";
            Err(Fault::new(FaultKind::Denied, doing(), why))
        }
        _ => Err(fault(doing(), error)),
    }
}

async fn make(store: &S3Store) -> Result<Created, Fault> {
    let doing = || format!("creating the bucket {}", store.bucket);
    let region = store.client.config().region().map(AsRef::as_ref).filter(|region| *region != DEFAULT_REGION);
    let place = region.map(|region| {
        CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(region))
            .build()
    });
    let request = store.client.create_bucket().bucket(&store.bucket).set_create_bucket_configuration(place);
    match request.send().instrument(debug_span!("s3.CreateBucket")).await {
        Ok(_) => Ok(Created::Made),
        // Another client created it just now, and will apply its settings.
        Err(error) if code(&error) == "BucketAlreadyOwnedByYou" => Ok(Created::Present),
        Err(error) if code(&error) == "BucketAlreadyExists" => {
            Err(Fault::new(FaultKind::Misconfigured, doing(), "another account has a bucket of this name"))
        }
        Err(error) => Err(fault(doing(), error)),
    }
}

async fn settle(store: &S3Store) -> Result<(), Fault> {
    let (client, bucket) = (&store.client, store.bucket.as_str());
    let built = |error: BuildError| Fault::new(FaultKind::Unexpected, "building a request", error);

    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let request = client.put_bucket_versioning().bucket(bucket).versioning_configuration(versioning);
    let answer = request.send().instrument(debug_span!("s3.PutBucketVersioning"));
    settled(store, "versioning", answer.await)?;

    let block = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build();
    let request = client.put_public_access_block().bucket(bucket).public_access_block_configuration(block);
    let answer = request.send().instrument(debug_span!("s3.PutPublicAccessBlock"));
    settled(store, "the public access block", answer.await)?;

    let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::BucketOwnerEnforced);
    let controls = OwnershipControls::builder().rules(rule.build().map_err(built)?).build().map_err(built)?;
    let request = client.put_bucket_ownership_controls().bucket(bucket).ownership_controls(controls);
    let answer = request.send().instrument(debug_span!("s3.PutBucketOwnershipControls"));
    settled(store, "ownership of all objects", answer.await)?;

    let by_default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256);
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(by_default.build().map_err(built)?)
        .build();
    let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(built)?;
    let request =
        client.put_bucket_encryption().bucket(bucket).server_side_encryption_configuration(encryption);
    let answer = request.send().instrument(debug_span!("s3.PutBucketEncryption"));
    settled(store, "default encryption", answer.await)?;

    keep_tidy(store).await?;

    // Over plain HTTP the policy would deny every request.
    if !store.is_plain().await {
        refuse(store).await?;
    }
    Ok(())
}

/// Makes the policy that denies requests without TLS or with an old one, and objects with another encryption.
async fn refuse(store: &S3Store) -> Result<(), Fault> {
    let (client, bucket) = (&store.client, store.bucket.as_str());
    let region = client.config().region().map_or("", AsRef::as_ref);
    let put = async |policy: String| {
        let request = client.put_bucket_policy().bucket(bucket).policy(policy);
        request.send().instrument(debug_span!("s3.PutBucketPolicy")).await
    };
    let mut answer = put(whole(region, bucket, &Encryption::of_s3())).await;
    // MinIO has the condition of the first statement only.
    if answer.as_ref().is_err_and(|error| code(error) == "MalformedPolicy") {
        answer = put(tls_only(region, bucket)).await;
    }
    settled(store, "the policy that refuses requests without TLS", answer)
}

/// Makes S3 abort uploads that were never completed, and remove object versions that were deleted long ago.
async fn keep_tidy(store: &S3Store) -> Result<(), Fault> {
    let built = |error: BuildError| Fault::new(FaultKind::Unexpected, "building a request", error);
    let rule = |id: &str| {
        let all = LifecycleRuleFilter::builder().prefix("").build();
        LifecycleRule::builder().id(id).status(ExpirationStatus::Enabled).filter(all)
    };
    let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(ABORT_DAYS).build();
    let abort = rule("abort-incomplete-uploads").abort_incomplete_multipart_upload(abort).build();
    let noncurrent = NoncurrentVersionExpiration::builder().noncurrent_days(NONCURRENT_DAYS).build();
    let marker = LifecycleExpiration::builder().expired_object_delete_marker(true).build();
    let expire = rule("expire-noncurrent-versions")
        .noncurrent_version_expiration(noncurrent)
        .expiration(marker)
        .build()
        .map_err(built)?;
    let put = async |rules: Vec<LifecycleRule>| {
        let rules = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().map_err(built)?;
        let request = store.client.put_bucket_lifecycle_configuration().bucket(&store.bucket);
        let answer = request.lifecycle_configuration(rules).send();
        Ok::<_, Fault>(answer.instrument(debug_span!("s3.PutBucketLifecycleConfiguration")).await)
    };
    let answer = put(vec![abort.map_err(built)?, expire.clone()]).await?;
    // MinIO removes such uploads on its own and has no such rule.
    let lacks_abort = answer.as_ref().is_err_and(is_unknown);
    settled(store, "the rule that aborts incomplete uploads", answer)?;
    if lacks_abort {
        settled(store, "the rule that removes old versions", put(vec![expire]).await?)?;
    }
    Ok(())
}

/// Checks the answer to a setting. A setting that the server does not support is skipped with a warning.
fn settled<T, E>(
    store: &S3Store,
    what: &str,
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<(), Fault>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let Err(error) = answer else { return Ok(()) };
    if is_unknown(&error) {
        warn!(bucket = store.bucket, code = code(&error), "this server does not support {what}");
        return Ok(());
    }
    Err(fault(format!("setting {what} of the new bucket {}", store.bucket), error))
}
