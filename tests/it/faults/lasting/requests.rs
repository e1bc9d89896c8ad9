//! Every operation, with a scene to run it in.

use crate::support::world::{of, retry_policy, version};
use futures_util::{StreamExt, TryStreamExt};
use sacker::{
    fault::{Fault, FaultKind},
    ledger::{
        AddRequest, ApplyRequest, Author, ChangeRequest, CheckRequest, FreezeRequest, PackageQuery,
        ProtectRequest, RecallRequest, RollbackRequest, TableLedger, TagRequest, ThawRequest, UntagRequest,
    },
    model::{
        Labels, Moment, Plan, Protection, ReleaseChange, Retention, RetentionPolicy, Spec, TagName,
        Timestamp, Version,
    },
    ops::{
        AddInput, Client, Doctor, Download, Error, ErrorKind, FilesOptions, Foreign, Fsck, GcOptions,
        PruneOptions, PruneScope, RestoreRequest, SavedHead, StatusQuery, Target, Verdict, VersionQuery,
        Watch, WatchScope,
    },
    retry::{Cancellation, RetryPolicy},
    store::{memory::MemoryStore, named::DirectoryFiles},
    table::memory::MemoryTable,
};
use std::{io, path::Path, sync::Arc, time::Duration};

/// Every operation, and the number of runs of tries that it makes at the same time.
pub const OPERATIONS: [(&str, usize); 53] = [
    ("add", 2),
    ("add --tag", 2),
    ("add --if-changed", 2),
    ("tag", 1),
    ("tag latest", 1),
    ("tag live~1", 1),
    ("tag live@", 1),
    ("tag --require", 1),
    ("tag --override", 1),
    ("protect --require", 1),
    ("check", 1),
    ("untag", 1),
    ("rollback", 1),
    ("rollback --to", 2),
    ("apply", 1),
    ("apply --undo", 1),
    ("protect", 1),
    ("unprotect", 1),
    ("freeze", 1),
    ("thaw", 1),
    ("freeze --list", 1),
    ("recall", 1),
    ("yank", 1),
    ("unyank", 1),
    ("delete", 2),
    ("delete --force", 2),
    ("undelete", 3),
    ("prune --delete", 4),
    ("label", 1),
    ("info", 2),
    ("versions", 2),
    ("tags", 2),
    ("list", 4),
    ("list -l", 4),
    ("history", 3),
    ("status", 4),
    ("status --at", 1),
    ("status --plan", 1),
    ("changes", 2),
    ("find", 4),
    ("watch --once", 1),
    ("download", 1),
    ("gc", 2),
    ("fsck", 2),
    ("init", 1),
    ("export", 2),
    // It lists packages, as `list` does.
    ("audit", 4),
    ("audit verify", 2),
    ("copy", 8),
    ("copy --from-ledger", 8),
    ("import --from", 2),
    ("doctor", 2),
    ("doctor --probe", 2),
];

pub fn author() -> Author {
    Author::new(of("someone@host"))
}

pub fn tagging(spec: &str, tag: &str) -> TagRequest {
    let (package, spec, tag, author) = (of("app"), of(spec), of(tag), author());
    TagRequest::new(package, spec, tag).author(author)
}

pub fn change(number: u64, change: ReleaseChange) -> ChangeRequest {
    ChangeRequest::new(of("app"), version(number), change).author(author())
}

pub fn plan() -> Plan {
    of(
        r#"{"moves":[{"package":"app","tag":"live","to":"latest"},{"package":"app","tag":"canary","to":"latest"}]}"#,
    )
}

pub fn protection(tag: &str, protection: Option<Protection>) -> ProtectRequest {
    ProtectRequest::new(of("app"), of(tag), protection).author(author())
}

pub async fn add(client: &Client, file: &Path, tags: Vec<TagName>, if_changed: bool) -> Result<(), Error> {
    let request = AddRequest::new(of("app")).author(author()).tags(tags).if_changed(if_changed);
    client.add(request, AddInput::file(file)).await.map(drop)
}

pub async fn rollback(client: &Client, to: Option<Version>) -> Result<(), Error> {
    let request = RollbackRequest::new(of("app"), of("live")).author(author());
    let request = match to {
        Some(version) => request.to(version),
        None => request,
    };
    client.rollback(&request).await.map(drop)
}

pub async fn apply(client: &Client, undo: bool) -> Result<(), Error> {
    client.apply(&ApplyRequest::new(plan()).undo(undo).author(author())).await.map(drop)
}

/// Selects the tags of now, as of the past.
fn then() -> StatusQuery {
    StatusQuery::new().at(Moment::Time(Timestamp::now()))
}

/// Returns a client of an empty ledger and store without faults.
fn elsewhere() -> Client {
    let retry_policy = RetryPolicy::seeded(Duration::from_mins(1), Cancellation::new(), 3);
    let ledger = TableLedger::new(Arc::new(MemoryTable::new()), retry_policy.clone());
    Client::new(Arc::new(ledger), Arc::new(MemoryStore::new()), retry_policy, std::env::temp_dir())
}

