//! What `gc` and `fsck` ask of a ledger.

pub(super) mod audit;
pub(super) mod condemn;
