//! `man-pages`: writes the man pages of all commands.

use crate::cli::{
    error::{Failure, Kind},
    notices::Notices,
    render,
};
use std::{
    fs, io,
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
    let mut program = definition.disable_help_subcommand(true);
    program.build();
    let mut pages = 0;
    for command in std::iter::once(&program).chain(program.get_subcommands()) {
        let page = clap_mangen::Man::new(command.clone());
        let mut text = Vec::new();
        page.render(&mut text)?;
        fs::write(directory.join(page.get_filename()), text)?;
        pages += 1;
    }
    Ok(pages)
}
