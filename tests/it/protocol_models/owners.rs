//! One store and its `OWNER`: two ledgers that claim it, adopt it and add to it, and an operator that removes `OWNER`.
//!
//! An address is safe from whatever a former owner has sent only if no other ledger ever names an address of its epoch.

use super::{fails, holds};
use stateright::{Model, Property};
use std::collections::BTreeSet;

/// Higher epochs are not explored: by then everything has happened twice.
const EPOCHS: usize = 3;

/// The ledger that has left blobs and is gone.
const GONE: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    /// A store without an owner is claimed whatever it holds.
    Look,
    /// No store is listed that has an owner, even if `OWNER` names no epoch.
    Listing,
    /// The process that adopts a store keeps its epoch.
    Raise,
    /// `OWNER` is replaced whichever ledger is in it.
    Condition,
    /// A copy of a ledger is taken for the ledger.
    Home,
}

struct Owners {
    without: Without,
}

/// The text of `OWNER`. An id belongs to one epoch of one ledger, or of a ledger and its copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Mark {
    id: usize,
    epoch: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Ledger {
    mark: Mark,
    copy: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Adder {
    Idle,
    /// It has read `OWNER`, and found none.
    Unowned,
    /// It has found that the store is its ledger's.
    May(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Adopter {
    Idle,
    Read(Option<Mark>),
    /// It knows an epoch that nothing in the store is above.
    Knows(Option<Mark>, usize),
    Raised(Option<Mark>),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    owner: Option<Mark>,
    ledgers: [Ledger; 2],
    adders: [Adder; 2],
    adopters: [Adopter; 2],
    /// Messages that may arrive from now on, at any time and any number of times.
    claims: BTreeSet<Mark>,
    replaces: BTreeSet<(Mark, Mark)>,
    puts: [bool; EPOCHS],
    /// The epochs that something in the store is of, and the ledgers that have named an address of each.
    stored: [bool; EPOCHS],
    named: [[bool; 3]; EPOCHS],
    hand: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Add(usize),
    Claim(usize),
    Put(usize),
    Read(usize),
    Learn(usize),
    Raise(usize),
    Own(usize),
    /// A command ends, or is killed.
    End(usize),
    Claimed(Mark),
    Replaced(Mark, Mark),
    Stored(usize),
    /// All that is of this epoch is collected.
    Collected(usize),
    /// An operator removes `OWNER` while nothing is under way.
    Remove,
}

impl State {
    fn highest(&self) -> Option<usize> {
        self.stored.iter().rposition(|stored| *stored)
    }

    fn at_rest(&self) -> bool {
        self.adders == [Adder::Idle; 2]
            && self.adopters == [Adopter::Idle; 2]
            && (0..EPOCHS).all(|epoch| !self.puts[epoch] || self.stored[epoch])
    }
}

impl Owners {
    /// Does what happens without a client: a message arrives, a blob is collected, or an owner is removed by hand.
    fn arrive(&self, next: &mut State, state: &State, action: Action) {
        match action {
            Action::Claimed(mark) => {
                next.owner.get_or_insert(mark);
            }
            Action::Replaced(from, to) => {
                if state.owner == Some(from) || self.without == Without::Condition {
                    next.owner = Some(to);
                }
            }
            Action::Stored(epoch) => next.stored[epoch] = true,
            Action::Collected(epoch) => {
                next.stored[epoch] = false;
                // It does not come back by itself.
                next.puts[epoch] = false;
                // Nor does the ledger that left it.
                next.named[epoch][GONE] = false;
            }
            Action::Remove => {
                next.owner = None;
                next.hand = true;
                next.claims.clear();
                next.replaces.clear();
                // Nothing is under way, so an epoch of which nothing is there is as good as new.
                for epoch in 0..EPOCHS {
                    if !state.stored[epoch] {
                        next.puts[epoch] = false;
                        next.named[epoch] = [false; 3];
                    }
                }
            }
            other => unreachable!("{other:?} is an action of a client"),
        }
    }

    fn is_copy(&self, ledger: Ledger) -> bool {
        ledger.copy && self.without != Without::Home
    }

    fn raise(&self, next: &mut State, who: usize, taken: usize) {
        let ledger = &mut next.ledgers[who];
        if self.without == Without::Raise {
            *ledger = Ledger { mark: Mark { id: who, ..ledger.mark }, copy: false };
        } else if self.is_copy(*ledger) || ledger.mark.epoch <= taken {
            let epoch = taken.max(ledger.mark.epoch) + 1;
            *ledger = Ledger { mark: Mark { id: who, epoch }, copy: false };
        }
    }

    fn start(owner: Option<Mark>, ledgers: [Ledger; 2], left: Option<usize>) -> State {
        let mut state = State {
            owner,
            ledgers,
            adders: [Adder::Idle; 2],
            adopters: [Adopter::Idle; 2],
            claims: BTreeSet::new(),
            replaces: BTreeSet::new(),
            puts: [false; EPOCHS],
            stored: [false; EPOCHS],
            named: [[false; 3]; EPOCHS],
            hand: false,
        };
        if let Some(epoch) = left {
            state.stored[epoch] = true;
            state.named[epoch][GONE] = true;
        }
        state
    }
}

impl Model for Owners {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut states = Vec::new();
        for first in 0..2 {
            let ledger = |id, epoch| Ledger { mark: Mark { id, epoch }, copy: false };
            let owner = ledger(0, first);
            // A copy of the owner, as after a restore.
            states.push(Self::start(Some(owner.mark), [owner, Ledger { copy: true, ..owner }], None));
            for second in 0..2 {
                let both = [owner, ledger(1, second)];
                states.push(Self::start(None, both, None));
                // Nobody owns the blobs that are there, whose epoch is as high as either, or higher.
                states.push(Self::start(None, both, Some(1)));
                states.push(Self::start(Some(owner.mark), both, None));
            }
        }
        // An older release claimed it without listing it.
        let ledger = |id| Ledger { mark: Mark { id, epoch: 0 }, copy: false };
        states.push(Self::start(Some(ledger(0).mark), [ledger(0), ledger(1)], Some(1)));
        states
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for who in 0..2 {
            match state.adders[who] {
                Adder::Idle => actions.push(Action::Add(who)),
                Adder::Unowned => actions.push(Action::Claim(who)),
                Adder::May(_) => actions.push(Action::Put(who)),
            }
            actions.push(match state.adopters[who] {
                Adopter::Idle => Action::Read(who),
                Adopter::Read(_) => Action::Learn(who),
                Adopter::Knows(..) => Action::Raise(who),
                Adopter::Raised(_) => Action::Own(who),
            });
            actions.push(Action::End(who));
        }
        actions.extend(state.claims.iter().map(|mark| Action::Claimed(*mark)));
        actions.extend(state.replaces.iter().map(|(from, to)| Action::Replaced(*from, *to)));
        for epoch in 0..EPOCHS {
            if state.puts[epoch] && !state.stored[epoch] {
                actions.push(Action::Stored(epoch));
            }
            // Nobody collects in a store without an owner.
            if state.stored[epoch] && state.owner.is_some() {
                actions.push(Action::Collected(epoch));
            }
        }
        if !state.hand && state.owner.is_some() && state.at_rest() {
            actions.push(Action::Remove);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Add(who) => {
                let ledger = state.ledgers[who];
                next.adders[who] = match state.owner {
                    _ if self.is_copy(ledger) => return None,
                    None => Adder::Unowned,
                    Some(owner) if owner == ledger.mark => Adder::May(owner.epoch),
                    Some(_) => return None,
                };
            }
            Action::Claim(who) => {
                next.adders[who] = Adder::Idle;
                if state.highest().is_none() || self.without == Without::Look {
                    next.claims.insert(state.ledgers[who].mark);
                }
            }
            Action::Put(who) => {
                let Adder::May(epoch) = state.adders[who] else { return None };
                next.adders[who] = Adder::Idle;
                next.puts[epoch] = true;
                next.named[epoch][who] = true;
            }
            Action::Read(who) => {
                let ledger = state.ledgers[who];
                if !self.is_copy(ledger) && state.owner == Some(ledger.mark) {
                    return None;
                }
                next.adopters[who] = Adopter::Read(state.owner);
            }
            Action::Learn(who) => {
                let Adopter::Read(owner) = state.adopters[who] else { return None };
                let epoch = owner.map_or(0, |owner| owner.epoch);
                let says = epoch > 0 || owner.is_some() && self.without == Without::Listing;
                let stored = if says { None } else { state.highest() };
                if owner.is_none() && stored.is_none() && !self.is_copy(state.ledgers[who]) {
                    next.claims.insert(state.ledgers[who].mark);
                    next.adopters[who] = Adopter::Idle;
                } else {
                    next.adopters[who] = Adopter::Knows(owner, epoch.max(stored.unwrap_or(0)));
                }
            }
            Action::Raise(who) => {
                let Adopter::Knows(owner, taken) = state.adopters[who] else { return None };
                self.raise(&mut next, who, taken);
                next.adopters[who] = Adopter::Raised(owner);
            }
            Action::Own(who) => {
                let Adopter::Raised(owner) = state.adopters[who] else { return None };
                let mark = state.ledgers[who].mark;
                match owner {
                    Some(from) => _ = next.replaces.insert((from, mark)),
                    None => _ = next.claims.insert(mark),
                }
                next.adopters[who] = Adopter::Idle;
            }
            Action::End(who) => {
                next.adders[who] = Adder::Idle;
                next.adopters[who] = Adopter::Idle;
            }
            late => self.arrive(&mut next, state, late),
        }
        if self.without != Without::Condition && next.owner.is_some() {
            // What can never do anything any more is forgotten: an owner that was replaced does not come back.
            next.claims.clear();
            let owner = next.owner;
            next.replaces.retain(|(from, _)| Some(*from) == owner);
        }
        (next != *state).then_some(next)
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.ledgers.iter().all(|ledger| ledger.mark.epoch < EPOCHS)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ALONE, |_, state: &State| {
                state.named.iter().all(|by| by.iter().filter(|named| **named).count() <= 1)
            }),
            // Otherwise the model proves nothing.
            Property::sometimes("a store goes over twice", |model: &Self, state: &State| {
                model.without != Without::Nothing || state.named[1][0] && state.named[2][1]
            }),
            Property::sometimes(
                "an empty store that lost its owner is claimed",
                |model: &Self, state: &State| {
                    model.without != Without::Nothing || state.hand && state.owner.is_some()
                },
            ),
        ]
    }
}

const ALONE: &str = "each epoch has one owner";

#[test]
fn no_two_ledgers_ever_name_an_address_of_one_epoch() {
    println!("owners: {} states", holds(Owners { without: Without::Nothing }));
}

#[test]
fn every_protection_of_an_owner_is_needed() {
    for without in [Without::Look, Without::Listing, Without::Raise, Without::Condition, Without::Home] {
        let steps = fails(Owners { without }, ALONE);
        println!("owners without {without:?}: named by two in {steps} steps");
    }
}
