//! Adoption of a store under kills: it always has one owner, and the next run finishes the adoption.

use super::{PLACES, Place, World};
use crate::support::backends;

#[test]
fn each_step_of_adopting_a_store() {
    for place in PLACES {
        let steps: &[&str] = match place {
            Place::Embedded => &["adopt-raised", "owner-replacing", "adopt-owned"],
            _ => &["adopt-raised", "adopt-owned"],
        };
        for step in steps {
            let world = World::new(place);
            let sandbox = &world.sandbox;
            world.file("f", 10);
            sandbox.ok(&["add", "app", "f"]);
            let other = match place {
                Place::Embedded => format!("file://{}", sandbox.path("other").display()),
                _ => {
                    format!("dynamodb://{}?endpoint={}", backends::unique("other"), backends::dynamodb())
                }
            };
            let store = format!("file://{}", sandbox.data().join("store").display());
            let on_other = |arguments: &[&str]| {
                let mut all = [arguments, &["--ledger", &other, "-q"]].concat();
                if place == Place::Embedded {
                    all.extend(["--store", &store]);
                }
                all.into_iter().map(str::to_owned).collect::<Vec<_>>()
            };
            let adopt = on_other(&["init", "--adopt-store", "--json"]);
            let arguments: Vec<_> = adopt.iter().map(String::as_str).collect();
            world.killed_at(step, &arguments);
            // One of them is the owner.
            let done = *step == "adopt-owned";
            assert_eq!(sandbox.run(&["gc"]).starts_with("exit 2"), done, "{step}");
            assert_eq!(sandbox.run(&on_other(&["gc"])).starts_with("exit 0"), done, "{step}");
            let ids: Vec<_> = (0..2)
                .map(|_| {
                    let made: serde_json::Value = serde_json::from_str(&sandbox.ok(&adopt)).unwrap();
                    made["ledger_id"].clone()
                })
                .collect();
            assert_eq!(ids[0], ids[1], "{step}");
            assert!(sandbox.run(&["add", "app", "f"]).starts_with("exit 2"), "{step}");
            assert_eq!(sandbox.ok(&on_other(&["add", "app", "f"])), "1\n", "{step}");
            assert_eq!(sandbox.ok(&on_other(&["fsck", "--read-data"])), "", "{step}");
            assert_eq!(sandbox.ok(&on_other(&["gc", "--min-age", "0s", "--delete"])).lines().count(), 1);
            assert_eq!(sandbox.ok(&on_other(&["fsck", "--read-data"])), "", "{step}");
        }
    }
}
