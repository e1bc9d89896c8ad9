//! Hints: the actions that the user can take after an error.

mod configuration;

pub(super) use configuration::of_configuration;

use super::{
    grants,
    places::{Places, Side},
};
use crate::{
    durable,
    fault::{Fault, FaultKind},
    ledger::{self, Conflict, Failed, GateFailure, NotFound, Refused},
    location::{Bucket, Container, StoreUrl},
    model::{PackageName, PackagePrefix, Protection, TagName, Version},
    ops,
};
use std::{io, path::Path};

const CREDENTIALS: &str = "provide credentials that allow this: AWS_PROFILE, AWS_ACCESS_KEY_ID with \
                           AWS_SECRET_ACCESS_KEY, `aws sso login`, or a role";

const OF_A_COPY: &str =
    "use the ledger that this is a copy of; only to replace that ledger, run `sacker init --adopt-store`";

const OF_NO_OWNER: &str = "if the blobs belong to this ledger, `sacker init --adopt-store` makes it the owner again; if \
                           they may belong to another, use a separate store, such as another prefix of the bucket";

const UNTAG: &str =
    "nothing was changed; --untag removes such tags from the version; -n shows what would change";

/// Returns true if a tag of a recall can't go back.
fn is_stuck(failed: &Failed) -> bool {
    matches!(failed.error, ledger::Error::Refused(Refused::NowhereToGo { .. }))
}

pub(super) fn of_operation(error: &ops::Error, places: &Places) -> Vec<String> {
    use ops::Error as E;
    let hint = match error {
        E::Ledger(error) => return of_ledger(error, places),
        E::Store(fault) => return of_fault(fault, Side::Store, places),
        E::Source(fault) => of_source(fault),
        E::Input { .. } => "give a readable regular file, or - for standard input".to_owned(),
        E::Changed(_) => "nothing was added; add it again when no process is writing to it".to_owned(),
        // A ledger with its own identity never gets that hint: to it, all of another ledger's blobs are garbage.
        E::NotOwner { is_copy: true, .. } => OF_A_COPY.to_owned(),
        E::NotOwner { .. } => of_another_ledger(&places.store),
        E::OwnerLost { .. } => OF_NO_OWNER.to_owned(),
        E::Exists(_) => "-f replaces it; -o PATH writes to another file".to_owned(),
        E::Spool { directory, source } if !is_full(source.kind()) => {
            format!("check {}, or set TMPDIR to another directory", directory.display())
        }
        E::Spool { directory, .. } => format!(
            "set TMPDIR to a directory with more space: {} may be in memory; or add a file by its path, which needs no \
             copy",
            directory.display()
        ),
        E::Output { path, source } => return of_output(path, source),
        E::Lost { .. } | E::Damaged { .. } => {
            "check the URL of the store; else add the original file again, or restore an old version of the object"
                .to_owned()
        }
        E::NotCopied { .. } => {
            "nothing is lost: what was copied stays; run it again when that store has the blob".to_owned()
        }
        E::SameLedger { .. } => "nothing was changed; the two ledgers must be different ones".to_owned(),
        E::Export { .. } => {
            "nothing was changed; get the whole file again, or export the ledger again".to_owned()
        }
        E::NewerExport { .. } => {
            "nothing was changed; install the latest release of sacker on this machine".to_owned()
        }
        E::NotRestorable { .. } => {
            "no plan was printed; --tag and --prefix leave out what can't be put back, and \
                                    `sacker unyank` makes a yanked version usable again"
                .to_owned()
        }
        E::NeedsSplit { .. } => {
            "--split prints several plans: each is atomic by itself, all together are not; or use \
                                 --prefix or --tag to restore less"
                .to_owned()
        }
        E::TimedOut { package, spec, .. } => {
            format!("use a longer --timeout; `sacker info {package} {spec}` shows the present version")
        }
        E::Url(_) | E::Invalid(_) | E::Tags(_) => return Vec::new(),
    };
    vec![hint]
}

