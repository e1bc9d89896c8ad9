//! Publishes a build: stores its bytes, makes them the next version, and puts a tag on it, in one transaction.
//!
//! `cargo run --example publish` uses an embedded ledger and store in a temporary directory. For DynamoDB and S3, open
//! `dynamodb://TABLE` and `s3://BUCKET` instead.

use sacker::{AddInput, AddRequest, Client, PackageName, Spec};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let url = |name: &str| format!("file://{}/{name}", folder.path().display());
    let client =
        Client::builder(url("ledger"), url("store")).author("ci@example.org".parse()?).build().await?;

    let build = folder.path().join("app.tar.gz");
    std::fs::write(&build, "the build")?;

    let app: PackageName = "app".parse()?;
    let request = AddRequest::new(app.clone())
        .label("commit", "3f2a91c")?
        .tag("canary".parse()?)
        // A pipeline that runs this again for the same commit gets the same version back.
        .key("build-3f2a91c".parse()?);
    let (release, new) = client.add(request.clone(), AddInput::file(&build)).await?;
    println!("published {} {} (new: {new})", release.package, release.version);

    let (same, _) = client.add(request, AddInput::file(&build)).await?;
    println!("published again: {}", same.version);

    let info = client.info(&app, &Spec::Latest).await?;
    println!("latest: {}, sha256 {}", info.version, info.blob.address.sha256);
    for (name, value) in info.labels.iter() {
        println!("label {name}={value}");
    }
    Ok(())
}
