//! Opening and creating the database, queueing for it, and classifying its errors.

use crate::{
    durable::{make_private_dir, uninterrupted},
    failpoint,
    fault::{Fault, FaultKind},
};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

/// "sack", in the [header](https://sqlite.org/fileformat2.html#application_id) of every database of ours.
const APPLICATION_ID: i32 = 0x7361_636b;
/// The version of the table layout; in the header too.
const LAYOUT: i32 = 1;
/// The file's name in its directory.
pub(super) const FILE: &str = "ledger.db";

/// The time that SQLite itself waits for clients that do not queue: readers of other processes, and manual sessions.
const BUSY: Duration = Duration::from_secs(5);

/// An open database of ours.
pub(super) struct Database {
    pub(super) connection: Connection,
    /// True if it was created when it was opened.
    pub(super) made: bool,
    queue: File,
}

/// The action if there is no database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Leave it missing.
    Existing,
    /// Create one.
    Make,
}

impl Database {
    /// Returns the database in `dir`, opened if `held` does not hold it yet, or `None` if there is none and `access`
    /// does not create one.
    pub(super) fn ensure<'a>(
        held: &'a mut Option<Self>,
        dir: &Path,
        access: Access,
        ticket: &QueueTicket,
        doing: &str,
    ) -> Result<Option<&'a mut Self>, Fault> {
        if held.is_none() {
            *held = Self::open(dir, access, ticket, doing)?;
        }
        Ok(held.as_mut())
    }

    fn open(dir: &Path, access: Access, ticket: &QueueTicket, doing: &str) -> Result<Option<Self>, Fault> {
        let disk = |error: io::Error| Fault::new(FaultKind::Disk, doing, error);
        let path = dir.join(FILE);
        if access == Access::Make {
            make_private_dir(dir).map_err(disk)?;
        } else if !path.try_exists().map_err(disk)? {
            return Ok(None);
        }
        let queue = failpoint::errno("ledger-open").and_then(|()| {
            let mut options = OpenOptions::new();
            options.create(true).truncate(false).write(true).open(dir.join("ledger.lock"))
        });
        let queue = queue.map_err(disk)?;
        let locked = ticket.wait(&queue, doing)?;
        let sql = |error| fault(doing, error);
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, access == Access::Make);
        let mut connection = Connection::open_with_flags(&path, flags).map_err(sql)?;
        connection.busy_timeout(BUSY).map_err(sql)?;
        let made = match recognise(&connection, doing)? {
            Recognised::Ours => false,
            Recognised::Empty if access == Access::Existing => return Ok(None),
            Recognised::Empty => {
                initialise(&mut connection).map_err(sql)?;
                true
            }
        };
        settle(&connection).map_err(sql)?;
        drop(locked);
        Ok(Some(Self { connection, made, queue }))
    }

    /// Waits for our turn to write; dropping the result ends the turn.
    pub(super) fn lock(&self, ticket: &QueueTicket, doing: &str) -> Result<Locked, Fault> {
        ticket.wait(&self.queue, doing)
    }
}

enum Recognised {
    Ours,
    /// An empty file: new, or left by a crash during creation.
    Empty,
}

fn recognise(connection: &Connection, doing: &str) -> Result<Recognised, Fault> {
    let sql = |error| fault(doing, error);
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, layout) =
        (number("application_id").map_err(sql)?, number("user_version").map_err(sql)?);
    let foreign = |what: String| Err(Fault::new(FaultKind::Misconfigured, doing, what));
    match (application, layout) {
        (APPLICATION_ID, LAYOUT) => Ok(Recognised::Ours),
        (APPLICATION_ID, layout) => foreign(format!(
            "`ledger.db` has layout {layout}, and this version of sacker knows only {LAYOUT}"
        )),
        (0, 0) => {
            let objects: u32 = connection
                .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
                .map_err(sql)?;
            if objects == 0 {
                return Ok(Recognised::Empty);
            }
            foreign("`ledger.db` is a database of another program".to_owned())
        }
        _ => foreign("`ledger.db` is a database of another program".to_owned()),
    }
}

fn initialise(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // One transaction, so that a crash leaves an empty database or ours.
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    change.execute_batch(
        "CREATE TABLE items (pk TEXT, sk TEXT, item TEXT NOT NULL, PRIMARY KEY (pk, sk)) WITHOUT ROWID",
    )?;
    change.pragma_update(None, "application_id", APPLICATION_ID)?;
    change.pragma_update(None, "user_version", LAYOUT)?;
    change.commit()
}

/// Sets the per-connection options, on every connection.
fn settle(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    // On macOS a plain flush leaves the bytes in the drive's cache; elsewhere this changes nothing.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)
}

/// The place of a piece of work in the queue: the queue may be left until the work has started, and not after.
#[derive(Clone, Default)]
pub(super) struct QueueTicket(Arc<AtomicU8>);

const QUEUED: u8 = 0;
const STARTED: u8 = 1;
const LEFT: u8 = 2;

