//! The probe for features that the store relies on, run on servers that lack them: MinIO behind a proxy that hides one.

use super::{again::RetryingStore, s3::retrying};
use crate::{
    operations::Site,
    support::{
        backends,
        proxy::http::Message,
        rewriting::guarding,
        scripted_s3::{Server, error},
        world::retry_policy,
    },
};
use sacker::{
    fault::{Fault, FaultKind},
    model::{Setting, SettingState},
    ops::{Client, Error},
    store::{Store, s3::S3Store},
};
use std::sync::Arc;

/// A way in which a server differs from S3.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Lacks {
    Nothing,
    IfNoneMatch,
    IfMatch,
    Checksums,
    HeadChecksum,
    Permission,
}

fn hide(lacks: Lacks, request: &Message, answer: &mut Message) {
    let refused = |status: &str| answer.head.starts_with(format!("HTTP/1.1 {status}").as_bytes());
    let accepted = Message::response("200 OK", "etag: \"same\"\r\n", "<CompleteMultipartUploadResult/>");
    let writes = ["PutObject", "UploadPart", "CompleteMultipartUpload"].contains(&request.kind().as_str());
    match lacks {
        Lacks::IfNoneMatch if request.header("if-none-match").is_some() && refused("412") => {
            *answer = accepted;
        }
        Lacks::IfMatch if request.header("if-match").is_some() && refused("412") => *answer = accepted,
        Lacks::Checksums if writes && refused("400") => *answer = accepted,
        Lacks::HeadChecksum if request.kind() == "HeadObject" => answer.remove("x-amz-checksum-crc64nvme"),
        _ => {}
    }
}

/// The answer to what may not be done.
fn refuse(lacks: Lacks, request: &Message) -> Option<Message> {
    let writes = ["PutObject", "CreateMultipartUpload"].contains(&request.kind().as_str());
    let body = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    let denied = || Message::response("403 Forbidden", "content-type: application/xml\r\n", body);
    (lacks == Lacks::Permission && writes).then(denied)
}

const OWNER: &str = "an-owner";

/// A bucket on `MinIO` with an owner, and its store as seen through a server that lacks something.
async fn seen_with(lacks: Lacks) -> (aws_sdk_s3::Client, String, S3Store) {
    let direct = backends::s3_client(&backends::s3()).await;
    let bucket = backends::unique("probe");
    let store = RetryingStore(S3Store::new(direct.clone(), &bucket, "a/prefix", None));
    store.create().await.unwrap();
    assert_eq!(store.claim(OWNER).await.unwrap(), OWNER);
    let gate = move |request: &Message| refuse(lacks, request);
    let url = guarding(&backends::s3(), gate, move |request, answer| hide(lacks, request, answer));
    let store = S3Store::new(backends::s3_client(&url).await, &bucket, "a/prefix", None);
    (retrying(&direct), bucket, store)
}

/// Tries the server as an operation does, which tries again where the server has closed a connection.
async fn probe(store: &S3Store) -> Result<Vec<Setting>, Fault> {
    retry_policy().run("testing the server", || store.probe(OWNER)).await
}

async fn assert_nothing_left(client: &aws_sdk_s3::Client, bucket: &str) {
    let listed = client.list_objects_v2().bucket(bucket).send().await.unwrap().contents.unwrap();
    assert_eq!(listed.iter().map(|object| object.key().unwrap()).collect::<Vec<_>>(), ["a/prefix/OWNER"]);
    let uploads =
        client.list_multipart_uploads().bucket(bucket).prefix("a/prefix/OWNER").send().await.unwrap();
    assert_eq!(uploads.uploads.unwrap_or_default().len(), 0);
    let owner = client.get_object().bucket(bucket).key("a/prefix/OWNER").send().await.unwrap();
    assert_eq!(owner.body.collect().await.unwrap().to_vec(), OWNER.as_bytes());
}

#[tokio::test]
async fn a_server_that_lacks_nothing_passes_and_keeps_nothing() {
    let (client, bucket, store) = seen_with(Lacks::Nothing).await;
    for _ in 0..2 {
        let found = probe(&store).await.unwrap();
        let on: Vec<_> = found.iter().filter(|found| found.state == SettingState::On).collect();
        assert_eq!((found.len(), on.len()), (7, 7), "{found:?}");
        assert_nothing_left(&client, &bucket).await;
    }
    assert_eq!(store.probe("another").await.unwrap_err().kind, FaultKind::Contended);
}

#[tokio::test]
async fn a_server_that_lacks_something_is_refused_by_its_name() {
    for (lacks, names) in [
        (
            Lacks::IfNoneMatch,
            &["ignores `If-None-Match`;", "`If-None-Match` of `CompleteMultipartUpload`"][..],
        ),
        (Lacks::IfMatch, &["ignores `If-Match`"]),
        (
            Lacks::Checksums,
            &["`x-amz-checksum-sha256`", "bytes that do not match their `x-amz-checksum-crc", "parts that"],
        ),
        (Lacks::HeadChecksum, &["`HeadObject` gives no CRC64NVME"]),
    ] {
        let (client, bucket, store) = seen_with(lacks).await;
        let fault = probe(&store).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Misconfigured, "{lacks:?}: {fault:?}");
        let why = fault.source.to_string();
        assert!(names.iter().all(|name| why.contains(name)), "{lacks:?}: {why}");
        assert_nothing_left(&client, &bucket).await;
    }
}

#[tokio::test]
async fn what_may_not_be_tried_is_not_known() {
    let (client, bucket, store) = seen_with(Lacks::Permission).await;
    let found = probe(&store).await.unwrap();
    for setting in &found {
        let not_known =
            matches!(&setting.state, SettingState::NotKnown(why) if why.starts_with("s3:PutObject"));
        // MinIO stores a CRC64NVME with each object by itself, or the property could not be tried either.
        assert!(not_known || setting.name == "server_checksum_on_head", "{setting:?}");
    }
    assert_nothing_left(&client, &bucket).await;
    assert_eq!(found.len(), 7);
    let busy = Server::new(|request, _| match request {
        "another" => (200, OWNER.to_owned()),
        _ => error(503, "SlowDown"),
    });
    assert_eq!(busy.store().await.probe(OWNER).await.unwrap_err().kind, FaultKind::Throttled);
}

#[tokio::test]
async fn a_store_is_not_adopted_on_a_server_that_lacks_something() {
    let site = Site::local();
    let adopt = async |store| {
        let client = Client::new(site.ledger(), Arc::new(store), retry_policy(), site.dir.path().to_owned());
        client.adopt().await
    };
    let (client, bucket, store) = seen_with(Lacks::IfMatch).await;
    let Error::Store(fault) = adopt(store).await.unwrap_err() else { panic!("the server is refused") };
    assert_eq!(fault.kind, FaultKind::Misconfigured, "{fault:?}");
    // It is still its owner's.
    assert_nothing_left(&client, &bucket).await;
    let (_, _, store) = seen_with(Lacks::Nothing).await;
    let adopted = adopt(store).await.unwrap();
    assert!(adopted.adopted.is_some());
    let tried = adopted.settings.iter().filter(|setting| setting.name.starts_with("server_")).count();
    assert_eq!(tried, 7, "{:?}", adopted.settings);
}
