//! `import --from files`: the objects of a bucket or the files of a directory, by a pattern of their names.

use super::{
    contents::{Foreign, ForeignVersion},
    fetch::listed,
    numbering::{Candidate, Order, is_version, numbered},
    pattern::{Matched, Pattern},
};
use crate::{
    model::{Invalid, Message, PackageName},
    ops::error::Error,
    retry::RetryPolicy,
    store::named::{NamedFile, NamedFiles},
};
use std::{collections::BTreeMap, sync::Arc};

/// Options of an import of files.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FilesOptions {
    /// The pattern of the names.
    pub pattern: Pattern,
    /// The package; `None` if the pattern names it.
    pub package: Option<PackageName>,
    /// The order in which versions get their numbers.
    pub order: Order,
}

impl FilesOptions {
    /// Files whose names fit this pattern, which names their package.
    #[must_use]
    pub fn new(pattern: Pattern) -> Self {
        Self { pattern, package: None, order: Order::default() }
    }

    /// Sets the package of all files.
    #[must_use]
    pub fn package(self, package: Option<PackageName>) -> Self {
        Self { package, ..self }
    }

    /// Sets the order in which versions get their numbers.
    #[must_use]
    pub fn order(self, order: Order) -> Self {
        Self { order, ..self }
    }
}

/// Returns the message of a version, and true if it identifies the bytes.
pub(super) fn message(files: &dyn NamedFiles, name: &str, mark: Option<&str>) -> (Option<Message>, bool) {
    let mark_text = mark.map(|mark| format!(" ({mark})")).unwrap_or_default();
    let message = format!("imported from {}/{name}{mark_text}", files.describe()).parse().ok();
    let is_identified = message.is_some() && mark.is_some();
    (message, is_identified)
}

impl Foreign {
    /// Reads the names of files, and makes a version of each that fits the pattern. No file is read.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless either the pattern or the options name the package; those of the listing.
    pub async fn of_files(
        files: Arc<dyn NamedFiles>,
        options: &FilesOptions,
        retry_policy: &RetryPolicy,
    ) -> Result<Self, Error> {
        let FilesOptions { pattern, package, order } = options;
        if pattern.has_package() == package.is_some() {
            let rule = match package {
                Some(_) => "has {package}, and the package is also given by name",
                None => "has no {package}, and no package is given by name",
            };
            return Err(Invalid::new("pattern", &pattern.to_string(), rule).into());
        }
        let (listed, skipped) = listed(&*files, pattern.prefix(), retry_policy).await?;
        let mut foreign = Self::new(files);
        for (name, why) in skipped {
            foreign.differences.push(format!("{name} is left out: {why}"));
        }
        let mut candidates: BTreeMap<PackageName, Vec<Candidate>> = BTreeMap::new();
        for file in listed {
            match foreign.candidate(&file, options) {
                Ok((package, candidate)) => candidates.entry(package).or_default().push(candidate),
                Err(why) => foreign.differences.push(format!("{} is left out: {why}", file.name)),
            }
        }
        for (package, candidates) in candidates {
            let versions = numbered(candidates, *order, &mut foreign.differences);
            if !versions.is_empty() {
                foreign.packages.insert(package, versions);
            }
        }
        foreign.note_gaps();
        Ok(foreign)
    }

    fn candidate(
        &self,
        file: &NamedFile,
        options: &FilesOptions,
    ) -> Result<(PackageName, Candidate), String> {
        let NamedFile { name, size, modified, etag } = file;
        let matched = options.pattern.matched(name, is_version(options.order));
        let Some(Matched { package, version: Some(version) }) = matched else {
            return Err(format!("its name does not fit {}", options.pattern));
        };
        let package = match (&options.package, package) {
            (Some(package), _) => package.clone(),
            (None, package) => {
                package.unwrap_or_default().parse().map_err(|error: Invalid| error.to_string())?
            }
        };
        let own = name.rsplit('/').next().unwrap_or(name);
        let filename = own.parse().map_err(|error: Invalid| error.to_string())?;
        let mark = etag.as_ref().map(|etag| format!("etag {etag}"));
        let (message, is_identified) = message(&*self.files, name, mark.as_deref());
        let foreign = ForeignVersion {
            size: Some(*size),
            filename: Some(filename),
            message,
            is_identified,
            is_original: true,
            ..ForeignVersion::new(name.clone())
        };
        Ok((package, Candidate { version: version.to_owned(), modified: *modified, foreign }))
    }
}
