//! `completions`: what a shell needs to complete commands and options.

use crate::cli::{error::Failure, output::Output};
use clap_complete::Shell;

/// Print a script with which a shell completes commands and options
///
/// For bash: sacker completions bash > ~/.local/share/bash-completion/completions/sacker
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(in crate::cli) fn run(
    args: &Args,
    mut command: clap::Command,
    output: &mut Output,
) -> Result<(), Failure> {
    // What it writes to must not fail, so it is not stdout itself.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "sacker", &mut script);
    output.line(script.trim_ascii_end())
}
