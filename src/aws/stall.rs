//! Stalled requests: a limit on the time in which no byte moves, instead of one on the whole request.
//!
//! A part of an upload may take minutes on a slow link, which is no fault; a connection on which nothing moves may be
//! dead. Bytes are counted when they are handed to the HTTP client and when the client returns them. Buffers of the
//! system lie between the client and the network, so an upload gets more time after its last byte was handed over.
//!
//! The limit is never longer than the rest of the attempt's deadline ([`Limit`]). That deadline is extended by the
//! time that the buffers are assumed to need, at the pace at which the body was taken.

use crate::retry::Limit;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::{Error, SdkBody};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tracing::trace;

/// The size up to which bodies leave at once and are not counted: 256 KiB.
const SMALL: u64 = 256 << 10;
/// The assumed maximum of a body that the system buffers: 4 MiB, Linux's default limit (`tcp_wmem`).
const BUFFERED: u64 = 4 << 20;
/// The slowest connection for which the buffers are given time to drain, in bytes a second.
const SLOWEST: u64 = 64 << 10;
/// The longest time that the buffers need on such a connection.
const DRAINED: Duration = Duration::from_secs(BUFFERED / SLOWEST);
/// The additional time while a body is sent: a full buffer on a slow connection accepts a third at a time.
const SENDING: Duration = Duration::from_secs(10);

/// The state of one request, and the time of its last movement. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Stall {
    quiet: Option<Duration>,
    limit: Option<Limit>,
    moved: Arc<Mutex<Moved>>,
}

#[derive(Debug)]
struct Moved {
    /// The request's start, or its last movement.
    last: Instant,
    begun: bool,
    /// The additional time granted now.
    grant: Duration,
    /// The time that data in buffers may take, unobserved.
    buffered: Duration,
}

impl Stall {
    /// Returns the state of a request that is about to be sent. Nothing may move for at most `quiet`, and the server
    /// may work on its answer for another `thinking`. Counts the bytes that are taken of the request's body.
    pub fn of(quiet: Option<Duration>, request: &mut HttpRequest, thinking: Duration) -> Self {
        let moved = Moved { last: Instant::now(), begun: false, grant: thinking, buffered: Duration::ZERO };
        let limit = Limit::here();
        let quiet = quiet.map(|quiet| limit.as_ref().map_or(quiet, |limit| limit.quiet(quiet)));
        let stall = Self { quiet, limit, moved: Arc::new(Mutex::new(moved)) };
        let length = request.body().content_length().unwrap_or(0);
        if length > SMALL {
            stall.moved(|moved| moved.grant = SENDING);
            let body = request.take_body();
            let sent = Sent { body, length, left: length, begun: None, thinking, stall: stall.clone() };
            *request.body_mut() = SdkBody::from_body_1_x(sent);
        }
        stall
    }

    fn moved<T>(&self, change: impl FnOnce(&mut Moved) -> T) -> T {
        change(&mut self.moved.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn now(&self, grant: Duration, buffered: Duration) {
        self.moved(|moved| *moved = Moved { last: Instant::now(), begun: true, grant, buffered });
    }

    /// Returns the time at which the request ends with an error if nothing moves until then.
    fn end(&self) -> Option<Instant> {
        let (last, begun, grant, buffered) =
            self.moved(|moved| (moved.last, moved.begun, moved.grant, moved.buffered));
        let quiet = self.quiet.map(|quiet| last + quiet + grant);
        let limit = self.limit.as_ref().map(|limit| limit.end(begun.then_some(last), buffered));
        [quiet, limit].into_iter().flatten().min()
    }

    /// Returns the text of that error.
    fn stalled(&self) -> String {
        format!("nothing moved for {} s", self.moved(|moved| moved.last.elapsed().as_secs()))
    }

    /// Waits for an answer to begin.
    pub async fn bound<T>(&self, answer: impl Future<Output = T>) -> Result<T, String> {
        let mut answer = pin!(answer);
        loop {
            let Some(end) = self.end() else { return Ok(answer.await) };
            match timeout_at(end, &mut answer).await {
                Ok(answer) => return Ok(answer),
                // Data has moved meanwhile.
                Err(_) if self.end().is_none_or(|end| Instant::now() < end) => {}
                Err(_) => return Err(self.stalled()),
            }
        }
    }

    /// Makes the answer's body fail when it stalls.
    pub fn guard(self, mut answer: HttpResponse) -> HttpResponse {
        self.now(Duration::ZERO, Duration::ZERO);
        if let Some(end) = self.end() {
            let body = answer.take_body();
            let timer = Box::pin(sleep_until(end));
            let received = Received { body, timer, waits: false, bytes: 0, stall: self };
            *answer.body_mut() = SdkBody::from_body_1_x(received);
        }
        answer
    }
}

/// A request's body, whose frames count as movement.
struct Sent {
    body: SdkBody,
    length: u64,
    left: u64,
    begun: Option<Instant>,
    thinking: Duration,
    stall: Stall,
}

impl Sent {
    /// Returns the longest time that the system's buffers need after a body was taken in the time `took`, from the
    /// pace of the part that did not fit into them; zero without such a part, which shows no pace.
    fn draining(&self, took: Duration) -> Duration {
        let paced = self.length.saturating_sub(BUFFERED);
        let ratio = if paced > 0 { BUFFERED.div_ceil(paced) } else { 0 };
        took.saturating_mul(u32::try_from(ratio).unwrap_or(u32::MAX)).min(DRAINED)
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            self.left = self.left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
            let begun = *self.begun.get_or_insert_with(Instant::now);
            if self.left == 0 {
                let drained = Duration::from_secs(self.length.min(BUFFERED) / SLOWEST);
                self.stall.now(self.thinking + drained, self.draining(begun.elapsed()));
            } else {
                self.stall.now(SENDING, SENDING);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&self.body)
    }
}

/// An answer's body, which fails when it stalls.
struct Received {
    body: SdkBody,
    timer: Pin<Box<Sleep>>,
    waits: bool,
    /// The bytes that were received so far.
    bytes: u64,
    stall: Stall,
}

impl Drop for Received {
    fn drop(&mut self) {
        trace!(received_bytes = self.bytes, "received");
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waits = false;
            if let Some(Ok(frame)) = &frame {
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            return Poll::Ready(frame);
        }
        if !self.waits {
            // Counted from here: before, the reader may have been slow.
            self.waits = true;
            self.stall.now(Duration::ZERO, Duration::ZERO);
        }
        // The timer is reset only when it fires, not with each frame.
        while self.timer.as_mut().poll(context).is_ready() {
            match self.stall.end() {
                Some(end) if Instant::now() < end => self.timer.as_mut().reset(end),
                _ => return Poll::Ready(Some(Err(self.stall.stalled().into()))),
            }
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&self.body)
    }
}
