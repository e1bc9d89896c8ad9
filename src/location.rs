//! URLs of ledgers and stores, and opening what they name.
//!
//! | URL | as a ledger | as a store | cargo feature |
//! |---|---|---|---|
//! | `dynamodb://TABLE[?region=R&endpoint=URL]` | a DynamoDB table | | `dynamodb` |
//! | `postgres://USER@HOST[:PORT][,…]/DB[?table=T&sslmode=M]` | a PostgreSQL table | | `postgres` |
//! | `s3://BUCKET[/PREFIX][?region=R&endpoint=URL]` | only with the feature `weak-s3-ledger` | an S3 bucket | `s3` |
//! | `zookeeper://HOST:PORT,…/ROOT[?user=U&password_file=PATH]` | a node of a ZooKeeper ensemble | | `zookeeper` |
//! | `azure://ACCOUNT/CONTAINER[/PREFIX][?endpoint=URL]` | | a container of Azure Blob Storage | `azure` |
//! | `hdfs://NAMENODE[:PORT]/PATH` | | a folder in HDFS | `hdfs` |
//! | `file:///DIR` | the embedded ledger | a directory | `sqlite`, for the ledger |
//! | `git+file:///REPO[#REF]` | a ref of a git repository of this machine | | `git` |
//! | `git+https://…[#REF]`, `git+ssh://…[#REF]` | a ref of a remote git repository | | `git` |
//!
//! A URL of a back end whose feature this build lacks is refused, and the error names the feature. Credentials are
//! never part of a URL: they come from AWS's standard configuration, from git's or PostgreSQL's, or a user's
//! password from a file.

mod bucket;
mod container;
mod directory;
mod ensemble;
mod error;
mod folder;
mod git;
mod given;
mod open;
mod url;

pub use crate::endpoint::{PostgresHost, PostgresPlace, PostgresTls};
pub use bucket::Bucket;
pub use container::Container;
pub use ensemble::Ensemble;
pub use error::Error;
pub use folder::Folder;
pub use git::{DEFAULT_REF, GitPlace, GitRepository};
pub use open::{Uploading, open_files, open_ledger, open_store, read_rows};
pub use url::{LedgerUrl, StoreUrl};

#[cfg(test)]
mod tests;
