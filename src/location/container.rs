//! Places in containers of Azure Blob Storage.

use std::fmt;

/// A place in a container of Azure Blob Storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The storage account.
    pub account: String,
    /// The container.
    pub container: String,
    /// The prefix of every name, without a `/` at either end; may be empty.
    pub prefix: String,
    /// The address of the service, if it is not Azure's own.
    pub endpoint: Option<String>,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "azure://{}/{}{slash}{}", self.account, self.container, self.prefix)?;
        match &self.endpoint {
            Some(url) => {
                // A `&`, `+`, `%` or `#` would end or change the value.
                let url: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
                write!(f, "?endpoint={}", url.replace("%3A", ":").replace("%2F", "/"))
            }
            None => Ok(()),
        }
    }
}
