//! A network link as it is: a proxy in front of any server that adds a round-trip time, a bandwidth for all and for
//! each connection, stalls and resets, over TCP and over TLS with a certificate made for the run. Unlike `proxy`, it
//! knows nothing of what goes through it. The tests use it, and `benches/link.rs` is the same as a program.
//!
//! How it models a link:
//! - A connection that a client opens is ready one round trip later, and each byte needs half of one, in either
//!   direction. TLS ends on the server's side of the link, so that its handshake costs round trips too.
//! - A bandwidth holds in each direction. Connections that share one take turns.
//! - At most [`pipe::WINDOW`] chunks of a connection are on their way at once, as a receive window has it. There is no
//!   slow start, and nothing is lost.
//! - A stall holds everything back, in both directions and for new connections too; a reset ends connections at once.

#[cfg(test)]
mod forward;
mod pipe;
mod rate;
#[cfg(test)]
mod tests;
mod tls;

#[cfg(test)]
pub use forward::{Forward, Manner};
pub use rate::Rate;
pub use tls::Certificate;

use pipe::{Lane, carry};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional, duplex, split},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, sleep},
};

/// The shape of a link. The default one adds nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shape {
    /// The time of a round trip.
    pub rtt: Duration,
    /// Bytes a second for all connections together, in each direction.
    pub rate: Option<u64>,
    /// Bytes a second for each connection, in each direction.
    pub rate_per_connection: Option<u64>,
    /// A stall that begins by itself.
    pub stall: Option<Stall>,
    /// The number of bytes, of both directions, after which a connection is reset.
    pub reset_after: Option<u64>,
}

/// A stall of the whole link.
#[derive(Debug, Clone, Copy)]
pub struct Stall {
    /// The number of bytes, of all connections and both directions, after which it begins.
    pub after: u64,
    /// Its duration; permanent if `None`.
    pub lasts: Option<Duration>,
}

/// Numbers of what went through a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Connections that were opened.
    pub connections: u64,
    /// Connections that were open at once, at most.
    pub most_at_once: u64,
    /// Bytes that reached the server.
    pub up: u64,
    /// Bytes that reached a client.
    pub down: u64,
}

/// A link to a server. It lasts as long as the runtime that it was started on.
#[derive(Debug, Clone)]
pub struct Link {
    /// The address that clients connect to.
    pub address: SocketAddr,
    scheme: &'static str,
    state: Arc<State>,
}

impl Link {
    /// A link of this shape, over plain TCP, on a free port. `to` is `HOST:PORT`, or a URL with `http://`.
    pub async fn start(to: &str, shape: Shape) -> Self {
        Self::listen("127.0.0.1:0", to, shape, None).await.unwrap()
    }

    /// The same, and clients have to speak TLS.
    pub async fn start_tls(to: &str, shape: Shape, certificate: &Certificate) -> Self {
        Self::listen("127.0.0.1:0", to, shape, Some(certificate)).await.unwrap()
    }

    /// A link that listens at an address.
    pub async fn listen(
        at: &str,
        to: &str,
        shape: Shape,
        certificate: Option<&Certificate>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(shape));
        let acceptor = certificate.map(Certificate::acceptor);
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let (to, serving) = (to.trim_start_matches("http://").to_owned(), Arc::clone(&state));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (state, to, acceptor) = (Arc::clone(&serving), to.clone(), acceptor.clone());
                // It ends when either side does.
                tokio::spawn(async move { state.connection(client, &to, acceptor).await });
            }
        });
        Ok(Self { address, scheme, state })
    }

    /// The address as a URL.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Holds everything back from now on.
    pub fn stall(&self) {
        self.state.open.send_replace(false);
    }

    /// Ends a stall.
    pub fn resume(&self) {
        self.state.open.send_replace(true);
    }

    /// Resets every connection that is open.
    pub fn reset(&self) {
        self.state.resets.send_modify(|resets| *resets += 1);
    }

    /// Returns the counts of bytes that went through it until now.
    pub fn counts(&self) -> Counts {
        let counted = &self.state.counted;
        Counts {
            connections: counted.connections.load(Relaxed),
            most_at_once: counted.most_at_once.load(Relaxed),
            up: counted.up.load(Relaxed),
            down: counted.down.load(Relaxed),
        }
    }
}

