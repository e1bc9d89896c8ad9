//! The trace of a CI job, of which a run is a part: `TRACEPARENT` and `TRACESTATE`.
//!
//! The form is that of the [W3C](https://www.w3.org/TR/trace-context/#traceparent-header), which says to ignore a value
//! that is not valid.

use super::super::environment::Environment;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The version of the form; a later one may be followed by more.
const VERSION: &str = "00";

/// Returns the span that the environment names as the parent.
pub(super) fn parent(environment: &Environment) -> Option<SpanContext> {
    let text = |name| environment.filled(name)?.into_string().ok();
    let state = text("TRACESTATE").and_then(|state| state.parse().ok()).unwrap_or_default();
    read(&text("TRACEPARENT")?, state)
}

fn read(text: &str, state: TraceState) -> Option<SpanContext> {
    let is_hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let mut parts = text.splitn(5, '-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_valid =
        is_hex(version, 2) && version != "ff" && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
    if !is_valid || version == VERSION && parts.next().is_some() {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let parent = SpanContext::new(trace, span, flags, true, state);
    parent.is_valid().then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn sampled(text: &str) -> Option<bool> {
        let parent = read(text, TraceState::default())?;
        assert_eq!(
            (parent.trace_id().to_string(), parent.span_id().to_string()),
            (TRACE.into(), SPAN.into())
        );
        Some(parent.is_sampled())
    }

    #[test]
    fn a_parent_of_this_or_a_later_version_is_read() {
        assert_eq!(sampled(&format!("00-{TRACE}-{SPAN}-01")), Some(true));
        assert_eq!(sampled(&format!("00-{TRACE}-{SPAN}-00")), Some(false));
        assert_eq!(sampled(&format!("00-{TRACE}-{SPAN}-03")), Some(true));
        assert_eq!(sampled(&format!("cc-{TRACE}-{SPAN}-01")), Some(true));
        assert_eq!(sampled(&format!("cc-{TRACE}-{SPAN}-01-more-of-it")), Some(true));
    }

    #[test]
    fn another_value_is_ignored() {
        let (zero_trace, zero_span) = ("0".repeat(32), "0".repeat(16));
        let (upper, long, signed) = (TRACE.to_uppercase(), format!("{TRACE}0"), format!("+{}", &TRACE[1..]));
        for text in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("cc-{TRACE}-{SPAN}-01more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("00-{zero_trace}-{SPAN}-01"),
            format!("00-{TRACE}-{zero_span}-01"),
            format!("00-{upper}-{SPAN}-01"),
            format!("00-{long}-{SPAN}-01"),
            format!("00-{signed}-{SPAN}-01"),
            format!("00-{SPAN}-{TRACE}-01"),
        ] {
            assert_eq!(sampled(&text), None, "{text}");
        }
    }

    #[test]
    fn the_state_of_the_trace_is_kept_if_it_is_valid() {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        let state = |state: &'static str| {
            let parent = parent.clone();
            let variables = move |name: &str| match name {
                "TRACEPARENT" => Some(parent.clone().into()),
                "TRACESTATE" => Some(state.into()),
                _ => None,
            };
            super::parent(&Environment::new(variables)).unwrap().trace_state().header()
        };
        assert_eq!(state("ci=42,other=x"), "ci=42,other=x");
        assert_eq!(state("no state"), "");
    }
}
