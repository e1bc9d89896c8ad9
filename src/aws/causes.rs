//! The chain of causes of an error.

use std::error::Error;

/// Returns the first error of type `T` in the chain of causes.
pub(super) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// Returns the text of the root cause. A root cause that is just a timeout is skipped, since the error above it says
/// which.
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
