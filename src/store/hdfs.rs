//! A store in HDFS.
//!
//! `OWNER` and its successors, `sha256/<two digits>/` with the blobs whose hash begins with these digits, and `tmp/`
//! with unfinished writes. A blob is written to `tmp/`, hashed while it is sent, synchronized on every `DataNode` of
//! its pipeline, and then renamed: the `NameNode` does that atomically. A kill at any point leaves at most a file in
//! `tmp/`, which `gc` removes.
//!
//! HDFS keeps a checksum of each 512 bytes and checks it with every read, but no sha256, so `put` reads and hashes an
//! existing file under its address. The client retries reads and fails over between `NameNode`s by itself, but never
//! sends a change again whose outcome it does not know; every call ends within a limit of its own.

mod api;
mod calls;
mod client;
mod cursors;
mod faults;
mod listing;
mod owner;
mod put;
mod read;
mod settings;
mod temporary;

pub use client::HdfsStore;
