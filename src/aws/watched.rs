//! An HTTP client that records how its requests ended: the SDK's providers of credentials report little of it.

use super::{codes, connecting::is_of_connecting, http::Http};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The client. Clones share the record.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    http: Http,
    ends: Ends,
}

/// The end of the last request to each address.
type Ends = Arc<Mutex<HashMap<String, End>>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// No connection was made.
    Unreached,
    /// A connection was made, or may have been, but no complete answer arrived.
    Silent,
    Answered(u16),
}

impl Watched {
    /// Returns a client that has sent nothing yet.
    pub fn new(http: Http) -> Self {
        Self { http, ends: Ends::default() }
    }

    /// Returns true if a server gave no answer but may later: it was silent, throttled or failed.
    pub fn is_busy(&self) -> bool {
        self.any(|end| match end {
            End::Silent => true,
            End::Answered(status) => status >= 400 && codes::kind(None, status).is_transient(),
            End::Unreached => false,
        })
    }

    /// Returns true if no connection to a server could be made.
    pub fn is_unreached(&self) -> bool {
        self.any(|end| end == End::Unreached)
    }

    fn any(&self, is: impl Fn(End) -> bool) -> bool {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).values().any(|end| is(*end))
    }
}

impl HttpClient for Watched {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.http.http_connector(settings, components);
        SharedHttpConnector::new(Watching { inner, ends: Arc::clone(&self.ends) })
    }
}

#[derive(Debug)]
struct Watching {
    inner: SharedHttpConnector,
    ends: Ends,
}

impl HttpConnector for Watching {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let address = request.uri().split('?').next().unwrap_or_default();
        let address = format!("{} {address}", request.method());
        let ends = Arc::clone(&self.ends);
        let note = move |end| {
            ends.lock().unwrap_or_else(PoisonError::into_inner).insert(address.clone(), end);
        };
        // A request that is cancelled had no answer.
        note(End::Silent);
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await;
            note(match &answer {
                Ok(answer) => End::Answered(answer.status().as_u16()),
                Err(error) if is_of_connecting(error) => End::Unreached,
                Err(_) => End::Silent,
            });
            answer
        })
    }
}
