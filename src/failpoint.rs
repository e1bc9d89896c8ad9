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

/// Fails with a number of the operating system where `FAILPOINTS` says `NAME=return(NUMBER)`.
/// (`NAME=1*return(NUMBER)` fails once.)
#[cfg(feature = "failpoints")]
pub(crate) fn errno(name: &str) -> std::io::Result<()> {
    number(name).map_or(Ok(()), |number| Err(std::io::Error::from_raw_os_error(number)))
}

/// Returns NUMBER where `FAILPOINTS` says `NAME=return(NUMBER)`.
#[cfg(feature = "failpoints")]
pub(crate) fn number(name: &str) -> Option<i32> {
    fail::fail_point!(name, |number| {
        let number = number.and_then(|number| number.parse().ok());
        debug_assert!(number.is_some(), "the failpoint {name} has no number");
        number
    });
    None
}

/// Succeeds.
#[cfg(not(feature = "failpoints"))]
#[inline]
#[expect(clippy::unnecessary_wraps, reason = "the other one fails")]
pub(crate) fn errno(_: &str) -> std::io::Result<()> {
    Ok(())
}

/// Returns nothing.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) fn number(_: &str) -> Option<i32> {
    None
}

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
