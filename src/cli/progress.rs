//! The progress of what takes more than a moment: a bar on a terminal, and a line now and then elsewhere.

use super::{notices::Notices, render};
use crate::{
    failpoint,
    ops::{Observer, Phase},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Shows bars, and passes warnings on.
pub(super) struct Progress {
    notices: Arc<Notices>,
    /// Where bars are drawn; nowhere if `None`.
    target: Option<fn() -> ProgressDrawTarget>,
    /// What is over sooner is not worth a bar.
    delay: Duration,
    /// How often a line is printed where there are no bars; never if `None`.
    every: Option<Duration>,
    going: Mutex<Option<Going>>,
}

struct Going {
    what: &'static str,
    /// When the last line was printed, or the phase began.
    said: Instant,
    since: Instant,
    total: Option<u64>,
    done: u64,
    bar: ProgressBar,
    shown: bool,
}

/// How often there is a sign of life off a terminal, such as in the log of a pipeline.
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
    /// Bars on stderr, if they are wanted there; else a line every 10 seconds.
    pub fn new(notices: Arc<Notices>, bars: bool) -> Self {
        let stderr: fn() -> ProgressDrawTarget = || ProgressDrawTarget::stderr_with_hz(TIMES_A_SECOND);
        let seconds = failpoint::number("progress").and_then(|seconds| u64::try_from(seconds).ok());
        let every = seconds.map_or(EVERY, Duration::from_secs);
        let (target, every) = if bars { (Some(stderr), None) } else { (None, Some(every)) };
        Self { notices, target, delay: MOMENT, every, going: Mutex::new(None) }
    }
}

impl Observer for Progress {
    fn begin(&self, phase: Phase, bytes: Option<u64>) {
        if self.target.is_none() && self.every.is_none() {
            return;
        }
        // Hidden at first, so that its rate is right when it is shown.
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::hidden());
        bar.set_style(style(bytes.is_some()));
        let what = match phase {
            Phase::Hashing => "reading",
            Phase::Uploading => "uploading",
            Phase::Downloading => "downloading",
        };
        bar.set_message(what);
        let now = Instant::now();
        let going = Going { what, said: now, since: now, total: bytes, done: 0, bar, shown: false };
        *self.going.lock().unwrap_or_else(PoisonError::into_inner) = Some(going);
    }

    fn resume(&self, bytes: u64) {
        let size = render::size(bytes);
        self.notices.note(&format!("going on after an interruption: {size} are there already"));
        if let Some(going) = &mut *self.going.lock().unwrap_or_else(PoisonError::into_inner) {
            going.done += bytes;
            // Not counted into the rate.
            going.bar.set_position(going.done);
            going.bar.reset_eta();
        }
    }

    fn advance(&self, bytes: u64) {
        let mut going = self.going.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(going) = &mut *going else { return };
        going.done += bytes;
        if self.every.is_some_and(|every| going.said.elapsed() >= every) {
            going.said = Instant::now();
            self.notices.note(&going.line());
        }
        let Some(target) = self.target else { return };
        // What is tried again is counted again.
        going.bar.set_position(going.total.map_or(going.done, |total| total.min(going.done)));
        if !going.shown && going.since.elapsed() >= self.delay {
            going.shown = true;
            going.bar.set_draw_target(target());
            going.bar.tick();
            going.bar.enable_steady_tick(REDRAWN);
            self.notices.show(Some(going.bar.clone()));
        }
    }

    fn end(&self) {
        if let Some(going) = self.going.lock().unwrap_or_else(PoisonError::into_inner).take()
            && going.shown
        {
            self.notices.show(None);
        }
    }

    fn warn(&self, warning: &str) {
        self.notices.warn(warning);
    }
}

impl Going {
    fn line(&self) -> String {
        match self.total {
            // What is tried again is counted again.
            Some(total) => {
                format!("{}: {} of {}", self.what, render::size(self.done.min(total)), render::size(total))
            }
            None => format!("{}: {}", self.what, render::size(self.done)),
        }
    }
}

fn style(total_is_known: bool) -> ProgressStyle {
    let template = if total_is_known {
        "{msg} [{wide_bar}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} left"
    } else {
        "{msg} {binary_bytes} {binary_bytes_per_sec}"
    };
    ProgressStyle::with_template(template).expect("the template is right").progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::notices::Format;
    use indicatif::TermLike;
    use std::{io, thread};

    /// What was drawn, by all terminals of a thread's tests.
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
        Progress { notices, target, delay, every: None, going: Mutex::new(None) }
    }

    #[test]
    fn a_bar_is_drawn_once_it_takes_more_than_a_moment_and_is_gone_at_the_end() {
        let target = || ProgressDrawTarget::term_like(Box::new(Terminal));
        // What is over before the moment is.
        let quick = progress(Some(target), Duration::MAX);
        quick.begin(Phase::Hashing, Some(1 << 20));
        quick.advance(1 << 20);
        quick.end();
        assert_eq!(*DRAWN.lock().unwrap(), "");

        let slow = progress(Some(target), Duration::ZERO);
        slow.begin(Phase::Uploading, Some(3 << 20));
        // From several threads at once, and more than there is: what is tried again is counted again.
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
    }

    #[test]
    fn there_are_no_bars_where_none_are_wanted() {
        let silent = progress(None, Duration::ZERO);
        silent.begin(Phase::Downloading, None);
        silent.advance(1);
        silent.end();
        assert!(silent.going.lock().unwrap().is_none());
    }
}
