//! Hints for errors of the configuration.

use crate::{cli::config, location};
use std::io;

/// Returns the hints for an error of the configuration.
pub(in crate::cli) fn of_configuration(error: &config::Error) -> Vec<String> {
    use config::Error as E;
    let hint = match error {
        E::Url { source: location::Error::WeakLedger { .. }, .. } => {
            "use dynamodb://TABLE with s3:// as the store; the ledger on S3 is for tests only, and needs the cargo feature \
             `weak-s3-ledger`"
        }
        E::Url { source: location::Error::NotBuilt { feature, .. }, .. } => {
            return vec![format!("install sacker with its default features, or with `--features {feature}`")];
        }
        E::Half { missing: "store", .. } => {
            "set the store too: --store, SACKER_STORE, or `store` in the file"
        }
        E::Half { .. } => "set the ledger too: --ledger, SACKER_LEDGER, or `ledger` in the file",
        E::Empty(_) => "set it to a value, or unset it",
        E::Url { .. } | E::NotText(_) => return Vec::new(),
        E::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            "check --config and SACKER_CONFIG"
        }
        E::Read { path, source } if source.kind() == io::ErrorKind::PermissionDenied => {
            return vec![format!(
                "check the permissions of {}, or name another file with --config or SACKER_CONFIG",
                path.display()
            )];
        }
        E::Read { .. } => "name another file with --config or SACKER_CONFIG",
        E::Open { path } => return vec![format!("run `chmod o-w {}`", path.display())],
        E::Parse { .. } => r#"an example: {"ledger": "dynamodb://TABLE", "store": "s3://BUCKET/PREFIX"}"#,
        E::NoHome => "set HOME, or give --ledger and --store",
        E::Ci => {
            "nothing was changed; set SACKER_LEDGER and SACKER_STORE: while CI is set, the embedded default is read-only, \
             so that a pipeline can't publish to its local disk by accident"
        }
    };
    vec![hint.to_owned()]
}
