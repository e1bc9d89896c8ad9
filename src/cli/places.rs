//! The locations of the ledger and the store, for messages and hints.

use super::{config::Settings, environment::Environment};
use crate::{
    endpoint::{Endpoint, without_credentials},
    location::{Bucket, LedgerUrl, StoreUrl},
};

/// The locations of the ledger and the store, for messages and hints.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub ledger: LedgerUrl,
    pub store: StoreUrl,
    /// The endpoint URLs from AWS's own variables, each with the variable's name.
    addresses: Vec<(&'static str, String)>,
}

impl Places {
    pub fn new(settings: &Settings, environment: &Environment) -> Self {
        let variables = ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
        let address = |name| Some((name, without_credentials(environment.filled(name)?.to_str()?)));
        Self {
            ledger: settings.ledger.clone(),
            store: settings.store.clone(),
            addresses: variables.into_iter().filter_map(address).collect(),
        }
    }

    /// Returns the ledger's endpoint if the ledger is on DynamoDB.
    pub fn dynamodb(&self) -> Option<&Endpoint> {
        match &self.ledger {
            LedgerUrl::Dynamo { endpoint, .. } => Some(endpoint),
            _ => None,
        }
    }

    pub fn endpoint(&self, side: Side) -> Option<&Endpoint> {
        let ledger = match &self.ledger {
            LedgerUrl::Dynamo { endpoint, .. } => Some(endpoint),
            LedgerUrl::Directory(_)
            | LedgerUrl::Git(_)
            | LedgerUrl::Postgres(_)
            | LedgerUrl::Zookeeper(_) => None,
            #[cfg(feature = "weak-s3-ledger")]
            LedgerUrl::WeakS3(Bucket { endpoint, .. }) => Some(endpoint),
        };
        let store = match &self.store {
            StoreUrl::S3(Bucket { endpoint, .. }) => Some(endpoint),
            StoreUrl::Azure(_) | StoreUrl::Hdfs(_) | StoreUrl::Directory(_) => None,
        };
        match side {
            Side::Ledger => ledger,
            Side::Store => store,
            Side::Either => ledger.or(store),
        }
    }

    pub fn url(&self, side: Side) -> String {
        match side {
            Side::Ledger => self.ledger.to_string(),
            Side::Store => self.store.to_string(),
            Side::Either => format!("{} and {}", self.ledger, self.store),
        }
    }

    /// Returns the configured address and where it is configured; `None` for AWS's own address.
    pub fn address(&self, side: Side) -> Option<String> {
        if let (LedgerUrl::Zookeeper(ensemble), Side::Ledger | Side::Either) = (&self.ledger, side) {
            return Some(ensemble.servers.clone());
        }
        if let Some(url) = &self.endpoint(side)?.url {
            return Some(format!("{url} (`endpoint` in {})", self.url(side)));
        }
        let other = match side {
            Side::Ledger => "AWS_ENDPOINT_URL_S3",
            Side::Store => "AWS_ENDPOINT_URL_DYNAMODB",
            Side::Either => "",
        };
        let (variable, url) = self.addresses.iter().find(|(variable, _)| *variable != other)?;
        Some(format!("{url} ({variable})"))
    }
}

/// The back end that an error concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Ledger,
    Store,
    Either,
}
