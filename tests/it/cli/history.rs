//! The command `history`.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

/// One of each kind of event.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_app();
    let commands: [&[&str]; 10] = [
        &["tag", "app", "canary", "live", "-m", "canary\nwas fine"],
        &["rollback", "app", "live"],
        &["untag", "app", "canary", "-m", "over"],
        &["yank", "app", "2", "-m", "it leaks"],
        &["unyank", "app", "2"],
        &["label", "app", "2", "tests=failed", "by=\u{e9}"],
        &["delete", "app", "2"],
        &["protect", "app", "live", "--confirm"],
        &["unprotect", "app", "live"],
        &["protect", "app", "v1", "--write-once"],
    ];
    for arguments in commands {
        sandbox.ok(&[arguments, &["-q"]].concat());
    }
    sandbox
}

#[test]
fn history_is_printed_newest_first() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run(&["history", "app"]), @"
    exit 0
    1| AT                      REV  EVENT      WHAT                      BY: WHY
    1| [TIME]     t8  protect    v1: write-once            tester@host
    1| [TIME]     t7  unprotect  live                      tester@host
    1| [TIME]     t6  protect    live: confirm             tester@host
    1| [TIME]     r7  delete     2                         tester@host
    1| [TIME]     r6  label      2: by=é tests=failed      tester@host
    1| [TIME]     r5  unyank     2                         tester@host
    1| [TIME]     r4  yank       2                         tester@host: it leaks
    1| [TIME]     t5  untag      canary: 2 -> none         tester@host: over
    1| [TIME]     t4  rollback   live: 2 -> 1              tester@host
    1| [TIME]     t3  move       live: 1 -> 2              tester@host: canary was fine
    1| [TIME]     r3  add        3                         tester@host
    1| [TIME]     t2  move       canary: none -> 2         tester@host
    1| [TIME]     r2  add        2                         tester@host
    1| [TIME]     t1  move       live: none -> 1           tester@host: first
    1| [TIME]     r1  add        1                         tester@host: first
    ");
    assert_snapshot!(sandbox.run(&["history", "app", "live"]), @"
    exit 0
    1| AT                      REV  EVENT      WHAT                      BY: WHY
    1| [TIME]     t7  unprotect  live                      tester@host
    1| [TIME]     t6  protect    live: confirm             tester@host
    1| [TIME]     t4  rollback   live: 2 -> 1              tester@host
    1| [TIME]     t3  move       live: 1 -> 2              tester@host: canary was fine
    1| [TIME]     t1  move       live: none -> 1           tester@host: first
    ");
    assert_snapshot!(sandbox.run(&["history", "app", "--limit", "2"]), @"
    exit 0
    1| AT                      REV  EVENT      WHAT                      BY: WHY
    1| [TIME]     t8  protect    v1: write-once            tester@host
    1| [TIME]     t7  unprotect  live                      tester@host
    ");
}

#[test]
fn each_event_has_all_fields() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run(&["history", "app", "--json"]), @r#"
    exit 0
    1| {"package":"app","kind":"protect","tag":"v1","version":null,"previous":null,"labels":{},"protection":"write-once","message":null,"log":"tags","rev":8,"at":"[TIME]","by":"tester@host"}
    1| {"package":"app","kind":"unprotect","tag":"live","version":1,"previous":1,"labels":{},"protection":null,"message":null,"log":"tags","rev":7,"at":"[TIME]","by":"tester@host"}
    1| {"package":"app","kind":"protect","tag":"live","version":1,"previous":1,"labels":{},"protection":"confirm","message":null,"log":"tags","rev":6,"at":"[TIME]","by":"tester@host"}
    1| {"package":"app","kind":"delete","tag":null,"version":2,"previous":null,"labels":{},"protection":null,"message":null,"log":"releases","rev":7,"at":"[TIME]","by":"tester@host"}
    1| {"package":"app","kind":"label","tag":null,"version":2,"previous":null,"labels":{"by":"é","tests":"failed"},"protection":null,"message":null,"log":"releases","rev":6,"at":"[TIME]","by":"tester@host"}
    1| {"package":"app","kind":"unyank","tag":null,"version":2,"previous":null,"labels":{},"protection":null,"message":null,"log":"releases","rev":5,"at":"[TIME]","by":"tester@host"}
    1| {"package":"app","kind":"yank","tag":null,"version":2,"previous":null,"labels":{},"protection":null,"message":"it leaks","log":"releases","rev":4,"at":"[TIME]","by":"tester@host"}
    1| {"package":"app","kind":"untag","tag":"canary","version":null,"previous":2,"labels":{},"protection":null,"message":"over","log":"tags","rev":5,"at":"[TIME]","by":"tester@host"}
    1| {"package":"app","kind":"rollback","tag":"live","version":1,"previous":2,"labels":{},"protection":null,"message":null,"log":"tags","rev":4,"at":"[TIME]","by":"tester@host"}
    1| {"package":"app","kind":"move","tag":"live","version":2,"previous":1,"labels":{},"protection":null,"message":"canary\nwas fine","log":"tags","rev":3,"at":"[TIME]","by":"tester@host"}
    1| {"package":"app","kind":"add","tag":null,"version":3,"previous":null,"labels":{},"protection":null,"message":null,"log":"releases","rev":3,"at":"[TIME]","by":"tester@host"}
    1| {"package":"app","kind":"move","tag":"canary","version":2,"previous":null,"labels":{},"protection":null,"message":null,"log":"tags","rev":2,"at":"[TIME]","by":"tester@host"}
    1| {"package":"app","kind":"add","tag":null,"version":2,"previous":null,"labels":{},"protection":null,"message":null,"log":"releases","rev":2,"at":"[TIME]","by":"tester@host"}
    1| {"package":"app","kind":"move","tag":"live","version":1,"previous":null,"labels":{},"protection":null,"message":"first","log":"tags","rev":1,"at":"[TIME]","by":"tester@host"}
    1| {"package":"app","kind":"add","tag":null,"version":1,"previous":null,"labels":{"commit":"1f3"},"protection":null,"message":"first","log":"releases","rev":1,"at":"[TIME]","by":"tester@host"}
    "#);
}

