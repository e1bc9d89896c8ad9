//! Taking versions back.

use super::{EVERYWHERE, Place, World};

fn steps(place: Place) -> &'static [&'static str] {
    match place {
        Place::Embedded => {
            &["change-tags-read", "commit-planned", "sqlite-written", "commit-answered", "change-done"]
        }
        _ => &["change-tags-read", "commit-planned", "commit-answered", "change-done"],
    }
}

/// A package of two versions with the same bytes: what counts them, counts twice.
fn two(world: &World, package: &str) {
    world.file("f", 10);
    for version in ["1\n", "2\n"] {
        assert_eq!(world.sandbox.ok(&["add", package, "f"]), version);
    }
}

/// Checks that there are two versions, and the number of their changes.
fn changed(world: &World, package: &str, events: u64) {
    let audited = world.audit(package);
    assert_eq!((audited.versions, audited.fences, audited.revs), (2, 0, 2 + events), "{package}");
}

#[test]
fn each_step_of_yanking_and_unyanking() {
    for place in EVERYWHERE {
        let world = World::new(place);
        for step in steps(place) {
            two(&world, step);
            let commands = [("yank", "2: active -> yanked\n", "1"), ("unyank", "2: yanked -> active\n", "2")];
            for ((command, said, latest), events) in commands.into_iter().zip(1..) {
                let change = [command, *step, "2", "--key", command];
                world.killed_at(step, &change);
                for _ in 0..2 {
                    assert_eq!(world.sandbox.ok(&change), said, "{step}");
                }
                changed(&world, step, events);
                let info = world.sandbox.ok(&["info", step, "latest"]);
                assert_eq!(info.lines().nth(1), Some(format!("version: {latest}").as_str()), "{step}");
            }
        }
        world.is_sound();
    }
}

#[test]
fn each_step_of_deleting() {
    for place in EVERYWHERE {
        let world = World::new(place);
        for step in steps(place) {
            two(&world, step);
            let delete = ["delete", *step, "2", "--key", "d"];
            world.killed_at(step, &delete);
            for _ in 0..2 {
                assert_eq!(world.sandbox.ok(&delete), "2: active -> deleted\n", "{step}");
            }
            changed(&world, step, 1);
            // Counted down once: the other version still has its bytes.
            world.sandbox.ok(&["gc", "--delete", "--min-age", "0s"]);
            world.sandbox.ok(&["download", step, "1", "-o", "check", "-f"]);
            assert!(world.sandbox.run(&["info", step, "2"]).starts_with("exit 4"), "{step}");
        }
        world.is_sound();
    }
}

#[test]
fn each_step_of_labelling() {
    for place in EVERYWHERE {
        let world = World::new(place);
        for step in steps(place) {
            two(&world, step);
            let label = ["label", *step, "1", "os=linux", "--key", "l"];
            world.killed_at(step, &label);
            for _ in 0..2 {
                assert_eq!(world.sandbox.ok(&label), "1: os=linux\n", "{step}");
            }
            changed(&world, step, 1);
        }
        world.is_sound();
    }
}
