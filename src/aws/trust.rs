//! The certificates of `AWS_CA_BUNDLE`, or of a profile's `ca_bundle`, which
//! [replace](https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html) the system's.

use aws_smithy_http_client::tls::TrustStore;
use aws_smithy_types::base64;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{fs, path::Path};

/// Reads the certificates in a file of PEM blocks. Certificates that can't sign others are left out, as among the
/// system's.
///
/// # Errors
/// The reason why the file is not a valid bundle, with the file's name.
pub(super) fn bundle(path: &Path) -> Result<TrustStore, String> {
    let named = path.display();
    let text =
        fs::read(path).map_err(|error| format!("the certificates of AWS_CA_BUNDLE, {named}: {error}"))?;
    let mut trusted = TrustStore::empty();
    let mut any = false;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let broken = |error| format!("AWS_CA_BUNDLE, {named}, is not a file of PEM certificates: {error}");
        let certificate = certificate.map_err(broken)?;
        let encoded = base64::encode(&certificate);
        if RootCertStore::empty().add(certificate).is_ok() {
            any = true;
            trusted.add_pem_certificate(format!(
                "-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n"
            ));
        }
    }
    if any {
        Ok(trusted)
    } else {
        Err(format!("AWS_CA_BUNDLE, {named}, contains no certificate that can be trusted"))
    }
}
