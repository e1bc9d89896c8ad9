//! Every source of credentials, in front of a small server that is busy, recovers, or refuses.

use crate::support::{
    backends,
    sandbox::Sandbox,
    wire::{Server, response},
};
use sacker::table::{Table, dynamodb::DynamoTable};
use std::{fs, os::unix::fs::PermissionsExt};

/// The sha1 of the start URL names the cached token.
const TOKEN: &str = "c2e09b4fac288e7a35fb1a0f7b55446a509137e5.json";
const START: &str = "https://sso.test/start";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    AssumeRole,
    WebIdentity,
    Container,
    PodIdentity,
    Instance,
    Sso,
}

use Source::{AssumeRole, Container, Instance, PodIdentity, Sso, WebIdentity};

pub const ALL: [Source; 6] = [AssumeRole, WebIdentity, Container, PodIdentity, Instance, Sso];

impl Source {
    /// The answers of its service when it gives credentials, in the order of the requests.
    fn gives(self) -> Vec<String> {
        self.gives_with("token")
    }

    /// The same with this session token.
    pub fn gives_with(self, token: &str) -> Vec<String> {
        let json = r#"{"Code":"Success","AccessKeyId":"KEY","SecretAccessKey":"secret","Token":"TOKEN","Expiration":"2099-01-01T00:00:00Z"}"#
            .replace("KEY", &key())
            .replace("TOKEN", token);
        let sts = |operation: &str| {
            response(
                "200 OK",
                &format!(
                    "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{operation}Result>\
                     <AssumedRoleUser><AssumedRoleId>A:b</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/r/s\
                     </Arn></AssumedRoleUser><Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>secret\
                     </SecretAccessKey><SessionToken>{token}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>\
                     </Credentials></{operation}Result></{operation}Response>",
                    key()
                ),
            )
        };
        match self {
            AssumeRole => vec![sts("AssumeRole")],
            WebIdentity => vec![sts("AssumeRoleWithWebIdentity")],
            Container | PodIdentity => vec![response("200 OK", &json)],
            Instance => vec![
                response("200 OK\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600", "token"),
                response("200 OK", "role"),
                response("200 OK", &json),
            ],
            Sso => vec![response(
                "200 OK",
                &r#"{"roleCredentials":{"accessKeyId":"KEY","secretAccessKey":"secret","sessionToken":"TOKEN","expiration":4070908800000}}"#
                    .replace("KEY", &key())
                    .replace("TOKEN", token),
            )],
        }
    }

    fn busy(self) -> String {
        match self {
            AssumeRole => response("400 Bad Request", &sts_error("Throttling")),
            WebIdentity => response("503 Service Unavailable", &sts_error("ServiceUnavailable")),
            Container | PodIdentity | Sso => response("429 Too Many Requests", "{}"),
            Instance => response("503 Service Unavailable", ""),
        }
    }

    fn refuses(self) -> String {
        match self {
            AssumeRole => response("403 Forbidden", &sts_error("AccessDenied")),
            WebIdentity => response("400 Bad Request", &sts_error("ExpiredTokenException")),
            Container | PodIdentity | Instance => response("403 Forbidden", "{}"),
            Sso => response("401 Unauthorized", "{}"),
        }
    }

    /// A machine where this is the one source of credentials, and `server` gives them.
    pub fn machine(self, server: &str, table: &str) -> Sandbox {
        let machine = machine(table);
        match self {
            AssumeRole => {
                profile(
                    &machine,
                    "[profile base]\naws_access_key_id = base\naws_secret_access_key = secret\n[profile role]\n\
                     role_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n",
                );
                machine.set("AWS_PROFILE", "role").set("AWS_ENDPOINT_URL_STS", server)
            }
            WebIdentity => {
                machine.write("jwt", "jwt");
                let file = machine.path("jwt").display().to_string();
                machine
                    .set("AWS_WEB_IDENTITY_TOKEN_FILE", file)
                    .set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r")
                    .set("AWS_ENDPOINT_URL_STS", server)
            }
            Container => machine.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{server}/creds")),
            PodIdentity => {
                machine.write("token", "token");
                let file = machine.path("token").display().to_string();
                machine
                    .set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file)
                    .set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{server}/v1/credentials"))
            }
            Instance => machine
                .set("AWS_EC2_METADATA_DISABLED", "false")
                .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", server),
            Sso => {
                profile(
                    &machine,
                    &format!(
                        "[default]\nsso_start_url = {START}\nsso_region = us-east-1\nsso_account_id = 123456789012\n\
                         sso_role_name = r\n"
                    ),
                );
                fs::create_dir_all(machine.path(".aws/sso/cache")).unwrap();
                machine.write(
                    &format!(".aws/sso/cache/{TOKEN}"),
                    format!(
                        r#"{{"startUrl":"{START}","region":"us-east-1","accessToken":"a","expiresAt":"2099-01-01T00:00:00Z"}}"#
                    ),
                );
                machine.set("AWS_ENDPOINT_URL_SSO", server)
            }
        }
    }
}

fn sts_error(code: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    )
}

/// DynamoDB Local has different tables for different keys.
pub fn key() -> String {
    std::env::var("AWS_ACCESS_KEY_ID").unwrap_or_else(|_| "sackertest".to_owned())
}

