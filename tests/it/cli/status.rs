//! `status`, `changes`, `find`, and the filters of `versions`.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

#[test]
fn a_status_is_a_table() {
    let sandbox = Sandbox::with_app();
    sandbox.ok(&["add", "web/site", "one.txt", "--tag", "live"]);
    sandbox.ok(&["protect", "app", "live", "--confirm"]);
    assert_snapshot!(sandbox.run(&["status"]), @r"
    exit 0
    1| PACKAGE            TAG       VERSION  BEHIND  SINCE                 BY
    1| app                canary          2       1  [TIME]  tester@host
    1| app                live            1       2  [TIME]  tester@host [confirm]
    1| web/site           live            1       0  [TIME]  tester@host
    ");
    assert_snapshot!(sandbox.run(&["status", "--drift", "canary:live", "--prefix", "web"]), @r"
    exit 0
    1| PACKAGE            TAG       VERSION  BEHIND  SINCE                 BY
    1| web/site           canary       none       -  -                     -
    1| web/site           live            1       0  [TIME]  tester@host
    ");
    let table = sandbox.ok(&["status"]);
    assert!(table.lines().all(|line| line.chars().count() <= 80 || line.ends_with("[confirm]")), "{table}");
}

#[test]
fn the_state_of_a_time_is_planned_and_applied() {
    let sandbox = Sandbox::with_app();
    let before = sandbox.ok(&["status"]);
    sandbox.ok(&["tag", "app", "canary", "live"]);
    sandbox.ok(&["untag", "app", "canary"]);
    // The time of the last move before these two.
    let history = sandbox.ok(&["history", "app", "canary", "--json"]);
    let first: serde_json::Value = serde_json::from_str(history.lines().last().unwrap()).unwrap();
    let at = first["at"].as_str().unwrap();
    assert_snapshot!(sandbox.run(&["status", "--at", at]), @r"
    exit 0
    1| PACKAGE            TAG       VERSION  BEHIND  SINCE                 BY
    1| app                canary          2       -  [TIME]  tester@host [now none]
    1| app                live            1       -  [TIME]  tester@host [now 2]
    ");
    let plan = sandbox.ok(&["status", "--at", at, "--plan"]);
    assert_snapshot!(sandbox.masked(&plan), @r#"
    {"message": "as of [TIME]", "moves": [
      {"package":"app","tag":"canary","to":2,"expect":"none"},
      {"package":"app","tag":"live","to":1,"expect":2}
    ]}
    "#);
    sandbox.write("plan", plan);
    sandbox.ok(&["apply", "plan"]);
    let times_left_out = |table: String| sandbox.masked(&table);
    assert_eq!(times_left_out(sandbox.ok(&["status"])), times_left_out(before));
    assert_snapshot!(sandbox.run(&["status", "--at", at, "--plan"]), @r"
    exit 0
    2| note: there is nothing to restore: the tags are where they were
    ");
}

#[test]
fn what_can_not_be_planned_is_refused() {
    let sandbox = Sandbox::with_app();
    let history = sandbox.ok(&["history", "app", "live", "--json"]);
    let first: serde_json::Value = serde_json::from_str(history.trim()).unwrap();
    let at = first["at"].as_str().unwrap();
    sandbox.ok(&["tag", "app", "3", "live"]);
    sandbox.ok(&["yank", "app", "1"]);
    assert_snapshot!(sandbox.run(&["status", "--at", at, "--plan", "--tag", "live"]), @r"
    exit 6
    2| error: planning to restore the tags: 1 tag can't be put back:
    2|   app live: 1 is yanked now
    2| hint: no plan was printed; --tag and --prefix leave out what can't be put back, and `sacker unyank` makes a yanked version usable again
    ");
    for number in 0..26 {
        sandbox.ok(&["add", &format!("p{number}"), "one.txt", "--tag", "live"]);
    }
    let past = "2020-01-01T00:00:00Z";
    assert_snapshot!(sandbox.run(&["status", "--at", past, "--plan", "--prefix", "p"]), @r"
    exit 2
    2| error: planning to restore the tags: 26 packages have changed; one plan moves at most 25 packages and 100 items, so this takes 2 plans
    2| hint: --split prints several plans: each is atomic by itself, all together are not; or use --prefix or --tag to restore less
    ");
    let plans = sandbox.ok(&["status", "--at", past, "--plan", "--prefix", "p", "--split"]);
    assert_eq!(plans.lines().count(), 2);
    for arguments in
        [vec!["status", "--plan"], vec!["status", "--at", past, "--split"], vec!["status", "--drift", "live"]]
    {
        assert!(sandbox.run(&arguments).starts_with("exit 2"), "{arguments:?}");
    }
}

#[test]
fn versions_are_found() {
    let sandbox = Sandbox::with_app();
    sandbox.ok(&["add", "lib", "two.txt", "--label", "commit=1f3", "-m", "for the app"]);
    assert_snapshot!(sandbox.run(&["changes", "app", "live..latest"]), @r"
    exit 0
    1| VERSION  STATE    ADDED                 BY: WHY
    1|       3  active   [TIME]  tester@host
    1|       2  active   [TIME]  tester@host
    ");
    assert_snapshot!(sandbox.run(&["changes", "app", "2..1"]), @r"
    exit 0
    1| VERSION  STATE    ADDED                 BY: WHY
    1|       2  active   [TIME]  tester@host
    2| note: 1 is older than 2: these versions are taken back
    ");
    let found = sandbox.ok(&["find", "--label", "commit=1f3"]);
    let mut found: Vec<_> =
        found.lines().skip(1).map(|line| line.split_whitespace().take(2).collect::<Vec<_>>()).collect();
    found.sort();
    assert_eq!(found, [["app", "1"], ["lib", "1"]]);
    for (arguments, numbers) in [
        (&["versions", "app", "2..3"][..], &["3", "2"][..]),
        (&["versions", "app", "1"], &["1"]),
        (&["versions", "app", "--label", "commit=1f3"], &["1"]),
        (&["versions", "app", "--state", "yanked"], &[]),
        (&["versions", "app", "--since", "1h ago", "--limit", "1"], &["3"]),
    ] {
        let printed = sandbox.ok(arguments);
        let found: Vec<_> =
            printed.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(found, numbers, "{arguments:?}");
    }
    for wrong in [
        &["versions", "app", "3..2"][..],
        &["versions", "app", "--label", "commit"],
        &["versions", "app", "--state", "odd"],
        &["changes", "app", "live"],
        &["changes", "app", "1..2..3"],
    ] {
        assert!(sandbox.run(wrong).starts_with("exit 2"), "{wrong:?}");
    }
}
