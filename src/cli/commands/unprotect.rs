//! `unprotect`: lets a tag be moved again.

use super::protect::{TagArgs, protect};
use crate::cli::{context::Context, error::Failure};

/// Let a protected tag be moved again
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    of: TagArgs,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    protect(args.of, None, context).await
}