pub fn profile(machine: &Sandbox, text: &str) {
    fs::create_dir_all(machine.path(".aws")).unwrap();
    machine.write(".aws/config", text);
}

pub fn machine(table: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let store = format!("file://{}", sandbox.path("store").display());
    sandbox
        .set("AWS_REGION", "us-east-1")
        .set("SACKER_LEDGER", format!("dynamodb://{table}?endpoint={}", backends::dynamodb()))
        .set("SACKER_STORE", store)
}

pub async fn table() -> String {
    let name = backends::unique("sources");
    let client = backends::aws().dynamodb(&backends::at(backends::dynamodb())).await.unwrap();
    backends::RetryingTable(DynamoTable::new(client, name.clone())).create().await.unwrap();
    name
}

pub async fn run(machine: Sandbox, arguments: &[&str]) -> String {
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    tokio::task::spawn_blocking(move || machine.run(&arguments)).await.unwrap()
}

#[tokio::test]
async fn a_source_that_is_busy_is_asked_again() {
    let table = table().await;
    for source in ALL {
        // More often than the SDK asks by itself.
        let mut answers = vec![source.busy(); 7];
        answers.extend(source.gives());
        let server = Server::new(answers).await;
        let shown = run(source.machine(&server.url, &table), &["list"]).await;
        assert_eq!(shown, "exit 0\n", "{source:?}");
    }
}

#[tokio::test]
async fn a_source_that_stays_busy_ends_at_the_deadline() {
    let table = table().await;
    for source in ALL {
        let server = Server::new(vec![source.busy()]).await;
        let shown = run(source.machine(&server.url, &table), &["list", "--deadline", "1s"]).await;
        assert!(shown.starts_with("exit 7\n"), "{source:?}: {shown}");
    }
}

#[tokio::test]
async fn a_source_that_hangs_ends_at_the_deadline() {
    let table = table().await;
    for source in ALL {
        let server = Server::silent().await;
        let shown = run(source.machine(&server.url, &table), &["list", "--deadline", "1s"]).await;
        assert!(shown.starts_with("exit 7\n"), "{source:?}: {shown}");
    }
}

#[tokio::test]
async fn a_source_that_refuses_is_denied_at_once() {
    let table = table().await;
    for source in ALL {
        let server = Server::new(vec![source.refuses()]).await;
        let shown = run(source.machine(&server.url, &table), &["list"]).await;
        assert!(shown.starts_with("exit 10\n"), "{source:?}: {shown}");
        assert!(server.asked().len() <= 4, "{source:?}: {:?}", server.asked());
    }
}

#[tokio::test]
async fn none_at_all_are_denied_at_once() {
    let table = table().await;
    let shown = run(machine(&table), &["list"]).await;
    assert!(shown.starts_with("exit 10\n"), "{shown}");
}

#[tokio::test]
async fn a_process_that_fails_once_is_run_again_and_one_that_is_missing_is_not() {
    let table = table().await;
    for (script, expected) in [
        ("[ -e tried ] || { : > tried; exit 1; }", "exit 0\n"),
        ("exit 1", "exit 7\n"),
        ("exit 127", "exit 10\n"),
    ] {
        let machine = machine(&table);
        let json = format!(
            r#"{{"Version":1,"AccessKeyId":"{}","SecretAccessKey":"secret","SessionToken":"t"}}"#,
            key()
        );
        machine.write("give", format!("#!/bin/sh\n{script}\necho '{json}'\n"));
        fs::set_permissions(machine.path("give"), fs::Permissions::from_mode(0o755)).unwrap();
        profile(&machine, &format!("[default]\ncredential_process = {}\n", machine.path("give").display()));
        let shown = run(machine, &["list", "--deadline", "2s"]).await;
        assert!(shown.starts_with(expected), "{script}: {shown}");
    }
}

/// A wrong setting of the way to a source is no outage.
#[tokio::test]
async fn a_source_behind_a_proxy_that_is_none_is_a_wrong_setting() {
    let machine = AssumeRole.machine("http://sts.test", "table").set("HTTP_PROXY", "http://proxy.test:port");
    let shown = run(machine, &["list"]).await;
    assert!(shown.starts_with("exit 2\n"), "{shown}");
    assert!(shown.contains("hint: set HTTPS_PROXY"), "{shown}");
}

/// The words are those of STS.
#[tokio::test]
async fn a_role_that_does_not_trust_the_credentials_is_named() {
    let why = "User: arn:aws:iam::123456789012:user/base is not authorized to perform: sts:AssumeRole on resource: \
               arn:aws:iam::123456789012:role/r";
    for (source, action) in [(AssumeRole, "AssumeRole"), (WebIdentity, "AssumeRoleWithWebIdentity")] {
        let why = why.replace("sts:AssumeRole ", &format!("sts:{action} "));
        let error = sts_error("AccessDenied").replace("<Message>no<", &format!("<Message>{why}<"));
        let server = Server::new(vec![response("403 Forbidden", &error)]).await;
        let shown = run(source.machine(&server.url, "table"), &["list"]).await;
        let expected = format!(
            "exit 10\n2| error: connecting to DynamoDB: access denied: no credentials: AccessDenied: {why}\n2| hint: these \
             credentials may not assume the role: "
        );
        assert!(shown.starts_with(&expected), "{source:?}: {shown}");
    }
}
