//! Reading an export from a file, and verifying it as a whole.

use super::export::{ExportReport, FORMAT, Header, Trailer};
use crate::{
    ledger::{ExportItem, PackageCheck, Positions},
    model::{PackageName, Sha256},
    ops::error::Error,
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// The most bytes of a line: more than any item has.
const LONGEST: u64 = 16 << 20;

/// An export that was verified.
#[derive(Debug)]
pub(super) struct Verified {
    /// The epoch of the exported ledger.
    pub epoch: u64,
    /// The packages, by name, with the ends of their logs.
    pub packages: Vec<(PackageName, Positions)>,
}

/// The lines of an export.
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    number: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, Error> {
        let file =
            File::open(path).map_err(|error| Error::Input { path: path.into(), why: error.to_string() })?;
        Ok(Self { path: path.into(), reader: BufReader::with_capacity(1 << 18, file), number: 0 })
    }

    fn error(&self, why: impl Into<String>) -> Error {
        Error::Export { line: self.number, why: why.into() }
    }

    /// Returns the next line, with its end; `None` at the end of the file.
    fn next(&mut self) -> Result<Option<String>, Error> {
        let mut line = Vec::new();
        self.number += 1;
        let read = (&mut self.reader).take(LONGEST).read_until(b'\n', &mut line);
        read.map_err(|error| Error::Input { path: self.path.clone(), why: error.to_string() })?;
        match line.last() {
            None => Ok(None),
            Some(b'\n') => String::from_utf8(line).map(Some).map_err(|_| self.error("it is not UTF-8")),
            Some(_) => Err(self.error("it has no end: the file is truncated")),
        }
    }

    /// Returns the first line, and what it states.
    fn header(&mut self) -> Result<(String, Header), Error> {
        let line = self.next()?.unwrap_or_default();
        let header: Result<serde_json::Value, _> = serde_json::from_str(&line);
        let header = header.ok().filter(|header| header.get("sacker_export").is_some());
        let header = header.ok_or_else(|| self.error("it is not the first line of an export"))?;
        if header["sacker_export"].as_u64() != Some(FORMAT) {
            let (format, release) = (header["sacker_export"].to_string(), header["release"].to_string());
            return Err(Error::NewerExport { format, release });
        }
        let header = serde_json::from_value(header).map_err(|error| self.error(error.to_string()))?;
        Ok((line, header))
    }

    /// Returns the next item; `None` at the last line, with what that line states.
    fn item(&mut self) -> Result<Result<(String, ExportItem), Trailer>, Error> {
        let Some(line) = self.next()? else {
            return Err(self.error("there is no last line with the totals: the file is truncated"));
        };
        if let Some(item) = ExportItem::of_line(&line) {
            return Ok(Ok((line, item)));
        }
        let trailer: Trailer =
            serde_json::from_str(&line).map_err(|_| self.error("it is not a line of an export"))?;
        if self.next()?.is_some() {
            return Err(self.error("something follows the last line"));
        }
        Ok(Err(trailer))
    }
}

/// The verification of a file.
struct Verification {
    packages: Vec<(PackageName, Positions)>,
    check: Option<(PackageName, PackageCheck)>,
    items: u64,
}

impl Verification {
    fn take(&mut self, item: &ExportItem) -> Result<(), Error> {
        let package = item.package()?;
        if self.check.as_ref().is_none_or(|(current, _)| *current != package) {
            self.end_package()?;
            self.check = Some((package, PackageCheck::new(Positions::default())));
        }
        self.items += 1;
        if let Some((_, check)) = &mut self.check {
            check.take(item)?;
        }
        Ok(())
    }

    fn end_package(&mut self) -> Result<(), Error> {
        let Some((package, check)) = self.check.take() else { return Ok(()) };
        check.finish()?;
        let after = |(last, _): &(PackageName, Positions)| last.as_str() < package.as_str();
        if !self.packages.last().is_none_or(after) {
            let why = format!("the package {package} is not in order");
            return Err(Error::Export { line: self.items + 1, why });
        }
        self.packages.push((package, check.passed().clone()));
        Ok(())
    }
}

/// Verifies all of an export: its form, each chain, its totals and its sha256. Blocks.
///
/// # Errors
/// [`Error::Export`]; [`Error::NewerExport`]; [`Damaged`](crate::ledger::Error::Damaged) for a chain.
pub(super) fn verify(path: &Path) -> Result<Verified, Error> {
    let mut lines = Lines::open(path)?;
    let mut sha256 = Sha256::new();
    let (line, header) = lines.header()?;
    sha256.update(line.as_bytes());
    let mut verification = Verification { packages: Vec::new(), check: None, items: 0 };
    let end = loop {
        match lines.item()? {
            Ok((line, item)) => {
                sha256.update(line.as_bytes());
                verification.take(&item)?;
            }
            Err(Trailer { end }) => break end,
        }
    };
    verification.end_package()?;
    let found = ExportReport {
        packages: verification.packages.len() as u64,
        items: verification.items,
        sha256: sha256.finish().to_string(),
    };
    if found.sha256 != end.sha256 {
        return Err(lines.error("the sha256 of the lines before it is another one: the file was changed"));
    }
    if found != end {
        return Err(lines.error("its totals are not those of the file"));
    }
    Ok(Verified { epoch: header.ledger.map_or(0, |ledger| ledger.epoch), packages: verification.packages })
}

/// Passes on the items of some packages, with their packages, until `pass` returns false. Blocks.
pub(super) fn each_item(
    path: &Path,
    mut is_wanted: impl FnMut(&PackageName) -> bool,
    mut pass: impl FnMut(PackageName, ExportItem) -> bool,
) -> Result<(), Error> {
    let mut lines = Lines::open(path)?;
    lines.header()?;
    while let Ok((_, item)) = lines.item()? {
        let package = item.package()?;
        if is_wanted(&package) && !pass(package, item) {
            return Ok(());
        }
    }
    Ok(())
}

/// Returns the first package that has not passed its positions in the file. Blocks.
pub(super) fn first_diverged(
    path: &Path,
    mut present: BTreeMap<PackageName, Positions>,
) -> Result<Option<PackageName>, Error> {
    let wanted: std::collections::BTreeSet<_> = present.keys().cloned().collect();
    let pass = |package: PackageName, item: ExportItem| {
        if let (Some(entry), Some(at)) = (item.entry(), present.get_mut(&package)) {
            let log = if item.is_tag_entry() { &mut at.tags } else { &mut at.releases };
            // A position that was found is no longer looked for.
            if *log == entry {
                log.rev = 0;
            }
        }
        true
    };
    each_item(path, |package| wanted.contains(package), pass)?;
    Ok(present.into_iter().find(|(_, at)| !at.is_start()).map(|(package, _)| package))
}
