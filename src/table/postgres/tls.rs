//! TLS to the server.

use crate::fault::{Fault, FaultKind};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{path::Path, sync::Arc};
use tokio_postgres_rustls::MakeRustlsConnect;

const ROOTS: &str = "name a file with the certificate of the server's authority in PGSSLROOTCERT";

/// Returns the connector, which trusts the certificates in a file of PEM blocks, or the system's.
pub(super) fn connector(roots: Option<&Path>, doing: &str) -> Result<MakeRustlsConnect, Fault> {
    let wrong =
        |source: String| Fault { remedy: Some(ROOTS), ..Fault::new(FaultKind::Misconfigured, doing, source) };
    let mut trusted = RootCertStore::empty();
    match roots {
        None => {
            trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(path) => {
            let named = path.display();
            let unreadable = |error| wrong(format!("the certificates in {named} can't be read: {error}"));
            for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                trusted.add_parsable_certificates([certificate.map_err(unreadable)?]);
            }
        }
    }
    if trusted.is_empty() {
        let place = roots.map_or_else(|| "the system".to_owned(), |path| path.display().to_string());
        return Err(wrong(format!("{place} has no certificate that can be trusted")));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
