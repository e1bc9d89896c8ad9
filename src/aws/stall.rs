//! When a request stands still: a limit on the time in which no byte moves, in place of one on the whole.
//!
//! A part of an upload may take minutes on a slow link, and that is no fault; a connection on which nothing moves may
//! be dead. Bytes are counted where they are handed to the HTTP client and where it hands them out. Between that and the
//! network lie buffers of the system, which is why an upload is granted more time once its last byte was handed over.
//!
//! The limit is never longer than what is left of the deadline of the attempt ([`Limit`]), which is longer by the time that
//! the buffers are taken to need, by the pace at which the body was taken.

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

/// Bodies up to this size leave at once: 256 KiB. They are not counted.
const SMALL: u64 = 256 << 10;
/// The most that buffers of the system are taken to hold of a body: 4 MiB, Linux's default limit (`tcp_wmem`).
const BUFFERED: u64 = 4 << 20;
/// The slowest connection on which they are waited for to empty, in bytes a second.
const SLOWEST: u64 = 64 << 10;
/// How long the buffers need at most on such a connection.
const DRAINED: Duration = Duration::from_secs(BUFFERED / SLOWEST);
/// While a body is sent: a full buffer on a slow connection takes more a third at a time.
const SENDING: Duration = Duration::from_secs(10);

/// The state of one request: when it last moved. Cloning shares it.
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
    /// The time granted on top at this point.
    grant: Duration,
    /// The time that what lies in buffers may take, unseen.
    buffered: Duration,
}

impl Stall {
    /// A request that is about to be sent, on which nothing may move for `quiet`, and on whose answer the server may
    /// work for `thinking` on top. Counts what is taken of its body.
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

    /// The time at which it is given up if nothing moves until then.
    fn end(&self) -> Option<Instant> {
        let (last, begun, grant, buffered) =
            self.moved(|moved| (moved.last, moved.begun, moved.grant, moved.buffered));
        let quiet = self.quiet.map(|quiet| last + quiet + grant);
        let limit = self.limit.as_ref().map(|limit| limit.end(begun.then_some(last), buffered));
        [quiet, limit].into_iter().flatten().min()
    }

    /// Why it is given up.
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
                // Something has moved meanwhile.
                Err(_) if self.end().is_none_or(|end| Instant::now() < end) => {}
                Err(_) => return Err(self.stalled()),
            }
        }
    }

    /// An answer whose body fails when it stands still.
    pub fn guard(self, mut answer: HttpResponse) -> HttpResponse {
        self.now(Duration::ZERO, Duration::ZERO);
        if let Some(end) = self.end() {
            let body = answer.take_body();
            let timer = Box::pin(sleep_until(end));
            let received = Received { body, timer, waits: false, stall: self };
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
    /// How long buffers of the system need at most after a body was taken in this time, by the part of it that did not
    /// fit into them; nothing if there is none, which says nothing of the pace.
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

/// An answer's body, which fails when it stands still.
struct Received {
    body: SdkBody,
    timer: Pin<Box<Sleep>>,
    waits: bool,
    stall: Stall,
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
            return Poll::Ready(frame);
        }
        if !self.waits {
            // Counted from here: before, it may have been the reader that took its time.
            self.waits = true;
            self.stall.now(Duration::ZERO, Duration::ZERO);
        }
        // The timer is not set again with each frame but when it rings.
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
