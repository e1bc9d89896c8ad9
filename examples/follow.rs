//! Follows a tag as a host does: downloads the version that `live` is on, waits until the tag is changed, and downloads
//! again.
//!
//! `cargo run --example follow` uses an embedded ledger and store in a temporary directory, and deploys to itself.

use sacker::{AddInput, AddRequest, Client, Download, PackageName, Spec, TagName, Target, Wait};
use std::{error::Error, path::Path, time::Duration};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let url = |name: &str| format!("file://{}/{name}", folder.path().display());
    let client =
        Client::builder(url("ledger"), url("store")).author("deploy@example.org".parse()?).build().await?;
    publish(&client, "the first build").await?;

    let (app, live): (PackageName, Spec) = ("app".parse()?, "live".parse()?);
    let mut rev = install(&client, folder.path()).await?;
    for build in ["the second build", "the third build"] {
        let wait = Wait::new(app.clone(), live.clone()).after_rev(rev).timeout(Duration::from_mins(1));
        // The host waits while someone else deploys.
        let (changed, published) = tokio::join!(client.wait(&wait), publish(&client, build));
        published?;
        println!("live is on {}", changed?.version);
        rev = install(&client, folder.path()).await?;
    }
    Ok(())
}

async fn publish(client: &Client, build: &'static str) -> Result<(), Box<dyn Error>> {
    let live: TagName = "live".parse()?;
    client.add(AddRequest::new("app".parse()?).tag(live), AddInput::bytes(build)).await?;
    Ok(())
}

/// Downloads the version that `live` is on, and returns the revision of the tag.
async fn install(client: &Client, folder: &Path) -> Result<u64, Box<dyn Error>> {
    let (app, live): (PackageName, Spec) = ("app".parse()?, "live".parse()?);
    let release = client.info(&app, &live).await?;
    // By number: the tag may have moved since.
    let target = Target::Path(folder.join("app.bin"));
    let downloaded = client.download(Download::new(app, release.version.into(), target).force(true)).await?;
    let path = downloaded.path.ok_or("it is a file")?;
    println!("installed {}: {}", downloaded.version, std::fs::read_to_string(path)?);
    release.rev.ok_or_else(|| "a tag has a revision".into())
}
