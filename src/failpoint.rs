//! Named places at which a test stops the program, to kill it there: nothing at all without the feature `failpoints`.

/// Goes on, unless `FAILPOINTS` says `NAME=return(FILE)`: then makes FILE, as a sign that it got here, and stands still
/// for ever. (`NAME=1*off->return(FILE)` lets the first one pass.)
#[cfg(feature = "failpoints")]
pub(crate) fn reach(name: &str) {
    fail::fail_point!(name, |sign| {
        // Whoever waits for the sign sees that there is none.
        let made = sign.map(std::fs::File::create);
        debug_assert!(
            made.is_some_and(|made| made.is_ok()),
            "the failpoint {name} has no place for its sign"
        );
        loop {
            std::thread::park();
        }
    });
}

/// Goes on.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) fn reach(_: &str) {}

/// Reads `FAILPOINTS`. The failpoints last as long as what is returned.
#[cfg(feature = "failpoints")]
pub(crate) fn set_up() -> impl Drop {
    fail::FailScenario::setup()
}

/// What stands in for the failpoints where there are none.
#[cfg(not(feature = "failpoints"))]
pub(crate) struct NoFailpoints;

/// Does nothing.
#[cfg(not(feature = "failpoints"))]
pub(crate) fn set_up() -> NoFailpoints {
    NoFailpoints
}
