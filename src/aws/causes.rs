//! The chain of causes of an error.

use std::error::Error;

/// The first in the chain of causes that is a `T`.
pub(super) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// What the root of the trouble says, which is what helps; unless it is just that time ran out, for then what stands
/// above it says which.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = causes(error).map(ToString::to_string).collect();
    let bare = ["operation timed out", "timed out", "timeout"];
    while said.len() > 1 && said.last().is_some_and(|last| bare.contains(&last.as_str())) {
        said.pop();
    }
    said.pop().and_then(|said| said.lines().next().map(str::to_owned)).unwrap_or_default()
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
