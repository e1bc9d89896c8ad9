//! Promotes a version from `canary` to `live` under conditions, handles the failures that a deployment meets, and rolls
//! back.
//!
//! `cargo run --example promote` uses an embedded ledger and store in a temporary directory.

use sacker::{
    AddInput, AddRequest, Client, ErrorKind, Expectation, PackageName, RollbackRequest, TagRequest, Version,
};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let url = |name: &str| format!("file://{}/{name}", folder.path().display());
    let client =
        Client::builder(url("ledger"), url("store")).author("deploy@example.org".parse()?).build().await?;
    let app: PackageName = "app".parse()?;
    for build in ["first", "second"] {
        let request = AddRequest::new(app.clone()).label("tests", "passed")?.tag("canary".parse()?);
        client.add(request, AddInput::bytes(build)).await?;
    }
    let live = "live".parse()?;
    client.tag(&TagRequest::new(app.clone(), "1".parse()?, live)).await?;

    // What was on `canary` when it is decided, and only if `live` is still on 1 and the tests have passed.
    let promotion = TagRequest::new(app.clone(), "canary".parse()?, "live".parse()?)
        .expect(Expectation::Version(Version::try_from(1)?))
        .require("label:tests=passed".parse()?)
        .message("canary looked good for an hour".parse()?);
    let moved = client.tag(&promotion).await?;
    println!("live: {} -> {}", number(moved.previous), number(moved.version));

    // Another deployment with the same expectation comes too late.
    match client.tag(&promotion).await {
        Err(error) if error.kind() == ErrorKind::Conflict => println!("too late: {:?}", error.kind()),
        other => println!("not expected: {other:?}"),
    }

    let rollback = RollbackRequest::new(app, "live".parse()?).message("too many errors".parse()?);
    let moved = client.rollback(&rollback).await?;
    println!("live: {} -> {}", number(moved.previous), number(moved.version));
    Ok(())
}

fn number(version: Option<Version>) -> String {
    version.map_or_else(|| "none".to_owned(), |version| version.to_string())
}
