//! Failpoints: named places at which a test stops the program, to kill it there. Empty without the feature
//! `failpoints`.

/// Returns, unless `FAILPOINTS` contains `NAME=return(FILE)`: then creates FILE, as a sign that this place was reached,
/// and blocks permanently. (`NAME=1*off->return(FILE)` lets the first one pass.)
#[cfg(feature = "failpoints")]
pub(crate) fn reach(name: &str) {
    fail::fail_point!(name, |sign| {
        // A test that waits for the sign finds that there is none.
        let made = sign.map(std::fs::File::create);
        debug_assert!(
            made.is_some_and(|made| made.is_ok()),
            "the failpoint {name} names no file for its sign"
        );
        loop {
            std::thread::park();
        }
    });
}

/// Does nothing.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) fn reach(_: &str) {}

/// Fails with an error number of the operating system if `FAILPOINTS` contains `NAME=return(NUMBER)`.
/// (`NAME=1*return(NUMBER)` fails once.)
#[cfg(feature = "failpoints")]
pub(crate) fn errno(name: &str) -> std::io::Result<()> {
    number(name).map_or(Ok(()), |number| Err(std::io::Error::from_raw_os_error(number)))
}

/// Returns NUMBER if `FAILPOINTS` contains `NAME=return(NUMBER)`.
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

/// Reads `FAILPOINTS`. The failpoints are active until the result is dropped.
#[cfg(feature = "failpoints")]
pub(crate) fn set_up() -> impl Drop {
    fail::FailScenario::setup()
}

/// The result of [`set_up`] without failpoints.
#[cfg(not(feature = "failpoints"))]
pub(crate) struct NoFailpoints;

/// Does nothing.
#[cfg(not(feature = "failpoints"))]
pub(crate) fn set_up() -> NoFailpoints {
    NoFailpoints
}
