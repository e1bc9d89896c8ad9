//! Connections to the primary: making them, lending them, and ending those whose state is not certain.

use super::{
    fault::{Stage, fault, silent, standby},
    standard::Standard,
    tls,
};
use crate::{
    clock::ServerTime,
    endpoint::{PostgresHost, PostgresPlace, PostgresTls},
    fault::{Fault, FaultKind},
    model::Timestamp,
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
    time::timeout,
};
use tokio_postgres::{
    Client, Config, NoTls, Socket,
    config::{Host, SslMode},
    tls::MakeTlsConnect,
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The maximum number of connections of one table.
const SESSIONS: usize = 8;
/// The time to be connected to one server, with TLS and the password.
const CONNECT: Duration = Duration::from_secs(5);
/// The time after which a silent connection is tested, and between the tests.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));

/// One row: a standby, or read-only transactions; and the server's time in milliseconds.
const IDENTIFY: &str = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', \
                        (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// The connections of a table.
pub(super) struct Pool {
    place: PostgresPlace,
    standard: Standard,
    time: ServerTime,
    connector: Mutex<Option<MakeRustlsConnect>>,
    idle: Mutex<Vec<Session>>,
    permits: Arc<Semaphore>,
}

/// A connection to the primary.
struct Session {
    client: Client,
    /// The task that drives the connection.
    task: AbortHandle,
    /// The TLS of a request to cancel.
    tls: Option<MakeRustlsConnect>,
}

impl Pool {
    pub(super) fn new(place: PostgresPlace, standard: Standard) -> Self {
        Self {
            place,
            standard,
            time: ServerTime::default(),
            connector: Mutex::default(),
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(SESSIONS)),
        }
    }

    pub(super) fn place(&self) -> &PostgresPlace {
        &self.place
    }

    pub(super) fn time(&self) -> ServerTime {
        self.time.clone()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a connection, which is made if none is idle.
    pub(super) async fn lease(self: &Arc<Self>, doing: &str) -> Result<Lease, Fault> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|closed| Fault::new(FaultKind::Unexpected, doing, closed))?;
        let idle = std::iter::from_fn(|| self.idle().pop()).find(|session| !session.client.is_closed());
        let session = match idle {
            Some(session) => session,
            None => self.connect(doing).await?,
        };
        Ok(Lease { session: Some(session), pool: Arc::clone(self), may_cancel: true, _permit: permit })
    }

    /// Connects to the first server that is a primary.
    async fn connect(&self, doing: &str) -> Result<Session, Fault> {
        let mut faults = Vec::new();
        for host in &self.place.hosts {
            let connecting = timeout(CONNECT, self.connect_to(host, doing)).await;
            match connecting.unwrap_or_else(|_| Err(silent(doing, Stage::Connecting, CONNECT.as_secs()))) {
                Ok(session) => return Ok(session),
                Err(fault) => faults.push((host, fault)),
            }
        }
        Err(combined(faults, doing))
    }

    async fn connect_to(&self, host: &PostgresHost, doing: &str) -> Result<Session, Fault> {
        let mut config = Config::new();
        config
            .user(&self.place.user)
            .dbname(&self.place.database)
            .application_name("sacker")
            .port(host.port)
            .keepalives_idle(KEEPALIVE.0)
            .keepalives_interval(KEEPALIVE.1)
            .keepalives_retries(2)
            .tcp_user_timeout(KEEPALIVE.0 + KEEPALIVE.1);
        if host.is_socket() {
            config.host_path(&host.name)
        } else {
            config.host(&host.name)
        };
        if let Some(password) = self.standard.password_of(host, &self.place.database, &self.place.user) {
            config.password(password);
        }
        let session = match self.place.tls_with(host) {
            PostgresTls::Disable => {
                let (client, task) = open(config.ssl_mode(SslMode::Disable), NoTls, doing).await?;
                Session { client, task, tls: None }
            }
            PostgresTls::VerifyFull => {
                let tls = self.connector(doing)?;
                let (client, task) = open(config.ssl_mode(SslMode::Require), tls.clone(), doing).await?;
                Session { client, task, tls: Some(tls) }
            }
        };
        self.identify(&session.client, doing).await?;
        Ok(session)
    }

    /// Returns the connector, made by the first connection that needs it.
    fn connector(&self, doing: &str) -> Result<MakeRustlsConnect, Fault> {
        let mut held = self.connector.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connector) = &*held {
            return Ok(connector.clone());
        }
        let connector = tls::connector(self.standard.roots(), doing)?;
        Ok(held.insert(connector).clone())
    }

    /// Refuses a server that is no primary, and records its time.
    async fn identify(&self, client: &Client, doing: &str) -> Result<(), Fault> {
        let began = Instant::now();
        let answer = client.query_typed(IDENTIFY, &[]).await;
        let rows = answer.map_err(|error| fault(doing, Stage::Connecting, &error))?;
        let [row] = rows.as_slice() else {
            return Err(Fault::new(FaultKind::Unexpected, doing, "no answer to the first question"));
        };
        let odd = |error: tokio_postgres::Error| Fault::new(FaultKind::Unexpected, doing, error);
        if row.try_get(0).map_err(odd)? {
            return Err(standby(doing, "the server is a standby"));
        }
        if row.try_get(1).map_err(odd)? {
            return Err(standby(doing, "the server allows only read-only transactions"));
        }
        let millis: i64 = row.try_get(2).map_err(odd)?;
        self.time.note(Timestamp::from_millis(millis.try_into().unwrap_or_default()), began.elapsed());
        Ok(())
    }
}

