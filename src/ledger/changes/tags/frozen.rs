//! Freezes, as a move of a tag meets them. Pure: over what was read.

use crate::{
    ledger::{
        Error, Refused, engine::operation::Context, reads::freezes::met, schema::FreezeReplica,
        snapshot::Snapshot,
    },
    model::{Message, PackageName, TagName},
    table::{Action, Change},
};

/// The proof that no freeze refuses a move.
#[derive(Debug, Clone, Default)]
pub(in crate::ledger) struct Unfrozen {
    /// The check that the freezes are as they were read.
    pub check: Option<Action>,
    /// The reason of the emergency that passed a freeze, to be recorded.
    pub emergency: Option<Message>,
}

/// Checks that no freeze refuses a move forward, which may have a reason to pass one.
///
/// # Errors
/// [`Refused::Frozen`], with every freeze that refuses it.
pub(super) fn pass(
    package: &PackageName,
    tag: &TagName,
    emergency: Option<&Message>,
    seen: &Snapshot,
    context: &Context<'_>,
) -> Result<Unfrozen, Error> {
    let Some(key) = &context.replica else { return Ok(Unfrozen::default()) };
    let replica: Option<FreezeReplica> = seen.get(key)?;
    let met = match &replica {
        Some(replica) => met(&replica.freezes, package, context.now.at)?,
        None => Vec::new(),
    };
    if !met.is_empty() {
        let passes = emergency.is_some() && !met.iter().any(|freeze| freeze.strict);
        if !passes {
            let (package, tag) = (package.clone(), tag.clone());
            return Err(Refused::Frozen { package, tag, freezes: met }.into());
        }
    }
    let condition = seen.unchanged::<FreezeReplica>(key);
    let check = Action { key: key.clone(), condition, change: Change::Check };
    let emergency = emergency.filter(|_| !met.is_empty()).cloned();
    Ok(Unfrozen { check: Some(check), emergency })
}
