//! `unprotect`: removes the protection of a tag.

use super::protect::{TagArgs, protect};
use crate::cli::{context::Context, error::Failure};

/// Remove the protection of a tag
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    of: TagArgs,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    protect(args.of, None, Vec::new(), false, context).await
}
