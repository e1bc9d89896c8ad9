//! Logs are kept and shared: they contain no secret at any verbosity.

use super::code;
use crate::support::{sandbox::Sandbox, servers};
use std::env;

const TOKEN: &str = "IQoJb3JpZ2luX2VjTESTTOKENxyz0123456789";

/// The variables that make other programs and libraries more verbose.
fn loud(sandbox: Sandbox) -> Sandbox {
    ["RUST_LOG", "SACKER_LOG", "AWS_LOG", "AWS_SDK_LOG", "SMITHY_LOG", "LOG_LEVEL", "TRACE", "DEBUG"]
        .into_iter()
        .fold(sandbox, |sandbox, name| sandbox.set(name, "trace"))
        .set("RUST_BACKTRACE", "full")
}

/// Runs a whole session, each command at the highest verbosity, and returns all output.
fn session(sandbox: &Sandbox) -> (Vec<i32>, String) {
    sandbox.write("f", "first");
    sandbox.write("large", vec![7; 17 << 20]);
    let (mut codes, mut said) = (Vec::new(), String::new());
    for command in [
        &["init"][..],
        &["add", "app", "f", "--tag", "live"],
        &["add", "app", "large"],
        &["download", "app", "live", "-o", "copy"],
        &["versions", "app"],
        &["info", "app", "nosuch"],
        &["gc"],
        &["fsck", "--read-data"],
    ] {
        for more in [&["-vvv"][..], &["-vvv", "--json"], &["-vvvvvv", "--color=always"]] {
            let output = sandbox.command(&[command, more].concat()).output().unwrap();
            codes.push(code(&output));
            said += &String::from_utf8_lossy(&output.stdout);
            said += &String::from_utf8_lossy(&output.stderr);
        }
    }
    (codes, said)
}

fn nothing_secret(said: &str, secrets: &[&str]) {
    let signs =
        ["AWS4-HMAC-SHA256", "Signature=", "X-Amz-Signature", "X-Amz-Security-Token", "SignedHeaders"];
    for secret in secrets.iter().chain(&signs) {
        let found = said.to_lowercase().find(&secret.to_lowercase());
        let place = found.map(|at| said.chars().skip(at.saturating_sub(100)).take(300).collect::<String>());
        assert_eq!(place, None, "{secret}");
    }
}

#[test]
fn a_session_that_works_says_nothing_secret() {
    let sandbox = loud(servers::sandbox());
    let (codes, said) = session(&sandbox);
    assert_eq!(codes.iter().filter(|code| ![0, 4].contains(*code)).count(), 0, "{codes:?}");
    assert!(said.contains("s3.UploadPart") && said.contains("dynamodb.TransactWriteItems"), "{said}");
    nothing_secret(&said, &[&env::var("AWS_SECRET_ACCESS_KEY").unwrap()]);
}

#[test]
fn a_session_that_is_refused_says_nothing_secret() {
    // DynamoDB Local takes any token; MinIO knows no such session.
    let secret = "wJalrXUtnFEMItestK7MDENGbPxRfiCYEXAMPLEKEY";
    let sandbox = servers::sandbox().set("AWS_SECRET_ACCESS_KEY", secret).set("AWS_SESSION_TOKEN", TOKEN);
    let (codes, said) = session(&loud(sandbox));
    assert!(codes.contains(&10), "{codes:?}");
    nothing_secret(&said, &[secret, TOKEN]);
}

#[test]
fn a_token_goes_to_dynamodb_and_nowhere_else() {
    let sandbox = servers::sandbox().set("AWS_SESSION_TOKEN", TOKEN);
    let store = format!("file://{}", sandbox.path("store").display());
    let (codes, said) = session(&loud(sandbox.set("SACKER_STORE", store)));
    assert_eq!(codes.iter().filter(|code| ![0, 4].contains(*code)).count(), 0, "{codes:?}");
    nothing_secret(&said, &[&env::var("AWS_SECRET_ACCESS_KEY").unwrap(), TOKEN]);
}

#[test]
fn a_process_that_gives_credentials_is_not_quoted_when_it_gives_something_else() {
    let sandbox = servers::sandbox();
    sandbox
        .write("config", "[default]\ncredential_process = echo '{\"SecretAccessKey\": \"s3cr3t\", oops'\n");
    let places = ["--ledger", sandbox.variable("SACKER_LEDGER"), "--store", "file:///nowhere"];
    let mut command = sandbox.command(&[&["list", "-vvv"], &places[..]].concat());
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    command.env("AWS_CONFIG_FILE", sandbox.path("config")).env("PATH", "/usr/bin:/bin");
    let output = command.output().unwrap();
    let said = sandbox.shown(&output);
    assert_eq!(code(&output), 10, "{said}");
    nothing_secret(&said, &["s3cr3t"]);
}
