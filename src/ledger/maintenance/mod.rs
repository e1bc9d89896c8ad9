//! The ledger's side of `gc` and `fsck`.

pub(super) mod audit;
pub(super) mod condemn;
mod grants;
