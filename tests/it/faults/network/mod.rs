//! The real servers behind a bad network: a proxy in front of DynamoDB Local and MinIO loses, delays, doubles, cuts
//! and corrupts messages, and gives answers that those servers never give.
//!
//! No outcome depends on time: a delay is short, and only reorders what may come in any order.

mod bench;
mod freezing;
mod moves;
mod single;
mod storm;