/// Examines a set-up. A finding is no error: the first failure is returned as one.
async fn examine(client: &Client, probe: bool) -> Result<(), Error> {
    let report = client.doctor(&Doctor::new().probe(probe).package(Some(of("app")))).await;
    let failed = report.findings.iter().find(|finding| finding.verdict == Verdict::Fail);
    let Some(failed) = failed else { return Ok(()) };
    let kind = match failed.kind {
        Some(ErrorKind::Unavailable) if failed.detail.contains("too many requests") => FaultKind::Throttled,
        Some(ErrorKind::Unavailable) => FaultKind::Unavailable,
        _ => FaultKind::Unexpected,
    };
    Err(Error::Store(Fault::new(kind, "examining the set-up", failed.detail.clone())))
}

/// Does an operation to the scene that [`prepare`] has made.
pub async fn perform(name: &str, client: &Client, dir: &Path) -> Result<(), Error> {
    let app = of("app");
    match name {
        "add" => add(client, &dir.join("new"), Vec::new(), false).await,
        "add --tag" => add(client, &dir.join("new"), vec![of("live")], false).await,
        "add --if-changed" => add(client, &dir.join("3"), vec![of("next")], true).await,
        "tag" => client.tag(&tagging("2", "live")).await.map(drop),
        "tag latest" => client.tag(&tagging("latest", "next")).await.map(drop),
        "tag live~1" => client.tag(&tagging("live~1", "next")).await.map(drop),
        "tag live@" => client.tag(&tagging("live@{2100-01-01T00:00:00Z}", "next")).await.map(drop),
        "tag --require" => {
            let request = tagging("live", "next").require(of("label:tests=passed"));
            client.tag(&request.require(of("tag:live")).require(of("age:1ms"))).await.map(drop)
        }
        "tag --override" => {
            let request = TagRequest::override_gates(tagging("2", "gated"), of("urgent"));
            client.tag(&request).await.map(drop)
        }
        "protect --require" => {
            let request = protection("live", None).require(of("was:canary")).no_override(true);
            client.protect(&request).await.map(drop)
        }
        "check" => client.check(&CheckRequest::new(app, of("2"), of("gated"))).await.map(drop),
        "untag" => {
            let request = UntagRequest::new(of("app"), of("canary")).author(author());
            client.untag(&request).await.map(drop)
        }
        "rollback" => rollback(client, None).await,
        "rollback --to" => rollback(client, Some(version(1))).await,
        "apply" => {
            let plan =
                r#"{"moves":[{"package":"app","tag":"live","to":1},{"package":"lib","tag":"live","to":1}]}"#;
            let request = ApplyRequest::new(of(plan)).author(author());
            client.apply(&request).await.map(drop)
        }
        "apply --undo" => apply(client, true).await,
        "protect" => client.protect(&protection("live", Some(Protection::Confirm))).await.map(drop),
        "unprotect" => client.protect(&protection("pinned", None)).await.map(drop),
        "yank" => client.change(&change(2, ReleaseChange::Yank)).await.map(drop),
        "unyank" => client.change(&change(4, ReleaseChange::Unyank)).await.map(drop),
        "delete" => client.change(&change(4, ReleaseChange::Delete)).await.map(drop),
        "delete --force" => client.change(&change(4, ReleaseChange::Delete).force(true)).await.map(drop),
        "undelete" => client.change(&change(5, ReleaseChange::Undelete)).await.map(drop),
        "prune --delete" => {
            let rules = RetentionPolicy::for_all(Retention::new(Some(1), None).unwrap());
            let options = PruneOptions::new(PruneScope::Prefix(String::new()), rules).author(author());
            client.prune(&options.delete(true)).try_collect::<Vec<_>>().await.map(drop)
        }
        "label" => {
            let labels = Labels::parse(["scan=passed"]).unwrap();
            client.change(&change(1, ReleaseChange::Label(labels))).await.map(drop)
        }
        "download" => {
            let target = Target::Stream(Box::new(io::sink()));
            client.download(Download::new(app, of("live"), target)).await.map(drop)
        }
        "gc" => {
            let collect = GcOptions::new().delete(true).min_age(Duration::ZERO).now(Timestamp::now());
            client.gc(collect).collect::<Vec<_>>().await.into_iter().try_for_each(|found| found.map(drop))
        }
        "fsck" => client.fsck(Fsck::default(), &mut |violation| panic!("{violation:?}")).await.map(drop),
        "init" => client.init().await.map(drop),
        "freeze" | "thaw" | "freeze --list" | "recall" => respond(name, client).await,
        other => read(other, client, dir).await,
    }
}

