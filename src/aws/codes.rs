//! The error codes of AWS and their meanings.
//!
//! The lists are those of
//! [DynamoDB](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html), of
//! [S3](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html), of
//! [KMS](https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html), which S3 passes on with the prefix
//! `KMS.`, of [STS](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html#API_AssumeRole_Errors),
//! and of [all services](https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html), and the additions of
//! Ceph and MinIO.

use crate::fault::FaultKind::{
    self, Contended, Denied, Full, Misconfigured, Missing, Throttled, Unavailable, Unexpected,
};

/// Codes by their meaning, sorted within it. A code in no list is classified by its HTTP status.
const CODES: &[(FaultKind, &[&str])] = &[
    (
        Throttled,
        &[
            "BandwidthLimitExceeded",
            "Busy",
            "EC2ThrottledException",
            "KMS.LimitExceededException",
            "KMS.ThrottlingException",
            "LimitExceededException",
            "PriorRequestNotComplete",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "SlowDown",
            "SlowDownRead",
            "SlowDownWrite",
            "ThrottledException",
            "Throttling",
            "ThrottlingException",
            "TooManyRequests",
            "TooManyRequestsException",
        ],
    ),
    (
        Contended,
        &[
            "ConditionalRequestConflict",
            "OperationAborted",
            "ReplicatedWriteConflictException",
            "TransactionConflictException",
        ],
    ),
    (
        Unavailable,
        &[
            // STS could not ask the identity provider.
            "IDPCommunicationError",
            "InternalError",
            "InternalFailure",
            "InternalServerError",
            "KMS.DependencyTimeoutException",
            "KMS.KMSInternalException",
            "KMS.KeyUnavailableException",
            "Redirect",
            "RequestAbortedException",
            "RequestTimeout",
            "RequestTimeoutException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "TemporaryRedirect",
            // A copy of this same transaction is in progress.
            "TransactionInProgressException",
        ],
    ),
    (
        Missing,
        &[
            "NoSuchAccessPoint",
            "NoSuchBucket",
            "NoSuchMultiRegionAccessPoint",
            "ResourceNotFoundException",
            "TableNotFoundException",
        ],
    ),
    (
        Misconfigured,
        &[
            "AuthorizationHeaderMalformed",
            "EndpointNotFound",
            "IllegalLocationConstraintException",
            "IncorrectEndpoint",
            "InvalidAccessPoint",
            "InvalidAccessPointAliasError",
            "InvalidBucketName",
            "InvalidHostHeader",
            "InvalidLocationConstraint",
            // The object is archived.
            "InvalidObjectState",
            "InvalidRegion",
            // The prefix is in the store's URL.
            "KeyTooLongError",
            "KMS.DisabledException",
            "KMS.InvalidKeyUsageException",
            "KMS.KMSInvalidStateException",
            "KMS.NotFoundException",
            "MethodNotAllowed",
            "NotImplemented",
            "PermanentRedirect",
            "PermanentRedirectControlError",
            "RegionDisabledException",
            "UnknownOperationException",
        ],
    ),
    (
        Denied,
        &[
            "AccessDenied",
            "AccessDeniedException",
            "AccountProblem",
            "AllAccessDisabled",
            "ExpiredToken",
            "ExpiredTokenException",
            "IDPRejectedClaim",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidIdentityToken",
            "InvalidPayer",
            "InvalidSecurity",
            "InvalidSessionException",
            "InvalidSignature",
            "InvalidSignatureException",
            "InvalidToken",
            "InvalidTokenId",
            "KMS.AccessDeniedException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "NotAuthorized",
            "NotSignedUp",
            "OptInRequired",
            "RequestExpired",
            "RequestTimeTooSkewed",
            "SignatureDoesNotMatch",
            "TokenRefreshRequired",
            "UnauthorizedAccessError",
            "UnexpectedIPError",
            "UnrecognizedClientException",
            "UnsupportedSignature",
        ],
    ),
    (Full, &["QuotaExceeded", "TooManyBuckets", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull"]),
];

/// The remedies of codes that are more specific than their kind.
const REMEDIES: &[(&str, &str)] = &[
    (
        "InvalidObjectState",
        "the object is in an archive class such as Glacier: restore it with `aws s3api restore-object`, or copy it \
         to the class STANDARD; and exclude PREFIX/sha256/ from the lifecycle rule that archived it",
    ),
    ("KMS.DisabledException", "enable the KMS key that encrypts it: `aws kms enable-key`"),
    (
        "KMS.KMSInvalidStateException",
        "the KMS key that encrypts it can't be used; if its deletion is pending: `aws kms cancel-key-deletion`, then \
         `aws kms enable-key`",
    ),
    (
        "KMS.NotFoundException",
        "the KMS key that encrypts it does not exist: check the bucket's default encryption",
    ),
    ("KMS.InvalidKeyUsageException", "the bucket's KMS key must be a symmetric encryption key"),
    (
        "KMS.AccessDeniedException",
        "the credentials need kms:Decrypt on the bucket's KMS key, and kms:GenerateDataKey to add; the key's policy must \
         allow that, too",
    ),
    ("AccountProblem", ACCOUNT),
    ("AllAccessDisabled", ACCOUNT),
    ("ExpiredToken", EXPIRED),
    ("ExpiredTokenException", EXPIRED),
    ("InvalidSessionException", EXPIRED),
    ("TokenRefreshRequired", EXPIRED),
    ("KeyTooLongError", "use a shorter prefix for the store"),
    ("NotSignedUp", "sign the account up for the service, in the AWS console"),
    ("OptInRequired", "sign the account up for the service, or enable the region for it"),
    ("RequestTimeTooSkewed", SKEWED),
    ("RequestExpired", SKEWED),
    ("NotImplemented", LACKING),
    ("UnknownOperationException", LACKING),
    ("RegionDisabledException", "enable the region for STS in the account's settings of IAM"),
    (
        "TooManyBuckets",
        "request a higher quota of buckets, remove an unused bucket, or give the store a prefix in an existing one",
    ),
    ("XMinioStorageFull", FULL),
    ("QuotaExceeded", FULL),
    ("XMinioAdminBucketQuotaExceeded", FULL),
];

pub(super) const SKEWED: &str = "this machine's clock is wrong: synchronize it (NTP), then run it again";
pub(super) const EXPIRED: &str = "the credentials have expired: get new ones, as by `aws sso login` or from the source of AWS_SESSION_TOKEN, and \
                       run it again; transferred data is kept";
const ACCOUNT: &str = "AWS has blocked the account, or the bucket: contact AWS Support";
const LACKING: &str =
    "the server at this address lacks a required feature: use AWS, or another release of the server";
const FULL: &str = "free space there, or raise the quota, then run it again";

/// Returns the meaning of an answer with this code, if any, and this HTTP status.
pub(super) fn kind(code: Option<&str>, status: u16) -> FaultKind {
    let known = code.and_then(|code| CODES.iter().find(|(_, codes)| codes.contains(&code)));
    if let Some((kind, _)) = known {
        return *kind;
    }
    match status {
        429 | 509 => Throttled,
        401 | 403 | 407 => Denied,
        // 501 and 505: the server does not support the request, or this version of HTTP.
        300..=399 | 501 | 505 => Misconfigured,
        // S3's answer to HEAD has no body, so the SDK invents a code; all other answers of AWS have a body.
        404 if code == Some("NotFound") => Missing,
        404 | 405 if code.is_none() => Misconfigured,
        507 => Full,
        // The SDK may return an unreadable answer of 200 as a service error: the request may have succeeded.
        200..=299 | 408 | 500.. => Unavailable,
        _ => Unexpected,
    }
}

/// Returns the specific remedy for an answer with this code, if any, and this HTTP status.
pub(super) fn remedy(code: Option<&str>, status: u16) -> Option<&'static str> {
    let special = code.and_then(|code| REMEDIES.iter().find(|(special, _)| *special == code));
    let by_status = || match kind(code, status) {
        Full => Some(FULL),
        Misconfigured if status == 501 => Some(LACKING),
        _ => None,
    };
    special.map(|(_, remedy)| *remedy).or_else(by_status)
}

#[cfg(test)]
mod tests;
