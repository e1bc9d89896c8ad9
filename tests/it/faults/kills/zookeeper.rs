//! Kills around each step of a ledger in ZooKeeper.

use super::{Place, World, each_step_of_add, each_step_of_moving};
use crate::support::{sandbox::Sandbox, zookeeper};
use sacker::table::zookeeper::ZookeeperTable;

/// The table of a sandbox's ledger.
pub fn table(sandbox: &Sandbox) -> ZookeeperTable {
    let place = sandbox.variable("SACKER_LEDGER").strip_prefix("zookeeper://").unwrap();
    let (servers, root) = place.split_once('/').unwrap();
    ZookeeperTable::new(servers, format!("/{root}"), None)
}

#[test]
fn each_step_of_an_add() {
    let steps = [
        "add-hashed",
        "add-owned",
        "add-staged",
        "blob-complete",
        "add-uploaded",
        "commit-planned",
        "zookeeper-decided",
        "zookeeper-sent",
        "commit-answered",
    ];
    each_step_of_add(Place::Zookeeper, 3 << 20, &steps);
}

#[test]
fn each_step_of_moving_and_removing_a_tag() {
    let world = World::new(Place::Zookeeper);
    let steps = ["commit-planned", "zookeeper-decided", "zookeeper-sent", "commit-answered"];
    each_step_of_moving(&world, &steps);
}

#[test]
fn making_the_root() {
    let world = World { place: Place::Zookeeper, sandbox: zookeeper::sandbox() };
    world.killed_at("zookeeper-root-decided", &["init"]);
    world.sandbox.ok(&["init"]);
    world.file("f", 10);
    assert_eq!(world.sandbox.ok(&["add", "app", "f"]), "1\n");
    world.holds_once("app", "f", 0);
    world.is_sound();
}
