//! The last tip that this machine knew, in a file of the cache: a history that was rewritten since is noticed.

use super::{
    command::Git,
    objects::{Oid, is_oid},
};
use crate::{
    durable,
    fault::{Fault, FaultKind},
};
use std::{
    fs,
    io::{Seek, Write},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// The last tip that was seen.
#[derive(Debug)]
pub(super) struct Seen {
    file: PathBuf,
    /// The last one that this process has compared.
    last: Mutex<Option<Oid>>,
}

impl Seen {
    pub fn at(file: PathBuf) -> Self {
        Self { file, last: Mutex::new(None) }
    }

    fn last(&self) -> Option<Oid> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        last.or_else(|| {
            let text = fs::read_to_string(&self.file).ok()?;
            let oid = text.trim();
            // A file that was half written says nothing.
            is_oid(oid).then(|| oid.to_owned())
        })
    }

    /// Remembers a tip. If that fails, an older one is compared next time, which is as good.
    pub fn remember(&self, tip: &str) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(tip.to_owned());
        let written = self.file.parent().map_or(Ok(()), durable::make_private).and_then(|()| {
            let mut file = durable::open_own(&self.file)?;
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{tip}")
        });
        if let Err(error) = written {
            tracing::debug!(%error, "can't remember the tip in {}", self.file.display());
        }
    }

    /// Checks that a tip descends from the last one, and remembers it.
    pub async fn check(&self, git: &Git, doing: &str, tip: &str) -> Result<(), Fault> {
        match self.last() {
            Some(last) if last == tip => return Ok(()),
            Some(last) => {
                // Exit code 128: it is not even in the repository any more.
                let output = git.run(doing, &["merge-base", "--is-ancestor", &last, tip], b"").await?;
                match output.code {
                    Some(0) => {}
                    Some(1 | 128) => return Err(rewritten(doing, &last, Some(tip), &self.file)),
                    _ => return Err(super::failure::of(doing, &output)),
                }
            }
            None => {}
        }
        self.remember(tip);
        Ok(())
    }

    /// Refuses the absence of a ledger that was seen.
    pub fn check_absent(&self, doing: &str) -> Result<(), Fault> {
        self.last().map_or(Ok(()), |last| Err(rewritten(doing, &last, None, &self.file)))
    }
}

/// Returns the fault of a history that does not contain what it contained before.
pub(super) fn rewritten(doing: &str, known: &str, tip: Option<&str>, record: &std::path::Path) -> Fault {
    const REMEDY: &str = "find out who rewrote it, and restore the ref to the newest commit (the reflog, or another \
                          clone, may have it); if this is a restored ledger on purpose, remove the named record";
    let now =
        tip.map_or("it is gone".to_owned(), |tip| format!("it is on {tip}, which does not contain that"));
    let why = format!(
        "its history was rewritten: this machine knew the commit {known} ({}), and {now}",
        record.display()
    );
    Fault { remedy: Some(REMEDY), ..Fault::new(FaultKind::Corrupt, doing, why) }
}
