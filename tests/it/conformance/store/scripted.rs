//! S3's answers that no server at hand gives: read from a script, over the wire.

use super::{Files, MIB, address, hash, put};
use crate::support::{
    backends::s3_client,
    scripted_s3::{Answer, Server, error, nothing, uploads},
};
use sacker::{
    fault::FaultKind,
    model::Created,
    store::{Content, Put, PutError, Store, s3::S3Store},
};
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    os::unix::fs::FileExt,
};

fn fault_kind(result: Result<Put, PutError>) -> FaultKind {
    match result {
        Err(PutError::Fault(fault)) => fault.kind,
        result => panic!("{result:?}"),
    }
}

fn small() -> (Files, Content) {
    let files = Files::new();
    let content = hash(&files.with(b"1"));
    (files, content)
}

/// The bug that loses blobs elsewhere: 409 says that another write was under way, not that it succeeded.
#[tokio::test]
async fn a_conflict_is_never_taken_for_presence() {
    let (_files, content) = small();
    let server = Server::new(|request, _| match request {
        "PutObject if-none-match" => error(409, "ConditionalRequestConflict"),
        _ => nothing(),
    });
    assert_eq!(fault_kind(put(&server.store().await, &content).await), FaultKind::Contended);
}

#[tokio::test]
async fn a_failed_condition_is_never_taken_for_presence() {
    let (_files, content) = small();
    // Something was there a moment ago; now there is nothing, or something else.
    for there in [nothing(), (200, "AAAA".to_owned())] {
        let head = there.clone();
        let server = Server::new(move |request, _| match request {
            "HeadObject" => head.clone(),
            _ => error(412, "PreconditionFailed"),
        });
        assert_eq!(fault_kind(put(&server.store().await, &content).await), FaultKind::Contended);
        let replacing = server.seen().contains(&"PutObject if-match".to_owned());
        assert_eq!(replacing, there.0 == 200);
    }
}

/// Damage on the way is worth another try; a changed file is not.
#[tokio::test]
async fn refused_bytes_of_an_unchanged_file_are_damage_on_the_way() {
    let (_files, content) = small();
    for code in ["BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch", "IncompleteBody"] {
        let server = Server::new(move |_, _| error(400, code));
        assert_eq!(fault_kind(put(&server.store().await, &content).await), FaultKind::Unavailable, "{code}");
    }
}

/// A proxy that inspects TLS can answer in the place of S3.
#[tokio::test]
async fn an_answer_without_an_etag_is_never_taken_for_success() {
    let (_files, content) = small();
    for body in ["", "<html>Sign in</html>"] {
        let server = Server::new(move |request, _| match request {
            request if request.starts_with("PutObject") => (200, body.to_owned()),
            _ => error(404, "NoSuchKey"),
        });
        let store = server.store().await;
        assert_eq!(fault_kind(put(&store, &content).await), FaultKind::Unavailable, "{body:?}");
        assert_eq!(store.claim("a ledger").await.unwrap_err().kind, FaultKind::Unavailable, "{body:?}");
    }
}

fn created() -> Answer {
    (200, "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>".to_owned())
}

fn large() -> (Files, Content) {
    let files = Files::new();
    let content = hash(&files.random(17 * MIB));
    (files, content)
}

/// The last bytes of a file that changed are held back: a server that ignores checksums would store them.
#[tokio::test]
async fn no_server_receives_the_whole_of_a_changed_file() {
    for (size, changed) in [(1, 0), (MIB, 0), (MIB, MIB - 1), (17 * MIB, 3), (17 * MIB, 17 * MIB - 1)] {
        let files = Files::new();
        let path = files.random(size);
        let content = hash(&path);
        let file = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, changed).unwrap();
        file.write_all_at(&[!byte[0]], changed).unwrap();
        // It records what arrives whole.
        let server = crate::support::server::Server::new();
        let store = S3Store::new(s3_client(&server.endpoint).await, "bucket", "prefix", None);
        let result = put(&store, &content).await;
        assert!(matches!(&result, Err(PutError::Changed(which)) if *which == path), "{size}: {result:?}");
        let count = |operation| server.seen().iter().filter(|request| request.operation == operation).count();
        assert_eq!(count("PutObject"), 0, "{size}, {changed}");
        // Three parts of at most 8 MiB, one of which has changed.
        assert!(count("UploadPart") < 3, "{size}, {changed}");
        assert_eq!(count("CompleteMultipartUpload"), 0, "{size}, {changed}");
    }
}

/// `CompleteMultipartUpload` can answer 200 and say in its body that it failed.
#[tokio::test]
async fn an_error_inside_a_good_answer_is_an_error() {
    let (_files, content) = large();
    let server = Server::new(|request, _| match request {
        "CreateMultipartUpload" => created(),
        "UploadPart" => (200, String::new()),
        "CompleteMultipartUpload if-none-match" => error(200, "InternalError"),
        "AbortMultipartUpload" => (204, String::new()),
        _ => nothing(),
    });
    assert_eq!(fault_kind(put(&server.store().await, &content).await), FaultKind::Unavailable);
}

