//! `label`: adds labels to a version.

use super::shared::{VersionArgs, change};
use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
    },
    model::{Labels, ReleaseChange},
};

/// Add labels to a version; an existing label is never replaced
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    of: VersionArgs,
    /// The labels
    #[arg(value_name = "NAME=VALUE", required = true)]
    labels: Vec<String>,
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let labels = Labels::parse(args.labels.iter().map(String::as_str))
        .map_err(|invalid| Failure::new(Kind::Invalid, invalid.to_string()))?;
    change(args.of, ReleaseChange::Label(labels), "labelling", context).await
}
