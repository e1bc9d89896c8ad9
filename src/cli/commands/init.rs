//! `init`: creates the ledger and the store.

use crate::{
    cli::{context::Context, error::Failure, json, render},
    model::{Created, SettingState},
    ops::Adopted,
};

/// Create the ledger and the store with safe settings, or check existing ones
///
/// The settings are those of the Terraform module in infra/ with its defaults; of an existing table or bucket, each one that
/// is missing is named, and none is changed. The module also has options: replication, backups, logs, alarms, a KMS key.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Make this ledger the owner of another ledger's store, as after a restore; the other is refused from then on
    #[arg(long)]
    adopt_store: bool,
}

pub(in crate::cli) async fn run(args: &Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let client = context.client().await?;
    let made = if args.adopt_store {
        client.adopt().await.map_err(context.failed("adopting the store"))?
    } else {
        client.init().await.map_err(context.failed("creating the ledger and the store"))?
    };
    let (ledger, store) = (context.places.ledger.to_string(), context.places.store.to_string());
    if context.output.json {
        context.output.object(&json::InitLine::of(&made, &ledger, &store, args.adopt_store))?;
    } else {
        let done = |created| match created {
            Created::Made => "created",
            Created::Present => "exists already",
        };
        context.output.line(format!("ledger: {ledger} ({}), id {}", done(made.ledger), made.id))?;
        context.output.line(format!("store: {store} ({})", done(made.store)))?;
        if let Some(Adopted { former, generation }) = &made.adopted {
            let former = former.as_deref().map_or_else(|| "none".to_owned(), render::escaped);
            context.output.line(format!(
                "adopted: former owner {former}; blobs are added at generation {generation} and up"
            ))?;
        }
    }
    for setting in &made.settings {
        match (&setting.state, &setting.repair) {
            (SettingState::Off, Some(repair)) => {
                context.notices.warn(&format!("{} is off; to turn it on: {repair}", setting.title));
            }
            (SettingState::Off, None) => context.notices.warn(&format!("{} is off", setting.title)),
            (SettingState::NotKnown(why), _) => {
                context.notices.note(&format!("{} is unknown: {}", setting.title, render::escaped(why)));
            }
            (SettingState::On | SettingState::NotSupported, _) => {}
        }
    }
    match &made.adopted {
        Some(_) => {
            context.notices.note("`sacker fsck` checks that the store has every blob that this ledger needs");
        }
        None if args.adopt_store => {
            context.notices.note("nothing to adopt: the store already belongs to this ledger");
        }
        None => {}
    }
    Ok(())
}