impl QueueTicket {
    /// Leaves the queue. Returns true if that was still possible: then the work is never done.
    pub(super) fn leave(&self) -> bool {
        self.0.compare_exchange(QUEUED, LEFT, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Leaves the queue when the result is dropped.
    pub(super) fn leave_on_drop(&self) -> LeaveOnDrop {
        LeaveOnDrop(self.clone())
    }

    /// Starts the work, unless the queue was left.
    pub(super) fn start(&self, doing: &str) -> Result<(), Fault> {
        match self.0.compare_exchange(QUEUED, STARTED, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) | Err(STARTED) => Ok(()),
            Err(_) => Err(Fault::new(FaultKind::Contended, doing, "the caller no longer waits for it")),
        }
    }

    /// Waits until the others release the lock, and starts the work.
    fn wait(&self, queue: &File, doing: &str) -> Result<Locked, Fault> {
        let disk = |error| Fault::new(FaultKind::Disk, doing, error);
        let own = queue.try_clone().map_err(disk)?;
        uninterrupted(|| failpoint::errno("ledger-lock").and_then(|()| own.lock())).map_err(disk)?;
        let locked = Locked(own);
        self.start(doing)?;
        Ok(locked)
    }
}

/// Leaves the queue when dropped.
pub(super) struct LeaveOnDrop(QueueTicket);

impl Drop for LeaveOnDrop {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// The lock, held. The handle shares it with the one it was cloned from, so closing it alone would not release it.
pub(super) struct Locked(File);

impl Drop for Locked {
    fn drop(&mut self) {
        // Unlocking can't fail on a held lock; a failure would show as contention at the next opener.
        let _ = self.0.unlock();
    }
}

/// Classifies an error of SQLite, see its [result codes](https://sqlite.org/rescode.html).
pub(super) fn fault(doing: &str, error: rusqlite::Error) -> Fault {
    Fault::new(kind(&error), doing, error)
}

/// Does the same as [`fault`] for an error during a commit: after a failed flush, the log may hold the whole
/// transaction, and a crash may make it take effect.
pub(super) fn commit_fault(doing: &str, error: rusqlite::Error) -> Fault {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure) => FaultKind::Unavailable,
        _ => kind(&error),
    };
    Fault::new(kind, doing, error)
}

fn kind(error: &rusqlite::Error) -> FaultKind {
    match error {
        rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..) => {
            FaultKind::Corrupt
        }
        _ => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => FaultKind::Contended,
            Some(
                ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::FileLockingProtocolFailed,
            ) => FaultKind::Disk,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => FaultKind::Corrupt,
            _ => FaultKind::Unexpected,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Path, access: Access) -> Database {
        Database::open(dir, access, &QueueTicket::default(), "opening").unwrap().unwrap()
    }

    #[test]
    fn every_connection_flushes_before_it_says_done() {
        let dir = tempfile::tempdir().unwrap();
        for access in [Access::Make, Access::Make, Access::Existing] {
            let database = open(dir.path(), access);
            let number =
                |name| database.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            // 2 is FULL.
            assert_eq!(number("synchronous"), Ok(2));
            assert_eq!(number("fullfsync"), Ok(1));
            assert_eq!(number("checkpoint_fullfsync"), Ok(1));
            let mode =
                database.connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
            assert_eq!(mode.as_deref(), Ok("wal"));
        }
    }

    #[test]
    fn the_queue_can_be_left_until_the_work_starts() {
        let ticket = QueueTicket::default();
        drop(ticket.leave_on_drop());
        assert_eq!(ticket.start("x").unwrap_err().kind, FaultKind::Contended);
        let ticket = QueueTicket::default();
        ticket.start("x").unwrap();
        assert!(!ticket.leave());
        ticket.start("x").unwrap();
    }

    #[test]
    fn result_codes() {
        use rusqlite::ffi;
        let failure = |code| rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        for (code, expected) in [
            (ffi::SQLITE_BUSY, FaultKind::Contended),
            (ffi::SQLITE_BUSY_SNAPSHOT, FaultKind::Contended),
            (ffi::SQLITE_LOCKED, FaultKind::Contended),
            (ffi::SQLITE_FULL, FaultKind::Disk),
            (ffi::SQLITE_IOERR_FSYNC, FaultKind::Disk),
            (ffi::SQLITE_CANTOPEN, FaultKind::Disk),
            (ffi::SQLITE_READONLY, FaultKind::Disk),
            (ffi::SQLITE_PERM, FaultKind::Disk),
            (ffi::SQLITE_CORRUPT, FaultKind::Corrupt),
            (ffi::SQLITE_NOTADB, FaultKind::Corrupt),
            (ffi::SQLITE_MISUSE, FaultKind::Unexpected),
        ] {
            assert_eq!(fault("x", failure(code)).kind, expected, "{code}");
        }
        assert!(commit_fault("x", failure(ffi::SQLITE_IOERR_FSYNC)).kind.is_ambiguous());
        assert!(!commit_fault("x", failure(ffi::SQLITE_FULL)).kind.is_ambiguous());
    }
}
