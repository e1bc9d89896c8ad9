//! `kill -9` at each named step of the program (see `src/failpoint.rs`), and the same command again: as if nothing had
//! happened, with one version, its blob, and a ledger that is right in every item.
//!
//! A kill may leave `.sacker-*.part` next to the target of a download, which the next download resumes if it has
//! more than one part, and a file in the `tmp` of a directory
//! store, which a later `add` removes. Neither is ever read as a blob. An upload in parts is resumed. At the
//! end of each test `fsck` goes over all that is left, the bytes included.

mod adopting;
mod collecting;
mod copying;
mod importing;
mod making;
mod moves;
mod releases;
#[cfg(any(feature = "azure", feature = "hdfs"))]
mod stores;
#[cfg(feature = "zookeeper")]
mod zookeeper;

use crate::support::{
    audit::{Audited, audit},
    backends,
    sandbox::{Sandbox, eventually},
    servers,
};
use sacker::{
    aws::Aws,
    location::DEFAULT_REF,
    table::{Table, dynamodb::DynamoTable, git::GitTable, sqlite::SqliteTable},
};
use std::{fs, os::unix::process::ExitStatusExt, process::Stdio};

/// The location of a sandbox's ledger and blobs.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Embedded,
    Servers,
    #[cfg(feature = "zookeeper")]
    Zookeeper,
    Git,
}

const PLACES: [Place; 2] = [Place::Embedded, Place::Servers];

/// With the ledger that differs only in its commits.
const EVERYWHERE: [Place; 3] = [Place::Embedded, Place::Servers, Place::Git];

struct World {
    place: Place,
    sandbox: Sandbox,
}

impl World {
    fn new(place: Place) -> Self {
        let sandbox = match place {
            Place::Embedded => Sandbox::new(),
            Place::Servers => servers::sandbox(),
            #[cfg(feature = "zookeeper")]
            Place::Zookeeper => crate::support::zookeeper::sandbox(),
            Place::Git => {
                let sandbox = Sandbox::new();
                let home = sandbox.home().display().to_string();
                let sandbox = sandbox.set("SACKER_LEDGER", format!("git+file://{home}/ledger.git"));
                sandbox.set("SACKER_STORE", format!("file://{home}/store"))
            }
        };
        sandbox.ok(&["init"]);
        Self { place, sandbox }
    }

    /// A file that no other has the bytes of.
    fn file(&self, name: &str, size: usize) {
        let mut bytes = vec![0; size];
        fastrand::fill(&mut bytes);
        self.sandbox.write(name, bytes);
    }

    /// Runs the program until it reaches a step, and kills it there. It has printed nothing by then.
    fn killed_at(&self, step: &str, arguments: &[&str]) {
        self.killed_after(0, step, arguments);
    }

    /// Does the same as [`killed_at`](Self::killed_at), after the step was passed `times` times.
    fn killed_after(&self, times: usize, step: &str, arguments: &[&str]) {
        let sign = self.sandbox.path("sign");
        let pass = if times > 0 { format!("{times}*off->") } else { String::new() };
        let failpoints = format!("{step}={pass}return({})", sign.display());
        let mut command = self.sandbox.command(arguments);
        command.env("FAILPOINTS", failpoints).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        eventually(step, || sign.exists() || child.try_wait().unwrap().is_some());
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(9), "{step} was not met: {}", self.sandbox.shown(&output));
        assert_eq!(output.stdout, b"", "{step}");
        fs::remove_file(sign).unwrap();
    }

    /// Checks every item of a package, past the program.
    fn audit(&self, package: &str) -> Audited {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let table: Box<dyn Table> = match self.place {
                Place::Embedded => Box::new(SqliteTable::open(&self.sandbox.data().join("ledger"))),
                Place::Git => Box::new(GitTable::local(&self.sandbox.path("ledger.git"), DEFAULT_REF, None)),
                Place::Servers => {
                    let url = self.sandbox.variable("SACKER_LEDGER");
                    let name = url.trim_start_matches("dynamodb://").split('?').next().unwrap();
                    let aws: Aws = backends::aws();
                    let client = aws.dynamodb(&backends::at(backends::dynamodb())).await.unwrap();
                    Box::new(DynamoTable::new(client, name))
                }
                #[cfg(feature = "zookeeper")]
                Place::Zookeeper => Box::new(zookeeper::table(&self.sandbox)),
            };
            audit(&*table, package).await
        })
    }

    /// One version with its tag, and exactly the bytes of the file.
    fn holds_once(&self, package: &str, file: &str, moves: usize) {
        let audited = self.audit(package);
        assert_eq!((audited.versions, audited.moves, audited.fences), (1, moves, 0), "{package}");
        self.sandbox.ok(&["download", package, "1", "-o", "check"]);
        let (found, expected) = (self.sandbox.path("check"), self.sandbox.path(file));
        assert!(fs::read(&found).unwrap() == fs::read(expected).unwrap(), "{package}");
        fs::remove_file(found).unwrap();
    }

    /// Every promise holds for all that is there.
    fn is_sound(&self) {
        assert_eq!(self.sandbox.ok(&["fsck", "--read-data"]), "");
    }

    /// The records of unfinished uploads.
    fn journal(&self) -> usize {
        let uploads = self.sandbox.path(".cache/sacker/uploads");
        fs::read_dir(uploads).map_or(0, Iterator::count)
    }
}

