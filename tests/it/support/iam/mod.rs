//! IAM in front of the real back ends: a proxy that turns each request into what IAM judges, asks an evaluator with the
//! policies of a role, and refuses as AWS does.

pub mod ask;
pub mod evaluator;
pub mod guard;

pub use ask::Ask;
pub use evaluator::Policies;
pub use guard::Guard;

/// The account, region, table and bucket of all requests and policies, whatever the servers here call them.
pub const TABLE: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/sacker";
pub const BUCKET: &str = "arn:aws:s3:::acme-blobs";
pub const PREFIX: &str = "blobs";
pub const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
