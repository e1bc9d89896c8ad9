//! Shared parts of the tests: back ends, servers, networks, sandboxes, and audits.

pub mod audit;
#[cfg(feature = "azure")]
pub mod azure;
pub mod backends;
#[cfg(any(feature = "azure", feature = "hdfs"))]
pub mod blobs;
pub mod faulty_table;
pub mod git_http;
pub mod git_ssh;
#[cfg(feature = "hdfs")]
pub mod hdfs;
pub mod iam;
pub mod link;
pub mod places;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod proxy;
pub mod repository;
pub mod rewriting;
pub mod sandbox;
pub mod scripted_s3;
pub mod server;
pub mod servers;
pub mod terraform;
pub mod turns;
pub mod warned;
pub mod wire;
pub mod world;
#[cfg(feature = "zookeeper")]
pub mod zookeeper;
