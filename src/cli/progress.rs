//! The progress of long operations: a bar on a terminal, and a line now and then elsewhere.

use super::{notices::Notices, render};
use crate::{
    failpoint,
    ops::{Observer, Phase},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

/// Shows progress, and passes warnings on.
pub(super) struct Progress(Arc<Shared>);

struct Shared {
    notices: Arc<Notices>,
    /// The target that bars are drawn on; `None` draws none.
    target: Option<fn() -> ProgressDrawTarget>,
    /// The duration of a phase before its bar is shown.
    delay: Duration,
    /// The interval of the lines that are printed where there are no bars; `None` prints none.
    every: Option<Duration>,
    going: Mutex<Option<Going>>,
}

struct Going {
    what: &'static str,
    unit: Unit,
    /// The time of the last printed line, or of the phase's begin.
    said: Instant,
    since: Instant,
    total: Option<u64>,
    done: u64,
    bar: ProgressBar,
    shown: bool,
    /// Stops, when dropped, the thread that redraws while nothing advances.
    _ticking: Option<Sender<()>>,
}

/// The things that a phase counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Byte,
    /// Things with this singular name.
    Each(&'static str),
}

/// The interval of progress lines without a terminal, such as in the log of a pipeline.
const EVERY: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(500);
const REDRAWN: Duration = Duration::from_millis(200);
const TIMES_A_SECOND: u8 = 10;

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

impl Progress {
    /// Returns progress with bars on stderr, or, without bars, with a line every 10 seconds.
    pub fn new(notices: Arc<Notices>, bars: bool) -> Self {
        let stderr: fn() -> ProgressDrawTarget = || ProgressDrawTarget::stderr_with_hz(TIMES_A_SECOND);
        let seconds = failpoint::number("progress").and_then(|seconds| u64::try_from(seconds).ok());
        let every = seconds.map_or(EVERY, Duration::from_secs);
        let (target, every) = if bars { (Some(stderr), None) } else { (None, Some(every)) };
        Self(Arc::new(Shared { notices, target, delay: MOMENT, every, going: Mutex::new(None) }))
    }
}

impl Shared {
    fn going(&self) -> MutexGuard<'_, Option<Going>> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds to the count, and shows it if that is due.
    fn advance(&self, by: u64) {
        let mut going = self.going();
        let Some(going) = &mut *going else { return };
        going.done += by;
        if self.every.is_some_and(|every| going.said.elapsed() >= every) {
            going.said = Instant::now();
            self.notices.note(&going.line());
        }
        let Some(target) = self.target else { return };
        // A retry counts the same bytes again.
        going.bar.set_position(going.total.map_or(going.done, |total| total.min(going.done)));
        if !going.shown && going.since.elapsed() >= self.delay {
            going.shown = true;
            going.bar.set_draw_target(target());
            going.bar.tick();
            going.bar.enable_steady_tick(REDRAWN);
            self.notices.show(Some(going.bar.clone()));
        }
    }

    /// Shows the progress at intervals, even while nothing advances, until the sender is dropped.
    fn tick(self: &Arc<Self>) -> Option<Sender<()>> {
        let gap = if self.target.is_some() { self.delay } else { self.every? };
        let gap = gap.max(REDRAWN);
        let (ticking, ended) = mpsc::channel();
        let shared = Arc::clone(self);
        // Without the thread, progress is only shown less often.
        let thread = thread::Builder::new().name("progress".to_owned()).spawn(move || {
            while ended.recv_timeout(gap) == Err(RecvTimeoutError::Timeout) {
                shared.advance(0);
            }
        });
        thread.is_ok().then_some(ticking)
    }
}

impl Observer for Progress {
    fn begin(&self, phase: Phase, total: Option<u64>) {
        if self.0.target.is_none() && self.0.every.is_none() {
            return;
        }
        let (what, unit) = match phase {
            Phase::Hashing => ("reading", Unit::Byte),
            Phase::Uploading => ("uploading", Unit::Byte),
            Phase::Downloading => ("downloading", Unit::Byte),
            Phase::Examining => ("examining the ledger", Unit::Each("item")),
            Phase::Listing => ("listing the store", Unit::Each("object")),
        };
        // Hidden at first, so that the rate is right when the bar is shown.
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        bar.set_style(style(unit, total.is_some()));
        bar.set_message(what);
        let now = Instant::now();
        // Bytes advance often enough without the thread.
        let ticking = if unit == Unit::Byte { None } else { self.0.tick() };
        let going =
            Going { what, unit, said: now, since: now, total, done: 0, bar, shown: false, _ticking: ticking };
        *self.0.going() = Some(going);
    }

    fn resume(&self, bytes: u64) {
        let size = render::size(bytes);
        self.0.notices.note(&format!("resuming an interrupted transfer: {size} were transferred before"));
        if let Some(going) = &mut *self.0.going() {
            going.done += bytes;
            // Left out of the rate.
            going.bar.set_position(going.done);
            going.bar.reset_eta();
        }
    }

    fn advance(&self, by: u64) {
        self.0.advance(by);
    }

    fn end(&self) {
        if let Some(going) = self.0.going().take()
            && going.shown
        {
            self.0.notices.show(None);
        }
    }

    fn warn(&self, warning: &str) {
        self.0.notices.warn(warning);
    }
}

impl Going {
    fn line(&self) -> String {
        let amount = |n| match self.unit {
            Unit::Byte => render::size(n),
            Unit::Each(name) => render::counted(n, name),
        };
        match self.total {
            // A retry counts the same bytes again.
            Some(total) => format!("{}: {} of {}", self.what, amount(self.done.min(total)), amount(total)),
            None => format!("{}: {}", self.what, amount(self.done)),
        }
    }
}

fn style(unit: Unit, total_is_known: bool) -> ProgressStyle {
    let template = match unit {
        Unit::Each(name) => format!("{{msg}}: {{human_pos}} {name}s, {{per_sec}}"),
        Unit::Byte if total_is_known => {
            "{msg} [{wide_bar}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} left"
                .to_owned()
        }
        Unit::Byte => "{msg} {binary_bytes} {binary_bytes_per_sec}".to_owned(),
    };
    ProgressStyle::with_template(&template).expect("the template is valid").progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::notices::Format;
    use indicatif::TermLike;
    use std::io;

    /// The text drawn on all terminals of this module's tests.
    static DRAWN: Mutex<String> = Mutex::new(String::new());

    #[derive(Debug)]
    struct Terminal;

    impl TermLike for Terminal {
        fn width(&self) -> u16 {
            80
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            *DRAWN.lock().unwrap() += text;
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            *DRAWN.lock().unwrap() += "[cleared]";
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn progress(target: Option<fn() -> ProgressDrawTarget>, delay: Duration) -> Progress {
        let notices = Arc::new(Notices::new(Format::Plain, false, false));
        Progress(Arc::new(Shared { notices, target, delay, every: None, going: Mutex::new(None) }))
    }

    #[test]
    fn a_bar_is_drawn_once_it_takes_more_than_a_moment_and_is_gone_at_the_end() {
        let target = || ProgressDrawTarget::term_like(Box::new(Terminal));
        // A phase that ends before the delay draws nothing.
        let quick = progress(Some(target), Duration::MAX);
        quick.begin(Phase::Hashing, Some(1 << 20));
        quick.advance(1 << 20);
        quick.end();
        assert_eq!(*DRAWN.lock().unwrap(), "");

        let slow = progress(Some(target), Duration::ZERO);
        slow.begin(Phase::Uploading, Some(3 << 20));
        // From several threads at once, and more than the total: a retry counts the same bytes again.
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| slow.advance(1 << 20));
            }
        });
        slow.end();
        let drawn = DRAWN.lock().unwrap();
        assert!(drawn.contains("uploading [") && drawn.contains("/3.00 MiB"), "{drawn}");
        assert!(!drawn.contains("4.00 MiB/"), "{drawn}");
        assert!(drawn.ends_with("[cleared]"), "{drawn}");
        drop(drawn);

        // A count is shown even while nothing advances.
        let counted = progress(Some(target), Duration::ZERO);
        counted.begin(Phase::Listing, None);
        for _ in 0..1000 {
            if DRAWN.lock().unwrap().contains("listing the store: 0 objects") {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        counted.advance(1234);
        counted.end();
        let drawn = DRAWN.lock().unwrap();
        assert!(drawn.contains("listing the store: 0 objects"), "{drawn}");
    }

    #[test]
    fn a_line_counts_what_the_phase_goes_through() {
        let notices = Arc::new(Notices::new(Format::Plain, true, false));
        let every = Some(Duration::MAX);
        let shared = Shared { notices, target: None, delay: MOMENT, every, going: Mutex::new(None) };
        let progress = Progress(Arc::new(shared));
        let line = |phase, total, done| {
            progress.begin(phase, total);
            progress.advance(done);
            progress.0.going().as_ref().unwrap().line()
        };
        assert_eq!(line(Phase::Examining, None, 1), "examining the ledger: 1 item");
        assert_eq!(line(Phase::Listing, None, 2000), "listing the store: 2000 objects");
        assert_eq!(line(Phase::Downloading, Some(1 << 20), 1 << 21), "downloading: 1.0 MiB of 1.0 MiB");
    }

    #[test]
    fn there_are_no_bars_where_none_are_wanted() {
        let silent = progress(None, Duration::ZERO);
        silent.begin(Phase::Downloading, None);
        silent.advance(1);
        silent.end();
        assert!(silent.0.going().is_none());
    }
}
