//! One package: `add --tag`, `tag`, `delete` and `yank` over its two heads, each sent again by a late copy.
//!
//! The package begins with version 1, active, `latest`, and untagged.

use super::{fails, holds};
use stateright::{Model, Property};

/// The protection that is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    /// The condition that the head of releases is as it was seen.
    Revision,
    /// The condition that the head of tags is as it was seen, where it is advanced.
    TagRevision,
    /// The same where a version is withdrawn from under its tags.
    TagCheck,
    /// The condition that a tagged version is active.
    ActiveCheck,
    /// The search for one's own entry before another try.
    Recognition,
}

struct Package {
    without: Without,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Version {
    Active,
    Yanked,
    Deleted,
}

/// The operations of the four clients; also the maker of an entry.
const ADD_AND_TAG: usize = 0;
const TAG: usize = 1;
const DELETE: usize = 2;
const YANK: usize = 3;

/// An entry of the log of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Move {
    by: usize,
    previous: Option<usize>,
    version: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Ledger {
    rev: usize,
    latest: Option<usize>,
    versions: Vec<(Version, usize)>,
    /// Entries of the log of releases: who made each.
    releases: Vec<usize>,
    tag_rev: usize,
    tag: Option<usize>,
    moves: Vec<Move>,
}

impl Ledger {
    fn highest(&self) -> Option<usize> {
        self.versions.iter().rposition(|(state, _)| *state == Version::Active)
    }
}

/// The items that a client has read, at more than one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Seen {
    rev: Option<usize>,
    number: usize,
    /// The state of version 1.
    state: Option<Version>,
    latest: Option<usize>,
    tag_rev: Option<usize>,
    #[expect(clippy::option_option, reason = "whether it was read, and whether there is a tag")]
    tag: Option<Option<usize>>,
}

/// A client's message: conditions and changes in one, by what it has seen.
type Message = (usize, Seen);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Client {
    Reads(Seen),
    Sent(Seen),
    Done,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    ledger: Ledger,
    /// With how many tries each has left.
    clients: [(Client, u8); 4],
    /// Messages that may arrive from now on, at any time and any number of times.
    sent: Vec<Message>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// The head of releases, and the version.
    ReadReleases(usize),
    /// The head of tags; and the tag with it, where a condition on each makes up for their being two reads.
    ReadTags(usize),
    ReadTag(usize),
    Send(usize),
    Arrives(usize),
    /// It learns that its last try was refused, or finds its entry.
    Learns(usize),
}

impl Package {
    fn has(&self, protection: Without) -> bool {
        self.without != protection
    }

    /// Returns the reads that are still missing and possible now.
    fn reads(who: usize, seen: &Seen) -> Vec<Action> {
        let moves = matches!(who, ADD_AND_TAG | TAG);
        let mut missing = Vec::new();
        // Withdrawing rests on this order: the head of the tags, the tags, the version with its head.
        if seen.tag_rev.is_none() {
            missing.push(Action::ReadTags(who));
        } else if seen.tag.is_none() {
            missing.push(Action::ReadTag(who));
        }
        if seen.state.is_none() && (moves || missing.is_empty()) {
            missing.push(Action::ReadReleases(who));
        }
        missing
    }

    /// Returns `true` if the operation has anything to do, given what it has seen.
    fn wants(who: usize, seen: &Seen) -> bool {
        let untagged = seen.tag.flatten() != Some(0);
        match who {
            ADD_AND_TAG => true,
            DELETE => seen.state != Some(Version::Deleted) && untagged,
            // Both begin with an active version.
            _ => seen.state == Some(Version::Active) && untagged,
        }
    }

    /// The transaction: nothing, if one of its conditions does not hold.
    fn transact(&self, ledger: &Ledger, who: usize, seen: &Seen) -> Option<Ledger> {
        let mut next = ledger.clone();
        if let Some(rev) = seen.rev {
            if ledger.rev != rev && self.has(Without::Revision) {
                return None;
            }
            next.rev = rev + 1;
            next.releases.push(who);
        }
        let tags_as_seen = Some(ledger.tag_rev) == seen.tag_rev;
        let moved_to = match who {
            ADD_AND_TAG => {
                // The slot must be free.
                if ledger.versions.len() != seen.number {
                    return None;
                }
                next.versions.push((Version::Active, who));
                next.latest = Some(seen.number);
                Some(seen.number)
            }
            TAG => {
                if ledger.versions[0].0 != Version::Active && self.has(Without::ActiveCheck) {
                    return None;
                }
                Some(0)
            }
            _ => {
                if Some(ledger.versions[0].0) != seen.state || !tags_as_seen && self.has(Without::TagCheck) {
                    return None;
                }
                next.versions[0].0 = if who == DELETE { Version::Deleted } else { Version::Yanked };
                // By what it has seen of the head: that is what `rev = seen` must cover.
                next.latest = if seen.latest == Some(0) { None } else { seen.latest };
                None
            }
        };
        if let Some(version) = moved_to {
            if !tags_as_seen && self.has(Without::TagRevision) {
                return None;
            }
            next.tag_rev = seen.tag_rev? + 1;
            next.moves.push(Move { by: who, previous: seen.tag?, version });
            next.tag = Some(version);
        }
        Some(next)
    }

