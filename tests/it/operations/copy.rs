//! Copies from one ledger and store to others.

use super::{Site, collect, gc};
use crate::support::world::{author, of, tag, version};
use sacker::{
    ledger::{ChangeRequest, Refused},
    model::ReleaseChange,
    ops::{CopyReport, Error, ErrorKind, Fsck},
    store::{Store, memory::MemoryStore},
};
use std::sync::Arc;

async fn copy(from: &Site, to: &Site, dry_run: bool) -> Result<CopyReport, Error> {
    to.client().copy_from(&from.client(), dry_run, &mut |_| ()).await
}

/// Every promise holds for the ledger and its store, and it has the packages of the source.
async fn is_copy(from: &Site, to: &Site) {
    let mut found = Vec::new();
    let fsck = Fsck::new().read_data(100);
    to.client().fsck(fsck, &mut |it| found.push(format!("{} {}", it.place, it.what))).await.unwrap();
    assert_eq!(found, Vec::<String>::new());
    for package in ["app", "web"] {
        let package = [of(package)];
        assert_eq!(
            to.ledger().positions(&package).await.unwrap(),
            from.ledger().positions(&package).await.unwrap()
        );
    }
}

async fn populate(site: &Site) {
    for content in ["one", "two", "three", "one"] {
        site.add("app", content).await;
    }
    site.add("web", "one").await;
    tag(&*site.ledger(), "app", "1", "live").await;
    site.delete("app", 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_repeated_between_all_kinds() {
    let sites = [Site::memory(), Site::local(), Site::cloud(false).await];
    populate(&sites[0]).await;
    for pair in sites.windows(2) {
        let [from, to] = pair else { unreachable!() };
        let dry = copy(from, to, true).await.unwrap();
        assert_eq!((dry.packages, dry.changed, dry.versions, dry.blobs), (2, 2, 5, 0));
        assert_eq!(to.client().ledger().identity().await.unwrap(), None, "nothing was made");
        let copied = copy(from, to, false).await.unwrap();
        assert_eq!((copied.changed, copied.versions), (2, 5));
        is_copy(from, to).await;
        assert_eq!(copy(from, to, false).await.unwrap().changed, 0);
    }
    // The blob of a deleted version is not copied; a collected one is stored again elsewhere.
    let [first, second, third] = &sites;
    assert_eq!(gc(&first.client(), collect(true)).await.unwrap().len(), 1);
    assert_eq!(first.add("app", "two").await.blob.address.generation, 1);
    let change = ChangeRequest::new(of("app"), version(3), ReleaseChange::Yank).author(author(None));
    first.ledger().change(&change).await.unwrap();
    for (from, to) in [(first, second), (second, third)] {
        let copied = copy(from, to, false).await.unwrap();
        assert_eq!((copied.changed, copied.versions, copied.blobs), (1, 1, 1));
        is_copy(from, to).await;
    }
    // A change of the copy is not overwritten.
    third.add("web", "other").await;
    let error = copy(second, third, false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    second.add("web", "two").await;
    let error = copy(second, third, false).await.unwrap_err().to_string();
    assert!(error.contains("P#web/V#0000000000000002"), "{error}");
    third.add("web", "more").await;
}

#[tokio::test]
async fn a_package_that_the_source_lacks_is_another_past() {
    let (from, to) = (Site::memory(), Site::memory());
    populate(&from).await;
    to.add("other", "content").await;
    let error = copy(&from, &to, false).await.unwrap_err().to_string();
    assert!(error.contains("the package other: the source does not have it"), "{error}");
    to.add("other", "more").await;
}

#[tokio::test]
async fn a_ledger_is_not_copied_to_itself() {
    let site = Site::memory();
    populate(&site).await;
    assert!(matches!(copy(&site, &site, false).await.unwrap_err(), Error::SameLedger { .. }));
}

/// A store whose replication is behind its ledger.
#[tokio::test]
async fn a_blob_that_is_not_there_yet_is_named_and_copied_later() {
    let store = Arc::new(MemoryStore::new());
    let from = Site::with_store(Arc::clone(&store), tempfile::tempdir().unwrap());
    let to = Site::local();
    populate(&from).await;
    let late = from.add("app", "late").await.blob;
    store.delete(&late.address).await.unwrap();
    let error = copy(&from, &to, false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert!(
        error
            .to_string()
            .contains(&format!("the blob of app 5 is not in a store in memory ({})", late.address)),
        "{error}"
    );
    // The other package is there, and this one is not: no version is without its blob.
    let positions = to.ledger().positions(&[of("app"), of("web")]).await.unwrap();
    assert_eq!(positions.iter().map(|it| it.versions).collect::<Vec<_>>(), [0, 1]);
    let error = to.try_add("other", "content").await.unwrap_err();
    assert!(matches!(error, Error::Ledger(sacker::ledger::Error::Refused(Refused::Importing))), "{error:?}");
    assert_eq!(from.put("late", 0).await, late.address);
    copy(&from, &to, false).await.unwrap();
    is_copy(&from, &to).await;
    to.add("other", "content").await;
}

/// A source that has adopted a store uses generations of a later epoch.
#[tokio::test]
async fn a_copy_of_a_ledger_in_a_later_epoch_adds_above_it() {
    let (former, from, to) = (Site::memory(), Site::memory(), Site::local());
    former.add("app", "former").await;
    let from = Site { store: former.store, ..from };
    from.client().adopt().await.unwrap();
    populate(&from).await;
    // It has an identity and a store of its own already, in epoch 0.
    to.client().init().await.unwrap();
    copy(&from, &to, false).await.unwrap();
    is_copy(&from, &to).await;
    let (theirs, ours) = (from.add("app", "new").await, to.add("app", "new").await);
    assert!(ours.blob.address.epoch() >= theirs.blob.address.epoch());
}