fn each_step_of_add(place: Place, size: usize, steps: &[&str]) {
    each_step_of_add_in(&World::new(place), size, steps);
}

fn each_step_of_add_in(world: &World, size: usize, steps: &[&str]) {
    for step in steps {
        world.file("f", size);
        let add = ["add", *step, "f", "--tag", "live", "--key", "k"];
        world.killed_at(step, &add);
        // Again, and once more, as a pipeline does that never got the answer.
        for _ in 0..2 {
            assert_eq!(world.sandbox.ok(&add), "1\n", "{step}");
        }
        world.holds_once(step, "f", 1);
        assert_eq!(world.journal(), 0, "{step}");
    }
    world.is_sound();
    println!("killed and right: {steps:?}");
}

#[test]
fn each_step_of_an_embedded_add() {
    let steps = [
        "add-hashed",
        "add-owned",
        "add-staged",
        "add-sending",
        "blob-complete",
        "add-uploaded",
        "commit-planned",
        "sqlite-written",
        "commit-answered",
    ];
    each_step_of_add(Place::Embedded, 3 << 20, &steps);
}

#[test]
fn each_step_of_an_add_to_git() {
    let steps = [
        "add-owned",
        "add-staged",
        "add-uploaded",
        "commit-planned",
        "git-made",
        "git-moved",
        "commit-answered",
    ];
    each_step_of_add(Place::Git, 1 << 20, &steps);
}

/// The steps of an addition on any back end.
pub(crate) const STEPS_OF_ADD: [&str; 7] = [
    "add-hashed",
    "add-owned",
    "add-staged",
    "add-sending",
    "add-uploaded",
    "commit-planned",
    "commit-answered",
];

#[test]
fn each_step_of_an_add_to_servers() {
    each_step_of_add(Place::Servers, 3 << 20, &STEPS_OF_ADD);
}

#[test]
fn each_step_of_an_add_in_parts() {
    let steps =
        ["add-staged", "add-sending", "parts-sent", "parts-completed", "add-uploaded", "commit-answered"];
    each_step_of_add(Place::Servers, 33 << 20, &steps);
}

#[test]
fn a_killed_upload_is_resumed() {
    an_upload_is_resumed(&World::new(Place::Servers));
}

/// Kills an upload in parts in its middle, and repeats it.
fn an_upload_is_resumed(world: &World) {
    world.file("f", 41 << 20);
    let add = ["add", "app", "f", "-j", "1"];
    // In pieces of 128 KiB: two parts of 8 MiB are there by then, and the third is not.
    world.killed_after(160, "add-sending", &add);
    let said = world.sandbox.shown(&world.sandbox.command(&add).output().unwrap());
    let note = "2| note: resuming an interrupted transfer: 16.0 MiB were transferred before";
    assert!(said.lines().any(|line| line == note), "{said}");
    world.holds_once("app", "f", 0);
    world.is_sound();
}

