//! The contention of moves with each other and with a freeze, simulated from seeds: DynamoDB Local processes one request
//! after another, so it can't show what DynamoDB refuses. There, a transaction that arrives while another one with a
//! common item is in progress is refused, also if both only check the item.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    fmt::Write as _,
};

/// Milliseconds of a read before each attempt, and of a transaction.
const READ: u64 = 5;
const COMMIT: u64 = 10;
/// The first and the longest range of the sleep after a refusal.
const SLEEP: (u64, u64) = (20, 640);
/// The simulated time.
const TIME: u64 = 120_000;
/// The time after which a freeze gives up, and the time between two freezes.
const DEADLINE: u64 = 60_000;
const BETWEEN: u64 = 2_000;

/// The number of the freezer's transaction on the first item alone.
const ALONE: u64 = 1000;

/// The design: the number of items of which each move checks one; none for marks in heads.
const DESIGNS: [u64; 4] = [1, 8, 32, 64];
/// The numbers of movers, and the longest pause between two moves of one.
const MOVERS: [(u64, u64); 4] = [(2, 0), (8, 0), (16, 0), (16, 2_000)];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A transaction arrives: of a mover, of the freezer on all items (number 0), or of the freezer on one item (from
    /// [`ALONE`]).
    Arrives(u64),
    Ends(u64),
}

#[derive(Debug, Default)]
struct Figures {
    moves: u64,
    refused: u64,
    /// The time of each freeze from its beginning; the deadline, if it gave up.
    freezes: Vec<u64>,
}

struct Run {
    random: fastrand::Rng,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    sequence: u64,
    /// The transactions in progress on each item.
    busy: HashMap<u64, u64>,
    losses: HashMap<u64, u32>,
    figures: Figures,
    /// The beginning of the freeze that is being tried.
    began: u64,
    /// The items that the freeze has yet to reach alone.
    left: u64,
}

impl Run {
    fn at(&mut self, time: u64, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((time, self.sequence, event)));
    }

    /// Returns the items that a participant's transaction shares with others.
    fn items(who: u64, replicas: &[u64], all: u64) -> Vec<u64> {
        match who {
            0 => (0..all).collect(),
            ALONE.. => vec![who - ALONE],
            _ => vec![replicas[usize::try_from(who - 1).unwrap()]],
        }
    }

    fn sleep(&mut self, who: u64) -> u64 {
        let losses = self.losses.entry(who).or_default();
        let range = (SLEEP.0 << (*losses).min(10)).min(SLEEP.1);
        *losses += 1;
        READ + self.random.u64(0..range)
    }

    /// Notes the end of a freeze, and begins the next.
    fn frozen(&mut self, now: u64, took: u64) {
        self.figures.freezes.push(took);
        self.losses.remove(&0);
        self.at(now + BETWEEN, Event::Arrives(0));
    }

    /// Handles a refusal of the freezer's transaction on all items, after its log was committed: each item alone.
    fn each_alone(&mut self, now: u64, all: u64) {
        self.left = all;
        for item in 0..all {
            let sleep = self.sleep(ALONE + item);
            self.at(now + READ + sleep, Event::Arrives(ALONE + item));
        }
    }
}

/// Runs movers of different packages, and one freeze after another: in one transaction, or its log first.
fn run(movers: u64, pause: u64, (all, log_first): (u64, bool), seed: u64) -> Figures {
    let mut random = fastrand::Rng::with_seed(seed);
    let replicas: Vec<u64> = (0..movers).map(|_| random.u64(0..all)).collect();
    let (events, figures) = (BinaryHeap::new(), Figures::default());
    let (busy, losses) = (HashMap::new(), HashMap::new());
    let mut run = Run { random, events, sequence: 0, busy, losses, figures, began: 0, left: 0 };
    for who in 1..=movers {
        let begin = run.random.u64(0..=50 + pause);
        run.at(begin, Event::Arrives(who));
    }
    run.at(BETWEEN, Event::Arrives(0));
    while let Some(Reverse((now, _, event))) = run.events.pop() {
        if now > TIME {
            break;
        }
        match event {
            Event::Arrives(who) => {
                let items = Run::items(who, &replicas, all);
                if who == 0 && !run.losses.contains_key(&0) {
                    // Nobody else writes the log.
                    run.began = if log_first { now - READ - COMMIT } else { now };
                }
                if who == 0 && now - run.began > DEADLINE {
                    run.frozen(now, DEADLINE);
                    continue;
                }
                if items.iter().any(|item| run.busy.get(item).is_some_and(|count| *count > 0)) {
                    run.figures.refused += u64::from((1..ALONE).contains(&who));
                    if who == 0 && log_first {
                        run.each_alone(now, all);
                        continue;
                    }
                    let sleep = run.sleep(who);
                    run.at(now + READ + sleep, Event::Arrives(who));
                    continue;
                }
                for item in &items {
                    *run.busy.entry(*item).or_default() += 1;
                }
                run.at(now + COMMIT, Event::Ends(who));
            }
            Event::Ends(who) => {
                for item in Run::items(who, &replicas, all) {
                    *run.busy.get_mut(&item).unwrap() -= 1;
                }
                run.losses.remove(&who);
                match who {
                    0 => run.frozen(now, now - run.began),
                    ALONE.. => {
                        run.left -= 1;
                        if run.left == 0 {
                            run.frozen(now, now - run.began);
                        }
                    }
                    _ => {
                        run.figures.moves += 1;
                        let read = READ + run.random.u64(0..3) + run.random.u64(0..=pause);
                        run.at(now + read, Event::Arrives(who));
                    }
                }
            }
        }
    }
    run.figures
}

/// Sums the figures of some mappings of packages to replicas.
fn runs(movers: u64, pause: u64, design: (u64, bool)) -> Figures {
    let mut sum = Figures::default();
    for seed in 0..4 {
        let Figures { moves, refused, freezes } = run(movers, pause, design, seed);
        sum.moves += moves;
        sum.refused += refused;
        sum.freezes.extend(freezes);
    }
    sum.freezes.sort_unstable();
    sum
}

#[test]
fn what_freezes_cost_movers() {
    let mut table =
        "| movers | items | of the moves without a check | refused attempts | in one transaction, p50 | p99 | log first, p50 | p99 |\n\
                     |---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for (movers, pause) in MOVERS {
        let alone = runs(1, pause, (1, true)).moves * movers;
        let named = if pause == 0 { "without a pause" } else { "one move a second" };
        for all in DESIGNS {
            let Figures { moves, refused, freezes } = runs(movers, pause, (all, true));
            let before = runs(movers, pause, (all, false)).freezes;
            let percentile =
                |freezes: &[u64], percent: usize| match freezes[(freezes.len() - 1) * percent / 100] {
                    DEADLINE => "gives up".to_owned(),
                    millis => format!("{millis} ms"),
                };
            let (share, refused) = (100 * moves / alone, 100 * refused / (moves + refused));
            let [half, most] = [50, 99].map(|percent| percentile(&freezes, percent));
            let [half_before, most_before] = [50, 99].map(|percent| percentile(&before, percent));
            writeln!(
                table,
                "| {movers}, {named} | {all} | {share} % | {refused} % | {half_before} | {most_before} | {half} | {most} |"
            )
            .unwrap();
        }
    }
    super::check("freezes", &table);
}