fn of_ledger(error: &ledger::Error, places: &Places) -> Vec<String> {
    use ledger::Error as E;
    let hint = match error {
        E::NotFound(error) => of_not_found(error),
        E::Conflict(error) => of_conflict(error),
        E::Refused(error) => of_refusal(error),
        E::Moves { failed, .. } if failed.iter().any(Failed::is_of_undo) => {
            "nothing was changed: a plan is undone as a whole; `sacker rollback` moves back one tag"
                .to_owned()
        }
        E::Moves { failed, .. } if failed.iter().any(is_stuck) => UNTAG.to_owned(),
        E::Moves { .. } => {
            "nothing was changed: either all moves are made or none; -n checks a plan without applying it".to_owned()
        }
        E::Fault(fault) => return of_fault(fault, Side::Ledger, places),
        E::Unknown { key, .. } => {
            format!("run it again with `--key {key}` to find out; the change is never made twice")
        }
        E::NoAuthor | E::Interrupted => return Vec::new(),
        E::Damaged { .. } => {
            "it was changed by hand, or by a program other than sacker: inspect it, or restore it from a backup"
                .to_owned()
        }
        E::Newer { least: Some(least), .. } => {
            format!("nothing was changed; install sacker {least} or newer on this machine")
        }
        E::Newer { least: None, .. } => {
            "nothing was changed; install the latest release of sacker on this machine".to_owned()
        }
        E::Copy { .. } => OF_A_COPY.to_owned(),
        E::Schema { found, .. } => format!("use a release of sacker that supports schema {found}"),
    };
    vec![hint]
}

fn of_conflict(error: &Conflict) -> String {
    match error {
        Conflict::Tag { package, tag, found: Some(_), .. } => {
            format!("nothing was changed; `sacker info {package} {tag}` shows its version")
        }
        Conflict::Tag { package, .. } => {
            format!("nothing was changed; `sacker tags {package}` lists its tags")
        }
        Conflict::Latest { package, .. } => {
            format!("nothing was added; `sacker versions {package} --limit 5` lists the last versions")
        }
        Conflict::Key { .. } => {
            "nothing was changed; a key identifies one change permanently: use a new key for another change"
                .to_owned()
        }
        Conflict::Contention(_) | Conflict::FreezeContention => {
            "nothing was changed; run it again, or use a longer --deadline".to_owned()
        }
        Conflict::NotApplied { package, tag, .. } => {
            format!("nothing was changed; `sacker history {package} {tag}` shows the changes since then")
        }
        Conflict::OtherPlan { .. } => {
            "nothing was changed; give the plan exactly as it was applied, or move each tag separately"
                .to_owned()
        }
    }
}

fn of_refusal(error: &Refused) -> String {
    match error {
        Refused::NotActive { package, .. } => {
            format!("nothing was changed; `sacker versions {package}` lists the active versions")
        }
        Refused::Tagged { package, tags, .. } => {
            format!("nothing was changed; remove the tags first: `sacker untag {package} {}`", tags[0])
        }
        Refused::WayBack { package, version, .. } => {
            format!("nothing was changed; to exclude it from rollbacks, run `sacker yank {package} {version}` first; --force deletes it anyway")
        }
        Refused::Gone { package, .. } => {
            format!("nothing was changed; `sacker add {package} FILE` adds the file again, as a new version")
        }
        Refused::Labelled { package, version, .. } | Refused::Labels { package, version, .. } => {
            format!("nothing was changed; `sacker info {package} {version}` shows its labels")
        }
        Refused::Protected { package, tag, protection } => match protection {
            Protection::Confirm | Protection::ConfirmGates => {
                format!("nothing was changed; to confirm the move, add `--confirm {tag}`, or `confirm` in a plan")
            }
            Protection::WriteOnce | Protection::WriteOnceGates | Protection::Gates => {
                format!("nothing was changed; to move it anyway, run `sacker unprotect {package} {tag}` first")
            }
            Protection::Other(_) => {
                "nothing was changed; install the latest release of sacker on this machine".to_owned()
            }
        },
        Refused::Frozen { freezes, .. } if freezes.iter().any(|freeze| freeze.strict) => {
            "nothing was changed; `sacker freeze --list` shows the freezes; a strict one lets only `rollback`, `recall` \
             and `untag` pass"
                .to_owned()
        }
        Refused::Frozen { .. } => {
            "nothing was changed; `sacker freeze --list` shows the freezes; in an emergency, `--emergency WHY` passes"
                .to_owned()
        }
        Refused::AlreadyFrozen(freeze) => {
            format!("nothing was changed; to change the freeze, run `{}` first", thaw(&freeze.prefix))
        }
        Refused::TooManyFreezes(_) => {
            "nothing was changed; `sacker freeze --list` shows them: thaw those that are not needed".to_owned()
        }
        Refused::Rollback { package, tag, nearest: Some(nearest), .. } => {
            format!("nothing was changed; the nearest active version: `sacker rollback {package} {tag} --to {nearest}`")
        }
        Refused::Rollback { package, tag, .. } => {
            format!("nothing was changed; `sacker history {package} {tag}` shows its moves")
        }
        Refused::NowhereToGo { .. } => UNTAG.to_owned(),
        Refused::Gates { package, tag, version, failed, no_override } => {
            of_gates(package, tag, *version, failed, *no_override)
        }
        Refused::UncertainTime(uncertain) => {
            let (package, tag) = (&uncertain.package, &uncertain.tag);
            format!("`sacker history {package} {tag}` shows its moves in order; name a version, or use `{tag}~1`")
        }
        Refused::TooLarge { .. } => {
            "nothing was changed; split the plan, or leave out --key; `sacker apply --help` explains the limit"
                .to_owned()
        }
        Refused::Importing => "nothing was changed; run the `import` or `copy` again, to finish it".to_owned(),
        Refused::Diverged { .. } => {
            "nothing was changed; the destination must be empty, or hold an earlier state of the source".to_owned()
        }
        Refused::Collected(_) => "use a new ledger and a new store as the destination".to_owned(),
        _ => "nothing was changed".to_owned(),
    }
}

