//! What to do next.

use super::{
    config,
    places::{Places, Side},
};
use crate::{
    fault::{Fault, FaultKind},
    ledger::{self, Conflict, Failed, NotFound, Refused},
    location::{self, Bucket, StoreUrl},
    model::{PackageName, Protection},
    ops,
};
use std::{io, path::Path};

const CREDENTIALS: &str = "give credentials that may do this, as to AWS's own tools: AWS_PROFILE, AWS_ACCESS_KEY_ID \
                           with AWS_SECRET_ACCESS_KEY, `aws sso login`, or a role";

const OF_A_COPY: &str = "use the ledger that this is a copy of; only if this one is to take its place, \
                         `sacker init --adopt-store`";

const OF_NO_OWNER: &str = "if the blobs are this ledger's, `sacker init --adopt-store` makes it the owner again; if they \
                           may be another's, use a store of its own, such as another prefix of the bucket";

pub(super) fn of_operation(error: &ops::Error, places: &Places) -> Vec<String> {
    use ops::Error as E;
    let hint = match error {
        E::Ledger(error) => return of_ledger(error, places),
        E::Store(fault) => return of_fault(fault, Side::Store, places),
        E::Input { .. } => "give a regular file that can be read, or - for standard input".to_owned(),
        E::Changed(_) => "nothing was added; add it again when nobody is writing to it".to_owned(),
        // Never offered to a ledger of its own, to which everything in another's store is garbage.
        E::NotOwner { is_copy: true, .. } => OF_A_COPY.to_owned(),
        E::NotOwner { .. } => of_another_ledger(&places.store),
        E::OwnerLost { .. } => OF_NO_OWNER.to_owned(),
        E::Exists(_) => "-f replaces it; -o PATH writes to another file".to_owned(),
        E::Spool { directory, source } if !is_full(source.kind()) => {
            format!("check {}, or set TMPDIR to another directory", directory.display())
        }
        E::Spool { directory, .. } => format!(
            "set TMPDIR to a directory with more room: {} may be in memory; or add a file by its name, which needs no \
             copy",
            directory.display()
        ),
        E::Output { path, source } => return of_output(path, source),
        E::Lost { .. } | E::Damaged { .. } => {
            "adding the right file again stores its bytes anew; a versioned bucket still has the old ones"
                .to_owned()
        }
        E::TimedOut { package, spec, .. } => {
            format!("--timeout gives it longer; `sacker info {package} {spec}` shows where it is now")
        }
        E::Invalid(_) | E::Tags(_) => return Vec::new(),
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
            "nothing was changed: a plan is taken back whole or not at all; `sacker rollback` puts back one tag"
                .to_owned()
        }
        E::Moves { .. } => {
            "nothing was changed: all moves are made or none; with -n a plan is only tried".to_owned()
        }
        E::Fault(fault) => return of_fault(fault, Side::Ledger, places),
        E::Unknown { key, .. } => {
            format!("run it again with `--key {key}`: that finds out, and never does it twice")
        }
        E::Interrupted => return Vec::new(),
        E::Damaged { .. } => {
            "it was changed by hand, or by something else than sacker: look at it, or restore it from \
                              a backup"
                .to_owned()
        }
        E::Newer { least: Some(least), .. } => {
            format!("nothing was changed; install sacker {least} or newer on this machine")
        }
        E::Newer { least: None, .. } => {
            "nothing was changed; install the newest release of sacker on this machine".to_owned()
        }
        E::Copy { .. } => OF_A_COPY.to_owned(),
        E::Schema { found, .. } => format!("use a release of sacker that knows schema {found}"),
    };
    vec![hint]
}

