//! `man-pages`: writes the man pages of all commands.

use crate::cli::{
    error::{Failure, Kind},
    notices::Notices,
    render,
};
use clap_mangen::Man;
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Write the man pages of all commands into a directory
///
/// For one user: sacker man-pages ~/.local/share/man/man1
///
/// The directory is made if it does not exist. Pages that are there are replaced.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The directory
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes a page for the program that `definition` defines, and one for each of its commands.
pub(in crate::cli) fn run(args: &Args, definition: clap::Command, notices: &Notices) -> Result<(), Failure> {
    let directory = &args.directory;
    let pages = write(definition, directory).map_err(|error| {
        let message = format!("can't write into {}: {}", directory.display(), render::plain(&error));
        Failure::new(Kind::Invalid, message).hint("free space there, or name another directory")
    })?;
    notices.note(&format!("{} in {}", render::counted(pages, "man page"), directory.display()));
    Ok(())
}

/// Returns the number of pages.
fn write(definition: clap::Command, directory: &Path) -> io::Result<u64> {
    fs::create_dir_all(directory)?;
    let version = env!("CARGO_PKG_VERSION");
    let mut program = definition.disable_help_subcommand(true).long_version(version);
    program.build();
    write_with_subcommands(&program, directory)
}

/// Returns the number of pages.
fn write_with_subcommands(command: &clap::Command, directory: &Path) -> io::Result<u64> {
    let page = Man::new(command.clone());
    fs::write(directory.join(page.get_filename()), rendered(&page, command)?)?;
    command
        .get_subcommands()
        .try_fold(1, |pages, below| Ok(pages + write_with_subcommands(below, directory)?))
}

/// Returns a page: as the library renders it, except for the end of the help, whose lines are kept as they are.
fn rendered(page: &Man, command: &clap::Command) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut text)?;
    }
    let notes = command.get_after_long_help().or(command.get_after_help());
    for paragraph in notes.map(ToString::to_string).unwrap_or_default().split("\n\n") {
        write_section(&mut text, paragraph)?;
    }
    if command.get_version().is_some() {
        page.render_version_section(&mut text)?;
    } else {
        writeln!(text, ".SH \"SEE ALSO\"\n\\fBsacker\\fR(1)")?;
    }
    Ok(text)
}

/// Writes a paragraph of the help; the sections have the names that man pages use.
fn write_section(text: &mut Vec<u8>, paragraph: &str) -> io::Result<()> {
    let (heading, lines) = paragraph.split_once('\n').unwrap_or(("", paragraph));
    let (heading, lines) = match heading {
        "Exit codes:" => ("EXIT STATUS", lines),
        "Environment:" => ("ENVIRONMENT", lines),
        _ if heading.starts_with("A SPEC") => ("SPECS", lines),
        _ if paragraph.is_empty() => return Ok(()),
        _ => ("NOTES", paragraph),
    };
    writeln!(text, ".SH \"{heading}\"\n.nf")?;
    for line in lines.lines() {
        let escaped = line.replace('\\', "\\\\").replace('-', "\\-");
        // A line that begins with a dot or an apostrophe would be a request.
        let first = if escaped.starts_with(['.', '\'']) { "\\&" } else { "" };
        writeln!(text, "{first}{escaped}")?;
    }
    writeln!(text, ".fi")
}
