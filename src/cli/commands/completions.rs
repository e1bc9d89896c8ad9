//! `completions`: prints the completion script of a shell.

use crate::cli::{error::Failure, output::Output};
use clap_complete::Shell;

/// Print the completion script of a shell
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
    // The generator panics if a write fails, so it does not write to stdout directly.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "sacker", &mut script);
    output.line(script.trim_ascii_end())
}