/// The state that all connections of a link share.
#[derive(Debug)]
struct State {
    shape: Shape,
    up: Option<Rate>,
    down: Option<Rate>,
    /// False while it stalls.
    open: watch::Sender<bool>,
    /// The number of times that all connections were reset.
    resets: watch::Sender<u64>,
    counted: Counted,
}

#[derive(Debug, Default)]
struct Counted {
    connections: AtomicU64,
    at_once: AtomicU64,
    most_at_once: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

/// A connection that is open.
struct Open<'a>(&'a Counted);

impl<'a> Open<'a> {
    fn new(counted: &'a Counted) -> Self {
        counted.connections.fetch_add(1, Relaxed);
        let now = counted.at_once.fetch_add(1, Relaxed) + 1;
        counted.most_at_once.fetch_max(now, Relaxed);
        Self(counted)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.at_once.fetch_sub(1, Relaxed);
    }
}

impl State {
    fn new(shape: Shape) -> Self {
        Self {
            up: shape.rate.map(Rate::new),
            down: shape.rate.map(Rate::new),
            open: watch::Sender::new(true),
            resets: watch::Sender::new(0),
            counted: Counted::default(),
            shape,
        }
    }

    async fn connection(
        self: Arc<Self>,
        mut client: TcpStream,
        to: &str,
        acceptor: Option<tokio_rustls::TlsAcceptor>,
    ) -> io::Result<()> {
        client.set_nodelay(true)?;
        let server = async {
            let server = TcpStream::connect(to).await?;
            server.set_nodelay(true)?;
            io::Result::Ok(server)
        };
        let carried = match acceptor {
            None => self.carry_both(&mut client, server.await?).await,
            Some(acceptor) => {
                // TLS ends behind the link.
                let (near, far) = duplex(1 << 18);
                let beyond = async {
                    let (mut inside, mut server) = (acceptor.accept(far).await?, server.await?);
                    copy_bidirectional(&mut inside, &mut server).await
                };
                tokio::try_join!(self.carry_both(&mut client, near), beyond).map(|_| ())
            }
        };
        if carried.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset) {
            client.set_zero_linger()?;
        }
        carried
    }

    /// Carries the bytes of one connection until both directions have ended, or it is reset.
    async fn carry_both(
        &self,
        client: impl AsyncRead + AsyncWrite,
        server: impl AsyncRead + AsyncWrite,
    ) -> io::Result<()> {
        let _open = Open::new(&self.counted);
        let ready = Instant::now() + self.shape.rtt;
        let moved = AtomicU64::new(0);
        let mut resets = self.resets.subscribe();
        let (from_client, to_client) = split(client);
        let (from_server, to_server) = split(server);
        let own = || self.shape.rate_per_connection.map(Rate::new);
        let (own_up, own_down) = (own(), own());
        let up = Lane {
            ready,
            delay: self.shape.rtt / 2,
            rates: [own_up.as_ref(), self.up.as_ref()],
            open: self.open.subscribe(),
        };
        let down = Lane { rates: [own_down.as_ref(), self.down.as_ref()], ..up.clone() };
        let both = async {
            tokio::try_join!(
                carry(from_client, to_server, up, |n| self.passed(n, &self.counted.up, &moved)),
                carry(from_server, to_client, down, |n| self.passed(n, &self.counted.down, &moved)),
            )
        };
        tokio::select! {
            carried = both => carried.map(|_| ()),
            _ = resets.changed() => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }

    /// Counts bytes that are about to arrive, and does what the shape wants after that many.
    fn passed(&self, bytes: u64, direction: &AtomicU64, of_connection: &AtomicU64) -> io::Result<()> {
        direction.fetch_add(bytes, Relaxed);
        let moved = of_connection.fetch_add(bytes, Relaxed) + bytes;
        if self.shape.reset_after.is_some_and(|most| moved > most) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let Some(stall) = self.shape.stall else { return Ok(()) };
        let all = self.counted.up.load(Relaxed) + self.counted.down.load(Relaxed);
        if all - bytes <= stall.after && all > stall.after {
            self.open.send_replace(false);
            if let Some(lasts) = stall.lasts {
                let open = self.open.clone();
                tokio::spawn(async move {
                    sleep(lasts).await;
                    open.send_replace(true);
                });
            }
        }
        Ok(())
    }
}
