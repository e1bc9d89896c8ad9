use super::*;
use crate::endpoint::Endpoint;
use proptest::prelude::*;

fn why(error: &Error) -> String {
    error.to_string()
}

#[cfg(all(feature = "dynamodb", feature = "s3", feature = "sqlite"))]
#[test]
fn valid_urls_are_parsed() {
    let ledger: LedgerUrl = "dynamodb://sacker-ledger?region=eu-west-1".parse().unwrap();
    let endpoint = Endpoint { region: Some("eu-west-1".to_owned()), url: None };
    assert_eq!(ledger, LedgerUrl::Dynamo { table: "sacker-ledger".to_owned(), endpoint });
    let store: StoreUrl = "s3://acme-blobs/a/b/?endpoint=http://127.0.0.1:9000".parse().unwrap();
    let endpoint = Endpoint { region: None, url: Some("http://127.0.0.1:9000".to_owned()) };
    let bucket = Bucket { bucket: "acme-blobs".to_owned(), prefix: "a/b".to_owned(), endpoint };
    assert_eq!(store, StoreUrl::S3(bucket));
    let store: StoreUrl = "file:///var/lib/a%20b".parse().unwrap();
    assert_eq!(store, StoreUrl::Directory("/var/lib/a b".into()));
    let root: StoreUrl = "file:///".parse().unwrap();
    assert_eq!((root.clone(), root.to_string()), (StoreUrl::Directory("/".into()), "file:///".to_owned()));
}

#[cfg(all(feature = "dynamodb", feature = "s3", feature = "sqlite"))]
#[test]
fn invalid_urls_are_explained() {
    let ledgers = [
        ("", "it is empty"),
        ("table", "it has no scheme"),
        ("dynamo://table", "unknown scheme \"dynamo\""),
        ("dynamodb://", "it does not name a table"),
        ("dynamodb://table/x", "a table has no path"),
        ("dynamodb://a", "a table's name is"),
        ("dynamodb://table?zone=1", "unknown parameter \"zone\""),
        ("dynamodb://table?region=", "the parameter \"region\" is empty"),
        ("dynamodb://table?region=a&region=b", "given twice"),
        ("dynamodb://table?region=EU", "\"EU\" is no region"),
        ("dynamodb://table?endpoint=ftp://x", "no http:// or https:// URL"),
        ("dynamodb://table:8000", "it can't have a port"),
        ("dynamodb://table#x", "fragment"),
        ("file://relative/dir", "it must be absolute"),
        ("file:relative", "it must be absolute"),
        ("file:///dir?region=x", "a directory has none"),
        ("file:///dir/%2e%2e%2fetc", "its path has a `..` segment"),
    ];
    for (url, wrong) in ledgers {
        let error = url.parse::<LedgerUrl>().expect_err(url);
        assert!(why(&error).contains(wrong), "{url}: {error}");
    }
    let stores = [
        ("dynamodb://table", "unknown scheme \"dynamodb\""),
        ("s3://Bucket", "a bucket's name is"),
        ("s3://bucket/a//b", "empty, `.` or `..` segment"),
        ("s3://bucket/a b", "a prefix is"),
    ];
    for (url, wrong) in stores {
        let error = url.parse::<StoreUrl>().expect_err(url);
        assert!(why(&error).contains(wrong), "{url}: {error}");
    }
}

#[cfg(feature = "hdfs")]
#[test]
fn urls_of_hdfs_are_parsed() {
    for (url, namenode, path) in [
        ("hdfs://namenode:8020/data/sacker", "namenode:8020", "/data/sacker"),
        ("hdfs://logical/a/", "logical", "/a"),
    ] {
        let store: StoreUrl = url.parse().unwrap();
        let folder = Folder { namenode: namenode.to_owned(), path: path.to_owned() };
        assert_eq!(store, StoreUrl::Hdfs(folder));
        assert_eq!(store.to_string().parse(), Ok(store));
    }
    for (url, wrong) in [
        ("hdfs:///a", "it does not name a NameNode"),
        ("hdfs://namenode/", "it names no folder"),
        ("hdfs://namenode/a//b", "empty, `.` or `..` segment"),
        ("hdfs://namenode/a?user=x", "unknown parameter \"user\""),
        ("hdfs://ann@namenode/a", "credentials"),
    ] {
        let error = url.parse::<StoreUrl>().expect_err(url);
        assert!(why(&error).contains(wrong), "{url}: {error}");
    }
}

