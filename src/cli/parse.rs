//! Parses the command line, and explains what is wrong with it.

use super::{
    arguments::Arguments,
    environment::Environment,
    error::{Failure, Kind},
    groups,
    log::RunId,
    notices::{Format, Notices},
    render,
};
use clap::{
    ColorChoice, CommandFactory, FromArgMatches,
    error::{ContextKind, ContextValue, ErrorKind},
};
use std::ffi::OsString;

/// The words of other tools, and the commands that do the same here.
const ELSEWHERE: [(&[&str], &str); 13] = [
    (&["push", "publish", "upload", "put", "create"], "add"),
    (&["pull", "get", "fetch", "install"], "download"),
    (&["promote", "deploy", "move", "set", "ship"], "tag"),
    (&["show", "describe", "inspect"], "info"),
    (&["ls", "packages"], "list"),
    (&["search", "grep"], "find"),
    (&["log", "logs"], "history"),
    (&["diff", "compare", "changelog"], "changes"),
    (&["rm", "remove"], "delete"),
    (&["revert", "undo"], "rollback"),
    (&["lock", "pause"], "freeze"),
    (&["unlock", "unfreeze", "resume"], "thaw"),
    (&["verify", "validate"], "fsck"),
];

/// Parses the arguments. Returns them and the command's name, or an exit code if nothing is left to run.
pub(super) fn parse(
    arguments: &[OsString],
    environment: &Environment,
    run: RunId,
) -> Result<(Arguments, String), u8> {
    let options: Vec<_> = arguments.iter().take_while(|given| *given != "--").collect();
    let asked = |option: &str| options.iter().any(|given| *given == option);
    let (json, never) = (asked("--json"), asked("--color=never"));
    let log = asked("--log-format=json") || options.windows(2).any(|pair| *pair == ["--log-format", "json"]);
    let no_color = never || environment.filled("NO_COLOR").is_some();
    let choice = if no_color { ColorChoice::Never } else { ColorChoice::Auto };
    // The parser quotes its arguments: unsafe characters in them are escaped, at the price of color.
    let tricky = arguments.iter().any(|given| given.to_string_lossy().contains(render::unsafe_for_terminal));
    let mut parser = Arguments::command().color(choice);
    let mut matches = parser.try_get_matches_from_mut(arguments);
    if matches.as_ref().is_err_and(|error| is_help(error.kind())) {
        let with_groups = groups::grouped(Arguments::command().color(choice));
        matches = with_groups.try_get_matches_from(arguments);
    }
    // Dropping the parser would take as long as parsing.
    std::mem::forget(parser);
    let named = |matches: clap::ArgMatches| {
        let name = matches.subcommand_name().unwrap_or_default().to_owned();
        Ok((Arguments::from_arg_matches(&matches)?, name))
    };
    matches.and_then(named).map_err(|error| {
        let error = with_the_command_meant(error);
        if (json || log) && error.use_stderr() {
            let notices = Notices::new(if log { Format::Log(run) } else { Format::Json }, false, false);
            let failure = usage(&error.render().to_string());
            notices.failure(&failure);
            return failure.kind.exit_code();
        }
        if tricky && error.use_stderr() {
            Notices::new(Format::Plain, false, false).plain(&error.render().to_string());
            return u8::try_from(error.exit_code()).unwrap_or(Kind::Invalid.exit_code());
        }
        // A failure to write can't be reported anywhere.
        let _ = error.print();
        u8::try_from(error.exit_code()).unwrap_or(Kind::Invalid.exit_code())
    })
}

/// Returns true for what ends with a help.
fn is_help(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand)
}

/// Returns the error with the command that other tools call by the name that was given. The parser's own suggestions are
/// those of similar spelling, such as `unprotect` for `promote`.
fn with_the_command_meant(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand)
        && let Some((_, command)) = ELSEWHERE.iter().find(|(names, _)| names.contains(&given.as_str()))
    {
        let meant = ContextValue::Strings(vec![(*command).to_owned()]);
        error.insert(ContextKind::SuggestedSubcommand, meant);
    }
    error
}

/// Returns a usage error from the parser's text: the error, an empty line, and advice.
fn usage(text: &str) -> Failure {
    let message: Vec<_> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let message = message.join(" ");
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    let tips = text.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
    let similar = tips.filter(|tip| tip.contains("similar")).collect::<Vec<_>>().join("; ");
    if !similar.is_empty() {
        return Failure::new(Kind::Invalid, message).hint(similar);
    }
    Failure::new(Kind::Invalid, message)
        .hint("`sacker --help` lists the commands, `sacker COMMAND --help` their options")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_other_tools_is_none_of_a_command_and_means_one() {
        let program = Arguments::command();
        for (names, command) in ELSEWHERE {
            assert!(program.find_subcommand(command).is_some(), "{command}");
            for name in names {
                assert!(program.find_subcommand(name).is_none(), "{name}");
            }
        }
    }
}