fn of_conflict(error: &Conflict) -> String {
    match error {
        Conflict::Tag { package, tag, found: Some(_), .. } => {
            format!("nothing was changed; `sacker info {package} {tag}` shows what it is on")
        }
        Conflict::Tag { package, .. } => {
            format!("nothing was changed; `sacker tags {package}` shows the tags there are")
        }
        Conflict::Latest { package, .. } => {
            format!("nothing was added; `sacker versions {package} --limit 5` shows the last ones")
        }
        Conflict::Key { .. } => {
            "nothing was changed; a key stands for one change for ever: use another for another".to_owned()
        }
        Conflict::Contention(_) => {
            "nothing was changed; run it again, or with a longer --deadline".to_owned()
        }
        Conflict::NotApplied { package, tag, .. } => {
            format!("nothing was changed; `sacker history {package} {tag}` shows what happened since")
        }
        Conflict::OtherPlan { .. } => {
            "nothing was changed; give the plan as it was applied, or move each tag by itself".to_owned()
        }
    }
}

fn of_refusal(error: &Refused) -> String {
    match error {
        Refused::NotActive { package, .. } => {
            format!("nothing was changed; `sacker versions {package}` shows the active ones")
        }
        Refused::Tagged { package, tags, .. } => {
            format!("nothing was changed; move the tags away first: `sacker untag {package} {}`", tags[0])
        }
        Refused::WayBack { package, version, .. } => {
            format!("nothing was changed; if no tag is to go back to it: `sacker yank {package} {version}` first")
        }
        Refused::Labelled { package, version, .. } | Refused::Labels { package, version, .. } => {
            format!("nothing was changed; `sacker info {package} {version}` shows the labels it has")
        }
        Refused::Protected { package, tag, protection } => match protection {
            Protection::Confirm => {
                format!("nothing was changed; if you mean it: `--confirm {tag}`, or `confirm` in a plan")
            }
            Protection::WriteOnce => {
                format!("nothing was changed; if you mean it: `sacker unprotect {package} {tag}` first")
            }
            Protection::Other(_) => {
                "nothing was changed; install the newest release of sacker on this machine".to_owned()
            }
        },
        Refused::Rollback { package, tag, nearest: Some(nearest), .. } => {
            format!("nothing was changed; the nearest: `sacker rollback {package} {tag} --to {nearest}`")
        }
        Refused::Rollback { package, tag, .. } => {
            format!("nothing was changed; `sacker history {package} {tag}` shows where it was")
        }
        Refused::Gates { package, version, .. } => {
            format!("nothing was changed; `sacker info {package} {version}` shows the version")
        }
        Refused::UncertainTime(uncertain) => {
            let (package, tag) = (&uncertain.package, &uncertain.tag);
            format!("`sacker history {package} {tag}` shows its moves in their order; name a version, or `{tag}~1`")
        }
        Refused::TooLarge { .. } => {
            "nothing was changed; make it two plans, or leave out --key; `sacker apply --help` says what takes how \
             many items"
                .to_owned()
        }
        _ => "nothing was changed".to_owned(),
    }
}

fn of_not_found(error: &NotFound) -> String {
    match error {
        NotFound::Package(package) => {
            format!("`sacker list --prefix {}` shows those with such names", beginning(package))
        }
        NotFound::Version { package, .. } | NotFound::Deleted { package, .. } | NotFound::Latest(package) => {
            format!("`sacker versions {package}` shows those there are")
        }
        NotFound::Past { package, tag, .. }
        | NotFound::Then { package, tag, .. }
        | NotFound::Never { package, tag, .. } => {
            format!("`sacker history {package} {tag}` shows where it was")
        }
        NotFound::Tag { package, .. } => format!("`sacker tags {package}` shows those there are"),
    }
}

/// What a mistyped name most likely has in common with the right one.
fn beginning(package: &PackageName) -> &str {
    let name = package.as_str();
    name.rfind('/').map_or(&name[..1], |slash| &name[..=slash])
}