#[cfg(feature = "azure")]
#[test]
fn urls_of_azure_are_parsed() {
    for (url, prefix, endpoint) in [
        ("azure://account/container", "", None),
        ("azure://account/container/a/b/", "a/b", None),
        ("azure://account/container/a?endpoint=http://127.0.0.1:10000", "a", Some("http://127.0.0.1:10000")),
    ] {
        let store: StoreUrl = url.parse().unwrap();
        let container = Container {
            account: "account".to_owned(),
            container: "container".to_owned(),
            prefix: prefix.to_owned(),
            endpoint: endpoint.map(str::to_owned),
        };
        assert_eq!(store, StoreUrl::Azure(container));
        assert_eq!(store.to_string().parse(), Ok(store));
    }
    for (url, wrong) in [
        ("azure://my-account/container", "a storage account's name is"),
        ("azure://account", "it names no container"),
        ("azure://account/Container", "it names no container"),
        ("azure://account/container?region=x", "unknown parameter \"region\""),
        ("azure://account:key@x/container", "credentials"),
    ] {
        let error = url.parse::<StoreUrl>().expect_err(url);
        assert!(why(&error).contains(wrong), "{url}: {error}");
    }
}

#[cfg(not(all(feature = "azure", feature = "hdfs")))]
#[test]
fn a_store_that_is_not_built_names_its_feature() {
    for (url, feature, is_built) in [
        ("azure://account/container", "`azure`", cfg!(feature = "azure")),
        ("hdfs://namenode/folder", "`hdfs`", cfg!(feature = "hdfs")),
    ] {
        let error = url.parse::<StoreUrl>().err().filter(|_| !is_built);
        assert!(is_built || why(&error.unwrap()).contains(feature), "{url}");
    }
}

#[test]
fn a_store_on_google_cloud_is_refused_with_the_reason() {
    let error = "gs://bucket".parse::<StoreUrl>().unwrap_err();
    assert!(why(&error).contains("no store on Google Cloud Storage"), "{error}");
}

#[test]
fn a_password_is_never_shown() {
    for url in [
        "s3://key:secret@bucket/x",
        "dynamodb://key:secret@table",
        "dynamodb://key:secret@",
        "s3://key:secret@bucket:99999",
        "s3://key:se/cret@bucket:secret@x",
        "file://key:secret@host/directory",
        "s3://bucket?endpoint=http://key:secret@host",
        "s3://bucket?endpoint=http%3A%2F%2Fkey%3Asecret%40host",
    ] {
        for error in [url.parse::<StoreUrl>().unwrap_err(), url.parse::<LedgerUrl>().unwrap_err()] {
            assert!(!why(&error).contains("secret") && why(&error).contains("://…@"), "{error}");
        }
    }
    let error = "file:///home/ann@example.org?x".parse::<StoreUrl>().unwrap_err();
    assert!(why(&error).contains("/home/ann@example.org?x"), "{error}");
    for url in ["s3://bucket?zone=http://secret@host", "s3://key:secret@buc ket", "secret@host"] {
        let Err(error) = url.parse::<StoreUrl>() else { panic!("{url} is no place") };
        assert!(!why(&error).contains("secret"), "{error}");
    }
}

#[cfg(feature = "postgres")]
#[test]
fn a_table_in_postgresql_is_read_and_printed() {
    let text = "postgres://ann@db1,db2:5433/acme?table=releases.ledger&sslmode=verify-full";
    let ledger: LedgerUrl = text.parse().unwrap();
    assert_eq!(ledger.to_string(), text);
    assert_eq!(text.replace("postgres:", "postgresql:").parse(), Ok(ledger));
    for url in
        ["postgres://ann:secret@db/acme", "postgres://ann@db/acme?password=secret", "postgres://secret@@/x"]
    {
        let error = url.parse::<LedgerUrl>().unwrap_err();
        assert!(!why(&error).contains("secret"), "{error}");
    }
}

