//! Connections that are made before the first request.

use aws_smithy_http_client::pool::DriverSpawner;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeTransmitInterceptorContextMut},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use std::{
    cell::RefCell,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use tokio::runtime::Handle;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

thread_local! {
    /// The HTTP client's tasks that run concurrently with a request that has only begun.
    static HELD: RefCell<Option<Vec<Task>>> = const { RefCell::new(None) };
}

/// Returns the spawner of the HTTP client's tasks that run concurrently with a request, such as connecting.
pub(super) fn spawner() -> DriverSpawner {
    DriverSpawner::from_fn(|task| {
        let task = HELD.with_borrow_mut(|held| match held {
            Some(held) => {
                held.push(task);
                None
            }
            None => Some(task),
        });
        // Without a runtime the request no longer exists either.
        if let (Some(task), Ok(runtime)) = (task, Handle::try_current()) {
            runtime.spawn(task);
        }
    })
}

/// Begins a request that finds no connection, so that one is made for it. The request is not sent until it is
/// awaited; the client begins to connect as soon as the request is polled once. Returns `None` if the request has
/// failed.
pub(super) fn begin<F: Future>(request: F) -> Option<Pin<Box<F>>> {
    let mut request = Box::pin(request);
    HELD.set(Some(Vec::new()));
    let begun = request.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let held = HELD.take().unwrap_or_default();
    for task in held {
        drop(Handle::current().spawn(task));
    }
    matches!(begun, Poll::Pending).then_some(request)
}

/// Makes an operation connect to the address of its request, and send nothing. The operation returns at once, with an
/// error, and the next request to the same address uses the connection. That request also reports any error of
/// connecting.
///
/// Without effect after a request to the same address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectOnly;

impl Intercept for ConnectOnly {
    fn name(&self) -> &'static str {
        "ConnectOnly"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().add_extension(*self);
        Ok(())
    }
}
