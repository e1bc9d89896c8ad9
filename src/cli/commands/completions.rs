//! `completions`: prints the completion script of a shell.

use crate::cli::{
    error::{Failure, Kind},
    output::Output,
};
use clap_complete::{Shell, env::Shells};

/// Print the completion script of a shell
///
/// For bash: sacker completions bash > ~/.local/share/bash-completion/completions/sacker
///
/// The script runs sacker, which also completes packages, tags and versions from the ledger.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// The end of the script of zsh: a script in `$fpath` is read by the first Tab, which then completes, too.
const ZSH_FIRST_TAB: &str = r#"
if [ "$funcstack[1]" = _sacker ]; then
    _clap_dynamic_completer_sacker "$@"
fi
"#;

/// Prints a script that names the shell in this variable when it runs sacker.
pub(in crate::cli) fn run(args: &Args, variable: &str, output: &mut Output) -> Result<(), Failure> {
    let shells = Shells::builtins();
    let name = args.shell.to_string();
    let internal = |why: String| Failure::new(Kind::Internal, format!("no completion script: {why}"));
    let shell = shells.completer(&name).ok_or_else(|| internal(format!("{name} is not known")))?;
    let mut script = Vec::new();
    shell
        .write_registration(variable, "sacker", "sacker", "sacker", &mut script)
        .map_err(|error| internal(error.to_string()))?;
    if args.shell == Shell::Zsh {
        script.extend_from_slice(ZSH_FIRST_TAB.as_bytes());
    }
    output.line(script.trim_ascii_end())
}
