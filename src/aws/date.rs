//! A server's time, from the `Date` of its answers: recorded for the ledger, and compared with the time at which the
//! request was signed.

use super::http::Http;
use crate::{clock::ServerTime, model::Timestamp};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::{DateTime, date_time::Format};
use std::time::{Duration, Instant};

/// The difference between the signing time and the server's time from which a refusal may be caused by it: [the SDK's
/// value](https://docs.rs/aws-runtime). The SDK then signs the client's next request with the server's time.
const SKEWED: Duration = Duration::from_mins(4);

/// The header that marks an answer whose request was signed at a wrong time. No server sends it.
const SIGNED_AT_WRONG_TIME: &str = "x-sacker-signed-at-wrong-time";

/// The HTTP client of requests to one server, whose time is recorded.
#[derive(Debug, Clone)]
pub(super) struct Dated {
    pub http: Http,
    pub time: ServerTime,
}

impl HttpClient for Dated {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.http.http_connector(settings, components);
        SharedHttpConnector::new(Noting { inner, time: self.time.clone() })
    }
}

#[derive(Debug)]
struct Noting {
    inner: SharedHttpConnector,
    time: ServerTime,
}

impl HttpConnector for Noting {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let signed = request.headers().get("x-amz-date").and_then(signing_time);
        let (began, time) = (Instant::now(), self.time.clone());
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let mut answer = answer.await?;
            note_time(&mut answer, signed, began.elapsed(), &time);
            Ok(answer)
        })
    }
}

/// Returns true if an answer may be a refusal of its request's signing time.
pub(super) fn is_skewed(answer: &HttpResponse) -> bool {
    answer.headers().get(SIGNED_AT_WRONG_TIME).is_some()
}

/// Records the time that an answer states, and marks the answer if [`is_skewed`] is to be true for it.
fn note_time(answer: &mut HttpResponse, signed: Option<Timestamp>, round_trip: Duration, time: &ServerTime) {
    let status = answer.status().as_u16();
    // An intermediary may answer an error in the server's place, with its own clock.
    let date = answer.headers().get("date").filter(|_| status < 500).and_then(date);
    let Some(date) = date else { return };
    time.note(date, round_trip);
    let skewed = signed.is_some_and(|signed| date.since(signed).max(signed.since(date)) > SKEWED);
    if skewed && matches!(status, 400 | 403) {
        answer.headers_mut().insert(SIGNED_AT_WRONG_TIME, "1");
    }
}

/// Parses the time of a `Date` header.
pub(super) fn date(text: &str) -> Option<Timestamp> {
    let millis = DateTime::from_str(text, Format::HttpDate).ok()?.to_millis().ok()?;
    u64::try_from(millis).ok().map(Timestamp::from_millis)
}

/// Parses the time of an `x-amz-date` header, such as `20260501T100000Z`.
fn signing_time(text: &str) -> Option<Timestamp> {
    let (day, time) = text.split_at_checked(8)?;
    let (year, day) = day.split_at_checked(4)?;
    let (month, day) = day.split_at_checked(2)?;
    let time = time.strip_prefix('T')?.strip_suffix('Z')?;
    let (hour, time) = time.split_at_checked(2)?;
    let (minute, second) = time.split_at_checked(2)?;
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::body::SdkBody;

    #[test]
    fn times_are_read() {
        let noon = "2026-05-01T12:00:00Z".parse::<Timestamp>().ok();
        assert_eq!(date("Fri, 01 May 2026 12:00:00 GMT"), noon);
        assert_eq!(signing_time("20260501T120000Z"), noon);
        for text in
            ["", "now", "Fri, 01 May 1926 12:00:00 GMT", "20260501T120000", "2026-05-01T12:00:00Z", "é"]
        {
            assert_eq!((date(text), signing_time(text)), (None, None), "{text}");
        }
    }

    #[test]
    fn only_a_refusal_of_what_was_signed_long_before_or_after_is_called_skewed() {
        let noon: Timestamp = "2026-05-01T12:00:00Z".parse().unwrap();
        let skewed = |status: u16, signed: Timestamp| {
            let mut answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
            answer.headers_mut().insert("date", "Fri, 01 May 2026 12:00:00 GMT");
            note_time(&mut answer, Some(signed), Duration::ZERO, &ServerTime::default());
            is_skewed(&answer)
        };
        let long = Duration::from_mins(5);
        assert!(skewed(403, noon.later(long)));
        assert!(skewed(400, Timestamp::from_millis(noon.as_millis() - 300_000)));
        assert!(!skewed(403, noon.later(Duration::from_mins(3))));
        assert!(!skewed(200, noon.later(long)));
    }
}
