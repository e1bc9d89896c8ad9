//! Linearizability of what clients saw of registers whose writes are numbered: the last version of a package, and a tag
//! by the `rev` of its last change.
//!
//! Each write has a number of its own, and each read returns the number of the write that it saw. Such a history has a
//! linearization if and only if the numbers never decrease along real time: an operation that began after another had
//! ended saw, or made, no lower number; a write a higher one.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

/// An operation that was answered.
#[derive(Debug, Clone)]
pub struct Seen {
    pub began: u64,
    pub ended: u64,
    pub number: u64,
    /// The value that the register held.
    pub value: u64,
    pub is_write: bool,
}

/// The answers of all clients, by register.
#[derive(Default)]
pub struct History {
    ticks: AtomicU64,
    seen: Mutex<BTreeMap<String, Vec<Seen>>>,
}

impl History {
    /// Returns the present moment.
    pub fn now(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }

    pub fn add(&self, register: &str, began: u64, number: u64, value: u64, is_write: bool) {
        let seen = Seen { began, ended: self.now(), number, value, is_write };
        self.seen.lock().unwrap().entry(register.to_owned()).or_default().push(seen);
    }

    /// Checks every register; returns the number of operations.
    pub fn check(&self) -> Result<usize, String> {
        let all = self.seen.lock().unwrap();
        for (register, seen) in &*all {
            check(seen).map_err(|why| format!("{register}: {why}"))?;
        }
        Ok(all.values().map(Vec::len).sum())
    }
}

fn check(seen: &[Seen]) -> Result<(), String> {
    let mut values = BTreeMap::new();
    let mut writes = BTreeMap::new();
    for one in seen {
        if *values.entry(one.number).or_insert(one.value) != one.value {
            return Err(format!("{} has two values", one.number));
        }
        if one.is_write && writes.insert(one.number, one).is_some() {
            return Err(format!("{} was written twice", one.number));
        }
    }
    let mut by_end: Vec<&Seen> = seen.iter().collect();
    let mut by_begin = by_end.clone();
    by_end.sort_by_key(|one| one.ended);
    by_begin.sort_by_key(|one| one.began);
    let (mut ended, mut highest) = (by_end.into_iter().peekable(), None::<&Seen>);
    for one in by_begin {
        while let Some(earlier) = ended.next_if(|earlier| earlier.ended < one.began) {
            if highest.is_none_or(|highest| highest.number < earlier.number) {
                highest = Some(earlier);
            }
        }
        let Some(highest) = highest else { continue };
        if one.number < highest.number || (one.is_write && one.number == highest.number) {
            return Err(format!("{one:?} is after {highest:?}"));
        }
    }
    Ok(())
}

#[test]
fn what_has_no_order_is_found() {
    let seen = |began, ended, number, is_write| Seen { began, ended, number, value: number, is_write };
    // Concurrent ones may have any order.
    check(&[seen(0, 5, 2, true), seen(1, 4, 1, true), seen(2, 3, 2, false)]).unwrap();
    for wrong in [
        vec![seen(0, 1, 2, true), seen(2, 3, 1, false)],
        vec![seen(0, 1, 2, false), seen(2, 3, 2, true)],
        vec![seen(0, 9, 1, true), seen(1, 2, 1, true)],
        vec![seen(0, 1, 3, false), seen(2, 3, 2, true)],
        vec![Seen { value: 7, ..seen(0, 9, 1, true) }, seen(1, 2, 1, false)],
    ] {
        check(&wrong).unwrap_err();
    }
}
