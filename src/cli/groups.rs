//! The commands in the program's help, in groups by the task.

use super::arguments::WIDTH;
use clap::{Command, builder::StyledStr};
use std::fmt::Write;

/// The headings, and the commands under each. The list of all commands under one heading is too long to find one in.
const GROUPS: [(&str, &[&str]); 8] = [
    ("Publish and fetch", &["add", "download"]),
    ("Look up", &["list", "versions", "tags", "info", "status", "changes", "history", "find"]),
    ("Move tags", &["tag", "untag", "rollback", "recall", "apply", "check"]),
    ("Follow what happens", &["wait", "watch"]),
    ("Guard tags", &["protect", "unprotect", "freeze", "thaw"]),
    ("Change versions", &["label", "yank", "unyank", "delete", "undelete", "prune"]),
    ("Set up and maintain", &["init", "doctor", "fsck", "gc", "audit", "export", "import", "copy"]),
    ("Shells and manuals", &["completions", "man-pages", "help"]),
];

/// Returns the definition with a help that lists the commands in groups. Only for printing that help: no other start
/// should render the lists.
pub(super) fn grouped(mut program: Command) -> Command {
    program.build();
    let header = *program.get_styles().get_header();
    let mut commands = String::new();
    for (heading, names) in GROUPS {
        let found = names.iter().filter_map(|name| program.find_subcommand(name)).cloned();
        let listed = found.enumerate().map(|(place, command)| command.display_order(place));
        let mut group = Command::new("group")
            .disable_help_subcommand(true)
            .help_template("{subcommands}")
            .max_term_width(WIDTH)
            .subcommands(listed);
        let text = group.render_help().ansi().to_string();
        // Writing to a string does not fail.
        let _ = write!(commands, "{header}{heading}:{header:#}\n{}\n\n", text.trim_end());
    }
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{commands}{{all-args}}{{after-help}}"
    );
    let usage = format!("{} [OPTIONS] <COMMAND>", program.get_name());
    let names: Vec<_> = program.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    for name in names {
        program = program.mut_subcommand(name, |command| command.hide(true));
    }
    program.override_usage(usage).help_template(StyledStr::from(template))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::Arguments;
    use clap::CommandFactory;

    #[test]
    fn every_command_is_in_one_group() {
        let mut program = Arguments::command();
        program.build();
        let mut defined: Vec<_> = program.get_subcommands().map(Command::get_name).collect();
        let mut listed: Vec<_> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        defined.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, defined);
    }
}
