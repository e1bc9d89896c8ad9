//! A week of releases, made by a clock of its own.

use crate::support::{
    sandbox::Sandbox,
    world::{adding, author, of, retry_policy, tagging},
};
use sacker::{
    ledger::{Author, RollbackRequest, TableLedger},
    model::Timestamp,
    ops::{AddInput, Client},
    store::directory::DirectoryStore,
    table::sqlite::SqliteTable,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Events: the time, the actor, the action (a file is added and gets the tag `canary`, or the tag `live` is moved), and
/// the message.
const WEEK: [(&str, &str, &str, &str); 7] = [
    ("2025-05-05T09:02:11Z", "ci/841", "add", "build 841"),
    ("2025-05-05T10:30:40Z", "ann@laptop", "canary", "canary was fine"),
    ("2025-05-06T08:15:03Z", "ci/842", "add", "build 842"),
    ("2025-05-06T09:41:27Z", "ann@laptop", "canary", "new checkout"),
    ("2025-05-06T15:05:52Z", "ben@laptop", "rollback", "checkout fails for guests"),
    ("2025-05-07T11:20:08Z", "ci/843", "add", "build 843"),
    ("2025-05-07T14:00:19Z", "ann@laptop", "canary", "checkout fixed"),
];

pub fn prepare(sandbox: &Sandbox) {
    let clock = Arc::new(AtomicU64::new(0));
    let now = Arc::clone(&clock);
    let table = Arc::new(SqliteTable::open(&sandbox.path("ledger")));
    let ledger = TableLedger::with_clock(
        table,
        retry_policy(),
        Arc::new(move || Timestamp::from_millis(now.load(Ordering::Relaxed))),
    );
    let store = Arc::new(DirectoryStore::new(sandbox.path("store")));
    let client = Client::new(Arc::new(ledger), store, retry_policy(), sandbox.path("tmp"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for (when, who, what, why) in WEEK {
            clock.store(of::<Timestamp>(when).as_millis(), Ordering::Relaxed);
            make(&client, sandbox, what, {
                let mut it = author(None).message(of(why));
                it.actor = Some(of(who));
                it
            })
            .await;
        }
    });
}

async fn make(client: &Client, sandbox: &Sandbox, what: &str, author: Author) {
    match what {
        "add" => {
            sandbox.write("app.tar.gz", author.actor.as_ref().unwrap().as_str());
            let request = adding("app").author(author).tags([of("canary")]);
            let input = AddInput::file(sandbox.path("app.tar.gz"));
            client.add(request, input).await.unwrap();
        }
        "rollback" => {
            let (package, tag) = (of("app"), of("live"));
            let request = RollbackRequest::new(package, tag).author(author);
            client.rollback(&request).await.unwrap();
        }
        spec => {
            client.tag(&tagging("app", spec, "live").author(author)).await.unwrap();
        }
    }
}
