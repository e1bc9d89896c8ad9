//! A server that gives scripted answers in place of AWS: no socket, no clock.

use arbitrary::Arbitrary;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// The answer to a request.
#[derive(Debug, Clone)]
pub enum Reply {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// No answer at all.
    Lost(Loss),
}

/// Why no answer came.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Loss {
    Timeout,
    Io,
    Unconnected,
    Other,
}

/// An HTTP status: mostly one that AWS or something between uses.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Status {
    Usual(u8),
    Any(u16),
}

const USUAL: [u16; 24] = [
    200, 400, 500, 201, 204, 206, 301, 304, 307, 401, 403, 404, 405, 407, 408, 409, 411, 412, 413, 416, 429,
    502, 503, 504,
];

impl Status {
    /// 200 to 999: what is below is between the client and the server.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Usual(index) => USUAL[usize::from(index) % USUAL.len()],
            Self::Any(code) => 200 + code % 800,
        }
    }
}

type Handler = Box<dyn FnMut(&HttpRequest) -> Reply + Send>;

/// The server.
#[derive(Clone, Default)]
pub struct Server(Arc<Mutex<Option<Handler>>>);

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server")
    }
}

impl Server {
    /// Answers all requests from now on.
    pub fn answer(&self, handler: impl FnMut(&HttpRequest) -> Reply + Send + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(handler));
    }

    /// An HTTP client that reaches this server whatever the address.
    #[must_use]
    pub fn client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }
}

impl HttpConnector for Server {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut handler = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = handler.as_mut().map_or(Reply::Lost(Loss::Io), |handler| handler(&request));
        HttpConnectorFuture::ready(match reply {
            Reply::Answer { status, headers, body } => {
                let status = status.try_into().expect("a status of three digits");
                let mut response = HttpResponse::new(status, SdkBody::from(body));
                for (name, value) in headers {
                    // One that can't be sent is not sent.
                    let _ = response.headers_mut().try_insert(name, value);
                }
                Ok(response)
            }
            Reply::Lost(Loss::Timeout) => Err(ConnectorError::timeout("it took too long".into())),
            Reply::Lost(Loss::Io) => Err(ConnectorError::io("the connection was reset".into())),
            Reply::Lost(Loss::Unconnected) => Err(ConnectorError::io("refused".into()).never_connected()),
            Reply::Lost(Loss::Other) => Err(ConnectorError::other("the answer was cut short".into(), None)),
        })
    }
}

/// Runs a future that waits for nothing.
///
/// # Panics
/// If no runtime can be made.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}