/// Does an operation that only reads.
async fn read(name: &str, client: &Client, dir: &Path) -> Result<(), Error> {
    let (app, all) = (of("app"), PackageQuery::default());
    match name {
        "info" => client.info(&app, &of::<Spec>("live")).await.map(drop),
        "versions" => client.versions(&app, None).try_collect::<Vec<_>>().await.map(drop),
        "tags" => client.tags(&app).await.map(drop),
        "list" => client.list(&all).try_collect::<Vec<_>>().await.map(drop),
        "list -l" => client.list_long(&all, 100).try_collect::<Vec<_>>().await.map(drop),
        "history" => client.history(&app, None).try_collect::<Vec<_>>().await.map(drop),
        "status" => client.status(&StatusQuery::new()).try_collect::<Vec<_>>().await.map(drop),
        "status --at" => client.status(&then()).try_collect::<Vec<_>>().await.map(drop),
        "status --plan" => {
            let at = Moment::Time(Timestamp::now());
            client.plan_restore(&RestoreRequest::new(StatusQuery::new(), at)).await.map(drop)
        }
        "changes" => {
            let changes = client.changes(&app, &of("1"), &of("latest")).await?;
            changes.versions.try_collect::<Vec<_>>().await.map(drop)
        }
        "find" => client.find("", &VersionQuery::new()).try_collect::<Vec<_>>().await.map(drop),
        "watch --once" => {
            let watch = Watch::new(WatchScope::Package(app)).once(true);
            client.watch(watch).try_collect::<Vec<_>>().await.map(drop)
        }
        other => move_data(other, client, dir).await,
    }
}

/// Does an operation of an incident.
async fn respond(name: &str, client: &Client) -> Result<(), Error> {
    match name {
        "freeze" => {
            let request = FreezeRequest::new(of("li"), of("why")).author(author());
            client.freeze(&request.message(of("why"))).await.map(drop)
        }
        "thaw" => client.thaw(&ThawRequest::new(of("zoo")).author(author())).await.map(drop),
        "freeze --list" => client.freezes().await.map(drop),
        "recall" => {
            let request = RecallRequest::new(of("app"), version(3)).author(author());
            client.recall(&request).await.map(drop)
        }
        other => panic!("there is no {other}"),
    }
}

/// Does an operation that reads or writes whole packages.
async fn move_data(name: &str, client: &Client, dir: &Path) -> Result<(), Error> {
    match name {
        "export" => client.export(None).try_collect::<Vec<_>>().await.map(drop),
        "audit" => client.heads(None, &mut |_| ()).await.map(drop),
        "audit verify" => {
            let chain = "0".repeat(64);
            let head = SavedHead { package: "app".to_owned(), log: "tags".to_owned(), rev: 1, chain };
            client.verify_heads(vec![head], &mut |_| ()).await.map(drop)
        }
        "copy" => {
            let source = elsewhere();
            prepare(&source, dir).await;
            client.copy_from(&source, false, &mut |_| ()).await.map(drop)
        }
        "doctor" => examine(client, false).await,
        "doctor --probe" => examine(client, true).await,
        "copy --from-ledger" => elsewhere().copy_from(client, false, &mut |_| ()).await.map(drop),
        "import --from" => {
            let options = FilesOptions::new("{version}".parse().unwrap()).package(Some(of("imported")));
            let files = Arc::new(DirectoryFiles::new(dir));
            let foreign = Foreign::of_files(files, &options, &retry_policy()).await.unwrap();
            client.import_foreign(&foreign, &author(), false, &mut |_| ()).await.map(drop)
        }
        other => panic!("there is no {other}"),
    }
}

/// 1, 2 and 3 are active, 4 is yanked, and 5 is deleted; `live` went from 1 to 2 and by a plan to 3, as did `canary`.
pub async fn prepare(client: &Client, dir: &Path) {
    for number in 1..=5 {
        add(client, &dir.join(number.to_string()), Vec::new(), false).await.unwrap();
    }
    let labels = ReleaseChange::Label(Labels::parse(["tests=passed"]).unwrap());
    for (number, to) in [(3, labels), (4, ReleaseChange::Yank), (5, ReleaseChange::Delete)] {
        client.change(&change(number, to)).await.unwrap();
    }
    for (spec, tag) in [("1", "live"), ("2", "live"), ("1", "canary"), ("1", "pinned")] {
        client.tag(&tagging(spec, tag)).await.unwrap();
    }
    client.protect(&protection("pinned", Some(Protection::WriteOnce))).await.unwrap();
    let gates = protection("gated", None).require(of("label:tests=passed")).require(of("soak:canary=1h"));
    client.protect(&gates).await.unwrap();
    let lib = AddRequest::new(of("lib")).author(author());
    client.add(lib, AddInput::file(dir.join("1"))).await.unwrap();
    apply(client, false).await.unwrap();
    let frozen = FreezeRequest::new(of("zoo"), of("why")).author(author());
    client.freeze(&frozen.message(of("why"))).await.unwrap();
}
