//! The errors of operations, and properties of all errors.

use super::*;

#[test]
fn what_operations_answer() {
    let address: Address = "a".repeat(64).parse().unwrap();
    let not_owner = |is_copy| ops::Error::NotOwner {
        store: "s3://bucket/blobs".to_owned(),
        owner: Some("1".to_owned()),
        ledger: "dynamodb://table".to_owned(),
        id: Some("2".to_owned()),
        is_copy,
    };
    let output = |kind| ops::Error::Output { path: "to/file".into(), source: io::Error::from(kind) };
    let answers = [
        ops::Error::Invalid("".parse::<PackageName>().unwrap_err()),
        ops::Error::Input { path: "f".into(), why: "there is no such file".to_owned() },
        ops::Error::Changed("f".into()),
        ops::Error::Tags("the tag a is given twice".to_owned()),
        not_owner(false),
        not_owner(true),
        ops::Error::Exists("f".into()),
        ops::Error::TimedOut { package: app(), spec: "live".parse().unwrap(), found: Some(version(3)) },
        ops::Error::TimedOut { package: app(), spec: "live".parse().unwrap(), found: None },
        output(io::ErrorKind::StorageFull),
        output(io::ErrorKind::NotFound),
        output(io::ErrorKind::PermissionDenied),
        output(io::ErrorKind::Other),
        ops::Error::Lost { package: app(), version: version(3), address: address.clone() },
        ops::Error::Damaged { address, why: "its sha256 is another".to_owned() },
    ];
    assert_snapshot!(all(answers, &cloud()), @r#"
    2 invalid: doing it: package name "" is empty
    2 invalid: doing it: there is no such file
      give a readable regular file, or - for standard input
    2 invalid: doing it: f changed while it was being added
      nothing was added; add it again when no process is writing to it
    2 invalid: doing it: the tag a is given twice
    2 invalid: doing it: the store s3://bucket/blobs belongs to another ledger (1), not to dynamodb://table (2)
      use the ledger that the store belongs to, or give this ledger its own store: another prefix, such as s3://bucket/OTHER
    2 invalid: doing it: the store s3://bucket/blobs belongs to another ledger (1), not to dynamodb://table (2)
      use the ledger that this is a copy of; only to replace that ledger, run `sacker init --adopt-store`
    6 refused: doing it: f exists and is different
      -f replaces it; -o PATH writes to another file
    3 timeout: doing it in dynamodb://table: the time is up, and app live is on 3
      use a longer --timeout; `sacker info app live` shows the present version
    3 timeout: doing it in dynamodb://table: the time is up, and app live is not there
      use a longer --timeout; `sacker info app live` shows the present version
    2 invalid: doing it: can't write to/file: no storage space
      free space at to
    2 invalid: doing it: can't write to/file: entity not found
      create the directory to first
    2 invalid: doing it: can't write to/file: permission denied
      check the permissions of to
    2 invalid: doing it: can't write to/file: other error
      -o PATH writes to another file
    8 integrity: doing it in s3://bucket/blobs: the blob of app 3 is not in the store (aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa)
      check the URL of the store; else add the original file again, or restore an old version of the object
    8 integrity: doing it in s3://bucket/blobs: what came from the store is not aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: its sha256 is another
      check the URL of the store; else add the original file again, or restore an old version of the object
    "#);
    assert_snapshot!(show(&not_owner(false), &places("file:///l", "file:///s")), @"
    2 invalid: doing it: the store s3://bucket/blobs belongs to another ledger (1), not to dynamodb://table (2)
      use the ledger that the store belongs to, or give this ledger its own store: another directory
    ");
}

#[test]
fn the_chain_of_causes_is_kept_for_verbose_output() {
    let error = ops::Error::Store(fault(FaultKind::Disk));
    assert_eq!(Failure::of_operation(&error, "doing it", &cloud()).causes, ["the root of it"]);
}

#[test]
fn every_kind_is_described() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../../../schema/error.json")).unwrap();
    let described = |field: &str| schema["properties"]["error"]["properties"][field]["enum"].clone();
    let kinds = [
        Kind::Internal,
        Kind::Invalid,
        Kind::Timeout,
        Kind::NotFound,
        Kind::Conflict,
        Kind::Refused,
        Kind::Unavailable,
        Kind::Integrity,
        Kind::Unknown,
        Kind::Denied,
        Kind::Interrupted,
    ];
    assert_eq!(described("kind"), serde_json::json!(kinds.map(Kind::name)));
    assert_eq!(described("exit_code"), serde_json::json!(kinds.map(Kind::exit_code)));
}

#[test]
fn a_pipe_that_nobody_reads_is_no_failure() {
    let closed = Failure::stdout(&io::Error::from(io::ErrorKind::BrokenPipe));
    assert_eq!((closed.kind, closed.kind.exit_code()), (Kind::Closed, 0));
    let full = Failure::stdout(&io::Error::from(io::ErrorKind::StorageFull));
    assert_eq!(full.kind.exit_code(), 2);
}
