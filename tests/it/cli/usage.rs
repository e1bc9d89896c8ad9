//! Wrong arguments are explained.

use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

#[test]
fn wrong_usage_is_explained() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run(&["ad", "app", "f"]), @"
    exit 2
    2| error: unrecognized subcommand 'ad'
    2|
    2|   tip: some similar subcommands exist: 'audit', 'add'
    2|
    2| Usage: sacker [OPTIONS] <COMMAND>
    2|
    2| For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["add", "app"]), @"
    exit 2
    2| error: the following required arguments were not provided:
    2|   <FILE>
    2|
    2| Usage: sacker add <PACKAGE> <FILE>
    2|
    2| For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["add", "app", "--json"]), @r#"
    exit 2
    2| {"error":{"kind":"invalid","message":"the following required arguments were not provided: <FILE>","hint":"`sacker --help` lists the commands, `sacker COMMAND --help` their options","exit_code":2}}
    "#);
    assert_snapshot!(sandbox.run(&["info", "app", "live", "--expect", "1", "--json"]), @r#"
    exit 2
    2| {"error":{"kind":"invalid","message":"unexpected argument '--expect' found","hint":"`sacker --help` lists the commands, `sacker COMMAND --help` their options","exit_code":2}}
    "#);
    assert_snapshot!(sandbox.run(&["list", "--deadline", "0s"]), @"
    exit 2
    2| error: invalid value '0s' for '--deadline <DURATION>': must be more than 0s
    2|
    2| For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["list", "--deadline", "60"]), @"
    exit 2
    2| error: invalid value '60' for '--deadline <DURATION>': not a duration such as 90s, 2m or 1h 30m
    2|
    2| For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["list", "--color", "blue"]), @"
    exit 2
    2| error: invalid value 'blue' for '--color <WHEN>'
    2|   [possible values: auto, always, never]
    2|
    2| For more information, try '--help'.
    ");
}

#[test]
fn a_command_of_another_tool_is_answered_with_the_one_that_does_the_same() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run(&["promote", "app", "42", "live"]), @"
    exit 2
    2| error: unrecognized subcommand 'promote'
    2|
    2|   tip: a similar subcommand exists: 'tag'
    2|
    2| Usage: sacker [OPTIONS] <COMMAND>
    2|
    2| For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["push", "app", "f", "--json"]), @r#"
    exit 2
    2| {"error":{"kind":"invalid","message":"unrecognized subcommand 'push'","hint":"a similar subcommand exists: 'add'","exit_code":2}}
    "#);
}

#[test]
fn a_tag_before_its_version_is_answered_with_the_order() {
    assert_snapshot!(Sandbox::new().run(&["tag", "app", "live", "42"]), @r#"
    exit 2
    2| error: invalid value '42' for '<TAG>': tag "42" does not begin with a letter; the version comes before the tag: PACKAGE SPEC TAG
    2|
    2| For more information, try '--help'.
    "#);
    assert_snapshot!(Sandbox::new().run(&["tag", "app", "42", "4live"]), @r#"
    exit 2
    2| error: invalid value '4live' for '<TAG>': tag "4live" does not begin with a letter
    2|
    2| For more information, try '--help'.
    "#);
}