    fn landed(ledger: &Ledger, who: usize) -> bool {
        if who == TAG {
            ledger.moves.iter().any(|entry| entry.by == who)
        } else {
            ledger.releases.contains(&who)
        }
    }
}

impl Model for Package {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let ledger = Ledger {
            rev: 1,
            latest: Some(0),
            versions: vec![(Version::Active, usize::MAX)],
            releases: vec![usize::MAX],
            ..Ledger::default()
        };
        // The one that writes both logs tries twice.
        let client = |tries| (Client::Reads(Seen::default()), tries);
        vec![State { ledger, clients: [client(2), client(1), client(1), client(1)], sent: Vec::new() }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (who, (client, _)) in state.clients.iter().enumerate() {
            match client {
                Client::Reads(seen) => {
                    let missing = Self::reads(who, seen);
                    if missing.is_empty() {
                        actions.push(Action::Send(who));
                    }
                    actions.extend(missing);
                }
                Client::Sent(_) => actions.push(Action::Learns(who)),
                Client::Done => {}
            }
        }
        actions.extend((0..state.sent.len()).map(Action::Arrives));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        let ledger = &state.ledger;
        match action {
            Action::Arrives(at) => {
                let (who, seen) = state.sent[at];
                next.ledger = self.transact(ledger, who, &seen)?;
            }
            Action::Send(who) => {
                let (Client::Reads(seen), left) = state.clients[who] else { return None };
                if Self::wants(who, &seen) && left > 0 {
                    next.sent.push((who, seen));
                    next.sent.sort_unstable_by_key(|(who, seen)| (*who, seen.rev, seen.tag_rev));
                    next.clients[who] = (Client::Sent(seen), left - 1);
                } else {
                    next.clients[who].0 = Client::Done;
                }
            }
            Action::Learns(who) => {
                let Client::Sent(seen) = state.clients[who].0 else { return None };
                let landed = Self::landed(ledger, who) && self.has(Without::Recognition);
                // It may try again only once its last try can't land any more.
                let inert = self.transact(ledger, who, &seen).is_none();
                next.clients[who].0 = if landed {
                    Client::Done
                } else if inert {
                    Client::Reads(Seen::default())
                } else {
                    return None;
                };
            }
            Action::ReadReleases(who) => next.clients[who].0.seen(|seen| {
                // A tag is moved whatever else becomes of the releases.
                seen.rev = (who != TAG).then_some(ledger.rev);
                (seen.number, seen.latest) = (ledger.versions.len(), ledger.latest);
                seen.state = Some(ledger.versions[0].0);
            }),
            Action::ReadTags(who) => next.clients[who].0.seen(|seen| {
                seen.tag_rev = Some(ledger.tag_rev);
                seen.tag = matches!(who, ADD_AND_TAG | TAG).then_some(ledger.tag);
            }),
            Action::ReadTag(who) => next.clients[who].0.seen(|seen| seen.tag = Some(ledger.tag)),
        }
        Some(next)
    }

    /// Bounds the exploration: without a protection, late copies may land without end.
    fn within_boundary(&self, state: &State) -> bool {
        state.ledger.releases.len() < 6 && state.ledger.moves.len() < 6
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("tags are on active versions", |_, state: &State| {
                state.ledger.tag.is_none_or(|on| state.ledger.versions[on].0 == Version::Active)
            }),
            Property::always("no move is overwritten unseen", |_, state: &State| {
                let mut on = None;
                state.ledger.moves.iter().all(|entry| on.replace(entry.version) == entry.previous)
            }),
            Property::always("latest is the highest active", |_, state: &State| {
                state.ledger.latest == state.ledger.highest()
            }),
            Property::always("revisions are dense", |_, state: &State| {
                let Ledger { rev, releases, tag_rev, moves, .. } = &state.ledger;
                *rev == releases.len() && *tag_rev == moves.len()
            }),
            Property::always("each is done once", |_, state: &State| {
                let Ledger { releases, moves, .. } = &state.ledger;
                (0..4).all(|who| {
                    releases.iter().filter(|by| **by == who).count() <= 1
                        && moves.iter().filter(|entry| entry.by == who).count() <= 1
                })
            }),
            // Otherwise the model proves nothing.
            Property::sometimes("all but a delete after a tag happen", |model: &Self, state: &State| {
                let done = |who| Self::landed(&state.ledger, who);
                model.without != Without::Nothing || done(ADD_AND_TAG) && done(TAG) && done(YANK)
            }),
        ]
    }
}

impl Client {
    fn seen(&mut self, read: impl FnOnce(&mut Seen)) {
        if let Self::Reads(seen) = self {
            read(seen);
        }
    }
}

#[test]
fn the_two_heads_keep_tags_and_versions_together() {
    println!("heads: {} states", holds(Package { without: Without::Nothing }));
}

#[test]
fn every_protection_of_the_heads_is_needed() {
    for (without, property) in [
        (Without::Revision, "revisions are dense"),
        (Without::TagRevision, "no move is overwritten unseen"),
        (Without::TagCheck, "tags are on active versions"),
        (Without::ActiveCheck, "tags are on active versions"),
        (Without::Recognition, "each is done once"),
    ] {
        println!(
            "heads without {without:?}: {property}: breached in {} steps",
            fails(Package { without }, property)
        );
    }
}
