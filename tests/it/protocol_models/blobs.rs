//! One blob: two adders, a deleter and a collector.

use super::{fails, holds};
use stateright::{Model, Property};

/// The number of generations that are explored: within it everything has happened twice.
const GENERATIONS: usize = 3;

/// The protection that is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    /// Every object has the same address.
    Generations,
    /// The collector condemns what has refs.
    Refs,
    /// A version is committed whatever has become of the blob.
    Commit,
    /// A version is undeleted whatever has become of the blob.
    Undeletion,
    /// The collector deletes what it has not condemned.
    Condemning,
    /// A message that the store is busy is taken for one that the object is there.
    Put,
}

struct Blob {
    without: Without,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Item {
    Absent,
    Kept { generation: usize, refs: u8 },
    Condemned { generation: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Adder {
    Idle,
    /// The ledger's reply asks it to ensure the object of this generation.
    Sends(usize),
    Stored(usize),
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Collector {
    Idle,
    /// It has seen an object of this generation, and the item.
    Looked(usize, Item),
    Deletes(usize),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    item: Item,
    objects: [bool; GENERATIONS],
    /// Messages that may arrive from now on, at any time and any number of times.
    puts: [bool; GENERATIONS],
    deletes: [bool; GENERATIONS],
    adders: [(Adder, u8); 2],
    collector: Collector,
    /// The number of versions that need each generation.
    needed: [u8; GENERATIONS],
    /// The number of deleted versions that needed each generation.
    deleted: [u8; GENERATIONS],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Read(usize),
    Put(usize),
    Verify(usize),
    Commit(usize),
    DeleteVersion(usize),
    UndeleteVersion(usize),
    PutArrives(usize),
    DeleteArrives(usize),
    Look(usize),
    Condemn,
    Delete,
    /// The collector starts again after it died or finished.
    Begin,
}

impl Blob {
    fn generation(&self, generation: usize) -> usize {
        if self.without == Without::Generations { 0 } else { generation }
    }

    /// The generation whose object a version needs to be committed.
    fn wanted(&self, item: Item) -> usize {
        match item {
            Item::Absent => 0,
            Item::Kept { generation, .. } => generation,
            Item::Condemned { generation } => self.generation(generation + 1),
        }
    }

    fn commit(&self, item: Item, at: usize) -> Option<Item> {
        let refs = match item {
            Item::Absent if at == 0 => 0,
            Item::Kept { generation, refs } if generation == at => refs,
            Item::Condemned { generation } if self.generation(generation + 1) == at => 0,
            Item::Kept { refs, .. } if self.without == Without::Commit => refs,
            _ if self.without == Without::Commit => 0,
            _ => return None,
        };
        Some(Item::Kept { generation: at, refs: refs + 1 })
    }

    /// Returns the item after which the object of generation `at` may be deleted, given what was `seen`.
    fn condemn(&self, seen: Item, now: Item, at: usize) -> Option<Item> {
        let condemned = Item::Condemned { generation: at };
        match seen {
            Item::Absent => (at == 0 && now == seen).then_some(condemned),
            Item::Kept { generation, .. } | Item::Condemned { generation } if at < generation => Some(now),
            Item::Condemned { generation } if at == generation => Some(now),
            // An upload whose commit never came.
            Item::Condemned { generation } => (at == generation + 1 && now == seen).then_some(condemned),
            Item::Kept { generation, refs } => {
                let free = refs == 0 || self.without == Without::Refs;
                let same = matches!(now, Item::Kept { generation: g, refs: r }
                    if g == generation && (r == 0 || self.without == Without::Refs));
                (at == generation && free && same).then_some(condemned)
            }
        }
    }
}

impl Model for Blob {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            item: Item::Absent,
            objects: [false; GENERATIONS],
            puts: [false; GENERATIONS],
            deletes: [false; GENERATIONS],
            // The first adds twice.
            adders: [(Adder::Idle, 2), (Adder::Idle, 1)],
            collector: Collector::Idle,
            needed: [0; GENERATIONS],
            deleted: [0; GENERATIONS],
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (who, (adder, left)) in state.adders.iter().enumerate() {
            match adder {
                Adder::Idle if *left > 0 => actions.push(Action::Read(who)),
                Adder::Idle | Adder::Done => {}
                Adder::Sends(_) => actions.extend([Action::Put(who), Action::Verify(who)]),
                Adder::Stored(_) => actions.push(Action::Commit(who)),
            }
        }
        for at in 0..GENERATIONS {
            let may = [
                (state.puts[at] && !state.objects[at], Action::PutArrives(at)),
                (state.deletes[at] && state.objects[at], Action::DeleteArrives(at)),
                (state.needed[at] > 0, Action::DeleteVersion(at)),
                (state.deleted[at] > 0, Action::UndeleteVersion(at)),
                (state.collector == Collector::Idle && state.objects[at], Action::Look(at)),
            ];
            actions.extend(may.into_iter().filter(|(may, _)| *may).map(|(_, action)| action));
        }
        match state.collector {
            Collector::Idle => {}
            Collector::Looked(..) => actions.extend([Action::Condemn, Action::Begin]),
            Collector::Deletes(_) => actions.extend([Action::Delete, Action::Begin]),
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Read(who) => {
                next.adders[who].0 = Adder::Sends(self.wanted(state.item));
            }
            Action::Put(who) => {
                let Adder::Sends(at) = state.adders[who].0 else { return None };
                next.puts[at] = true;
                if self.without == Without::Put {
                    next.adders[who].0 = Adder::Stored(at);
                }
            }
            Action::Verify(who) => {
                let Adder::Sends(at) = state.adders[who].0 else { return None };
                if !state.objects[at] {
                    return None;
                }
                next.adders[who].0 = Adder::Stored(at);
            }
            Action::Commit(who) => {
                let (Adder::Stored(at), left) = state.adders[who] else { return None };
                if let Some(item) = self.commit(state.item, at) {
                    next.item = item;
                    next.needed[at] += 1;
                    next.adders[who] = (if left > 1 { Adder::Idle } else { Adder::Done }, left - 1);
                } else {
                    next.adders[who].0 = Adder::Sends(self.wanted(state.item));
                }
            }
            Action::UndeleteVersion(at) => {
                match &mut next.item {
                    Item::Kept { generation, refs } if *generation == at => *refs += 1,
                    _ if self.without == Without::Undeletion => {}
                    _ => return None,
                }
                next.deleted[at] -= 1;
                next.needed[at] += 1;
            }
            Action::DeleteVersion(at) => {
                next.needed[at] -= 1;
                next.deleted[at] += 1;
                if let Item::Kept { refs, .. } = &mut next.item {
                    *refs = refs.saturating_sub(1);
                }
            }
            Action::PutArrives(at) => next.objects[at] = true,
            Action::DeleteArrives(at) => next.objects[at] = false,
            Action::Look(at) => next.collector = Collector::Looked(at, state.item),
            Action::Condemn => {
                let Collector::Looked(at, seen) = state.collector else { return None };
                if self.without == Without::Condemning {
                    let free = matches!(seen, Item::Absent | Item::Kept { refs: 0, .. });
                    next.collector = if free { Collector::Deletes(at) } else { Collector::Idle };
                } else if let Some(item) = self.condemn(seen, state.item, at) {
                    next.item = item;
                    next.collector = Collector::Deletes(at);
                } else {
                    next.collector = Collector::Idle;
                }
            }
            Action::Delete => {
                let Collector::Deletes(at) = state.collector else { return None };
                next.deletes[at] = true;
                next.collector = Collector::Idle;
            }
            Action::Begin => next.collector = Collector::Idle,
        }
        (next != *state).then_some(next)
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.adders.iter().all(|(adder, _)| !matches!(adder, Adder::Sends(at) if *at >= GENERATIONS))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no version lacks its object", |_, state: &State| {
                (0..GENERATIONS).all(|at| state.needed[at] == 0 || state.objects[at])
            }),
            Property::always("refs are the versions that need it", |model: &Self, state: &State| {
                let needed: u8 = state.needed.iter().sum();
                let refs = if let Item::Kept { refs, .. } = state.item { refs } else { 0 };
                model.without != Without::Nothing || refs == needed
            }),
            // Otherwise the model proves nothing.
            Property::sometimes("a blob comes back after it was collected", |model: &Self, state: &State| {
                model.without != Without::Nothing || state.needed[1] > 0 && state.deletes[0]
            }),
        ]
    }
}

#[test]
fn no_version_ever_lacks_its_object() {
    println!("blobs: {} states", holds(Blob { without: Without::Nothing }));
}

#[test]
fn every_protection_of_a_blob_is_needed() {
    let all = [
        Without::Generations,
        Without::Refs,
        Without::Commit,
        Without::Undeletion,
        Without::Condemning,
        Without::Put,
    ];
    for without in all {
        let steps = fails(Blob { without }, "no version lacks its object");
        println!("blobs without {without:?}: lost in {steps} steps");
    }
}
