//! An `init` that is killed while it makes the table or the bucket: the next one finishes, and reports what is off.

use super::{Place, World};
use crate::support::servers;

#[test]
fn each_step_of_making_a_ledger_and_a_store() {
    for step in ["table-made", "bucket-made"] {
        let world = World { place: Place::Servers, sandbox: servers::sandbox() };
        world.killed_at(step, &["init", "--json"]);
        let made: serde_json::Value = serde_json::from_str(&world.sandbox.ok(&["init", "--json"])).unwrap();
        // The one that was made last is there; what it lacks is reported, with the way to turn it on.
        let there = |what: &str| made[format!("{what}_made")] == false;
        assert!(there("ledger"), "{step}: {made}");
        assert_eq!(there("store"), step == "bucket-made", "{step}: {made}");
        let settings = made["settings"].as_array().unwrap();
        let versioning = settings.iter().find(|setting| setting["name"] == "bucket_versioning").unwrap();
        assert_eq!(versioning["state"] == "off", step == "bucket-made", "{step}: {versioning}");
        println!("{step}: {made}");
        world.file("f", 10);
        assert_eq!(world.sandbox.ok(&["add", "app", "f"]), "1\n", "{step}");
        world.holds_once("app", "f", 0);
        world.is_sound();
    }
}
