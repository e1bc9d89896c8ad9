//! The settings of the export, in the standard variables of OpenTelemetry.
//!
//! They are those of the [exporter](https://opentelemetry.io/docs/specs/otel/protocol/exporter/) and of the
//! [SDK](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). The libraries read the
//! headers, the attributes of the resource, the sampler and the size of a batch themselves.

use super::super::environment::Environment;
use std::{path::PathBuf, time::Duration};
use url::Url;

/// Variables for traces, each before the one for everything.
const ENDPOINT: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOL: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const TIMEOUT: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
const CERTIFICATE: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"];
/// The path of traces, below an endpoint of everything.
const PATH: &str = "/v1/traces";
/// The protocol that is supported.
const SUPPORTED: &str = "http/protobuf";
/// The time for a request that the standard gives.
const STANDARD_TIMEOUT: Duration = Duration::from_secs(10);
/// The most spans that wait. The standard gives this number, too; the environment can only lower it, since the memory
/// is taken at the start.
const MOST_WAITING: usize = 2048;
/// The time between two batches that the standard gives.
const STANDARD_DELAY: Duration = Duration::from_secs(5);

/// The place to which a trace goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    /// The address of the collector's traces.
    pub endpoint: Url,
    /// The most time for one request.
    pub timeout: Duration,
    /// A PEM file of trusted authorities, in place of the system's.
    pub certificate: Option<PathBuf>,
    /// The number of spans that can wait.
    pub waiting: usize,
    /// The time between two batches.
    pub delay: Duration,
}

