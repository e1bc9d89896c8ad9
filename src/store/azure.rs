//! A store in Azure Blob Storage: block blobs `OWNER` and `sha256/…` in a container.
//!
//! The crate `object_store` finds the credentials and signs the requests. The requests themselves are made here, since
//! that crate sends no checksums, makes no containers, and commits blocks without a condition. Each body is sent with
//! its CRC-64, which Azure compares before it stores anything: the polynomial is that of CRC-64/NVME, so the hashing
//! pass has it already.
//!
//! A blob of more than one part is sent in blocks, which are named by their number and checksum, and appears when the
//! list of its blocks is committed. Uncommitted blocks are found and reused by the next `put` of the same blob, can't
//! be listed, and are removed by Azure after a week.

mod answers;
mod api;
mod blocks;
mod client;
mod compare;
mod container;
mod credentials;
mod owner;
mod read;
mod requests;
mod settings;
mod single;

pub use client::AzureStore;
