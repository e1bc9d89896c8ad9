//! Each fate at each request of a job, one at a time.

use super::bench::{Bench, LARGE, add, download, tag};
use crate::support::{
    backends,
    proxy::{
        Proxy,
        fate::{Answer, Fate, fates, is_dynamodb},
        http::Message,
    },
};
use futures_util::{StreamExt, stream};
use sacker::{
    fault::FaultKind,
    ledger,
    model::Expectation,
    ops::{Client, Error},
};
use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Work through a bad network, with a check of its result.
pub trait Work {
    async fn run(&self, client: &Client) -> Result<(), Error>;

    /// Checks the result over a direct connection.
    async fn check(&self);
}

/// The commands of a pipeline and a host on one package.
struct Job<'a> {
    bench: &'a Bench,
    package: String,
    files: Vec<PathBuf>,
    large: bool,
    /// `true` if its commands have idempotency keys, and can be run again.
    keyed: bool,
}

impl<'a> Job<'a> {
    fn new(bench: &'a Bench, large: bool, keyed: bool) -> Self {
        let files = if large { vec![bench.file(LARGE)] } else { vec![bench.file(100), bench.file(2000)] };
        Self { bench, package: backends::unique("app"), files, large, keyed }
    }

    fn key(&self, key: &'static str) -> Option<&'static str> {
        self.keyed.then_some(key)
    }
}

impl Work for Job<'_> {
    async fn run(&self, client: &Client) -> Result<(), Error> {
        let package = self.package.as_str();
        assert_eq!(add(client, package, &self.files[0], Some("live"), self.key("first")).await?, 1);
        if !self.large {
            assert_eq!(add(client, package, &self.files[1], None, self.key("second")).await?, 2);
            let one = Expectation::Version(1.try_into().unwrap());
            tag(client, package, 2, "live", one, self.key("third")).await?;
        }
        let to = self.bench.path("download");
        let fetched = download(client, package, "live", &to).await;
        // Whole or not at all.
        assert_eq!(to.exists(), fetched.is_ok());
        let last = self.files.len();
        assert_eq!(fetched?, last as u64);
        assert!(fs::read(&to).unwrap() == fs::read(&self.files[last - 1]).unwrap());
        fs::remove_file(to).unwrap();
        Ok(())
    }

    async fn check(&self) {
        let audited = self.bench.audit(&self.package).await;
        assert_eq!(audited.versions, self.files.len());
        assert_eq!(audited.moves, self.files.len());
        for (at, file) in self.files.iter().enumerate() {
            assert!(self.bench.holds(&self.package, at as u64 + 1, file).await);
            fs::remove_file(file).unwrap();
        }
    }
}

/// A client through proxies that let one request of a kind, by its number, meet a fate.
pub async fn through(bench: &Bench, kind: &str, number: usize, fate: Fate) -> (Client, Proxy, Proxy) {
    let (kind, seen) = (kind.to_owned(), AtomicUsize::new(0));
    let fates = std::sync::Arc::new(move |request: &Message| {
        let its = request.kind() == kind && seen.fetch_add(1, Ordering::SeqCst) == number;
        if its { fate } else { Fate::Passes }
    });
    let other = std::sync::Arc::clone(&fates);
    let dynamodb = Proxy::new(&backends::dynamodb(), move |request| fates(request)).await;
    let s3 = Proxy::new(&backends::s3(), move |request| other(request)).await;
    (bench.client(&dynamodb.url, &s3.url).await, dynamodb, s3)
}

/// Returns `true` if a flipped bit that no checksum covers, on a network without TLS, may end in this error, with
/// nothing changed. Every other fault must be tolerated.
fn may_fail(kind: &str, fate: Fate, error: &Error) -> bool {
    match (kind, fate) {
        // The sha256 says so, and the file is not there.
        ("GetObject", Fate::FlipsReply) => matches!(error, Error::Damaged { .. }),
        (kind, Fate::FlipsReply) => !is_dynamodb(kind),
        // S3 compares bytes with their checksum, and sacker sends them again. The rest is signed.
        (kind, Fate::FlipsRequest) => !matches!(kind, "PutObject" | "UploadPart"),
        _ => false,
    }
}

