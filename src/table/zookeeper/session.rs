//! One session with the ensemble, shared by all requests of a table.

use super::{
    faults,
    login::{self, Login},
};
use crate::{
    fault::{Fault, FaultKind},
    retry::Limit,
};
use std::time::Duration;
use tokio::{sync::Mutex, time::Instant};
use tracing::{Instrument, debug_span};
use zookeeper_client::{Client, CreateMode, CreateOptions, SessionState};

/// The time after which the servers forget a client that is gone.
const SESSION: Duration = Duration::from_secs(10);

/// The maximum wait for one answer.
const QUIET: Duration = Duration::from_secs(10);

const CHECK_PASSWORD: &str =
    "put the password of the user into the file that `password_file` in the ledger's URL names";

/// A session that is opened when it is needed, and again after it ended.
///
/// The client tries to keep a session without end. It is left as soon as it has no connection: a new one costs a single
/// request, and its requests are not queued behind those of a session that may never return.
#[derive(Debug)]
pub(super) struct Session {
    servers: String,
    login: Option<Login>,
    open: Mutex<Option<Client>>,
}

impl Session {
    pub(super) fn new(servers: String, login: Option<Login>) -> Self {
        Self { servers, login, open: Mutex::new(None) }
    }

    pub(super) fn servers(&self) -> &str {
        &self.servers
    }

    pub(super) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// Returns the mode and the access control list of each node that is made.
    pub(super) fn node(&self) -> CreateOptions<'static> {
        CreateMode::Persistent.with_acls(login::acls(self.login()))
    }

    /// Returns a client that was connected a moment ago.
    pub(super) async fn client(&self, doing: &str) -> Result<Client, Fault> {
        let mut open = self.open.lock().await;
        if let Some(client) = open.as_ref().filter(|client| client.state() == SessionState::SyncConnected) {
            return Ok(client.clone());
        }
        *open = None;
        // One round, without the pauses between rounds: when to try again is not decided here.
        let mut connector = Client::connector().with_session_timeout(SESSION).with_fail_eagerly();
        if let Some(login) = &self.login {
            let proof = login.proof().map_err(|error| {
                let source =
                    format!("can't read the password in {}: {error}", login.password_file().display());
                Fault { remedy: Some(CHECK_PASSWORD), ..Fault::new(FaultKind::Denied, doing, source) }
            })?;
            connector = connector.with_auth("digest", &proof);
        }
        let connecting = within(Box::pin(connector.connect(&self.servers))).await;
        let client = connecting.ok_or_else(|| faults::no_answer(doing))?;
        let client = client.map_err(|error| faults::of(doing, error))?;
        *open = Some(client.clone());
        Ok(client)
    }

    /// Waits for answers of a client. If there are none in time, the session is given up: its connection may be dead.
    pub(super) async fn answer<T>(
        &self,
        client: &Client,
        doing: &str,
        answer: impl Future<Output = T>,
    ) -> Result<T, Fault> {
        let answer = within(answer).instrument(debug_span!("zookeeper", doing)).await;
        if answer.is_none() {
            let mut open = self.open.lock().await;
            if open.as_ref().is_some_and(|open| open.session_id() == client.session_id()) {
                *open = None;
            }
        }
        answer.ok_or_else(|| faults::no_answer(doing))
    }
}

/// Waits until the deadline of the attempt, and not longer than [`QUIET`].
async fn within<T>(answer: impl Future<Output = T>) -> Option<T> {
    let limit = Limit::here();
    let quiet = limit.as_ref().map_or(QUIET, |limit| limit.quiet(QUIET));
    let end = Instant::now() + quiet;
    let end = limit.map_or(end, |limit| limit.end(None, Duration::ZERO).min(end));
    tokio::time::timeout_at(end, answer).await.ok()
}