#[tokio::test]
async fn a_conflict_at_the_end_of_an_upload_restarts_it() {
    let (_files, content) = large();
    for (status, code) in
        [(409, "ConditionalRequestConflict"), (200, "ConditionalRequestConflict"), (400, "InvalidPart")]
    {
        let uploads = tempfile::tempdir().unwrap();
        let server = Server::new(move |request, before| match request {
            "CreateMultipartUpload" => created(),
            "UploadPart" => (200, String::new()),
            "CompleteMultipartUpload if-none-match" if before == 0 => error(status, code),
            "CompleteMultipartUpload if-none-match" => (200, "<CompleteMultipartUploadResult/>".to_owned()),
            "AbortMultipartUpload" => (204, String::new()),
            _ => nothing(),
        });
        let store =
            S3Store::new(s3_client(&server.endpoint).await, "bucket", "", Some(uploads.path().to_owned()));
        assert_eq!(fault_kind(put(&store, &content).await), FaultKind::Contended);
        assert_eq!(server.seen().last().unwrap(), "AbortMultipartUpload");
        assert_eq!(put(&store, &content).await.unwrap(), Put::Stored);
        let begun = server.seen().iter().filter(|request| *request == "CreateMultipartUpload").count();
        assert_eq!(begun, 2);
        assert_eq!(uploads.path().read_dir().unwrap().count(), 0);
    }
}

/// A server that takes an upload but fails its only part, and then answers `ListParts` like this.
fn interrupting(listing: Answer) -> Server {
    Server::new(move |request, before| match request {
        "CreateMultipartUpload" => created(),
        "UploadPart" if before < 2 => error(503, "SlowDown"),
        "UploadPart" => (200, String::new()),
        "ListParts id" => listing.clone(),
        "CompleteMultipartUpload if-none-match" => (200, "<CompleteMultipartUploadResult/>".to_owned()),
        "AbortMultipartUpload" => (204, String::new()),
        _ => nothing(),
    })
}

fn times(server: &Server, operation: &str) -> usize {
    server.seen().iter().filter(|request| *request == operation).count()
}

/// Else the blob could never be added again from that machine.
#[tokio::test]
async fn an_upload_whose_parts_cannot_be_listed_is_restarted() {
    let (_files, content) = large();
    let unreadable = (200, "<ListPartsResponse/>".to_owned());
    for (listing, resumed) in [
        (error(403, "AccessDenied"), false),
        (error(400, "InvalidArgument"), false),
        (error(501, "NotImplemented"), false),
        (unreadable, false),
        (error(404, "NoSuchUpload"), false),
        (error(503, "SlowDown"), true),
    ] {
        let uploads = tempfile::tempdir().unwrap();
        let what = format!("{listing:?}");
        let server = interrupting(listing);
        let store =
            S3Store::new(s3_client(&server.endpoint).await, "bucket", "", Some(uploads.path().to_owned()));
        assert_eq!(fault_kind(put(&store, &content).await), FaultKind::Throttled, "{what}");
        let again = put(&store, &content).await;
        if resumed {
            assert_eq!(fault_kind(again), FaultKind::Throttled);
            assert_eq!(times(&server, "CreateMultipartUpload"), 1);
        } else {
            assert_eq!(again.unwrap(), Put::Stored, "{what}");
            assert_eq!(times(&server, "CreateMultipartUpload"), 2, "{what}");
            // The one that was given up leaves nothing behind.
            assert_eq!(times(&server, "AbortMultipartUpload"), 1, "{what}");
        }
    }
}

/// Two servers may have a bucket of one name: a test server and the real one.
#[tokio::test]
async fn an_upload_is_resumed_on_its_own_server() {
    let (_files, content) = large();
    let uploads = tempfile::tempdir().unwrap();
    let servers = [interrupting(error(503, "SlowDown")), interrupting(error(503, "SlowDown"))];
    for (turn, server) in [0, 1, 0].map(|n| &servers[n]).into_iter().enumerate() {
        let store =
            S3Store::new(s3_client(&server.endpoint).await, "bucket", "", Some(uploads.path().to_owned()));
        assert_eq!(fault_kind(put(&store, &content).await), FaultKind::Throttled);
        assert_eq!(times(server, "ListParts id"), usize::from(turn == 2));
    }
}

