//! `list`.

use super::sandbox::Sandbox;
use insta::assert_snapshot;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::Stdio,
    thread,
    time::Duration,
};

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

/// Answers as a ledger would that has `a` on the first page of its directory, and never answers what comes next.
fn stuck_after_a() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            thread::spawn(move || {
                while let Some(request) = request(&mut client) {
                    let body = if request.contains("ExclusiveStartKey") {
                        break;
                    } else if request.contains("D#0") {
                        let key = r#"{"pk":{"S":"D#0"},"sk":{"S":"a"}}"#;
                        format!(r#"{{"Items":[{key}],"LastEvaluatedKey":{key}}}"#)
                    } else {
                        r#"{"Items":[]}"#.to_owned()
                    };
                    let head =
                        "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length";
                    write!(client, "{head}: {}\r\n\r\n{body}", body.len()).unwrap();
                }
                // The connection stays.
                thread::sleep(Duration::MAX);
            });
        }
    });
    format!("dynamodb://table?region=us-east-1&endpoint=http://{address}")
}

/// The next request of a connection: its body.
fn request(client: &mut TcpStream) -> Option<String> {
    let mut reader = BufReader::new(client);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line == "\r\n" {
            break;
        }
        if let Some(told) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = told.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}

#[test]
fn what_is_known_is_shown_before_the_rest_is_waited_for() {
    let sandbox = Sandbox::new().set("AWS_ACCESS_KEY_ID", "id").set("AWS_SECRET_ACCESS_KEY", "hidden");
    let arguments = ["list", "--deadline", "10m", "--ledger", &stuck_after_a(), "--store", "s3://bucket"];
    let mut command = sandbox.command(&arguments);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(line, "a\n");
}
