//! Adoptions of the store: a stranger takes it over, with uploads and deletions of its own under way, and clients adopt it
//! again at random moments, several at once, with crashes. `Ownership` says which identities the ledger may have had and
//! which owners the store.

use super::{
    history::Moment,
    network::Time,
    objects::{STRANGER, Warehouse},
};
use futures_util::future::join_all;
use sacker::{
    ledger,
    model::Address,
    ops::{Client, Error, InitReport},
};
use std::{sync::Arc, time::Duration};

/// The number of generations of an epoch.
pub const EPOCH: u64 = 1_000_000_000;

/// One run of `init --adopt-store`.
#[derive(Debug)]
pub struct Adoption {
    began: Moment,
    ended: Moment,
    end: AdoptionEnd,
}

#[derive(Debug)]
enum AdoptionEnd {
    Done(InitReport),
    /// It crashed or failed, or someone else was faster.
    Failed,
    Wrong(String),
}

fn mark(id: &str, epoch: u64) -> String {
    if epoch == 0 { id.to_owned() } else { format!("{id} {epoch}") }
}

fn epoch_of(mark: &str) -> u64 {
    mark.split_once(' ').map_or(0, |(_, epoch)| epoch.parse().unwrap())
}

/// The other ledgers that take the store over, and the clients that adopt it for the ledger.
pub struct Adopters<'a> {
    pub time: &'a Arc<Time>,
    pub warehouse: &'a Arc<Warehouse>,
    pub random: fastrand::Rng,
    /// The longest time between two requests of a client, in milliseconds.
    pub pause: u64,
}

impl Adopters<'_> {
    /// `client` makes the client with a number.
    pub async fn run(mut self, client: impl Fn(u64) -> Client) -> Vec<Adoption> {
        let mut adoptions = Vec::new();
        let rounds = self.random.u64(1..3);
        for round in 0..rounds {
            if round > 0 || self.random.bool() {
                self.time.pass(self.random.u64(1..self.pause * 4)).await;
            }
            // Else the store is the ledger's own, or no one's.
            if self.random.u8(0..4) > 0 {
                self.take_over(round).await;
            }
            let adopters: Vec<_> = (0..self.random.u64(1..3))
                .map(|number| (70 + 2 * round + number, fastrand::Rng::with_seed(self.random.u64(..))))
                .collect();
            let adopted = adopters.into_iter().map(|(number, random)| self.adopt(&client, number, random));
            adoptions.extend(join_all(adopted).await.into_iter().flatten());
        }
        adoptions
    }

    /// Adopts, and now and then once more after a crash or a failure.
    async fn adopt(
        &self,
        client: &impl Fn(u64) -> Client,
        number: u64,
        mut random: fastrand::Rng,
    ) -> Vec<Adoption> {
        let mut adoptions = Vec::new();
        for life in 0..3 {
            self.time.pass(random.u64(1..self.pause * 2)).await;
            let client = client(number + 100 * life);
            let crash =
                Duration::from_millis(random.choice([30, 300, 20_000]).unwrap()).mul_f64(random.f64());
            let adopted = adopt(&client, self.time, (random.u8(0..4) == 0).then_some(crash)).await;
            let done = matches!(adopted.end, AdoptionEnd::Done(_));
            adoptions.push(adopted);
            if done || random.u8(0..4) == 0 {
                break;
            }
        }
        adoptions
    }

    /// Another ledger becomes the owner. It adds in its epoch, and what it has sent arrives at any time.
    async fn take_over(&mut self, round: u64) {
        let epoch = self.warehouse.owner().await.map_or(0, |owner| epoch_of(&owner) + 1);
        self.warehouse.take_over(&mark(&format!("{STRANGER}{round}"), epoch)).await;
        for sha256 in self.warehouse.contents.keys() {
            for generation in [0, 1] {
                let at = Address { sha256: sha256.clone(), generation: epoch * EPOCH + generation };
                let mut late = || {
                    let longest = self.random.choice([50, 1_000, 100_000, 1_000_000]).unwrap();
                    self.random.u64(1..longest)
                };
                let (stored, deleted) = (late(), late());
                for (millis, stores) in [(stored, true), (deleted, false)] {
                    let (warehouse, at, arrives) =
                        (Arc::clone(self.warehouse), at.clone(), self.time.book(millis));
                    tokio::spawn(async move {
                        tokio::time::sleep_until(arrives).await;
                        if stores {
                            warehouse.put(&at).await;
                        } else {
                            warehouse.delete(&at).await;
                        }
                    });
                }
            }
        }
    }
}

/// Adopts the store, until a crash if there is one.
pub async fn adopt(client: &Client, time: &Time, crash: Option<Duration>) -> Adoption {
    let began = time.moment();
    let adopted = match crash {
        Some(crash) => tokio::time::timeout(crash, client.adopt()).await.ok(),
        None => Some(client.adopt().await),
    };
    let end = match adopted {
        Some(Ok(report)) => AdoptionEnd::Done(report),
        None | Some(Err(Error::NotOwner { .. })) => AdoptionEnd::Failed,
        Some(Err(Error::Store(fault) | Error::Ledger(ledger::Error::Fault(fault))))
            if fault.kind.is_transient() =>
        {
            AdoptionEnd::Failed
        }
        Some(Err(error)) => AdoptionEnd::Wrong(format!("{error:?}")),
    };
    Adoption { began, ended: time.moment(), end }
}

/// An identity that the ledger had, from a tick on.
#[derive(Debug)]
struct Identity {
    since: u64,
    id: String,
    epoch: u64,
}