/// A request that S3 refuses for its content is not sent again.
#[tokio::test]
async fn an_upload_that_s3_refuses_is_not_resumed() {
    let (_files, content) = large();
    let uploads = tempfile::tempdir().unwrap();
    let server = Server::new(|request, before| match request {
        "CreateMultipartUpload" => created(),
        "UploadPart" if before < 2 => error(400, "InvalidArgument"),
        "UploadPart" => (200, String::new()),
        "CompleteMultipartUpload if-none-match" => (200, "<CompleteMultipartUploadResult/>".to_owned()),
        "AbortMultipartUpload" => (204, String::new()),
        _ => nothing(),
    });
    let store =
        S3Store::new(s3_client(&server.endpoint).await, "bucket", "", Some(uploads.path().to_owned()));
    assert_eq!(fault_kind(put(&store, &content).await), FaultKind::Unexpected);
    assert_eq!(uploads.path().read_dir().unwrap().count(), 0);
    assert_eq!(put(&store, &content).await.unwrap(), Put::Stored);
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_an_error() {
    use futures_util::TryStreamExt;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let answer = "HTTP/1.1 206 Partial\r\nconnection: close\r\netag: \"x\"\r\ncontent-length: 4\r\n\
                          content-range: bytes 0-9/10\r\n\r\nfour";
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let (_files, content) = small();
    let store = S3Store::new(s3_client(&endpoint).await, "bucket", "", None);
    let body = store.get(&address(&content, 0), 0..10, None).await.unwrap().unwrap();
    let result: Result<Vec<_>, _> = body.stream.try_collect().await;
    assert_eq!(result.unwrap_err().kind, FaultKind::Unavailable);
}

/// `HeadBucket` has no body to say what is wrong.
#[tokio::test]
async fn a_bucket_that_cannot_be_used_is_explained() {
    let made = Server::new(|_, _| (200, String::new()));
    assert_eq!(made.store().await.create().await.unwrap(), Created::Present);
    for (status, kind) in [
        (301, FaultKind::Misconfigured),
        (400, FaultKind::Misconfigured),
        (403, FaultKind::Denied),
        (500, FaultKind::Unavailable),
    ] {
        let server = Server::new(move |_, _| (status, String::new()));
        assert_eq!(server.store().await.create().await.unwrap_err().kind, kind, "{status}");
        assert!(server.seen().iter().all(|request| request == "HeadObject"));
    }
}

/// A bucket is never left without its settings because a try failed half-way.
#[tokio::test]
async fn the_settings_of_a_new_bucket_are_made_in_the_end() {
    let server = Server::new(|request, before| match (request, before) {
        ("HeadObject", 0) => nothing(),
        // Made; then its first setting fails.
        ("PutObject", 1) => error(503, "SlowDown"),
        _ => (200, String::new()),
    });
    let store = server.store().await;
    assert_eq!(store.create().await.unwrap_err().kind, FaultKind::Throttled);
    assert_eq!(store.create().await.unwrap(), Created::Made);
    assert_eq!(store.create().await.unwrap(), Created::Present);
    let puts = server.seen().iter().filter(|request| *request == "PutObject").count();
    assert_eq!(puts, 1 + 1 + 5);
}

/// A payload's sha256 is part of the signature where nothing else protects the bytes.
#[tokio::test]
async fn payloads_to_another_machine_are_signed() {
    let (_files, content) = small();
    // The second reaches this machine too, but does not look like it.
    for (host, expected) in [("127.0.0.1", "UNSIGNED-PAYLOAD"), ("0.0.0.0", content.sha256().as_str())] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{host}:{}", listener.local_addr().unwrap().port());
        let signed = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let lines = reader.by_ref().lines().map_while(Result::ok);
            let headers: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            reader.read_exact(&mut [0]).unwrap();
            let answer = "HTTP/1.1 200 OK\r\netag: \"1\"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
            let name = "x-amz-content-sha256: ";
            headers.iter().find_map(|line| line.strip_prefix(name)).unwrap().to_owned()
        });
        let store = S3Store::new(s3_client(&endpoint).await, "bucket", "", None);
        assert_eq!(put(&store, &content).await.unwrap(), Put::Stored);
        assert_eq!(signed.join().unwrap(), expected);
    }
}

#[tokio::test]
async fn unfinished_uploads_come_page_by_page() {
    // Ids hold what has a meaning in a URL; a key can have many uploads; a page may hold none of this store's.
    let server = Server::new(|request, _| match request {
        "ListMultipartUploads" => {
            uploads(&[("prefix/sha256/a", "1+/="), ("prefix/sha256/a", "2&amp;%2B")], true)
        }
        "ListMultipartUploads after prefix/sha256/a 2&%2B" => uploads(&[("prefix/other", "3")], true),
        "ListMultipartUploads after prefix/other 3" => uploads(&[("prefix/sha256/b", "4")], false),
        _ => error(400, "InvalidArgument"),
    });
    let store = server.store().await;
    let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = store.uploads(after.as_deref()).await.unwrap();
        found.extend(page.uploads);
        (after, pages) = (page.next, pages + 1);
        assert!(pages <= 3, "it goes round: {:?}", server.seen());
        if after.is_none() {
            break;
        }
    }
    let names: Vec<_> = found.iter().map(|upload| (upload.name.as_str(), upload.since.to_string())).collect();
    let since = "2026-01-02T03:04:05.000Z".to_owned();
    assert_eq!(names, ["sha256/a", "sha256/a", "sha256/b"].map(|name| (name, since.clone())));
    let ids: BTreeSet<_> = found.iter().map(|upload| upload.id.as_str()).collect();
    assert_eq!((ids.len(), pages), (3, 3));
}