fn of_gates(
    package: &PackageName,
    tag: &TagName,
    version: Version,
    failed: &[GateFailure],
    no_override: bool,
) -> String {
    if no_override {
        return format!(
            "nothing was changed; `sacker check {package} {version} {tag}` shows the gates; only `sacker unprotect \
             {package} {tag}` removes them"
        );
    }
    if failed.iter().all(|failure| failure.standing) {
        return format!(
            "nothing was changed; `sacker check {package} {version} {tag}` shows the gates; `--override WHY` passes \
             them, and is recorded"
        );
    }
    format!("nothing was changed; `sacker info {package} {version}` shows the version")
}

fn of_not_found(error: &NotFound) -> String {
    match error {
        NotFound::Package(package) => {
            format!("`sacker list --prefix {}` lists packages with similar names", beginning(package))
        }
        NotFound::Version { package, .. } | NotFound::Latest(package) => {
            format!("`sacker versions {package}` lists its versions")
        }
        NotFound::Deleted { package, version } => format!(
            "`sacker versions {package}` lists its versions; `sacker undelete {package} {version}` brings it back until \
             it is collected"
        ),
        NotFound::Unset { package, tag, .. }
        | NotFound::Past { package, tag, .. }
        | NotFound::Then { package, tag, .. }
        | NotFound::Never { package, tag, .. } => {
            format!("`sacker history {package} {tag}` shows its moves")
        }
        NotFound::Tag { package, .. } => format!("`sacker tags {package}` lists its tags"),
        NotFound::Freeze(_) => "`sacker freeze --list` lists the freezes".to_owned(),
        NotFound::Revision { package, .. } => format!(
            "this ledger may be an older copy than the one that was followed; `sacker history {package}` shows its \
             revisions"
        ),
    }
}

/// Returns the command that ends a freeze.
fn thaw(prefix: &PackagePrefix) -> String {
    if prefix.as_str().is_empty() {
        "sacker thaw".to_owned()
    } else {
        format!("sacker thaw --prefix {prefix}")
    }
}

/// Returns the part that a mistyped name most likely shares with the intended one.
fn beginning(package: &PackageName) -> &str {
    let name = package.as_str();
    name.rfind('/').map_or(&name[..1], |slash| &name[..=slash])
}

