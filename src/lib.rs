//! A cloud blob manager for release tooling: which build is live, and its bytes.
//!
//! A **ledger** maps the name of a package and an autoincrementing version to the sha256 of a blob, and tags to
//! versions. A **store** keeps the bytes, addressable by their sha256 alone. [`ops::Client`] puts the two together; it is
//! what the command line is made of. `ARCHITECTURE.md` says how it works and why it is right.
//!
//! | module | what |
//! |---|---|
//! | [`model`] | names, versions, digests, releases: types that can't hold a bad value |
//! | [`location`] | URLs of ledgers and stores, and opening them |
//! | [`ops`] | the operations: add, download, tag … |
//! | [`ledger`] | which version is which blob, and which tag is on which version |
//! | [`store`] | content-addressed bytes |
//! | [`table`] | the strongly consistent table that the ledger stands on |
//! | [`retry`] | how long trouble is ridden out, and what may end that early |
//! | [`fault`] | what a back end did instead of answering |
//! | [`aws`] | SDK clients |
//! | [`cli`] | the command line |
//!
//! # Example
//!
//! On the embedded ledger and a directory; `dynamodb://TABLE` and `s3://BUCKET` work the same.
//!
//! ```
//! use sacker::{
//!     aws::Aws,
//!     ledger::{AddRequest, Author, TagRequest},
//!     location::{self, Uploading},
//!     model::Labels,
//!     ops::{Add, AddInput, Client, Download, Observer, Silent, Target},
//!     retry::{RetryPolicy, Cancellation},
//! };
//! use std::{sync::Arc, time::Duration};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let ledger = format!("file://{}/ledger", folder.path().display()).parse()?;
//! let store = format!("file://{}/store", folder.path().display()).parse()?;
//! let retry_policy = RetryPolicy::new(Duration::from_secs(60), Cancellation::new());
//! let uploading = Uploading::default();
//! let (ledger, store) = location::open(&ledger, &store, &Aws::standard(), retry_policy.clone(), uploading).await?;
//! let client = Client::new(ledger, store, retry_policy, std::env::temp_dir());
//! let observer: Arc<dyn Observer> = Arc::new(Silent);
//! let author = Author { actor: "ann@example.org".parse()?, message: None, key: None };
//!
//! // Publish a build: its version is the next number.
//! let add = Add {
//!     request: AddRequest {
//!         package: "app".parse()?,
//!         author: author.clone(),
//!         labels: Labels::parse(["commit=3f2a91c"])?,
//!         tags: vec![],
//!         if_changed: false,
//!         expect_latest: None,
//!         confirm: vec![],
//!     },
//!     input: AddInput::Stream(Box::new(&b"the build"[..])),
//!     filename: Some("app.txt".parse()?),
//! };
//! let (release, _) = client.add(add, &observer).await?;
//! assert_eq!(release.version.get(), 1);
//!
//! // Make it live.
//! let request = TagRequest {
//!     package: "app".parse()?,
//!     spec: "1".parse()?,
//!     tag: "live".parse()?,
//!     expect: None,
//!     require: vec![],
//!     confirm: false,
//!     author,
//! };
//! assert_eq!(client.tag(&request).await?.version, Some(release.version));
//!
//! // Fetch what is live, verified.
//! let download = Download {
//!     package: "app".parse()?,
//!     spec: "live".parse()?,
//!     target: Target::Directory(folder.path().to_owned()),
//!     force: false,
//!     preserve_mode: false,
//! };
//! let downloaded = client.download(download, &observer).await?;
//! assert_eq!(std::fs::read(downloaded.path.unwrap())?, b"the build");
//! # Ok(())
//! # }
//! ```

pub mod aws;
mod blocking;
pub mod cli;
pub mod clock;
mod durable;
mod failpoint;
pub mod fault;
pub mod ledger;
pub mod location;
pub mod model;
pub mod ops;
pub mod retry;
pub mod store;
pub mod table;

/// What `fuzz/` can't reach from outside. No part of the interface.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::{cli::fuzzing::configuration, ledger::fuzzing::Record};
}