#[cfg(not(feature = "postgres"))]
#[test]
fn a_table_in_postgresql_names_its_feature() {
    let error = "postgres://ann:secret@db/acme".parse::<LedgerUrl>().unwrap_err();
    assert!(why(&error).contains("`postgres`") && !why(&error).contains("secret"), "{error}");
}

#[cfg(not(feature = "weak-s3-ledger"))]
#[test]
fn a_ledger_on_s3_is_refused_by_name() {
    let url = "s3://bucket/ledger";
    assert_eq!(url.parse::<LedgerUrl>(), Err(Error::WeakLedger { url: url.to_owned() }));
}

proptest! {
    #[cfg(all(feature = "dynamodb", feature = "s3", feature = "sqlite"))]
    #[test]
    fn a_url_prints_as_it_is_read(
        bucket in "[a-z][a-z0-9-]{2,20}",
        prefix in "([A-Za-z0-9_-]{1,8}(/[A-Za-z0-9_-]{1,8}){0,2})?",
        region in proptest::option::of("[a-z]{2}-[a-z]{4,9}-[1-9]"),
        port in proptest::option::of(1..65535_u16),
    ) {
        let url = port.map(|port| format!("http://127.0.0.1:{port}"));
        let endpoint = Endpoint { region, url };
        let store = StoreUrl::S3(Bucket { bucket: bucket.clone(), prefix, endpoint: endpoint.clone() });
        prop_assert_eq!(store.to_string().parse::<StoreUrl>(), Ok(store));
        let ledger = LedgerUrl::Dynamo { table: bucket, endpoint };
        prop_assert_eq!(ledger.to_string().parse::<LedgerUrl>(), Ok(ledger));
    }

    #[test]
    fn a_directory_prints_as_it_is_read(path in "(/[A-Za-z0-9 %#?é._-]{1,10}){1,3}") {
        prop_assume!(!path.split('/').any(|segment| matches!(segment, "." | "..")));
        let store = StoreUrl::Directory(path.into());
        prop_assert_eq!(store.to_string().parse::<StoreUrl>(), Ok(store));
    }

    #[test]
    fn nothing_makes_it_panic(text in ".{0,60}") {
        let _ = text.parse::<LedgerUrl>();
        let _ = text.parse::<StoreUrl>();
    }
}

/// Such a place can be parsed from no URL, and be opened in no other way.
#[cfg(not(any(feature = "dynamodb", feature = "s3")))]
#[tokio::test]
async fn a_back_end_that_is_not_built_is_refused_with_its_feature() {
    use crate::{
        aws::Aws,
        fault::FaultKind,
        retry::{Cancellation, RetryPolicy},
    };
    let retry_policy = RetryPolicy::new(std::time::Duration::from_secs(1), Cancellation::new());
    let (aws, endpoint, uploading) = (Aws::standard(), Endpoint::default(), Uploading::default());
    let table = LedgerUrl::Dynamo { table: "table".to_owned(), endpoint: endpoint.clone() };
    let bucket = StoreUrl::S3(Bucket { bucket: "bucket".to_owned(), prefix: String::new(), endpoint });
    let parsed = [
        table.to_string().parse::<LedgerUrl>().unwrap_err(),
        bucket.to_string().parse::<StoreUrl>().unwrap_err(),
    ];
    let opened = [
        open_ledger(&table, &aws, retry_policy.clone(), None).await.unwrap_err(),
        open_store(&bucket, &aws, &retry_policy, uploading).await.unwrap_err(),
    ];
    for ((parsed, opened), feature) in parsed.iter().zip(&opened).zip(["`dynamodb`", "`s3`"]) {
        assert!(why(parsed).contains(feature), "{parsed}");
        assert_eq!((opened.kind, opened.source.to_string()), (FaultKind::Misconfigured, why(parsed)));
    }
}
