//! The protocol as small models, explored exhaustively; and again without each protection, which must fail.
//!
//! Messages may land late, twice, or after the death of their sender: one that was sent may arrive at any later time,
//! any number of times, without end; and any process may stop at any point, since exploration does not force it to
//! continue.

mod blobs;
mod heads;
mod owners;

use stateright::{Checker, HasDiscoveries, Model};
use std::{fmt::Debug, hash::Hash};

/// Explores everything; returns the number of states.
fn holds<M>(model: M) -> usize
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + Send + Sync + PartialEq + 'static,
    M::Action: Debug + Send + Sync + Clone + PartialEq + 'static,
{
    let checker = model.checker().threads(2).spawn_bfs().join();
    assert!(checker.is_done());
    checker.assert_properties();
    checker.unique_state_count()
}

/// Explores until the property fails; returns the number of steps.
fn fails<M>(model: M, property: &'static str) -> usize
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + Send + Sync + PartialEq + 'static,
    M::Action: Debug + Send + Sync + Clone + PartialEq + 'static,
{
    let found = HasDiscoveries::AllOf([property].into());
    let checker = model.checker().threads(2).finish_when(found).spawn_bfs().join();
    checker.assert_any_discovery(property).into_actions().len()
}
