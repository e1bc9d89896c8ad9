//! A store in S3, or in a server with the same protocol.
//!
//! Three properties of S3 ensure that an address never holds wrong bytes: S3 compares the bytes that it receives with
//! the request's checksums ([object
//! integrity](https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html)), it writes under
//! the condition that no object exists, or that the existing object has a certain etag ([conditional
//! writes](https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html)), and it is [strongly
//! consistent](https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel). An object under
//! its address counts as the blob only if its size and checksum match or, if it has no comparable checksum, its
//! bytes; a write whose condition failed (412), or that met another write (409), is never taken as proof of that.
//!
//! The credentials need `s3:ListBucket` on the bucket too: without it S3 [answers
//! 403](https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html) for an object that does not exist.

mod api;
mod bucket;
mod changed;
mod client;
mod compare;
mod encoding;
mod faults;
mod grants;
mod journal;
mod multipart;
mod named;
mod owner;
mod payload;
mod probe;
mod range;
mod settings;
mod single;
mod uploads;

use super::body;
pub use client::S3Store;
pub use named::S3Files;
