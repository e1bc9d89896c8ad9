//! The commands `versions`, `tags` and `info`.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

#[test]
fn versions_are_listed_newest_first() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["versions", "app"]), @"
    exit 0
    1| VERSION  STATE          SIZE  ADDED                 SHA256                                                            TAGS
    1|       3  active         10 B  [TIME]  f7aefbdb2c63c7703a61fe46071993ecb2e76128596e894571e821777bfdf156  latest
    1|       2  active          7 B  [TIME]  480c2336b410f1ad5f8bf1b28944490255804b65350c527787e74ebdd511e3a4  canary
    1|       1  active          4 B  [TIME]  2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806  live
    ");
    assert_snapshot!(sandbox.run(&["versions", "app", "--json"]), @r#"
    exit 0
    1| {"package":"app","version":3,"sha256":"f7aefbdb2c63c7703a61fe46071993ecb2e76128596e894571e821777bfdf156","size":10,"filename":"three.txt","mode":"0644","labels":{},"message":null,"state":"active","added_at":"[TIME]","added_by":"tester@host","tags":["latest"]}
    1| {"package":"app","version":2,"sha256":"480c2336b410f1ad5f8bf1b28944490255804b65350c527787e74ebdd511e3a4","size":7,"filename":"two.txt","mode":"0644","labels":{},"message":null,"state":"active","added_at":"[TIME]","added_by":"tester@host","tags":["canary"]}
    1| {"package":"app","version":1,"sha256":"2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806","size":4,"filename":"one.txt","mode":"0644","labels":{"commit":"1f3"},"message":"first","state":"active","added_at":"[TIME]","added_by":"tester@host","tags":["live"]}
    "#);
    assert_snapshot!(sandbox.run(&["versions", "app", "--limit", "1"]), @"
    exit 0
    1| VERSION  STATE          SIZE  ADDED                 SHA256                                                            TAGS
    1|       3  active         10 B  [TIME]  f7aefbdb2c63c7703a61fe46071993ecb2e76128596e894571e821777bfdf156  latest
    ");
}

#[test]
fn versions_are_found_by_their_sha256() {
    let sandbox = Sandbox::with_app();
    let all = sandbox.ok(&["versions", "app", "--json"]);
    let second: serde_json::Value = serde_json::from_str(all.lines().nth(1).unwrap()).unwrap();
    let sha256 = second["sha256"].as_str().unwrap();
    for length in [12, 63, 64] {
        for digits in [sha256[..length].to_owned(), sha256[..length].to_uppercase()] {
            let found = sandbox.ok(&["versions", "app", "--json", "--sha256", &digits]);
            assert_eq!(found.lines().collect::<Vec<_>>(), [all.lines().nth(1).unwrap()]);
        }
    }
    assert_snapshot!(sandbox.run(&["versions", "app", "--sha256", "0123456789"]), @"
    exit 0
    1| VERSION  STATE          SIZE  ADDED                 SHA256                                                            TAGS
    ");
    assert_snapshot!(sandbox.run(&["versions", "app", "--sha256", "xyz"]), @"
    exit 2
    2| error: invalid value 'xyz' for '--sha256 <HEX>': must be 1 to 64 hex digits
    2|
    2| For more information, try '--help'.
    ");
}

#[test]
fn tags_are_listed_latest_first_then_by_name() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["tags", "app"]), @"
    exit 0
    1| TAG     VERSION
    1| latest        3
    1| canary        2
    1| live          1
    ");
    assert_snapshot!(sandbox.run(&["tags", "app", "--json"]), @r#"
    exit 0
    1| {"package":"app","tag":"latest","version":3,"previous":null,"kind":null,"rev":null,"moved_at":null,"moved_by":null,"message":null}
    1| {"package":"app","tag":"canary","version":2,"previous":null,"kind":"move","rev":2,"moved_at":"[TIME]","moved_by":"tester@host","message":null}
    1| {"package":"app","tag":"live","version":1,"previous":null,"kind":"move","rev":1,"moved_at":"[TIME]","moved_by":"tester@host","message":"first"}
    "#);
}

#[test]
fn a_version_is_shown_with_all_that_is_known_of_it() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["info", "app", "live"]), @"
    exit 0
    1| package: app
    1| version: 1
    1| sha256: 2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806
    1| size: 4
    1| filename: one.txt
    1| mode: 0644
    1| label.commit: 1f3
    1| message: first
    1| state: active
    1| added_at: [TIME]
    1| added_by: tester@host
    1| tags: live
    1| rev: 1
    ");
    assert_snapshot!(sandbox.run(&["info", "app", "live", "--json"]), @r#"
    exit 0
    1| {"package":"app","version":1,"sha256":"2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806","size":4,"filename":"one.txt","mode":"0644","labels":{"commit":"1f3"},"message":"first","state":"active","added_at":"[TIME]","added_by":"tester@host","tags":["live"],"rev":1}
    "#);
    assert_snapshot!(sandbox.run(&["info", "app", "latest"]), @"
    exit 0
    1| package: app
    1| version: 3
    1| sha256: f7aefbdb2c63c7703a61fe46071993ecb2e76128596e894571e821777bfdf156
    1| size: 10
    1| filename: three.txt
    1| mode: 0644
    1| state: active
    1| added_at: [TIME]
    1| added_by: tester@host
    1| tags: latest
    ");
    assert_eq!(sandbox.ok(&["info", "app", "3"]), sandbox.ok(&["info", "app", "latest"]));
}

#[test]
fn what_is_not_there_is_named() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(sandbox.run(&["versions", "web/front"]), @"
    exit 4
    2| error: listing the versions of web/front in file://[HOME]/.local/share/sacker/ledger: there is no package web/front
    2| hint: `sacker list --prefix web/` lists packages with similar names
    ");
    assert_snapshot!(sandbox.run(&["tags", "nosuch"]), @"
    exit 4
    2| error: listing the tags of nosuch in file://[HOME]/.local/share/sacker/ledger: there is no package nosuch
    2| hint: `sacker list --prefix n` lists packages with similar names
    ");
    assert_snapshot!(sandbox.run(&["info", "nosuch", "live"]), @"
    exit 4
    2| error: reading nosuch live in file://[HOME]/.local/share/sacker/ledger: there is no package nosuch
    2| hint: `sacker list --prefix n` lists packages with similar names
    ");
    assert_snapshot!(sandbox.run(&["info", "app", "9"]), @"
    exit 4
    2| error: reading app 9 in file://[HOME]/.local/share/sacker/ledger: app has no version 9; its last is 3
    2| hint: `sacker versions app` lists its versions
    ");
    assert_snapshot!(sandbox.run(&["info", "app", "stable"]), @"
    exit 4
    2| error: reading app stable in file://[HOME]/.local/share/sacker/ledger: app has no tag stable
    2| hint: `sacker tags app` lists its tags
    ");
    assert_snapshot!(sandbox.run(&["info", "app", "stable", "--json"]), @r#"
    exit 4
    2| {"error":{"kind":"not_found","message":"reading app stable in file://[HOME]/.local/share/sacker/ledger: app has no tag stable","hint":"`sacker tags app` lists its tags","exit_code":4}}
    "#);
}

#[test]
fn a_message_can_hold_lines_but_no_control_characters() {
    let sandbox = Sandbox::new();
    sandbox.write("f", "x");
    sandbox.ok(&["add", "app", "f", "-m", "first line\nstate: fake\tand a tab"]);
    assert_snapshot!(sandbox.run(&["info", "app", "1"]), @"
    exit 0
    1| package: app
    1| version: 1
    1| sha256: 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881
    1| size: 1
    1| filename: f
    1| mode: 0644
    1| message: first line
    1|     state: fake and a tab
    1| state: active
    1| added_at: [TIME]
    1| added_by: tester@host
    1| tags: latest
    ");
    assert_snapshot!(sandbox.run(&["add", "app", "f", "-m", "\u{1b}[2Jgone"]), @r#"
    exit 2
    2| error: invalid value 'gone' for '--message <TEXT>': message "\u{1b}[2Jgone" holds the control character '\u{1b}'
    2|
    2| For more information, try '--help'.
    "#);
}
