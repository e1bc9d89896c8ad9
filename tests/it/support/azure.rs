//! Containers on Azurite.

use super::backends;
use sacker::{
    aws::Aws,
    store::{Store, azure::AzureStore},
};
use std::{collections::HashMap, env};

pub const PREFIX: &str = "a/prefix";

/// The account on Azurite.
pub const ACCOUNT: &str = "sackertest";

/// The address of Azurite.
pub fn azurite() -> String {
    backends::address("SACKER_TEST_AZURE", "Azurite")
}

/// The key of the account.
pub fn key() -> String {
    backends::address("AZURE_STORAGE_ACCOUNT_KEY", "Azurite")
}

/// A container of its own.
pub struct Container {
    pub name: String,
}

impl Container {
    /// A container that is yet to be made.
    pub fn unmade() -> Self {
        let name = backends::unique("c").to_lowercase();
        Self { name: name[..name.len().min(63)].to_owned() }
    }

    pub async fn new() -> Self {
        let container = Self::unmade();
        container.store().await.create().await.unwrap();
        container
    }

    /// A new client of the store, as of another process.
    pub async fn store(&self) -> AzureStore {
        self.store_at(&azurite(), &key()).await
    }

    pub async fn store_at(&self, endpoint: &str, key: &str) -> AzureStore {
        let aws = Aws::with_credentials("none", "none");
        AzureStore::with_key(&aws, ACCOUNT, &self.name, PREFIX, Some(endpoint), key).await.unwrap()
    }

    /// The URL of the store.
    pub fn url(&self) -> String {
        format!("azure://{ACCOUNT}/{}/blobs?endpoint={}", self.name, azurite())
    }

    /// Puts any bytes under any name, as another program would.
    pub async fn put(&self, name: &str, bytes: Vec<u8>) {
        let headers = HashMap::from([("x-ms-blob-type", "BlockBlob")]);
        let status = self.request(name, "", headers, bytes).await;
        assert_eq!(status, 201, "{name}");
    }

    /// Sends a block and does not commit it.
    pub async fn block(&self, name: &str, index: usize, bytes: &[u8]) {
        let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes);
        let id = aws_smithy_types::base64::encode(format!("{index:05}-{crc:016x}"));
        let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
        let query = format!("?comp=block&blockid={id}");
        assert_eq!(self.request(name, &query, HashMap::new(), bytes.to_vec()).await, 201, "{name}");
    }

    /// Sends a signed request with a client of its own, and returns the status.
    async fn request(&self, name: &str, query: &str, headers: HashMap<&str, &str>, bytes: Vec<u8>) -> u16 {
        use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
        let credential = AzureCredential::AccessKey(AzureAccessKey::try_new(&key()).unwrap());
        let uri = format!("{}/{ACCOUNT}/{}/{name}{query}", azurite(), self.name);
        let mut request = http::Request::builder().method("PUT").uri(&uri);
        for (header, value) in headers {
            request = request.header(header, value);
        }
        if !bytes.is_empty() {
            request = request.header("content-length", bytes.len());
        }
        let mut request = request.body(object_store::client::HttpRequestBody::empty()).unwrap();
        AzureAuthorizer::new(&credential, ACCOUNT).try_authorize(&mut request).unwrap();
        let (head, _) = request.into_parts();
        tokio::task::spawn_blocking(move || send(&head, &bytes)).await.unwrap()
    }
}

/// Sends a request over a connection of its own.
fn send(head: &http::request::Parts, bytes: &[u8]) -> u16 {
    use std::io::{Read, Write};
    let host = head.uri.authority().unwrap().as_str();
    let target = head.uri.path_and_query().unwrap().as_str();
    let mut text = format!("{} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", head.method);
    for (name, value) in &head.headers {
        text.extend([name.as_str(), ": ", value.to_str().unwrap(), "\r\n"]);
    }
    if bytes.is_empty() {
        text += "content-length: 0\r\n";
    }
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    stream.write_all(b"\r\n").unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
}

/// Sets the variables of a sandbox with which the program finds its credentials.
pub fn variables() -> [(&'static str, String); 1] {
    let key = env::var("AZURE_STORAGE_ACCOUNT_KEY").unwrap_or_else(|_| key());
    [("AZURE_STORAGE_ACCOUNT_KEY", key)]
}
