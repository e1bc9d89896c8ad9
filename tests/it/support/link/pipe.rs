//! One direction of one connection.

use super::Rate;
use bytes::Bytes;
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

/// The most bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// The chunks of at most 64 KiB that may be on their way at once, in one direction of a connection.
pub const WINDOW: usize = 32;

/// The path of the bytes of one direction.
#[derive(Clone)]
pub struct Lane<'a> {
    /// The time at which the connection is open.
    pub ready: Instant,
    /// The latency of a byte.
    pub delay: Duration,
    /// The bandwidths that hold: that of the connection, and that of all.
    pub rates: [Option<&'a Rate>; 2],
    /// False while the link stalls.
    pub open: watch::Receiver<bool>,
}

/// Carries bytes until there are no more, which it passes on; reports each number of bytes that is about to arrive.
pub async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut lane: Lane<'_>,
    passed: impl Fn(u64) -> io::Result<()>,
) -> io::Result<()> {
    let (leave, mut arrive) = mpsc::channel::<(Instant, Bytes)>(WINDOW);
    let Lane { ready, delay, rates, .. } = lane;
    let turn = rates.iter().flatten().map(|rate| rate.turn()).fold(CHUNK, usize::min);
    let reading = async move {
        sleep_until(ready).await;
        let mut buffer = vec![0; turn];
        loop {
            let n = from.read(&mut buffer).await?;
            for rate in rates.iter().flatten() {
                rate.pass(n as u64).await;
            }
            let bytes = Bytes::copy_from_slice(&buffer[..n]);
            if leave.send((Instant::now() + delay, bytes)).await.is_err() || n == 0 {
                return Ok(());
            }
        }
    };
    let writing = async move {
        while let Some((at, bytes)) = arrive.recv().await {
            sleep_until(at).await;
            // The sender is kept by the link.
            let _ = lane.open.wait_for(|open| *open).await;
            if bytes.is_empty() {
                break;
            }
            passed(bytes.len() as u64)?;
            to.write_all(&bytes).await?;
            to.flush().await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(reading, writing).map(|_| ())
}
