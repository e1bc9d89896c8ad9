//! The link itself: its shaper in paused time, where every figure is exact, and real sockets for what is left.

use super::*;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::timeout,
};
use tokio_rustls::TlsConnector;

const KB: u64 = 1000;

/// A connection through a link, in memory: the client's end, and the server's.
fn connect(state: &Arc<State>) -> (DuplexStream, DuplexStream) {
    let ((client, near), (far, server)) = (duplex(1 << 20), duplex(1 << 20));
    let state = Arc::clone(state);
    tokio::spawn(async move { state.carry_both(near, far).await });
    (client, server)
}

fn state(shape: Shape) -> Arc<State> {
    Arc::new(State::new(shape))
}

/// Sends this many bytes and reports when the last of them has arrived.
async fn send(mut from: DuplexStream, mut to: DuplexStream, bytes: u64) -> Duration {
    let began = Instant::now();
    let sending = async {
        let chunk = vec![7; 10_000];
        let mut left = bytes;
        while left > 0 {
            let n = left.min(chunk.len() as u64);
            from.write_all(&chunk[..usize::try_from(n).unwrap()]).await.unwrap();
            left -= n;
        }
        from.shutdown().await.unwrap();
        from
    };
    let mut got = Vec::new();
    let (_from, _) = tokio::join!(sending, async { to.read_to_end(&mut got).await.unwrap() });
    assert_eq!(got.len() as u64, bytes);
    began.elapsed()
}

#[track_caller]
fn about(took: Duration, seconds: f64) {
    let took = took.as_secs_f64();
    assert!((took - seconds).abs() < 0.02 * seconds + 0.015, "{took} s, not {seconds} s");
}

