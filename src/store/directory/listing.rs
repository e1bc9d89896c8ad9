//! Names in order from an unordered directory, in few passes and bounded memory.

use super::{
    DirectoryStore,
    ahead::{Ahead, Name, WINDOW, first},
    stat,
};
use crate::{
    model::Address,
    store::{Listing, files::found},
};
use std::{fs, io, sync::PoisonError};

const PAGE: usize = 1000;

impl DirectoryStore {
    /// Returns the names after `after`. A listing that continues where the last page ended reads the directory only
    /// if no names from the last pass are left.
    fn ahead(&self, after: Option<&str>) -> io::Result<Ahead> {
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ahead) = ahead.filter(|ahead| Some(&*ahead.after) == after && ahead.names.len() > 0) {
            return Ok(ahead);
        }
        let from = after.and_then(Name::of);
        let entries = found(fs::read_dir(self.blobs()))?.into_iter().flatten();
        let names = entries.filter_map(|entry| match entry {
            Ok(entry) => entry.file_name().to_str().and_then(Name::of).map(Ok),
            Err(error) => Some(Err(error)),
        });
        let later = |name: &io::Result<Name>| match (name, &from) {
            (Ok(name), Some(from)) => name > from,
            _ => true,
        };
        let (names, more) = first(names.filter(later), WINDOW)?;
        Ok(Ahead { after: after.unwrap_or_default().to_owned(), names: names.into_iter(), more })
    }

    pub(super) fn list_blocking(&self, after: Option<&str>) -> io::Result<Listing> {
        let mut ahead = self.ahead(after)?;
        let page: Vec<_> = ahead.names.by_ref().take(PAGE).map(|name| name.address()).collect();
        let next = page.last().map(Address::to_string).filter(|_| ahead.more || ahead.names.len() > 0);
        let mut objects = Vec::with_capacity(page.len());
        for at in page {
            // A blob that was deleted meanwhile is left out, and so is a directory.
            if let Some(metadata) = found(fs::metadata(self.blob(&at)))?
                && metadata.is_file()
            {
                objects.push((at, stat(&metadata)));
            }
        }
        if let Some(next) = &next {
            ahead.after.clone_from(next);
            *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
        Ok(Listing { objects, next })
    }
}
