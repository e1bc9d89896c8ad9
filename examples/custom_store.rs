//! Keeps the bytes in a store of one's own, here in memory; the ledger is an embedded one in a temporary directory.
//!
//! `cargo run --example custom_store`

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sacker::{
    AddInput, AddRequest, Client, Digest, Download, PackageName, Store, Target,
    fault::{Fault, FaultKind},
    model::{Address, Created, Timestamp},
    store::{Body, Content, Listing, Put, PutError, Sending, Sent, Stat},
};
use std::{
    collections::BTreeMap,
    error::Error,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Blobs in memory, by address. `sacker::store::Store` says what each method must guarantee.
#[derive(Debug, Default)]
struct Shelf(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    owner: Option<String>,
    blobs: BTreeMap<String, (Bytes, Timestamp)>,
}

impl Shelf {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for Shelf {
    fn describe(&self) -> String {
        "the shelf".to_owned()
    }

    async fn create(&self) -> Result<Created, Fault> {
        Ok(Created::Present)
    }

    async fn owner(&self) -> Result<Option<String>, Fault> {
        Ok(self.held().owner.clone())
    }

    async fn claim(&self, ledger: &str) -> Result<String, Fault> {
        Ok(self.held().owner.get_or_insert_with(|| ledger.to_owned()).clone())
    }

    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault> {
        let mut held = self.held();
        let no_owner = || Fault::new(FaultKind::Contended, "replacing the owner of the shelf", "it has none");
        let owner = held.owner.as_mut().ok_or_else(no_owner)?;
        if owner == from {
            to.clone_into(owner);
        }
        Ok(owner.clone())
    }

    async fn stat(&self, at: &Address) -> Result<Option<Stat>, Fault> {
        let stat =
            |(bytes, modified): &(Bytes, Timestamp)| Stat { size: bytes.len() as u64, modified: *modified };
        Ok(self.held().blobs.get(&at.to_string()).map(stat))
    }

    async fn put(
        &self,
        at: &Address,
        content: &Content,
        _: bool,
        sent: Sending<'_>,
    ) -> Result<Put, PutError> {
        let bytes = tokio::fs::read(content.path()).await.map(Bytes::from);
        let bytes = bytes.map_err(|error| Fault::new(FaultKind::Disk, "reading the file to store", error))?;
        // The file may have changed after it was hashed, and nothing wrong may ever be under an address.
        if Digest::of(&bytes) != *content.sha256() {
            return Err(PutError::Changed(content.path().to_owned()));
        }
        sent(Sent::Now(content.size()));
        match self.held().blobs.insert(at.to_string(), (bytes.clone(), Timestamp::now())) {
            Some((before, _)) if before == bytes => Ok(Put::Present),
            Some(_) => Ok(Put::Replaced),
            None => Ok(Put::Stored),
        }
    }

    async fn get(&self, at: &Address, range: Range<u64>, _: Option<&str>) -> Result<Option<Body>, Fault> {
        let held = self.held();
        let Some((bytes, _)) = held.blobs.get(&at.to_string()) else { return Ok(None) };
        let outside =
            |_| Fault::new(FaultKind::Corrupt, "reading the shelf", "the blob is shorter than that");
        let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
        let (start, end) = (start.map_err(outside)?, end.map_err(outside)?);
        let part = bytes.get(start..end).map(|part| bytes.slice_ref(part));
        let part =
            part.ok_or_else(|| Fault::new(FaultKind::Corrupt, "reading the shelf", "it is too short"))?;
        let stream = stream::iter((!part.is_empty()).then_some(Ok(part))).boxed();
        // What is under an address never changes, so neither does its etag.
        Ok(Some(Body { etag: at.to_string(), size: bytes.len() as u64, stream }))
    }

    async fn delete(&self, at: &Address) -> Result<(), Fault> {
        self.held().blobs.remove(&at.to_string());
        Ok(())
    }

    async fn list(&self, _: Option<&str>) -> Result<Listing, Fault> {
        let stat = |bytes: &Bytes, modified| Stat { size: bytes.len() as u64, modified };
        let held = self.held();
        let of = |(name, (bytes, modified)): (&String, &(Bytes, Timestamp))| {
            Some((name.parse().ok()?, stat(bytes, *modified)))
        };
        Ok(Listing { objects: held.blobs.iter().filter_map(of).collect(), next: None })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let ledger = format!("file://{}/ledger", folder.path().display());
    let shelf = Arc::new(Shelf::default());
    let client = Client::builder_with_store(ledger, Arc::clone(&shelf) as Arc<dyn Store>)
        .author("ann@example.org".parse()?)
        .build()
        .await?;

    let app: PackageName = "app".parse()?;
    let (release, _) = client.add(AddRequest::new(app.clone()), AddInput::bytes("the build")).await?;
    println!("stored {} {} in {}", release.package, release.version, client.store().describe());
    println!("the shelf holds {} blob", shelf.held().blobs.len());

    let path = folder.path().join("fetched");
    client.download(Download::new(app, release.version.into(), Target::Path(path.clone()))).await?;
    println!("fetched: {}", std::fs::read_to_string(path)?);
    Ok(())
}
