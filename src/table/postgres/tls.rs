//! TLS to the server.

use crate::{
    fault::{Fault, FaultKind},
    tls,
};
use std::path::Path;
use tokio_postgres_rustls::MakeRustlsConnect;

const ROOTS: &str = "name a file with the certificate of the server's authority in PGSSLROOTCERT";

/// Returns the connector, which trusts the certificates in a file of PEM blocks, or the system's.
pub(super) fn connector(roots: Option<&Path>, doing: &str) -> Result<MakeRustlsConnect, Fault> {
    let config = tls::roots(roots).and_then(tls::config);
    let wrong =
        |source: String| Fault { remedy: Some(ROOTS), ..Fault::new(FaultKind::Misconfigured, doing, source) };
    config.map(MakeRustlsConnect::new).map_err(wrong)
}