impl Settings {
    /// Returns the settings; `None` if the environment requests no trace.
    ///
    /// # Errors
    /// The variable whose value can't be used.
    pub fn find(environment: &Environment) -> Result<Option<Self>, String> {
        let Some((variable, address)) = first(environment, ENDPOINT) else { return Ok(None) };
        let text = |name| environment.filled(name).map(|value| value.to_string_lossy().into_owned());
        let disabled = text("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let elsewhere = text("OTEL_TRACES_EXPORTER")
            .is_some_and(|exporters| exporters.split(',').all(|exporter| exporter.trim() != "otlp"));
        if disabled || elsewhere {
            return Ok(None);
        }
        if let Some((variable, protocol)) = first(environment, PROTOCOL)
            && protocol != SUPPORTED
        {
            return Err(format!("{variable} is {protocol}, and only {SUPPORTED} is supported"));
        }
        let endpoint = endpoint(&address, variable == ENDPOINT[0]).ok_or_else(|| {
            // The value may contain a password.
            format!("{variable} is not the address of a collector, such as http://localhost:4318")
        })?;
        // Another value, such as 0 for a time, is ignored.
        let number = |text: String| text.parse::<u32>().ok().filter(|number| *number > 0);
        let milliseconds = |text: String| Some(Duration::from_millis(number(text)?.into()));
        let timeout = first(environment, TIMEOUT).and_then(|(_, timeout)| milliseconds(timeout));
        let certificate = CERTIFICATE.into_iter().find_map(|name| environment.filled(name));
        let waiting = text("OTEL_BSP_MAX_QUEUE_SIZE").and_then(number);
        let waiting = waiting.and_then(|waiting| usize::try_from(waiting).ok());
        Ok(Some(Self {
            endpoint,
            timeout: timeout.unwrap_or(STANDARD_TIMEOUT),
            certificate: certificate.map(PathBuf::from),
            waiting: waiting.map_or(MOST_WAITING, |waiting| waiting.min(MOST_WAITING)),
            delay: text("OTEL_BSP_SCHEDULE_DELAY").and_then(milliseconds).unwrap_or(STANDARD_DELAY),
        }))
    }
}

/// Returns the first variable that is set, and its value.
fn first(environment: &Environment, names: [&'static str; 2]) -> Option<(&'static str, String)> {
    names.into_iter().find_map(|name| Some((name, environment.filled(name)?.to_string_lossy().into_owned())))
}

/// Returns the address of traces. `exact` is true for an address that is used as it is.
fn endpoint(text: &str, exact: bool) -> Option<Url> {
    let mut url = Url::parse(text.trim()).ok()?;
    if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none_or(str::is_empty) {
        return None;
    }
    // They are never sent, and the address is shown in warnings.
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    if !exact {
        let path = format!("{}{PATH}", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(variables: &[(&'static str, &'static str)]) -> Result<Option<Settings>, String> {
        let variables = variables.to_vec();
        let lookup =
            move |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, it)| it.into());
        Settings::find(&Environment::new(lookup))
    }

    fn endpoint_of(variables: &[(&'static str, &'static str)]) -> String {
        find(variables).unwrap().unwrap().endpoint.to_string()
    }

    #[test]
    fn the_path_of_traces_is_added_to_the_address_of_everything_alone() {
        let (all, traces) = (ENDPOINT[1], ENDPOINT[0]);
        for (address, expected) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            ("https://api.test/otlp/?key=1", "https://api.test/otlp/v1/traces?key=1"),
            ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
            ("https://ann:secret@api.test", "https://api.test/v1/traces"),
        ] {
            assert_eq!(endpoint_of(&[(all, address)]), expected);
        }
        assert_eq!(
            endpoint_of(&[(all, "http://a.test"), (traces, "http://b.test/own")]),
            "http://b.test/own"
        );
    }

    #[test]
    fn a_value_that_can_not_be_used_is_refused_by_its_variable_and_not_shown() {
        for address in
            ["localhost:4318", "4318", "grpc://secret.test", "http://", "http://secret:port/", "unix:/s"]
        {
            let refused = find(&[(ENDPOINT[1], address)]).unwrap_err();
            assert!(refused.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT is not the address"), "{refused}");
            assert!(!refused.contains("secret"), "{refused}");
        }
        let address = (ENDPOINT[1], "http://localhost");
        let refused = find(&[address, (PROTOCOL[1], "grpc")]).unwrap_err();
        assert_eq!(refused, "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, and only http/protobuf is supported");
        assert!(find(&[address, (PROTOCOL[1], "grpc"), (PROTOCOL[0], SUPPORTED)]).unwrap().is_some());
    }

    #[test]
    fn a_trace_is_requested_by_an_address_that_nothing_disables() {
        let address = (ENDPOINT[1], "http://localhost");
        for (variables, expected) in [
            (&[][..], false),
            (&[(ENDPOINT[1], "")], false),
            (&[address], true),
            (&[address, ("OTEL_SDK_DISABLED", "True")], false),
            (&[address, ("OTEL_SDK_DISABLED", "1")], true),
            (&[address, ("OTEL_TRACES_EXPORTER", "none")], false),
            (&[address, ("OTEL_TRACES_EXPORTER", "console")], false),
            (&[address, ("OTEL_TRACES_EXPORTER", "console, otlp")], true),
            (&[address, ("OTEL_TRACES_EXPORTER", "")], true),
        ] {
            assert_eq!(find(variables).unwrap().is_some(), expected, "{variables:?}");
        }
        // A program that is disabled has no wrong settings.
        assert_eq!(find(&[(ENDPOINT[1], "wrong"), ("OTEL_SDK_DISABLED", "true")]), Ok(None));
    }

    #[test]
    fn the_time_for_a_request_is_in_milliseconds() {
        let address = (ENDPOINT[1], "http://localhost");
        let timeout = |variables: &[_]| find(&[&[address], variables].concat()).unwrap().unwrap().timeout;
        assert_eq!(timeout(&[]), Duration::from_secs(10));
        assert_eq!(timeout(&[(TIMEOUT[1], "1500")]), Duration::from_millis(1500));
        assert_eq!(timeout(&[(TIMEOUT[1], "1500"), (TIMEOUT[0], "70")]), Duration::from_millis(70));
        for ignored in ["0", "-1", "1s", ""] {
            assert_eq!(timeout(&[(TIMEOUT[1], ignored)]), Duration::from_secs(10), "{ignored}");
        }
    }

    #[test]
    fn no_environment_makes_the_queue_longer_or_a_batch_constant_work() {
        let batches = |variables: &[_]| {
            let found = find(&[&[(ENDPOINT[1], "http://localhost")], variables].concat()).unwrap().unwrap();
            (found.waiting, found.delay)
        };
        let standard = (2048, Duration::from_secs(5));
        assert_eq!(batches(&[]), standard);
        let (queue, delay) = ("OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_SCHEDULE_DELAY");
        assert_eq!(batches(&[(queue, "7"), (delay, "20")]), (7, Duration::from_millis(20)));
        for (length, time) in [("2049", "0"), ("0", "-5"), ("4000000000", "x"), ("many", "")] {
            assert_eq!(batches(&[(queue, length), (delay, time)]), standard, "{length} {time}");
        }
    }
}
