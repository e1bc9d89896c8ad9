//! Permissions that the credentials in use have or lack.

use serde::Serialize;

/// A permission, and whether the credentials in use have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The action, in the words of the service: `dynamodb:GetItem`.
    pub action: &'static str,
    /// The partition, bucket or object that it was tried on.
    pub resource: String,
    /// The state.
    pub state: GrantState,
}

/// The state of a [`Grant`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "why", rename_all = "snake_case")]
pub enum GrantState {
    /// The service allowed a request that needs the permission.
    Granted,
    /// The service refused such a request, for this reason.
    Denied(String),
    /// No request has shown it, for this reason.
    NotKnown(String),
    /// It was not tried: the permission is for requests that write, and only [`Trial::Reads`] was asked for.
    NotTried,
}

/// The extent to which permissions are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trial {
    /// Only requests that read.
    Reads,
    /// Also requests to write under conditions that can't hold, so that nothing is written.
    Writes,
}
