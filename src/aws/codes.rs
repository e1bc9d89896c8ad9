//! The error codes of AWS, each with its meaning: the one place that says so.
//!
//! The lists are those of
//! [DynamoDB](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html), of
//! [S3](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html), of
//! [KMS](https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html) as S3 passes them on with `KMS.` before
//! them, of [STS](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html#API_AssumeRole_Errors), and
//! of [all services](https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html); and what Ceph and MinIO add.

use crate::fault::FaultKind::{
    self, Contended, Denied, Full, Misconfigured, Missing, Throttled, Unavailable, Unexpected,
};

/// Codes by their meaning, sorted within it. A code that is in none is judged by its HTTP status.
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
            // A copy of this very transaction is under way.
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

/// The way out, where the code alone says more than its kind does.
const REMEDIES: &[(&str, &str)] = &[
    (
        "InvalidObjectState",
        "the object is in an archive class such as Glacier: bring it back with `aws s3api restore-object`, or copy it \
         to the class STANDARD; and take PREFIX/sha256/ out of the lifecycle rule that archived it",
    ),
    ("KMS.DisabledException", "enable the KMS key that encrypts it: `aws kms enable-key`"),
    (
        "KMS.KMSInvalidStateException",
        "the KMS key that encrypts it can't be used; where it is to be deleted: `aws kms cancel-key-deletion`, then \
         `aws kms enable-key`",
    ),
    (
        "KMS.NotFoundException",
        "the KMS key that encrypts it is not there: check the bucket's default encryption",
    ),
    ("KMS.InvalidKeyUsageException", "the bucket's KMS key must be a symmetric one, for encryption"),
    (
        "KMS.AccessDeniedException",
        "the credentials need kms:Decrypt, and kms:GenerateDataKey to add, on the bucket's KMS key; its own policy must \
         allow that, too",
    ),
    ("AccountProblem", ACCOUNT),
    ("AllAccessDisabled", ACCOUNT),
    ("ExpiredToken", EXPIRED),
    ("ExpiredTokenException", EXPIRED),
    ("InvalidSessionException", EXPIRED),
    ("TokenRefreshRequired", EXPIRED),
    ("KeyTooLongError", "give the store a shorter prefix"),
    ("NotSignedUp", "sign the account up for the service, in the AWS console"),
    ("OptInRequired", "sign the account up for the service, or enable the region for it"),
    ("RequestTimeTooSkewed", SKEWED),
    ("RequestExpired", SKEWED),
    ("NotImplemented", LACKING),
    ("UnknownOperationException", LACKING),
    ("RegionDisabledException", "enable the region for STS in the account's settings of IAM"),
    (
        "TooManyBuckets",
        "have the account's quota of buckets raised, remove a bucket that is not needed, or give the store a prefix of \
         another",
    ),
    ("XMinioStorageFull", FULL),
    ("QuotaExceeded", FULL),
    ("XMinioAdminBucketQuotaExceeded", FULL),
];

pub(super) const SKEWED: &str =
    "this machine's clock is wrong: set it, and keep it set (NTP), then run it again";
pub(super) const EXPIRED: &str = "the credentials have expired: get new ones, as by `aws sso login` or from what set AWS_SESSION_TOKEN, and \
                       run it again; what has been transferred is kept";
const ACCOUNT: &str = "AWS has blocked the account, or the bucket: ask AWS Support";
const LACKING: &str =
    "the server at this address does not have what is needed: use AWS, or another release of it";
const FULL: &str = "free space there, or raise the quota, then run it again";

/// The meaning of an answer with this code, or without one, and this HTTP status.
pub(super) fn kind(code: Option<&str>, status: u16) -> FaultKind {
    let known = code.and_then(|code| CODES.iter().find(|(_, codes)| codes.contains(&code)));
    if let Some((kind, _)) = known {
        return *kind;
    }
    match status {
        429 | 509 => Throttled,
        401 | 403 | 407 => Denied,
        // 501 and 505: it does not know the request, or not this version of HTTP.
        300..=399 | 501 | 505 => Misconfigured,
        // S3's answer to HEAD has no body, for which the SDK makes up a code; no other answer of AWS is without.
        404 if code == Some("NotFound") => Missing,
        404 | 405 if code.is_none() => Misconfigured,
        507 => Full,
        // An answer of 200 that can't be read may come out of the SDK as an error of the service: it may be done.
        200..=299 | 408 | 500.. => Unavailable,
        _ => Unexpected,
    }
}

/// The way out of an answer with this code, or without one, and this HTTP status, where it is a special one.
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
