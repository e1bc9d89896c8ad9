//! Wrong clocks: the program's warnings and its behaviour.

use crate::support::{
    backends,
    proxy::{Fate, Proxy},
    sandbox::Sandbox,
    servers,
    world::{of, retry_policy, tagging},
};
use insta::assert_snapshot;
use sacker::{
    ledger::{Author, ChangeRequest, Ledger, TableLedger},
    model::{Labels, ReleaseChange, Timestamp},
    table::sqlite::SqliteTable,
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

const YEAR: Duration = Duration::from_hours(365 * 24);

/// Removes a duration in whole seconds, which may have grown a little.
fn without_length(shown: &str) -> String {
    let words: Vec<_> = shown.split(' ').collect();
    let length =
        |word: &str| word.ends_with(['h', 'm', 's']) && word.starts_with(|c: char| c.is_ascii_digit());
    let kept = words.iter().enumerate().filter(|(at, word)| {
        !(length(word) && at.checked_sub(1).is_some_and(|before| length(words[before])))
    });
    kept.map(|(_, word)| if length(word) { "[LENGTH]" } else { *word }).collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_a_wrong_clock_put_ahead_is_reported() {
    let sandbox = Sandbox::with_app();
    let table = Arc::new(SqliteTable::open(&sandbox.data().join("ledger")));
    let wrong = TableLedger::with_clock(table, retry_policy(), Arc::new(|| Timestamp::now().later(YEAR)));
    wrong.tag(&tagging("app", "3", "live")).await.unwrap();
    let author = Author::new(of("else@host"));
    let change = ReleaseChange::Label(Labels::parse(["tests=passed"]).unwrap());
    wrong.change(&ChangeRequest::new(of("app"), of("3"), change).author(author)).await.unwrap();
    // What follows is still right, and recorded after it.
    assert_snapshot!(without_length(&sandbox.run(&["tag", "app", "1", "canary"])), @"
    exit 0
    1| canary: 2 -> 1
    2| warning: the log of the tags of app is [LENGTH] ahead of now, since revision 3 by someone@host at [TIME]: a clock is or was wrong; this change is recorded after [TIME]
    ");
    assert_snapshot!(without_length(&sandbox.run(&["add", "app", "one.txt", "--tag", "new", "--json"])), @r#"
    exit 0
    1| {"package":"app","version":4,"sha256":"2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806","size":4,"filename":"one.txt","mode":"0644","labels":{},"message":null,"state":"active","added_at":"[TIME]","added_by":"tester@host","tags":["latest","new"],"new":true}
    2| {"warning":{"message":"the log of the versions of app is [LENGTH] ahead of now, since revision 4 by else@host at [TIME]: a clock is or was wrong; this change is recorded after [TIME]"}}
    2| {"warning":{"message":"the log of the tags of app is [LENGTH] ahead of now, since revision 3 by someone@host at [TIME]: a clock is or was wrong; this change is recorded after [TIME]"}}
    "#);
    assert_snapshot!(sandbox.run(&["tag", "app", "2", "canary", "-q"]), @"
    exit 0
    1| canary: 1 -> 2
    ");
    assert_snapshot!(sandbox.run(&["info", "app", "live@{0s ago}"]), @"
    exit 6
    2| error: reading app live@{[N]s ago} in file://[HOME]/.local/share/sacker/ledger: app live at [TIME] is not certain, because a clock is or was wrong: revision 3 by someone@host is recorded at [TIME], but now is [TIME]
    2| hint: `sacker history app live` shows its moves in order; name a version, or use `live~1`
    ");
    assert_snapshot!(sandbox.run(&["tag", "app", "4", "live", "--require", "age:1h"]), @"
    exit 6
    2| error: moving the tag live of app to 4 in file://[HOME]/.local/share/sacker/ledger: app 4 does not pass age:1h (its age is not known: it was recorded at [TIME] by a clock that showed [TIME], and one of them is wrong)
    2| hint: nothing was changed; `sacker info app 4` shows the version
    ");
    assert_snapshot!(sandbox.run(&["fsck"]), @"
    exit 0
    2| note: checked 1 package, 4 versions and 3 blobs; read the bytes of 0 blobs
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_dynamodb_is_recorded() {
    let mut sandbox = servers::sandbox();
    sandbox.write("f", "x");
    sandbox.ok(&["init", "-q"]);
    let proxy = Proxy::new(&backends::dynamodb(), |_| Fate::IsDatedAhead(365)).await;
    let ledger = sandbox.variable("SACKER_LEDGER").replace(&backends::dynamodb(), &proxy.url);
    sandbox = sandbox.set("SACKER_LEDGER", ledger);
    assert_snapshot!(without_length(&sandbox.run(&["add", "app", "f", "--tag", "live"])), @"
    exit 0
    1| 1
    2| warning: this machine's clock is [LENGTH] behind the server's; the server's time is recorded instead
    ");
    let info: Value = serde_json::from_str(&sandbox.ok(&["info", "app", "1", "--json"])).unwrap();
    let added: Timestamp = info["added_at"].as_str().unwrap().parse().unwrap();
    let expected = Timestamp::now().later(YEAR);
    assert!(added.since(expected).max(expected.since(added)) < Duration::from_mins(10), "{added}");
    // And it is what "ago" is counted from.
    sandbox.ok(&["tag", "app", "1", "live", "--require", "age:0s"]);
    let then = Timestamp::now().later(YEAR + Duration::from_mins(1));
    sandbox.ok(&["info", "app", &format!("live@{{{then}}}")]);
    assert!(sandbox.run(&["info", "app", "live@{1h ago}"]).starts_with("exit 4\n"));
}

/// A freeze ends by the server's clock, for moves and for those who look at it.
#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_ends_by_the_clock_of_dynamodb() {
    let mut sandbox = servers::sandbox();
    sandbox.write("f", "x");
    sandbox.ok(&["init", "-q"]);
    sandbox.ok(&["add", "app", "f", "--tag", "live"]);
    sandbox.ok(&["add", "app", "f"]);
    sandbox.ok(&["freeze", "--until", "2h", "-m", "wait"]);
    let frozen = |sandbox: &Sandbox| {
        let shown = sandbox.ok(&["status", "--json"]);
        serde_json::from_str::<Value>(shown.lines().next().unwrap()).unwrap()["frozen"] == true
    };
    assert!(frozen(&sandbox));
    assert!(sandbox.run(&["tag", "app", "2", "live"]).starts_with("exit 6\n"));
    let proxy = Proxy::new(&backends::dynamodb(), |_| Fate::IsDatedAhead(365)).await;
    let ledger = sandbox.variable("SACKER_LEDGER").replace(&backends::dynamodb(), &proxy.url);
    sandbox = sandbox.set("SACKER_LEDGER", ledger);
    assert!(!frozen(&sandbox), "it ended long ago");
    sandbox.ok(&["tag", "app", "2", "live"]);
}
