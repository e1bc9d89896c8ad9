//! Verifying the chains of a package while its items pass.

use super::item::{ExportItem, ItemKind, Position, Positions, position};
use crate::{
    ledger::{
        Error,
        schema::{START, log},
    },
    table::Item,
};

/// The verification of one package's items, in the order of an export: the heads, then the entries of each log by `rev`.
#[derive(Debug)]
pub struct PackageCheck {
    passed: Positions,
    heads: [Option<Item>; 2],
}

impl PackageCheck {
    /// Begins after these positions.
    #[must_use]
    pub fn new(from: Positions) -> Self {
        Self { passed: from, heads: [None, None] }
    }

    /// Returns the positions of the last entries that have passed.
    #[must_use]
    pub fn passed(&self) -> &Positions {
        &self.passed
    }

    /// Returns the head of a log, if it has passed.
    pub(super) fn head(&self, of_tags: bool) -> Option<&Item> {
        self.heads[usize::from(of_tags)].as_ref()
    }

    /// Checks the next item.
    ///
    /// # Errors
    /// [`Error::Damaged`] for an entry that does not follow from the previous one.
    pub fn take(&mut self, item: &ExportItem) -> Result<(), Error> {
        match item.kind() {
            ItemKind::Head => self.heads[usize::from(item.is_of_tags())] = Some(item.item.clone()),
            ItemKind::Version | ItemKind::Event => self.take_entry(item)?,
            ItemKind::Tag | ItemKind::Key | ItemKind::Other => {}
        }
        Ok(())
    }

    fn take_entry(&mut self, item: &ExportItem) -> Result<(), Error> {
        let of_tags = item.is_of_tags();
        let passed = if of_tags { &mut self.passed.tags } else { &mut self.passed.releases };
        let rev = item.number("rev");
        if rev <= passed.rev && item.kind() == ItemKind::Version {
            // A version from before the first position: its state has changed since.
            return Ok(());
        }
        if rev != passed.rev + 1 {
            let why = format!("its rev is {rev}, after {}: entries are missing", passed.rev);
            return Err(item.damaged(why));
        }
        let before = if passed.rev == 0 { START } else { &passed.chain };
        let chain = log::next(before, &item.key, &item.item);
        if chain != item.text("chain") {
            return Err(
                item.damaged("its chain value does not follow: it, or an entry before it, was changed")
            );
        }
        *passed = Position { rev, chain, when: item.number("when") };
        if item.kind() == ItemKind::Version {
            self.passed.versions = item.number("n");
        }
        Ok(())
    }

    /// Checks that the logs end where their heads state.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn finish(&self) -> Result<(), Error> {
        let logs = [
            ("releases", &self.heads[0], &self.passed.releases),
            ("tags", &self.heads[1], &self.passed.tags),
        ];
        for (name, head, passed) in logs {
            let stated = position(head.as_ref());
            if stated != *passed {
                let why = format!("its head is at rev {}, and its entries end at {}", stated.rev, passed.rev);
                let why = if stated.rev == passed.rev {
                    "its head has another chain value".to_owned()
                } else {
                    why
                };
                return Err(Error::Damaged { what: format!("the log of {name}"), why });
            }
        }
        Ok(())
    }
}
