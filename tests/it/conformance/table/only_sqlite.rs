//! Behaviour that only the embedded table has.

use sacker::{
    fault::FaultKind,
    model::Created,
    table::{
        Action, Change, Condition, Item, Key, Order, Query, Table, TransactError, Transaction,
        sqlite::SqliteTable,
    },
};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, Barrier},
};

fn key() -> Key {
    Key::new("p", "a")
}

fn put(n: u64) -> Transaction {
    let mut transaction = Transaction::new("token".to_owned());
    let item = Item::from_iter([("n".to_owned(), json!(n))]);
    transaction.push(Action { key: key(), condition: Condition::Always, change: Change::Put(item) });
    transaction
}

#[tokio::test]
async fn reading_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("not/there");
    let table = SqliteTable::open(&missing);
    assert_eq!(table.get(&key()).await.unwrap(), None);
    assert_eq!(table.get_many(&[key(), key()]).await.unwrap(), [None, None]);
    assert_eq!(table.get_transact(&[key()]).await.unwrap(), [None]);
    assert_eq!(table.scan(None).await.unwrap().items, []);
    let query = Query {
        pk: "p".to_owned(),
        from: "a".to_owned(),
        to: "z".to_owned(),
        order: Order::Ascending,
        limit: 1,
        after: None,
    };
    assert_eq!(table.query(&query).await.unwrap().items, []);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

    // A directory that is there is not written to either; and what another process makes later is seen.
    let table = SqliteTable::open(dir.path());
    assert_eq!(table.get(&key()).await.unwrap(), None);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    SqliteTable::open(dir.path()).transact(&put(1)).await.unwrap();
    assert_eq!(table.get(&key()).await.unwrap().unwrap()["n"], json!(1));
}

#[tokio::test]
async fn a_change_makes_the_directory_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("a/b");
    SqliteTable::open(&inner).transact(&put(1)).await.unwrap();
    for made in [dir.path().join("a"), inner.clone()] {
        assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
    }
    let table = SqliteTable::open(&inner);
    assert_eq!(table.get(&key()).await.unwrap().unwrap()["n"], json!(1));
    assert_eq!(table.create().await.unwrap(), Created::Present);
    assert_eq!(table.describe(), format!("file://{}", inner.display()));
}

#[tokio::test]
async fn creating_says_whether_it_was_made() {
    let dir = tempfile::tempdir().unwrap();
    let table = SqliteTable::open(dir.path());
    assert_eq!(table.create().await.unwrap(), Created::Made);
    assert_eq!(table.create().await.unwrap(), Created::Present);
    assert_eq!(SqliteTable::open(dir.path()).create().await.unwrap(), Created::Present);
}

/// The kind of fault that a read and a change meet, and that the file is as it was.
async fn meets(dir: &Path) -> FaultKind {
    let before = fs::read(dir.join("ledger.db")).unwrap();
    let table = SqliteTable::open(dir);
    let read = table.get(&key()).await.unwrap_err();
    let Err(TransactError::Fault(write)) = table.transact(&put(1)).await else { panic!("no fault") };
    assert_eq!(read.kind, write.kind);
    assert_eq!(fs::read(dir.join("ledger.db")).unwrap(), before);
    read.kind
}

#[tokio::test]
async fn a_foreign_file_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let foreign = rusqlite::Connection::open(&path).unwrap();
    foreign.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(foreign);
    assert_eq!(meets(dir.path()).await, FaultKind::Misconfigured);

    fs::write(&path, "not a database at all, and longer than the header of one: ".repeat(10)).unwrap();
    assert_eq!(meets(dir.path()).await, FaultKind::Corrupt);

    fs::remove_file(&path).unwrap();
    SqliteTable::open(dir.path()).create().await.unwrap();
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    assert_eq!(meets(dir.path()).await, FaultKind::Misconfigured);
}

#[tokio::test]
async fn a_file_left_empty_by_a_crash_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("ledger.db"), "").unwrap();
    let table = SqliteTable::open(dir.path());
    assert_eq!(table.get(&key()).await.unwrap(), None);
    table.transact(&put(1)).await.unwrap();
    assert_eq!(table.get(&key()).await.unwrap().unwrap()["n"], json!(1));
}

#[tokio::test]
async fn damage_and_a_directory_in_the_way_are_distinguished() {
    let dir = tempfile::tempdir().unwrap();
    let table = SqliteTable::open(dir.path());
    table.transact(&put(1)).await.unwrap();
    let hand = rusqlite::Connection::open(dir.path().join("ledger.db")).unwrap();
    hand.execute("UPDATE items SET item = '{'", []).unwrap();
    assert_eq!(table.get(&key()).await.unwrap_err().kind, FaultKind::Corrupt);

    fs::write(dir.path().join("file"), "").unwrap();
    let table = SqliteTable::open(&dir.path().join("file"));
    let Err(TransactError::Fault(fault)) = table.transact(&put(1)).await else { panic!("no fault") };
    assert_eq!(fault.kind, FaultKind::Disk);
}

#[tokio::test]
async fn a_change_that_is_dropped_while_it_queues_never_happens() {
    let dir = tempfile::tempdir().unwrap();
    let table = SqliteTable::open(dir.path());
    table.transact(&put(1)).await.unwrap();
    let other = fs::File::open(dir.path().join("ledger.lock")).unwrap();
    other.lock().unwrap();
    let dropped = put(2);
    tokio::select! {
        biased;
        done = table.transact(&dropped) => panic!("not locked: {done:?}"),
        () = tokio::task::yield_now() => {}
    }
    other.unlock().unwrap();
    // Behind the one that was dropped, whether that had begun to queue or not.
    table.create().await.unwrap();
    assert_eq!(table.get(&key()).await.unwrap().unwrap()["n"], json!(1));
    table.transact(&put(3)).await.unwrap();
    assert_eq!(table.get(&key()).await.unwrap().unwrap()["n"], json!(3));
}

/// As of as many processes: what they share is the files.
#[test]
fn writers_with_handles_of_their_own_add_up() {
    const WRITERS: u64 = 8;
    const EACH: u64 = 25;
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("made/by/the/first/writer");
    let start = Arc::new(Barrier::new(usize::try_from(WRITERS).unwrap()));
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (dir, start) = (inner.clone(), start.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let table = SqliteTable::open(&dir);
                start.wait();
                runtime.block_on(increment(&table, EACH));
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let item = runtime.block_on(SqliteTable::open(&inner).get(&key())).unwrap();
    assert_eq!(item.unwrap()["n"], json!(WRITERS * EACH));
}

async fn increment(table: &SqliteTable, times: u64) {
    for _ in 0..times {
        let mut seen = table.get(&key()).await.unwrap();
        loop {
            let n = seen.as_ref().map_or(0, |item| item["n"].as_u64().unwrap());
            let mut transaction = put(n + 1);
            let condition = if seen.is_some() { Condition::equals("n", n) } else { Condition::Absent };
            transaction.push(Action { key: key(), condition, change: Change::Check });
            match table.transact(&transaction).await {
                Ok(()) => break,
                Err(TransactError::Refused(mut refused)) => seen = refused.pop().unwrap().unwrap(),
                Err(TransactError::Fault(fault)) => panic!("{fault:?}"),
            }
        }
    }
}
