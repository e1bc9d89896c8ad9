//! `list`.

use super::sandbox::Sandbox;
use insta::assert_snapshot;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("f", vec![0; 1_572_864]);
    for package in ["web/front", "web/back", "app", "App", "web.old"] {
        sandbox.ok(&["add", package, "f"]);
    }
    sandbox
}

#[test]
fn packages_are_listed_in_bytewise_order() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run(&["list"]), @"
    exit 0
    1| App
    1| app
    1| web.old
    1| web/back
    1| web/front
    ");
    assert_snapshot!(sandbox.run(&["list", "--json"]), @r#"
    exit 0
    1| {"package":"App"}
    1| {"package":"app"}
    1| {"package":"web.old"}
    1| {"package":"web/back"}
    1| {"package":"web/front"}
    "#);
    assert_snapshot!(sandbox.run(&["list", "-l"]), @"
    exit 0
    1| PACKAGE                            LATEST        SIZE  CHANGED
    1| App                                     1     1.5 MiB  [TIME]
    1| app                                     1     1.5 MiB  [TIME]
    1| web.old                                 1     1.5 MiB  [TIME]
    1| web/back                                1     1.5 MiB  [TIME]
    1| web/front                               1     1.5 MiB  [TIME]
    ");
    assert_snapshot!(sandbox.run(&["list", "-l", "--json", "--limit", "1"]), @r#"
    exit 0
    1| {"package":"App","versions":1,"latest":1,"size":1572864,"changed_at":"[TIME]"}
    "#);
}

#[test]
fn a_part_of_the_packages_is_listed() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run(&["list", "--prefix", "web/"]), @"
    exit 0
    1| web/back
    1| web/front
    ");
    assert_snapshot!(sandbox.run(&["list", "--after", "app"]), @"
    exit 0
    1| web.old
    1| web/back
    1| web/front
    ");
    assert_snapshot!(sandbox.run(&["list", "--after", "b", "--prefix", "web", "--limit", "2"]), @"
    exit 0
    1| web.old
    1| web/back
    ");
    assert_snapshot!(sandbox.run(&["list", "--prefix", "nothing"]), @"exit 0");
}

#[test]
fn an_empty_ledger_lists_nothing_and_is_not_made() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run(&["list"]), @"exit 0");
    assert_snapshot!(sandbox.run(&["list", "-l"]), @"
    exit 0
    1| PACKAGE                            LATEST        SIZE  CHANGED
    ");
    assert!(!sandbox.data().exists());
}

#[test]
fn a_prefix_that_no_name_can_have_is_refused() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run(&["list", "--prefix", "web:"]), @"
    exit 2
    2| error: invalid value 'web:' for '--prefix <PREFIX>': no package name holds ':'; only A-Z a-z 0-9 . _ - / are allowed
    2|
    2| For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["list", "--limit", "0"]), @"
    exit 2
    2| error: invalid value '0' for '--limit <N>': not a whole number above 0
    2|
    2| For more information, try '--help'.
    ");
}