/// The identities that the ledger had and the owners of the store, from the beginning to the end.
pub struct Ownership<'a> {
    /// Each owner, and the tick since which it was.
    owners: Vec<(u64, String)>,
    adoptions: &'a [Adoption],
    identities: Vec<Identity>,
}

impl<'a> Ownership<'a> {
    pub fn new(owners: Vec<(u64, String)>, adoptions: &'a [Adoption]) -> Self {
        Self { owners, adoptions, identities: Vec::new() }
    }

    /// The owners between two ticks.
    fn owners(&self, from: u64, to: u64) -> impl DoubleEndedIterator<Item = &str> {
        let first = self.owners.partition_point(|(since, _)| *since <= from).saturating_sub(1);
        self.owners[first..].iter().filter(move |(since, _)| *since <= to).map(|(_, owner)| owner.as_str())
    }

    /// The ledger gets an identity: the first, or another, with an epoch of its own, since the store belonged to someone
    /// else whose epoch was not below the ledger's.
    pub fn identify(&mut self, at: u64, id: &str, epoch: u64) -> Result<(), String> {
        let wrong = |why: &str| Err(format!("{why}: the ledger became {id:?} of epoch {epoch} at {at}"));
        if id.len() != 32 || self.identities.iter().any(|identity| identity.id == id) {
            return wrong("no new id");
        }
        match self.identities.last() {
            None if epoch != 0 => return wrong("the first epoch is 0"),
            None => {}
            Some(last) => {
                let Some(began) = self.adoptions.iter().map(|adoption| adoption.began.tick).min() else {
                    return wrong("nobody adopts");
                };
                let above = |owner: &str| epoch_of(owner) >= last.epoch && epoch == epoch_of(owner) + 1;
                if began > at || !self.owners(began, at).any(above) {
                    return wrong("not the epoch above that of an owner");
                }
                if self.owners(at, at).next_back() == Some(mark(&last.id, last.epoch).as_str()) {
                    return wrong("it owned the store");
                }
            }
        }
        self.identities.push(Identity { since: at, id: id.to_owned(), epoch });
        Ok(())
    }

    /// The epoch of the ledger now.
    pub fn epoch(&self) -> u64 {
        self.identities.last().map_or(0, |identity| identity.epoch)
    }

    /// Returns true if an addition that was under way between two ticks may add in an epoch: the ledger was of that epoch
    /// then, and the store its own.
    pub fn may_add(&self, epoch: u64, from: u64, to: u64) -> bool {
        let until = self.identities.iter().skip(1).map(|next| next.since).chain([u64::MAX]);
        self.identities.iter().zip(until).any(|(identity, until)| {
            let is_then = identity.epoch == epoch && identity.since <= to && until > from;
            let mark = mark(&identity.id, epoch);
            is_then && self.owners(from.max(identity.since), to).any(|owner| owner == mark)
        })
    }

    /// The breaches among the owners and the reports of adoptions.
    pub fn violations(&self) -> Vec<String> {
        let mut violations = Vec::new();
        let known = |since: u64, owner: &str| {
            let mut earlier = self.identities.iter().filter(|it| it.since < since);
            owner.starts_with(STRANGER) || earlier.any(|it| mark(&it.id, it.epoch) == owner)
        };
        for (since, owner) in self.owners.iter().filter(|(since, owner)| !known(*since, owner)) {
            violations.push(format!("no ledger has been {owner:?}, the owner since {since}"));
        }
        if self.owners.windows(2).any(|pair| epoch_of(&pair[0].1) >= epoch_of(&pair[1].1)) {
            violations.push(format!("an epoch that is not above the last owner's: {:?}", self.owners));
        }
        let last = self.identities.last().map(|it| mark(&it.id, it.epoch));
        if let Some((_, owner)) = self.owners.last()
            && Some(owner) != last.as_ref()
        {
            violations.push(format!("the store belongs to {owner:?} in the end, and the ledger is {last:?}"));
        }
        for adoption in self.adoptions {
            match &adoption.end {
                AdoptionEnd::Failed => {}
                AdoptionEnd::Wrong(why) => violations.push(format!("init --adopt-store: {why}")),
                AdoptionEnd::Done(report) if self.is_right(adoption, report) => {}
                AdoptionEnd::Done(_) => {
                    violations
                        .push(format!("not so: {adoption:?} of {:?}, {:?}", self.owners, self.identities));
                }
            }
        }
        violations
    }

    /// Returns true if the store was the ledger's at some moment of an adoption, as was reported, and had the former
    /// owner that was reported.
    fn is_right(&self, adoption: &Adoption, report: &InitReport) -> bool {
        let Some(identity) = self.identities.iter().find(|it| it.id == report.id) else { return false };
        let now = mark(&identity.id, identity.epoch);
        let owned = self.owners(adoption.began.tick, adoption.ended.tick).any(|owner| owner == now);
        owned
            && report.adopted.as_ref().is_none_or(|adopted| {
                let before = self.owners.iter().rev().skip_while(|(_, owner)| *owner != now).nth(1);
                let former = before.map(|(_, owner)| owner);
                adopted.generation == identity.epoch * EPOCH && adopted.former.as_ref() == former
            })
    }

    /// The number of times that the store was adopted.
    pub fn adopted(&self) -> usize {
        self.owners.iter().filter(|(_, owner)| epoch_of(owner) > 0 && !owner.starts_with(STRANGER)).count()
    }
}
