//! Rollback and protection of a tag, and plans over several packages.

use super::{EVERYWHERE, Place, World};

fn steps(place: Place) -> &'static [&'static str] {
    match place {
        Place::Embedded => &["commit-planned", "sqlite-written", "commit-answered"],
        _ => &["commit-planned", "commit-answered"],
    }
}

/// Two versions of a package, `live` on the first and then on the second.
fn two(world: &World, package: &str) {
    for version in ["1\n", "2\n"] {
        world.file("f", 10);
        assert_eq!(world.sandbox.ok(&["add", package, "f", "--tag", "live"]), version);
    }
}

/// Kills the command, runs it again, and once more, as a caller does that never got the answer.
fn killed_and_repeated(world: &World, step: &str, command: &[&str], said: &str) {
    world.killed_at(step, command);
    for _ in 0..2 {
        assert_eq!(world.sandbox.ok(command), said, "{step}: {command:?}");
    }
}

/// Checks the number of changes of tags in a package, and that nothing had to be fenced.
fn moved(world: &World, package: &str, moves: usize) {
    let audited = world.audit(package);
    assert_eq!((audited.versions, audited.moves, audited.fences), (2, moves, 0), "{package}");
}

#[test]
fn each_step_of_putting_back_and_protecting() {
    for place in EVERYWHERE {
        let world = World::new(place);
        for step in steps(place) {
            two(&world, step);
            killed_and_repeated(&world, step, &["rollback", step, "live", "--key", "r"], "live: 2 -> 1\n");
            moved(&world, step, 3);
            let protect = ["protect", step, "live", "--write-once", "--key", "p"];
            killed_and_repeated(&world, step, &protect, "live: write-once\n");
            moved(&world, step, 4);
            assert!(world.sandbox.run(&["tag", step, "2", "live"]).starts_with("exit 6"), "{step}");
            killed_and_repeated(
                &world,
                step,
                &["unprotect", step, "live", "--key", "u"],
                "live: unprotected\n",
            );
            moved(&world, step, 5);
        }
        world.is_sound();
    }
}

#[test]
fn each_step_of_a_plan_and_of_taking_it_back() {
    for place in EVERYWHERE {
        let world = World::new(place);
        for step in steps(place) {
            let packages = ["a", "b", "c"].map(|name| format!("{name}-{step}"));
            for package in &packages {
                two(&world, package);
            }
            let [a, b, c] = &packages;
            world.sandbox.write(
                "plan",
                format!(
                    r#"{{"moves": [{{"package": "{c}", "tag": "live", "to": null}},
                        {{"package": "{a}", "tag": "live", "to": 1, "expect": 2}},
                        {{"package": "{b}", "tag": "beta", "to": "live"}}]}}"#
                ),
            );
            let said = format!("{c} live: 2 -> none\n{a} live: 2 -> 1\n{b} beta: none -> 2\n");
            killed_and_repeated(&world, step, &["apply", "plan", "--key", "a"], &said);
            for package in &packages {
                moved(&world, package, 3);
            }
            let said = format!("{c} live: none -> 2\n{a} live: 1 -> 2\n{b} beta: 2 -> none\n");
            killed_and_repeated(&world, step, &["apply", "--undo", "plan", "--key", "u"], &said);
            for package in &packages {
                moved(&world, package, 4);
            }
        }
        world.is_sound();
    }
}
