//! The command `list`.

use crate::support::{
    backends,
    proxy::{Answer, Fate, Proxy},
    sandbox::Sandbox,
};
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
    1| {"summary":{"command":"list","packages":5,"denied":0}}
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
    1| {"summary":{"command":"list","packages":1,"denied":0}}
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
    2| error: invalid value 'web:' for '--prefix <PREFIX>': no package name contains ':'; only A-Z a-z 0-9 . _ - / are allowed
    2|
    2| For more information, try '--help'.
    ");
    assert_snapshot!(sandbox.run(&["list", "--limit", "0"]), @"
    exit 2
    2| error: invalid value '0' for '--limit <N>': must be a whole number above 0
    2|
    2| For more information, try '--help'.
    ");
}

/// Answers as a ledger with `a` on the first page of its directory, and never answers the next request.
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
        if let Some(reported) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = reported.trim().parse().unwrap();
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

/// A reader who may read only some packages: DynamoDB refuses a batch in which one item may not be read.
#[tokio::test(flavor = "multi_thread")]
async fn packages_that_may_not_be_read_are_named_and_the_others_listed() {
    let mut sandbox = crate::support::servers::sandbox();
    sandbox.write("f", "x");
    sandbox.ok(&["init", "-q"]);
    for package in ["app", "secret", "web"] {
        sandbox.ok(&["add", package, "f", "-q"]);
    }
    let proxy = Proxy::new(&backends::dynamodb(), |request| {
        let secret = String::from_utf8_lossy(&request.body).contains("P#secret");
        if secret { Fate::IsAnswered(Answer::AccessDenied) } else { Fate::Passes }
    })
    .await;
    let ledger = sandbox.variable("SACKER_LEDGER").replace(&backends::dynamodb(), &proxy.url);
    sandbox = sandbox.set("SACKER_LEDGER", ledger);
    assert_snapshot!(sandbox.run(&["list", "-l"]), @"
    exit 10
    1| PACKAGE                            LATEST        SIZE  CHANGED
    1| app                                     1         1 B  [TIME]
    1| web                                     1         1 B  [TIME]
    2| warning: access to the package secret is denied
    2| error: listing the packages: access to 1 package is denied
    2| hint: the others are listed; SECURITY.md lists the permissions of a reader
    ");
    assert_snapshot!(sandbox.run(&["list", "-l", "--json", "-q"]), @r#"
    exit 10
    1| {"package":"app","versions":1,"latest":1,"size":1,"changed_at":"[TIME]"}
    1| {"package":"web","versions":1,"latest":1,"size":1,"changed_at":"[TIME]"}
    1| {"summary":{"command":"list","packages":2,"denied":1}}
    2| {"error":{"kind":"denied","message":"listing the packages: access to 1 package is denied","hint":"the others are listed; SECURITY.md lists the permissions of a reader","exit_code":10}}
    "#);
}
