//! sacker
pub mod aws;
pub mod fault;
pub mod ledger;
pub mod model;
pub mod ops;
pub mod retry;
pub mod store;
pub mod table;
