//! The server's clock and name, from the headers `Date` and `Server` of its last answer.

use super::date::date;
use crate::{clock::ServerTime, model::Timestamp};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeDeserializationInterceptorContextRef},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The time of a server, from its last answer, and the server's name. Clones share both.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock {
    time: ServerTime,
    server: Arc<Mutex<Option<String>>>,
}

impl Clock {
    /// Returns the server's present time; `None` if no answer has stated one. It is late by up to a second, since the
    /// header has whole seconds, and by the time that an answer takes to arrive.
    pub fn now(&self) -> Option<Timestamp> {
        self.time.earliest()
    }

    /// Returns the name of the server's program, if an answer has stated one.
    pub fn server(&self) -> Option<String> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, text: &str) {
        if let Some(time) = date(text) {
            self.time.note(time, Duration::ZERO);
        }
    }
}

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.set(date);
        }
        if let Some(server) = context.response().headers().get("server") {
            *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server.to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_is_that_of_the_last_answer_that_stated_one() {
        let clock = Clock::default();
        assert_eq!(clock.now(), None);
        clock.set("Sat, 03 Jan 2026 03:04:05 GMT");
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert_eq!(clock.now().unwrap().to_string(), "2026-01-03T03:04:06.500Z");
        clock.set("yesterday");
        clock.set("Thu, 01 Jan 1960 00:00:00 GMT");
        assert_eq!(clock.now().unwrap().to_string(), "2026-01-03T03:04:06.500Z");
        clock.set("Fri, 02 Jan 2026 00:00:00 GMT");
        assert_eq!(clock.now().unwrap().to_string(), "2026-01-02T00:00:00.000Z");
    }
}