/// Echoes what arrives.
async fn echo(server: DuplexStream) {
    let (mut from, mut to) = split(server);
    tokio::io::copy(&mut from, &mut to).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_first_answer_takes_two_round_trips_and_each_further_one() {
    let state = state(Shape { rtt: Duration::from_millis(80), ..Shape::default() });
    let (mut client, server) = connect(&state);
    tokio::spawn(echo(server));
    let began = Instant::now();
    for trips in [2.0, 3.0, 4.0] {
        client.write_all(b"question").await.unwrap();
        client.read_exact(&mut [0; 8]).await.unwrap();
        about(began.elapsed(), trips * 0.08);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_opened_ahead_saves_a_round_trip() {
    let state = state(Shape { rtt: Duration::from_millis(80), ..Shape::default() });
    let (mut client, server) = connect(&state);
    tokio::spawn(echo(server));
    sleep(Duration::from_millis(160)).await;
    let began = Instant::now();
    client.write_all(b"question").await.unwrap();
    client.read_exact(&mut [0; 8]).await.unwrap();
    about(began.elapsed(), 0.08);
}

#[tokio::test(start_paused = true)]
async fn a_connection_has_its_own_bandwidth_in_each_direction() {
    let shape = Shape { rate_per_connection: Some(100 * KB), ..Shape::default() };
    for up in [true, false] {
        let state = state(shape);
        let (client, server) = connect(&state);
        let (from, to) = if up { (client, server) } else { (server, client) };
        about(send(from, to, 1000 * KB).await, 10.0);
        let counts = (state.counted.up.load(Relaxed), state.counted.down.load(Relaxed));
        assert_eq!(counts, if up { (1000 * KB, 0) } else { (0, 1000 * KB) });
    }
    let state = state(shape);
    let ends: Vec<_> = (0..8).map(|_| connect(&state)).collect();
    let sent = ends.into_iter().map(|(client, server)| send(client, server, 1000 * KB));
    for took in futures_util::future::join_all(sent).await {
        about(took, 10.0);
    }
    assert_eq!(state.counted.most_at_once.load(Relaxed), 8);
}

#[tokio::test(start_paused = true)]
async fn connections_share_a_bandwidth_fairly() {
    for (rate_per_connection, seconds) in [(None, 10.0), (Some(100 * KB), 10.0), (Some(50 * KB), 20.0)] {
        let shape = Shape { rate: Some(400 * KB), rate_per_connection, ..Shape::default() };
        let state = state(shape);
        let ends: Vec<_> = (0..4).map(|_| connect(&state)).collect();
        let sent = ends.into_iter().map(|(client, server)| send(server, client, 1000 * KB));
        for took in futures_util::future::join_all(sent).await {
            about(took, seconds);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fast_link_is_as_fast_as_it_says() {
    // 1 Gbit/s: far more than a chunk each time that a timer can fire.
    let shape = Shape { rtt: Duration::from_millis(100), rate: Some(125_000 * KB), ..Shape::default() };
    let state = state(shape);
    let ends: Vec<_> = (0..32).map(|_| connect(&state)).collect();
    let sent = ends.into_iter().map(|(client, server)| send(server, client, 10_000 * KB));
    let took = futures_util::future::join_all(sent).await.into_iter().max().unwrap();
    about(took, 320.0 / 125.0 + 0.15);
}

#[tokio::test(start_paused = true)]
async fn a_stall_holds_everything_back_while_it_lasts() {
    let stall = Stall { after: 500 * KB, lasts: Some(Duration::from_secs(50)) };
    let shape = Shape { rate_per_connection: Some(100 * KB), stall: Some(stall), ..Shape::default() };
    let state = state(shape);
    let (client, server) = connect(&state);
    // 5 s until it stalls; then what was not on its way by then: a window of 32 chunks of 10 ms.
    about(send(server, client, 1000 * KB).await, 5.0 + 50.0 + 4.68);
    // It happens once.
    let (client, server) = connect(&state);
    about(send(client, server, 1000 * KB).await, 10.0);
}

#[tokio::test(start_paused = true)]
async fn a_permanent_stall_ends_on_request() {
    let shape = Shape { stall: Some(Stall { after: 5, lasts: None }), ..Shape::default() };
    let state = state(shape);
    let (mut client, server) = connect(&state);
    tokio::spawn(echo(server));
    client.write_all(b"question").await.unwrap();
    let hour = Duration::from_hours(1);
    timeout(hour, client.read_u8()).await.unwrap_err();
    // Not even a new connection gets anywhere.
    let (mut other, server) = connect(&state);
    tokio::spawn(echo(server));
    other.write_all(b"x").await.unwrap();
    timeout(hour, other.read_u8()).await.unwrap_err();
    state.open.send_replace(true);
    client.read_exact(&mut [0; 8]).await.unwrap();
    assert_eq!(other.read_u8().await.unwrap(), b'x');
}

/// A server that echoes what each connection sends.
async fn echoing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = socket.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn bytes_pass_and_connections_are_reset_over_real_sockets() {
    let link = Link::start(&echoing().await, Shape { reset_after: Some(1000), ..Shape::default() }).await;
    assert_eq!(link.url(), format!("http://{}", link.address));
    let mut client = TcpStream::connect(link.address).await.unwrap();
    client.write_all(&[7; 400]).await.unwrap();
    let mut got = [0; 400];
    client.read_exact(&mut got).await.unwrap();
    assert_eq!(got, [7; 400]);
    let mut idle = TcpStream::connect(link.address).await.unwrap();
    client.write_all(&[7; 400]).await.unwrap();
    let error = client.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    // The other one goes on, until all are reset.
    idle.write_all(b"x").await.unwrap();
    assert_eq!(idle.read_u8().await.unwrap(), b'x');
    link.reset();
    assert_eq!(idle.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let counts = link.counts();
    assert_eq!((counts.connections, counts.most_at_once), (2, 2));
    assert!(counts.up >= 801 && counts.down >= 401, "{counts:?}");
}

#[tokio::test]
async fn tls_ends_behind_the_link() {
    let certificate = Certificate::new();
    let link = Link::start_tls(&echoing().await, Shape::default(), &certificate).await;
    assert_eq!(link.url(), format!("https://{}", link.address));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    for name in ["localhost", "127.0.0.1"] {
        let socket = TcpStream::connect(link.address).await.unwrap();
        let name = ServerName::try_from(name).unwrap();
        let mut client = TlsConnector::from(Arc::clone(&config)).connect(name, socket).await.unwrap();
        client.write_all(b"question").await.unwrap();
        client.read_exact(&mut [0; 8]).await.unwrap();
    }
    link.stall();
    let socket = TcpStream::connect(link.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connecting = std::pin::pin!(TlsConnector::from(config).connect(name, socket));
    timeout(Duration::from_millis(50), &mut connecting).await.unwrap_err();
    link.resume();
    connecting.await.unwrap();
}
