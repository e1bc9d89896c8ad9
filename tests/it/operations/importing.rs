//! Importers over a source that fails or changes: what has arrived is kept, and nothing wrong is added.

use super::Site;
use crate::support::world::{author, of, sha256};
use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use sacker::{
    fault::{Fault, FaultKind},
    model::{Timestamp, Version},
    ops::{ErrorKind, FilesOptions, Foreign, Order},
    store::{
        Body,
        named::{NamedBytes, NamedFile, NamedFiles, NamedPage},
    },
};
use std::sync::{Arc, Mutex};

/// The answers to requests for a file: its etag, its bytes, and the number of bytes after which the answer ends with a
/// fault.
type Answers = Vec<(&'static str, Vec<u8>, Option<usize>)>;

/// A source with a scripted answer for each request, and one file in each page of its listing.
#[derive(Debug)]
struct Scripted {
    names: Vec<&'static str>,
    answers: Mutex<Answers>,
    /// The positions from which the file was requested.
    requested: Mutex<Vec<u64>>,
    size: u64,
}

impl Scripted {
    fn new(names: &[&'static str], size: usize, mut answers: Answers) -> Arc<Self> {
        answers.reverse();
        let (answers, requested) = (Mutex::new(answers), Mutex::default());
        Arc::new(Self { names: names.to_vec(), answers, requested, size: size as u64 })
    }
}

#[async_trait]
impl NamedFiles for Scripted {
    fn describe(&self) -> String {
        "a script".to_owned()
    }

    async fn list(&self, _: &str, after: Option<&str>) -> Result<NamedPage, Fault> {
        let at: usize = after.map_or(0, |after| after.parse().unwrap());
        let mut page = NamedPage::default();
        if let Some(name) = self.names.get(at) {
            let etag = Some("a".to_owned());
            let modified = Timestamp::from_millis(0);
            page.files.push(NamedFile { name: (*name).to_owned(), size: self.size, modified, etag });
        }
        page.next = (at + 1 < self.names.len()).then(|| (at + 1).to_string());
        Ok(page)
    }

    async fn open(&self, _: &str, from: u64, etag: Option<&str>) -> Result<Option<NamedBytes>, Fault> {
        self.requested.lock().unwrap().push(from);
        let Some((own, bytes, cut)) = self.answers.lock().unwrap().pop() else { return Ok(None) };
        if etag.is_some_and(|etag| etag != own) {
            return Err(Fault::new(FaultKind::Contended, "reading", "another etag"));
        }
        let size = bytes.len() as u64;
        let rest = bytes[usize::try_from(from).unwrap()..].to_vec();
        let fault = || Fault::new(FaultKind::Unavailable, "reading", "cut");
        let answer = match cut {
            Some(cut) => vec![Ok(rest[..cut].to_vec().into()), Err(fault())],
            None => vec![Ok(rest.into())],
        };
        Ok(Some(NamedBytes::Remote(Body {
            etag: own.to_owned(),
            size,
            stream: stream::iter(answer).boxed(),
        })))
    }
}

async fn read(source: &Arc<Scripted>) -> Foreign {
    let files = Arc::clone(source) as Arc<dyn NamedFiles>;
    let options = FilesOptions::new("{package}-{version}".parse().unwrap()).order(Order::Any);
    Foreign::of_files(files, &options, &crate::support::world::retry_policy()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_download_that_is_cut_short_is_resumed() {
    let content = vec![7; 3000];
    let whole = |cut| ("a", content.clone(), cut);
    let source = Scripted::new(
        &["app-1"],
        3000,
        vec![whole(Some(1000)), whole(Some(0)), whole(Some(500)), whole(None)],
    );
    let site = Site::memory();
    let foreign = read(&source).await;
    site.client().import_foreign(&foreign, &author(None), false, &mut |_| ()).await.unwrap();
    assert_eq!(*source.requested.lock().unwrap(), [0, 1000, 1000, 1500]);
    let releases: Vec<_> = site.ledger().versions(&of("app")).try_collect().await.unwrap();
    assert_eq!(releases[0].blob.size, 3000);
    // The message with the etag identifies the bytes: they are not read again.
    let report = site.client().import_foreign(&foreign, &author(None), false, &mut |_| ()).await.unwrap();
    assert_eq!((report.versions, source.requested.lock().unwrap().len()), (0, 4));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changes_while_it_is_read_is_read_from_its_beginning() {
    let source = Scripted::new(
        &["app-1"],
        4,
        vec![("a", b"old!".to_vec(), Some(2)), ("b", b"new!".to_vec(), None), ("b", b"new!".to_vec(), None)],
    );
    let site = Site::memory();
    let foreign = read(&source).await;
    site.client().import_foreign(&foreign, &author(None), false, &mut |_| ()).await.unwrap();
    assert_eq!(*source.requested.lock().unwrap(), [0, 2, 0]);
    let releases: Vec<_> = site.ledger().versions(&of("app")).try_collect().await.unwrap();
    assert_eq!(releases[0].blob.address.sha256, sha256("new!"));
}

/// A file that was listed and is gone is no gap: nothing is added in its place.
#[tokio::test(start_paused = true)]
async fn a_file_that_disappears_stops_the_import() {
    let source = Scripted::new(&["app-1", "app-2"], 3, vec![("a", b"one".to_vec(), None)]);
    let site = Site::memory();
    let foreign = read(&source).await;
    assert_eq!(foreign.packages[&of("app")].keys().map(|it| Version::get(*it)).collect::<Vec<_>>(), [1, 2]);
    let client = site.client().with_jobs(std::num::NonZeroUsize::MIN);
    let error = client.import_foreign(&foreign, &author(None), false, &mut |_| ()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert_eq!(site.ledger().versions(&of("app")).count().await, 1);
}
