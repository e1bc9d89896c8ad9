//! Sending a blob to the store, for as long as that makes progress.

use super::{
    client::Client,
    error::Error,
    observer::{Observer, Phase},
};
use crate::{
    failpoint::reach,
    model::Address,
    retry::Heartbeat,
    store::{Content, Put, Sent},
};
use std::sync::{Arc, Mutex, PoisonError};

impl Client {
    /// Stores a blob under its address, unless it is there. The deadline counts from the last progress: a byte that was
    /// not sent before, or a part that the store has kept.
    pub(super) async fn upload(
        &self,
        address: &Address,
        content: &Content,
        expected: bool,
        observer: &Arc<dyn Observer>,
    ) -> Result<(), Error> {
        let heartbeat = Heartbeat::new();
        let progress = Mutex::new(Progress::default());
        let progress = || progress.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = |sent| {
            reach("add-sending");
            let step = progress().step(sent);
            if step.is_progress {
                heartbeat.beat();
            }
            match sent {
                // A try that is made again finds the parts of the one before, and that is no interruption to anyone.
                Sent::Before(bytes) if step.is_first => observer.resume(bytes),
                Sent::Before(_) | Sent::Kept(_) | Sent::Compared(_) => {}
                Sent::Now(_) => observer.advance(step.new),
            }
        };
        let doing = format!("storing {address}");
        observer.begin(Phase::Uploading, Some(content.size()));
        let put = || {
            progress().begin();
            self.store.put(address, content, expected, &sent)
        };
        let put = self.retry_policy.run_while(&heartbeat, &doing, put).await;
        observer.end();
        if put? == Put::Replaced {
            observer.warn(&format!("the object {address} was damaged in the store; it has been replaced"));
        }
        Ok(())
    }
}

/// How far the tries of an upload got. What a try sends again, after the store took it and failed, is no progress: a
/// store that does so all the time would never be given up.
#[derive(Debug, Default)]
struct Progress {
    now: Reached,
    /// The most of each that a try has reached.
    most: Reached,
    begun: bool,
}

/// How far a try got, in bytes.
#[derive(Debug, Default)]
struct Reached {
    /// Sent, or found.
    sent: u64,
    /// Acknowledged, or found.
    kept: u64,
    /// Read to compare it.
    compared: u64,
}

/// What a report of the store means.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    is_first: bool,
    is_progress: bool,
    /// How many bytes were not sent before.
    new: u64,
}

impl Progress {
    /// A try begins.
    fn begin(&mut self) {
        self.now = Reached::default();
    }

    fn step(&mut self, sent: Sent) -> Step {
        let Reached { sent: moved, kept, compared } = &mut self.now;
        match sent {
            Sent::Now(bytes) => *moved += bytes,
            Sent::Before(bytes) => (*moved, *kept) = (*moved + bytes, *kept + bytes),
            Sent::Kept(bytes) => *kept += bytes,
            Sent::Compared(bytes) => *compared += bytes,
        }
        let new = moved.saturating_sub(self.most.sent);
        let is_progress = new > 0 || *kept > self.most.kept || *compared > self.most.compared;
        self.most.sent += new;
        self.most.kept = self.most.kept.max(*kept);
        self.most.compared = self.most.compared.max(*compared);
        let is_first = !self.begun;
        self.begun |= !matches!(sent, Sent::Compared(_));
        Step { is_first, is_progress, new }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resent_bytes_are_no_progress() {
        let mut progress = Progress::default();
        let mut step = |sent| {
            let Step { is_progress, new, .. } = progress.step(sent);
            (is_progress, new)
        };
        assert_eq!([Sent::Now(6), Sent::Now(4)].map(&mut step), [(true, 6), (true, 4)]);
        progress.begin();
        let mut step = |sent| {
            let Step { is_progress, new, .. } = progress.step(sent);
            (is_progress, new)
        };
        // The store has failed after it took all, and has kept a part.
        assert_eq!(
            [Sent::Before(3), Sent::Now(6), Sent::Now(2)].map(&mut step),
            [(true, 0), (false, 0), (true, 1)]
        );
        progress.begin();
        let again = [Sent::Before(3), Sent::Now(7)].map(|sent| progress.step(sent).is_progress);
        assert_eq!(again, [false, false]);
        // It is acknowledged at last; but not by the next try again.
        assert!(progress.step(Sent::Kept(7)).is_progress);
        progress.begin();
        let again = [Sent::Now(10), Sent::Kept(3), Sent::Kept(7)].map(|sent| progress.step(sent).is_progress);
        assert_eq!(again, [false, false, false]);
    }

    #[test]
    fn comparing_is_progress_once() {
        let mut progress = Progress::default();
        let mut beats = Vec::new();
        for _ in 0..2 {
            progress.begin();
            beats.push([Sent::Compared(4), Sent::Compared(4), Sent::Now(9)].map(|sent| progress.step(sent)));
        }
        let beats = beats.concat().iter().map(|step| (step.is_progress, step.new)).collect::<Vec<_>>();
        assert_eq!(beats, [(true, 0), (true, 0), (true, 9), (false, 0), (false, 0), (false, 0)]);
    }
}