/// Kills a move and a removal of a tag at each step. The world must be new.
fn each_step_of_moving(world: &World, steps: &[&str]) {
    for step in steps {
        world.file("f", 10);
        world.sandbox.ok(&["add", *step, "f"]);
        let tag = ["tag", *step, "1", "live", "--expect", "none", "--key", "t"];
        world.killed_at(step, &tag);
        for _ in 0..2 {
            assert_eq!(world.sandbox.ok(&tag), "live: none -> 1\n", "{step}");
        }
        world.holds_once(step, "f", 1);
        let untag = ["untag", *step, "live", "--expect", "1", "--key", "u"];
        world.killed_at(step, &untag);
        for _ in 0..2 {
            assert_eq!(world.sandbox.ok(&untag), "live: 1 -> none\n", "{step}");
        }
        world.holds_once(step, "f", 2);
    }
    world.is_sound();
}

#[test]
fn each_step_of_moving_and_removing_a_tag() {
    for place in EVERYWHERE {
        let world = World::new(place);
        let steps: &[&str] = if place == Place::Git {
            &["commit-planned", "git-made", "git-moved", "commit-answered"]
        } else if place == Place::Embedded {
            &["commit-planned", "sqlite-written", "commit-answered"]
        } else {
            &["commit-planned", "commit-answered"]
        };
        each_step_of_moving(&world, steps);
    }
}

#[test]
fn each_step_of_a_download() {
    for place in PLACES {
        let world = World::new(place);
        world.file("f", 9 << 20);
        world.sandbox.ok(&["add", "app", "f"]);
        for step in ["download-writing", "download-complete", "download-named"] {
            fs::create_dir(world.sandbox.path(step)).unwrap();
            let to = format!("{step}/f");
            let download = ["download", "app", "latest", "-o", &to];
            world.killed_at(step, &download);
            let left = world.sandbox.files(step);
            let named = step == "download-named";
            // The whole file has its name, or only the partial file is there.
            assert_eq!(left.len(), 1, "{left:?}");
            assert_eq!(left[0] == "f", named, "{left:?}");
            let temporary = left[0].strip_prefix(".sacker-").and_then(|rest| rest.strip_suffix(".part"));
            assert!(named || temporary.is_some(), "{left:?}");
            world.sandbox.ok(&download);
            let whole = |name: &str| fs::read(world.sandbox.path(name)).unwrap();
            assert!(whole(&to) == whole("f"), "{step}");
            assert_eq!(world.sandbox.files(step), ["f"], "the partial file is resumed");
        }
        world.holds_once("app", "f", 0);
        world.is_sound();
    }
}

#[test]
fn a_killed_download_is_resumed() {
    for place in PLACES {
        let world = World::new(place);
        world.file("f", 41 << 20);
        world.sandbox.ok(&["add", "app", "f"]);
        fs::create_dir(world.sandbox.path("to")).unwrap();
        let download = ["download", "app", "latest", "-o", "to/f", "-j", "1"];
        // In chunks of at most 1 MiB, each written before it counts: one part of 8 MiB has landed by then, not all
        // have.
        world.killed_after(39, "download-writing", &download);
        assert_eq!(world.sandbox.files("to").len(), 1);
        if place == Place::Embedded {
            let output = world.sandbox.command(&download).output().unwrap();
            let said = world.sandbox.shown(&output);
            let note = "2| note: resuming an interrupted transfer: 40.0 MiB were transferred before";
            assert!(said.lines().any(|line| line == note), "{said}");
        } else {
            world.sandbox.ok(&download);
        }
        assert_eq!(world.sandbox.files("to"), ["f"]);
        assert!(fs::read(world.sandbox.path("to/f")).unwrap() == fs::read(world.sandbox.path("f")).unwrap());
        world.is_sound();
    }
}

#[test]
fn a_store_that_was_being_claimed() {
    let sandbox = Sandbox::new();
    let world = World { place: Place::Embedded, sandbox };
    world.killed_at("owner-complete", &["init"]);
    world.sandbox.ok(&["init"]);
    world.file("f", 10);
    assert_eq!(world.sandbox.ok(&["add", "app", "f"]), "1\n");
    world.holds_once("app", "f", 0);
    world.is_sound();
}
