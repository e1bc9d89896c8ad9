//! The region and the plain credentials that a command uses, and what it says without.

use super::sources::{profile, run};
use crate::support::{
    sandbox::Sandbox,
    wire::{Server, response},
};
use insta::assert_snapshot;
use std::fs;

/// A machine whose ledger is that server, with credentials and a region in its profile.
fn machine(server: &Server, query: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    profile(&sandbox, "[default]\nregion = us-west-2\n[profile other]\nregion = sa-east-1\n");
    let keys = "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = secret\n\
                [other]\naws_access_key_id = OTHER\naws_secret_access_key = secret\n";
    fs::write(sandbox.path(".aws/credentials"), keys).unwrap();
    let store = format!("file://{}", sandbox.path("store").display());
    let ledger = format!("dynamodb://table?endpoint={}{query}", server.url);
    sandbox.set("SACKER_LEDGER", ledger).set("SACKER_STORE", store)
}

/// The access key that signed a request, and the region.
fn signed(server: &Server) -> (String, String) {
    let request = server.asked().pop().unwrap();
    let scope = request.split("Credential=").nth(1).unwrap().split(',').next().unwrap();
    let parts: Vec<_> = scope.split('/').collect();
    (parts[0].to_owned(), parts[2].to_owned())
}

#[tokio::test]
async fn the_url_wins_over_the_environment_and_that_over_the_profile() {
    let environment = [("AWS_REGION", "eu-central-1"), ("AWS_DEFAULT_REGION", "eu-south-1")];
    let other = [("AWS_PROFILE", "other")];
    let keys = [("AWS_ACCESS_KEY_ID", "PLAIN"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    for (query, variables, expected) in [
        ("&region=eu-west-1", &environment[..], ("DEFAULT", "eu-west-1")),
        ("", &environment, ("DEFAULT", "eu-central-1")),
        ("", &environment[1..], ("DEFAULT", "eu-south-1")),
        ("", &[], ("DEFAULT", "us-west-2")),
        ("", &other, ("OTHER", "sa-east-1")),
        ("", &[environment[0], other[0]], ("OTHER", "eu-central-1")),
        ("&region=eu-west-1", &[other[0], keys[0], keys[1]], ("PLAIN", "eu-west-1")),
        ("", &keys, ("PLAIN", "us-west-2")),
    ] {
        let server = Server::new(vec![response("200 OK", "{}")]).await;
        let mut machine = machine(&server, query);
        for (name, value) in variables {
            machine = machine.set(name, *value);
        }
        let shown = run(machine, &["list"]).await;
        assert!(shown.starts_with("exit 0\n"), "{query} {variables:?}: {shown}");
        let (by, region) = signed(&server);
        assert_eq!((by.as_str(), region.as_str()), expected, "{query} {variables:?}");
    }
}

#[tokio::test]
async fn without_any_region_there_is_a_way_out() {
    let server = Server::new(vec![response("200 OK", "{}")]).await;
    let machine = machine(&server, "");
    profile(&machine, "[default]\n");
    let shown = run(machine, &["list", "--ledger", "dynamodb://table"]).await;
    assert_snapshot!(shown, @"
    exit 2
    2| error: connecting to DynamoDB: it can't be used with these settings: no region is set: AWS_REGION, the profile's `region`, or `region=` in the URL
    2| hint: set AWS_REGION, the profile's `region`, or `region=` in the URL, as in dynamodb://TABLE?region=eu-west-1; in a container, the instance's metadata needs a hop limit of 2
    ");
    assert_eq!(server.asked().len(), 0);
}

/// In a container on an instance with a hop limit of 1 the service takes the connection, and its answer is lost.
#[tokio::test]
async fn metadata_that_never_arrives_ends_at_the_deadline_and_names_the_hop_limit() {
    for region in [Some("us-east-1"), None] {
        let (metadata, server) = (Server::silent().await, Server::silent().await);
        let sandbox = machine(&server, "");
        fs::remove_dir_all(sandbox.path(".aws")).unwrap();
        let mut sandbox = sandbox
            .set("AWS_EC2_METADATA_DISABLED", "false")
            .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url.clone());
        if let Some(region) = region {
            sandbox = sandbox.set("AWS_REGION", region);
        }
        let shown = run(sandbox, &["list", "--deadline", "1s"]).await;
        assert!(shown.starts_with("exit 7\n"), "{region:?}: {shown}");
        assert!(shown.contains("hop limit of 2"), "{region:?}: {shown}");
        assert!(metadata.asked()[0].starts_with("PUT /latest/api/token"), "{:?}", metadata.asked());
        assert_eq!(server.asked().len(), 0);
    }
}
