//! The shape of the table, its settings, and what makes a commit durable.

use crate::support::postgres::{Cluster, name, shared};
use sacker::{
    fault::{Fault, FaultKind},
    model::{Created, SettingState},
    table::{
        Action, Change, Condition, Item, Key, Table, TransactError, Transaction, postgres::PostgresTable,
    },
};

fn putting(value: u64) -> Transaction {
    let mut transaction = Transaction::new("token".to_owned());
    let item = Item::from_iter([("n".to_owned(), value.into())]);
    transaction.push(Action {
        key: Key::new("P#app", "x"),
        condition: Condition::Always,
        change: Change::Put(item),
    });
    transaction
}

async fn fresh(cluster: &Cluster, what: &str) -> (PostgresTable, String) {
    let table = name(what);
    let made = cluster.table(&table);
    assert_eq!(made.create().await.unwrap(), Created::Made);
    (made, table)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_another_shape_is_refused() {
    let cluster = shared();
    for (columns, wrong) in [
        ("pk text, sk text, item text", "its columns are pk text, sk text, item text, not pk text C"),
        ("pk text COLLATE \"C\", sk text COLLATE \"C\", item text", "its primary key is none"),
        (
            "pk text COLLATE \"C\", sk text COLLATE \"C\", item jsonb, PRIMARY KEY (pk, sk)",
            "item jsonb, not pk text C",
        ),
        (
            "pk text COLLATE \"C\", sk text COLLATE \"C\", item text, PRIMARY KEY (sk, pk)",
            "its primary key is sk, pk",
        ),
    ] {
        let table = name("shape");
        cluster.sql(&format!("CREATE TABLE {table} ({columns})")).await;
        let Fault { kind, source, .. } = cluster.table(&table).create().await.unwrap_err();
        assert_eq!(kind, FaultKind::Misconfigured);
        assert!(source.to_string().contains(wrong), "{source}");
    }
    let view = name("shape");
    cluster.sql(&format!("CREATE VIEW {view} AS SELECT 1")).await;
    assert_eq!(cluster.table(&view).create().await.unwrap_err().kind, FaultKind::Misconfigured);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_create_it_at_once_all_find_it() {
    let cluster = shared();
    let table = name("race");
    let creating = (0..8).map(|_| {
        let other = cluster.table(&table);
        tokio::spawn(async move {
            crate::support::world::retry_policy().run("creating", || other.create()).await.unwrap()
        })
    });
    let mut made = 0;
    for created in futures_util::future::join_all(creating).await {
        made += usize::from(created.unwrap() == Created::Made);
    }
    assert_eq!(made, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_settings_are_those_of_the_server() {
    let cluster = shared();
    let (table, name) = fresh(&cluster, "settings").await;
    let state = |settings: &[sacker::model::Setting], name: &str| {
        settings.iter().find(|setting| setting.name == name).unwrap().state.clone()
    };
    let settings = table.settings().await.unwrap();
    for on in
        ["table_keys", "table_logged", "server_fsync", "server_full_page_writes", "server_synchronous_commit"]
    {
        assert_eq!(state(&settings, on), SettingState::On, "{on}");
    }
    assert_eq!(state(&settings, "server_synchronous_standby"), SettingState::Off);
    cluster.sql(&format!("ALTER TABLE {name} SET UNLOGGED")).await;
    let settings = table.settings().await.unwrap();
    assert_eq!(state(&settings, "table_logged"), SettingState::Off);
    let missing = cluster.table(&crate::support::postgres::name("none")).settings().await.unwrap_err();
    assert_eq!(missing.kind, FaultKind::Missing);
}

/// A trigger sees what holds for the transaction that it runs in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_waits_for_the_disk_whatever_the_default_is() {
    let cluster = shared();
    let (table, name) = fresh(&cluster, "durable").await;
    cluster
        .sql(&format!(
            "CREATE TABLE {name}_seen (waits text); \
             CREATE FUNCTION {name}_look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             INSERT INTO {name}_seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$; \
             CREATE TRIGGER look AFTER INSERT ON {name} EXECUTE FUNCTION {name}_look(); \
             CREATE ROLE {name}_hasty LOGIN SUPERUSER PASSWORD 'p'; \
             ALTER ROLE {name}_hasty SET synchronous_commit = off"
        ))
        .await;
    let mut place = cluster.place(&name);
    place.user = format!("{name}_hasty");
    let hasty = PostgresTable::new(place, cluster.standard().password("p"));
    hasty.transact(&putting(1)).await.unwrap();
    assert_eq!(cluster.value(&format!("SELECT string_agg(waits, ',') FROM {name}_seen")).await, "on");
    let settings = hasty.settings().await.unwrap();
    let found = settings.iter().find(|setting| setting.name == "server_synchronous_commit").unwrap();
    assert_eq!((&found.state, found.found.as_deref()), (&SettingState::Off, Some("off")));
    drop(table);
}

/// An edit by hand takes no lock: its change after the judgement is not overwritten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_by_hand_is_not_overwritten_unseen() {
    let cluster = shared();
    let (table, name) = fresh(&cluster, "byhand").await;
    table.transact(&putting(1)).await.unwrap();
    // Between our read and our write: before each update of the statement, the row changes.
    cluster
        .sql(&format!(
            "CREATE FUNCTION {name}_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF OLD.item = '{{\"n\":1}}' THEN RETURN NULL; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER edit BEFORE UPDATE ON {name} FOR EACH ROW EXECUTE FUNCTION {name}_edit()"
        ))
        .await;
    let error = table.transact(&putting(2)).await.unwrap_err();
    let TransactError::Fault(fault) = error else { panic!("{error:?}") };
    assert_eq!(fault.kind, FaultKind::Contended);
    let found = table.get(&Key::new("P#app", "x")).await.unwrap().unwrap();
    assert_eq!(found["n"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_request_leaves_no_lock_and_no_connection_in_doubt() {
    let cluster = shared();
    let (table, name) = fresh(&cluster, "dropped").await;
    table.transact(&putting(1)).await.unwrap();
    for polls in 0..40 {
        let transaction = putting(polls);
        let mut writing = Box::pin(table.transact(&transaction));
        // Polled a few times, and dropped wherever it is by then.
        for _ in 0..polls {
            let waker = futures_util::task::noop_waker();
            let mut context = std::task::Context::from_waker(&waker);
            if writing.as_mut().poll(&mut context).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(writing);
        table.transact(&putting(100 + polls)).await.unwrap();
        let found = table.get(&Key::new("P#app", "x")).await.unwrap().unwrap();
        assert_eq!(found["n"], 100 + polls);
    }
    let held = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sacker' AND state LIKE 'idle in%' \
         AND query LIKE '%{name}%'"
    );
    crate::support::world::retry_policy()
        .run("looking", || async {
            match cluster.value(&held).await.as_str() {
                "0" => Ok(()),
                some => Err(Fault::new(FaultKind::Contended, "looking", format!("{some} are left"))),
            }
        })
        .await
        .unwrap();
}
