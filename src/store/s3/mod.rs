//! A store in S3, or in a server that speaks its protocol.
//!
//! That nothing wrong can come to stand under an address rests on three properties of S3: it compares what it gets
//! with the checksums that go with it
//! ([object integrity](https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html)), it
//! writes under the condition that nothing is there, or that what is there has a certain etag
//! ([conditional writes](https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html)), and it is
//! [strongly consistent](https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel).
//! An object found under its address is taken for the blob only if its size and its checksum say so, or, where it has no
//! checksum to compare, its bytes; that a write's
//! condition failed (412) or that another write came between (409) is never taken for that.
//!
//! The credentials need `s3:ListBucket` on the bucket too: without it S3
//! [answers 403](https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html) for an object that is not there.

mod api;
mod body;
mod bucket;
mod changed;
mod client;
mod compare;
mod encoding;
mod faults;
mod journal;
mod multipart;
mod owner;
mod payload;
mod probe;
mod range;
mod settings;
mod single;
mod uploads;

pub use client::S3Store;