pub(super) fn of_fault(fault: &Fault, side: Side, places: &Places) -> Vec<String> {
    if let Some(remedy) = fault.remedy {
        return vec![remedy.to_owned()];
    }
    if let Some(hint) = grants::hint(fault) {
        return vec![hint];
    }
    let hint = match fault.kind {
        FaultKind::Full => format!("free space at {}, then run it again", places.url(side)),
        FaultKind::Throttled | FaultKind::Contended | FaultKind::Unsent => {
            "nothing was changed; run it again, or use a longer --deadline".to_owned()
        }
        FaultKind::Unavailable => match places.address(side) {
            Some(address) => format!("nothing was changed; check that {address} is correct and reachable"),
            None => "nothing was changed; check the region and the network, then run it again".to_owned(),
        },
        FaultKind::Denied if places.endpoint(side).is_some() => CREDENTIALS.to_owned(),
        FaultKind::Denied => format!("check the permissions of {}", places.url(side)),
        FaultKind::Missing => "run `sacker init` to create it, or check its name and region".to_owned(),
        FaultKind::Misconfigured if places.endpoint(side).is_some() => {
            format!(
                "check the region and the address: AWS_REGION, the profile, `region` and `endpoint` in {}",
                places.url(side)
            )
        }
        FaultKind::Misconfigured => format!("check {}", places.url(side)),
        // The disk error is that of the local file that was being sent or received.
        FaultKind::Disk if places.endpoint(side).is_some() => "check the file and the local disk".to_owned(),
        FaultKind::Disk => match io_kind(fault) {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge) => {
                format!("free space at {}", places.url(side))
            }
            Some(io::ErrorKind::PermissionDenied) => format!("check the permissions of {}", places.url(side)),
            Some(io::ErrorKind::ReadOnlyFilesystem) => {
                format!("the file system of {} is read-only: make it writable", places.url(side))
            }
            Some(_) if is_without_locks(fault) => format!(
                "the file system of {} does not support locks (such as NFS without its lock service): use a local disk",
                places.url(side)
            ),
            _ => format!("check the disk that holds {}", places.url(side)),
        },
        FaultKind::Corrupt => {
            format!("{} is damaged: inspect it, or restore it from a backup", places.url(side))
        }
        FaultKind::Unexpected => {
            "-v shows the requests; if this looks like a bug, please report it".to_owned()
        }
    };
    vec![hint]
}

/// Returns the hint for a failure of the source of an import.
fn of_source(fault: &Fault) -> String {
    if let Some(hint) = fault.remedy.map(str::to_owned).or_else(|| grants::hint(fault)) {
        return hint;
    }
    let hint = match fault.kind {
        FaultKind::Missing | FaultKind::Misconfigured => {
            "check the name, the region and the endpoint of the source"
        }
        FaultKind::Denied => CREDENTIALS,
        FaultKind::Disk | FaultKind::Full => "check the file and the local disk",
        FaultKind::Corrupt | FaultKind::Unexpected => "-v shows the requests",
        FaultKind::Throttled | FaultKind::Contended | FaultKind::Unsent | FaultKind::Unavailable => {
            "what was imported stays; run it again to continue, or use a longer --deadline"
        }
    };
    hint.to_owned()
}

/// Returns true for ENOLCK, for which the standard library has no kind, and for ENOTSUP and ENOSYS, which other file
/// systems without locks return.
fn is_without_locks(fault: &Fault) -> bool {
    let number = fault.source.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
    number == Some(rustix::io::Errno::NOLCK.raw_os_error())
        || io_kind(fault) == Some(io::ErrorKind::Unsupported)
}

fn io_kind(fault: &Fault) -> Option<io::ErrorKind> {
    fault.source.downcast_ref::<io::Error>().map(io::Error::kind)
}

fn of_another_ledger(store: &StoreUrl) -> String {
    let own = match store {
        StoreUrl::S3(Bucket { bucket, .. }) => format!("another prefix, such as s3://{bucket}/OTHER"),
        StoreUrl::Azure(Container { account, container, .. }) => {
            format!("another prefix, such as azure://{account}/{container}/OTHER")
        }
        StoreUrl::Hdfs(_) => "another folder".to_owned(),
        StoreUrl::Directory(_) => "another directory".to_owned(),
    };
    format!("use the ledger that the store belongs to, or give this ledger its own store: {own}")
}

fn is_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

fn of_output(path: &Path, error: &io::Error) -> Vec<String> {
    let directory = durable::directory_of(path);
    let hint = match error.kind() {
        kind if is_full(kind) => {
            format!("free space at {}", directory.display())
        }
        io::ErrorKind::NotFound => format!("create the directory {} first", directory.display()),
        io::ErrorKind::PermissionDenied => format!("check the permissions of {}", directory.display()),
        _ => "-o PATH writes to another file".to_owned(),
    };
    vec![hint]
}
