//! The TLS of connections that do not go through the HTTP client of `aws`.

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{path::Path, sync::Arc};

/// Returns the certificates in a file of PEM blocks, or the system's.
///
/// # Errors
/// The reason why there is none that can be trusted, with the file's name.
pub(crate) fn roots(file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut trusted = RootCertStore::empty();
    match file {
        None => {
            trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(path) => {
            let unreadable = |error| format!("the certificates in {} can't be read: {error}", path.display());
            for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                trusted.add_parsable_certificates([certificate.map_err(unreadable)?]);
            }
        }
    }
    if trusted.is_empty() {
        let place = file.map_or_else(|| "the system".to_owned(), |path| path.display().to_string());
        return Err(format!("{place} has no certificate that can be trusted"));
    }
    Ok(trusted)
}

/// Returns the configuration of a client that trusts these certificates.
///
/// # Errors
/// The reason why the library refuses its own versions of TLS.
pub(crate) fn config(trusted: RootCertStore) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(trusted).with_no_client_auth())
}