async fn open<T>(config: &Config, tls: T, doing: &str) -> Result<(Client, AbortHandle), Fault>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let opened = config.connect(tls).await;
    let (client, connection) = opened.map_err(|error| fault(doing, Stage::Connecting, &error))?;
    let task = tokio::spawn(async move {
        // A request that was cut off has the error, too.
        if let Err(error) = connection.await {
            tracing::debug!("the connection to PostgreSQL ended: {error}");
        }
    });
    debug_assert!(matches!(config.get_hosts(), [Host::Tcp(_) | Host::Unix(_)]), "one server at a time");
    Ok((client, task.abort_handle()))
}

/// Returns the fault of all servers: a definite one if there is one.
fn combined(mut faults: Vec<(&PostgresHost, Fault)>, doing: &str) -> Fault {
    let definite = faults.iter().position(|(_, fault)| !fault.kind.is_transient());
    let said = |(host, fault): &(&PostgresHost, Fault)| format!("{host}: {}", fault.source);
    let source = faults.iter().map(said).collect::<Vec<_>>().join("; ");
    if faults.is_empty() {
        return Fault::new(FaultKind::Misconfigured, doing, "no server is named");
    }
    let (_, chosen) = faults.swap_remove(definite.unwrap_or(0));
    Fault { source: source.into(), ..chosen }
}

/// A connection that one request uses alone. When it is dropped before [`finish`](Self::finish), nobody knows what the
/// server does: the connection is ended, by which an open transaction is rolled back.
pub(super) struct Lease {
    session: Option<Session>,
    pool: Arc<Pool>,
    may_cancel: bool,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    pub(super) fn client(&self) -> &Client {
        match &self.session {
            Some(session) => &session.client,
            None => unreachable!("only the end of a lease takes its session"),
        }
    }

    /// Marks the point from which the statement in progress must not be cancelled: a `COMMIT` that waits for a standby
    /// and is cancelled reports success without the standby.
    pub(super) fn never_cancel(&mut self) {
        self.may_cancel = false;
    }

    /// Returns the connection, which is outside of a transaction, for other requests.
    pub(super) fn finish(mut self) {
        if let Some(session) = self.session.take()
            && !session.client.is_closed()
        {
            self.pool.idle().push(session);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(Session { client, task, tls }) = self.session.take() else { return };
        // A server that was lost is lost for the others as well, which would each find out for themselves.
        self.pool.idle().clear();
        if !self.may_cancel || client.is_closed() {
            return task.abort();
        }
        let cancel = client.cancel_token();
        let cancelling = async move {
            let cancelling = async {
                match tls {
                    Some(tls) => cancel.cancel_query(tls).await,
                    None => cancel.cancel_query(NoTls).await,
                }
            };
            // The server limits the statement as well.
            let _ = timeout(CONNECT, cancelling).await;
            task.abort();
        };
        // Without a runtime the connection has ended with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(cancelling);
        }
    }
}
