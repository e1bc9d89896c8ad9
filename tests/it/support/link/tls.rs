//! A certificate made for the run.

use rustls::{ServerConfig, crypto::ring::default_provider, pki_types::PrivateKeyDer};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// A certificate for this host, for `ledger.test` and for `store.test` that signs itself, and its key.
#[derive(Clone)]
pub struct Certificate {
    pem: String,
    config: Arc<ServerConfig>,
}

impl Certificate {
    /// A new one.
    pub fn new() -> Self {
        let names = ["localhost", "127.0.0.1", "ledger.test", "store.test"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        Self { pem: made.cert.pem(), config: Arc::new(config) }
    }

    /// Returns the certificate that clients have to trust, as PEM: a file of it is named by `AWS_CA_BUNDLE` or
    /// `SSL_CERT_FILE`.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The server's side of TLS.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}
