//! Faults: lost and late messages, bad networks, kills, outages, and servers that stop.

mod ambiguity;
#[cfg(feature = "azure")]
mod azure;
mod durability;
#[cfg(feature = "hdfs")]
mod hdfs;
#[cfg(feature = "failpoints")]
pub(crate) mod kills;
mod lasting;
mod network;
mod retries;
mod slow;
pub mod stalls;
#[cfg(feature = "zookeeper")]
mod zookeeper;