pub(super) fn of_fault(fault: &Fault, side: Side, places: &Places) -> Vec<String> {
    if let Some(remedy) = fault.remedy {
        return vec![remedy.to_owned()];
    }
    let hint = match fault.kind {
        FaultKind::Full => format!("free space at {}, then run it again", places.url(side)),
        FaultKind::Throttled | FaultKind::Contended | FaultKind::Unsent => {
            "nothing was changed; run it again, or with a longer --deadline".to_owned()
        }
        FaultKind::Unavailable => match places.address(side) {
            Some(address) => format!("nothing was changed; check that {address} is right and answers"),
            None => "nothing was changed; check the network, and run it again".to_owned(),
        },
        FaultKind::Denied if places.endpoint(side).is_some() => CREDENTIALS.to_owned(),
        FaultKind::Denied => format!("check the permissions of {}", places.url(side)),
        FaultKind::Missing => "`sacker init` makes it; or check its name and region".to_owned(),
        FaultKind::Misconfigured if places.endpoint(side).is_some() => {
            format!(
                "check the region and the address: AWS_REGION, the profile, `region` and `endpoint` in {}",
                places.url(side)
            )
        }
        FaultKind::Misconfigured => format!("check {}", places.url(side)),
        // It is the file that was to be sent, or fetched.
        FaultKind::Disk if places.endpoint(side).is_some() => {
            "check the file, and the disk of this machine".to_owned()
        }
        FaultKind::Disk => match io_kind(fault) {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge) => {
                format!("free space at {}", places.url(side))
            }
            Some(io::ErrorKind::PermissionDenied) => format!("check the permissions of {}", places.url(side)),
            Some(io::ErrorKind::ReadOnlyFilesystem) => {
                format!("the file system of {} is read-only: make it writable", places.url(side))
            }
            Some(_) if is_without_locks(fault) => format!(
                "the file system of {} has no locks, as NFS without its lock service: put it on a local disk",
                places.url(side)
            ),
            _ => format!("check the disk with {}", places.url(side)),
        },
        FaultKind::Corrupt => {
            format!("{} is damaged: look at it, or restore it from a backup", places.url(side))
        }
        FaultKind::Unexpected => {
            "-v shows what was asked; if the answer is a mystery, please report it".to_owned()
        }
    };
    vec![hint]
}

/// Returns true for ENOLCK, which the standard library has no kind for, and for what other file systems without locks
/// say: ENOTSUP or ENOSYS.
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
        StoreUrl::Directory(_) => "another directory".to_owned(),
    };
    format!("use the ledger that the store belongs to, or give this one a store of its own: {own}")
}

fn is_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

fn of_output(path: &Path, error: &io::Error) -> Vec<String> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let hint = match error.kind() {
        kind if is_full(kind) => {
            format!("free space at {}", directory.display())
        }
        io::ErrorKind::NotFound => format!("make the directory {} first", directory.display()),
        io::ErrorKind::PermissionDenied => format!("check the permissions of {}", directory.display()),
        _ => "-o PATH writes to another file".to_owned(),
    };
    vec![hint]
}

pub(super) fn of_configuration(error: &config::Error) -> Vec<String> {
    use config::Error as E;
    let hint = match error {
        E::Url { source: location::Error::WeakLedger { .. }, .. } => {
            "use dynamodb://TABLE with s3:// as the store; only for tests, the cargo feature `weak-s3-ledger` builds \
             the ledger on S3"
        }
        E::Half { missing: "store", .. } => {
            "give the other one too: --store, SACKER_STORE, or `store` in the file"
        }
        E::Half { .. } => "give the other one too: --ledger, SACKER_LEDGER, or `ledger` in the file",
        E::Empty(_) => "give it a value, or unset it",
        E::Url { .. } | E::NotText(_) => return Vec::new(),
        E::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            "check --config and SACKER_CONFIG"
        }
        E::Read { path, source } if source.kind() == io::ErrorKind::PermissionDenied => {
            return vec![format!(
                "check the permissions of {}, or name another file by --config or SACKER_CONFIG",
                path.display()
            )];
        }
        E::Read { .. } => "name another file by --config or SACKER_CONFIG",
        E::Open { path } => return vec![format!("chmod o-w {}", path.display())],
        E::Parse { .. } => {
            r#"it looks like this: {"ledger": "dynamodb://TABLE", "store": "s3://BUCKET/PREFIX"}"#
        }
        E::NoHome => "set HOME, or give --ledger and --store",
        E::Ci => {
            "nothing was changed; set SACKER_LEDGER and SACKER_STORE: a pipeline does not publish to its own disk by \
             accident"
        }
    };
    vec![hint.to_owned()]
}
