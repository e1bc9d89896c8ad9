//! The parts of a blob that one request fetches.

use std::ops::Range;

/// The most consecutive parts that one request asks for. Each request costs its server and a round trip, so that a large
/// blob in requests of 8 MiB leaves a fast link idle; a part is still what is kept of an interrupted download.
const RUN: u64 = 4;

/// The parts that are to be asked for, a request at a time.
pub(super) struct Runs {
    pub next: u64,
    pub parts: u64,
}

impl Runs {
    /// The next consecutive parts that are not there, where this many requests are under way: fewer parts toward the end, so
    /// that the last requests end together.
    pub fn next(&mut self, jobs: usize, is_there: impl Fn(u64) -> bool) -> Option<Range<u64>> {
        let start = (self.next..self.parts).find(|part| !is_there(*part))?;
        let most = ((self.parts - start) / (4 * jobs as u64)).clamp(1, RUN);
        let end = (start + 1..start + most).find(|part| is_there(*part)).unwrap_or(start + most);
        self.next = end;
        Some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn runs(parts: u64, jobs: usize, there: &[u64]) -> Vec<Range<u64>> {
        let mut runs = Runs { next: 0, parts };
        std::iter::from_fn(|| runs.next(jobs, |part| there.contains(&part))).collect()
    }

    #[test]
    fn a_request_asks_for_more_where_there_is_much_and_never_for_what_is_there() {
        assert_eq!(runs(2, 4, &[]), [0..1, 1..2]);
        assert_eq!(runs(1, 4, &[0]), []);
        assert_eq!(runs(5, 1, &[1]), [0..1, 2..3, 3..4, 4..5]);
        let many = runs(128, 4, &[2, 9]);
        assert_eq!(many[..4], [0..2, 3..7, 7..9, 10..14]);
        assert_eq!(many.last(), Some(&(127..128)));
        // Each part once, and at least as many requests at the end as are under way at once.
        let asked: Vec<_> =
            many.iter().cloned().flatten().chain([2, 9]).collect::<BTreeSet<_>>().into_iter().collect();
        assert_eq!(asked, (0..128).collect::<Vec<_>>());
        assert_eq!(many.iter().map(|run| run.end - run.start).sum::<u64>(), 126);
        assert!(many[many.len() - 4..].iter().all(|run| run.end - run.start == 1));
    }
}