/// Returns the number of requests of each kind that a work takes.
pub async fn requests_of(bench: &Bench, work: &impl Work) -> BTreeMap<String, usize> {
    let (client, dynamodb, s3) = through(bench, "none", 0, Fate::Passes).await;
    work.run(&client).await.unwrap();
    work.check().await;
    let mut requests = BTreeMap::new();
    for (kind, _) in [dynamodb.log(), s3.log()].concat() {
        *requests.entry(kind).or_default() += 1;
    }
    requests
}

/// Does a work once for each fate of each of its requests. The argument of `begin` is `true` if it needs idempotency
/// keys.
pub async fn each_fate<W: Work>(
    bench: &Bench,
    requests: &BTreeMap<String, usize>,
    at_once: usize,
    begin: impl AsyncFn(bool) -> W,
) {
    let cases: Vec<_> = requests
        .iter()
        .flat_map(|(kind, &count)| (0..count).map(move |number| (kind.clone(), number)))
        .flat_map(|(kind, number)| fates(&kind).into_iter().map(move |fate| (kind.clone(), number, fate)))
        .collect();
    let outcomes = Mutex::new(BTreeMap::<String, usize>::new());
    stream::iter(cases.into_iter().enumerate())
        .for_each_concurrent(at_once, |(at, (kind, number, fate))| {
            let (outcomes, begin) = (&outcomes, &begin);
            async move {
                let flips = matches!(fate, Fate::FlipsReply | Fate::FlipsRequest);
                let work = begin(flips || at % 2 == 0).await;
                let (client, dynamodb, s3) = through(bench, &kind, number, fate).await;
                let done = work.run(&client).await;
                let met = [dynamodb.log(), s3.log()].concat().into_iter().filter(|(_, met)| *met == fate);
                assert_eq!(met.count(), 1, "{kind} {number} {fate:?}");
                let outcome = match done {
                    Ok(()) => "right",
                    Err(error) => {
                        assert!(may_fail(&kind, fate, &error), "{kind} {number} {fate:?}: {error:?}");
                        // Run again, it finds out what was done and does the rest.
                        work.run(&bench.clean().await).await.unwrap();
                        "refused, then right"
                    }
                };
                work.check().await;
                let name = if flips { format!("{kind} {fate:?}: {outcome}") } else { outcome.to_owned() };
                *outcomes.lock().unwrap().entry(name).or_default() += 1;
            }
        })
        .await;
    println!("requests: {requests:?}\noutcomes: {:#?}", outcomes.lock().unwrap());
}

async fn each_fate_of_blobs(large: bool, at_once: usize) {
    let bench = Bench::new().await;
    let mut requests = requests_of(&bench, &Job::new(&bench, large, false)).await;
    if large {
        // The rest is as for a small blob.
        requests.retain(|kind, _| !is_dynamodb(kind) && kind != "GetOwner");
    }
    each_fate(&bench, &requests, at_once, async |keyed| Job::new(&bench, large, keyed)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fate_at_each_request_about_small_blobs() {
    each_fate_of_blobs(false, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fate_at_each_request_about_a_large_blob() {
    each_fate_of_blobs(true, 4).await;
}

/// A request is signed with the hash of its body, so that DynamoDB refuses one with a flipped bit. DynamoDB
/// Local looks at no signature: here the proxy answers, which shows the client's reaction.
#[tokio::test]
async fn a_turned_bit_in_a_request_to_dynamodb() {
    let bench = Bench::new().await;
    let fates = |request: &Message| match request.kind().as_str() {
        "TransactWriteItems" => Fate::IsAnswered(Answer::InvalidSignature),
        _ => Fate::Passes,
    };
    let refusing = Proxy::new(&backends::dynamodb(), fates).await;
    let client = bench.client(&refusing.url, &backends::s3()).await;
    let job = Job::new(&bench, false, true);
    let refused = job.run(&client).await.unwrap_err();
    let Error::Ledger(ledger::Error::Fault(fault)) = refused else { panic!("{refused:?}") };
    assert_eq!(fault.kind, FaultKind::Denied);
    assert_eq!(bench.audit(&job.package).await.versions, 0);
    job.run(&bench.clean().await).await.unwrap();
    job.check().await;
}
