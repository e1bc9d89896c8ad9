//! The text of a request, as an idempotency key records it.

use super::{Act, File, Request, pairs};
use sacker::model::{PlannedMove, ReleaseChange};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// The log that an idempotency key belongs to, and what it says that was asked for.
pub(super) fn asked(request: &Request, files: &[File]) -> (String, String) {
    let releases = format!("P#{}", request.package);
    let tags = format!("T#{}", request.package);
    match &request.act {
        Act::Add { blob, .. } => (releases, format!("add {}", files[*blob].sha256)),
        Act::Tag { spec, tag, .. } => (tags, format!("tag {spec} {tag}")),
        Act::Rollback { tag, to: None, .. } => (tags, format!("rollback {tag}")),
        Act::Rollback { tag, to: Some(to), .. } => (tags, format!("rollback {tag} --to {to}")),
        Act::Untag { tag, .. } => (tags, format!("untag {tag}")),
        Act::Protect { tag, protection: None, require, .. } if require.is_empty() => {
            (tags, format!("unprotect {tag}"))
        }
        Act::Protect { tag, protection, require, no_override } => {
            let kind = protection.map(|protection| format!(" --{protection}")).unwrap_or_default();
            let gates: BTreeSet<_> = require.iter().map(|gate| format!(" --require {gate}")).collect();
            let gates: String = gates.into_iter().collect();
            let last = if *no_override { " --no-override" } else { "" };
            (tags, format!("protect {tag}{kind}{gates}{last}"))
        }
        Act::Apply { moves, undo, .. } => {
            let line = |it: &PlannedMove| {
                let to = it.to.as_ref().map_or("none".to_owned(), ToString::to_string);
                format!("{} {} {to}\n", it.package, it.tag)
            };
            let plan = hex::encode(Sha256::digest(moves.iter().map(line).collect::<String>()));
            let first = moves.iter().map(|it| it.package.as_str()).min().expect("there is a move");
            (format!("T#{first}"), format!("apply {}{plan}", if *undo { "--undo " } else { "" }))
        }
        Act::Freeze { prefix, strict, until } => {
            let strict = if *strict { " --strict" } else { "" };
            let until = until.map(|until| format!(" --until {until}")).unwrap_or_default();
            ("F".to_owned(), format!("freeze {prefix}*{strict}{until}"))
        }
        Act::Recall { version, untag, .. } => {
            (releases, format!("recall {version}{}", if *untag { " --untag" } else { "" }))
        }
        Act::Thaw(prefix) => ("F".to_owned(), format!("thaw {prefix}*")),
        Act::Change(version, change) => {
            let what = match change {
                ReleaseChange::Yank => format!("yank {version}"),
                ReleaseChange::Unyank => format!("unyank {version}"),
                ReleaseChange::Delete => format!("delete {version}"),
                ReleaseChange::Undelete => format!("undelete {version}"),
                ReleaseChange::Label(labels) => {
                    let labels = pairs(labels).into_iter().map(|(name, value)| format!(" {name}={value}"));
                    format!("label {version}{}", labels.collect::<String>())
                }
            };
            (releases, what)
        }
        Act::Prune { version, .. } => (releases, format!("delete {version}")),
        Act::Read(_) | Act::Info(_) | Act::Status => unreachable!("what is read has no key"),
    }
}