#[test]
fn what_is_not_there_has_no_history() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["history", "nosuch"]), @"
    exit 4
    2| error: reading the history of nosuch in file://[HOME]/.local/share/sacker/ledger: there is no package nosuch
    2| hint: `sacker list --prefix n` lists packages with similar names
    ");
    assert_snapshot!(sandbox.run(&["history", "nosuch", "live"]), @"
    exit 4
    2| error: reading the history of nosuch in file://[HOME]/.local/share/sacker/ledger: there is no package nosuch
    2| hint: `sacker list --prefix n` lists packages with similar names
    ");
    assert_snapshot!(sandbox.run(&["history", "app", "never"]), @"
    exit 4
    2| error: reading the history of app in file://[HOME]/.local/share/sacker/ledger: app has no tag never
    2| hint: `sacker tags app` lists its tags
    ");
    assert_snapshot!(sandbox.run(&["history", "app", "latest"]), @r#"
    exit 2
    2| error: invalid value 'latest' for '[TAG]': tag "latest" is reserved
    2|
    2| For more information, try '--help'.
    "#);
    assert_snapshot!(sandbox.run(&["history", "app", "--limit", "0"]), @"
    exit 2
    2| error: invalid value '0' for '--limit <N>': must be a whole number above 0
    2|
    2| For more information, try '--help'.
    ");
}

#[test]
fn the_author_is_taken_from_the_pipeline() {
    let sandbox = Sandbox::with_app().set("SACKER_ACTOR", "ci/build-77");
    sandbox.ok(&["tag", "app", "2", "live", "-q"]);
    let last = sandbox.ok(&["history", "app", "--limit", "1", "--json"]);
    assert!(last.contains(r#""by":"ci/build-77""#), "{last}");
}
