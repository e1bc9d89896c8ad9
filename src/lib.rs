//! A cloud blob manager for release tooling: which build is live, and its bytes.
//!
//! A **ledger** maps the name of a package and an autoincrementing version to the sha256 of a blob, and tags to
//! versions. A **store** keeps the bytes, addressable by their sha256 alone. [`Client`] puts the two together; the
//! command line is made of it. `ARCHITECTURE.md` explains how it works and why it is right.
//!
//! # Example
//!
//! On the embedded ledger and a directory; `dynamodb://TABLE` and `s3://BUCKET` work the same.
//!
//! ```
//! use sacker::{AddInput, AddRequest, Client, Download, TagRequest, Target};
//!
//! # #[cfg(feature = "sqlite")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let (ledger, store): (String, String) = ["ledger", "store"].map(|name| format!("file://{}/{name}", folder.path().display())).into();
//! # let (app, directory) = ("app".parse::<sacker::PackageName>()?, folder.path().to_owned());
//! let client = Client::builder(ledger, store).author("ann@example.org".parse()?).build().await?;
//! let request = AddRequest::new(app.clone()).label("commit", "3f2a91c")?;
//! let (release, _) = client.add(request, AddInput::bytes(b"the build")).await?;
//! client.tag(&TagRequest::new(app.clone(), release.version.into(), "live".parse()?)).await?;
//! let download = Download::new(app, "live".parse()?, Target::Directory(directory));
//! let downloaded = client.download(download).await?;
//! # assert_eq!(std::fs::read(downloaded.path.unwrap())?, b"the build");
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "sqlite"))]
//! # fn main() {}
//! ```
//!
//! `examples/` holds programs to start from: `publish`, `promote`, `follow` and `custom_store`.
//!
//! # Guarantees
//!
//! - A version is committed only once its blob is stored, and its number is never used twice.
//! - A change happens once or not at all. Where its outcome could not be found out, the error is
//!   [`ledger::Error::Unknown`] and holds the key with which a repeat finds out.
//! - A downloaded file appears whole and verified, or not at all.
//!
//! # Errors
//!
//! [`Error`] says what failed; [`Error::kind`] says what the caller can do about it.
//!
//! # Cancellation
//!
//! See [`Client`]. Each method documents what dropping its future leaves behind.
//!
//! # Cargo features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `cli` | yes | the program `sacker`, with clap, indicatif, tracing-subscriber and whoami |
//! | `dynamodb` | yes | ledgers in DynamoDB: `dynamodb://TABLE` |
//! | `s3` | yes | stores in S3: `s3://BUCKET` |
//! | `sqlite` | yes | the embedded ledger: `file:///DIR`, with a bundled SQLite |
//! | `git` | yes | ledgers in git repositories: `git+https://HOST/REPO` |
//! | `postgres` | no | ledgers in PostgreSQL: `postgres://USER@HOST/DB` |
//! | `zookeeper` | no | ledgers in ZooKeeper: `zookeeper://HOST:PORT/ROOT` |
//! | `azure` | no | stores in Azure Blob Storage: `azure://ACCOUNT/CONTAINER` |
//! | `hdfs` | no | stores in HDFS: `hdfs://NAMENODE/PATH` |
//! | `otlp` | no | to the program: traces that are sent to a collector of OpenTelemetry |
//! | `aws` | by `dynamodb`, `s3` and `azure` | what these share; it does nothing alone |
//!
//! A store in a directory is always there. A library that publishes to AWS needs `default-features = false, features =
//! ["dynamodb", "s3"]`; with `features = ["sqlite"]` alone no AWS crate is built. `weak-s3-ledger`, `failpoints` and
//! `fuzzing` are for sacker's own tests.
//!
//! # Modules
//!
//! | module | holds |
//! |---|---|
//! | [`model`] | names, versions, digests, releases: types that can't hold a bad value |
//! | [`location`] | URLs of ledgers and stores, and opening them |
//! | [`ops`] | the operations: add, download, tag … |
//! | [`ledger`] | packages, versions and tags |
//! | [`store`] | content-addressed bytes |
//! | [`table`] | the strongly consistent table under the ledger |
//! | [`retry`] | the retry policy, and cancellation |
//! | [`fault`] | failures of back ends |
//! | `aws` | SDK clients, with the features `dynamodb` and `s3` |
//! | `cli` | the command line, with the feature `cli` |

// A build without some back end, or without the command line, leaves what only that one calls unused.
#![cfg_attr(
    not(all(feature = "cli", feature = "dynamodb", feature = "s3", feature = "sqlite")),
    allow(dead_code, unused_imports)
)]

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(not(feature = "aws"))]
#[path = "aws/absent.rs"]
mod aws;
mod blocking;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
mod durable;
mod endpoint;
mod failpoint;
pub mod fault;
pub mod ledger;
pub mod location;
pub mod model;
pub mod ops;
pub mod retry;
pub mod store;
pub mod table;
#[cfg(any(feature = "otlp", feature = "postgres"))]
mod tls;

pub use ledger::{
    AddRequest, ApplyRequest, Author, ChangeRequest, CheckReport, CheckRequest, FreezeRequest, PackageQuery,
    ProtectRequest, PruneRequest, RecallRequest, RollbackRequest, Stop, Stops, TagRequest, ThawRequest,
    UntagRequest,
};
pub use location::{LedgerUrl, StoreUrl};
pub use model::{
    Actor, Cursor, Digest, Event, Expectation, FileName, Gate, GateCheck, Gates, IdempotencyKey, Labels,
    Message, Override, PackageName, PackageStatus, Plan, Protection, Release, ReleaseChange, Retention,
    RetentionPolicy, Revs, Spec, TagGates, TagMove, TagName, TagStatus, Version, VersionRange,
};
pub use ops::{
    AddInput, Client, ClientBuilder, Download, Downloaded, Error, ErrorKind, Found, Fsck, FsckReport,
    GcOptions, Observer, PruneAction, PruneOptions, PruneReason, PruneScope, PrunedVersion, Pruning,
    RestoreRequest, Status, StatusQuery, Target, VersionQuery, Wait, Watch, WatchScope, WatchedEvent,
};
pub use retry::{Cancellation, RetryPolicy};
pub use store::Store;

/// Access for `fuzz/` to what it can't reach from outside. No part of the interface.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::{cli::fuzzing::configuration, ledger::fuzzing::Record};
}
