//! Faults: lost and late messages, bad networks, kills, outages, and servers that stop.

mod ambiguity;
mod durability;
#[cfg(feature = "failpoints")]
mod kills;
mod lasting;
mod network;
mod retries;
mod slow;
pub mod stalls;
#[cfg(feature = "zookeeper")]
mod zookeeper;
