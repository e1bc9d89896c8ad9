//! Collection under kills: the next run lists and removes what a killed one left.

use super::{PLACES, Place, World};
use crate::support::backends;
use sacker::{
    model::Address,
    store::{Store, directory::DirectoryStore, s3::S3Store},
};
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, fs};

const REMOVE: [&str; 4] = ["gc", "--delete", "--min-age", "0s"];

impl World {
    /// Every object in the store, past the program.
    fn objects(&self) -> BTreeSet<String> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let store: Box<dyn Store> = if matches!(self.place, Place::Embedded) {
                Box::new(DirectoryStore::new(self.sandbox.data().join("store")))
            } else {
                let url = self.sandbox.variable("SACKER_STORE");
                let bucket = url.trim_start_matches("s3://").split('/').next().unwrap();
                let client = backends::aws().s3(&backends::at(backends::s3())).await.unwrap();
                Box::new(S3Store::new(client, bucket, "blobs", None))
            };
            let (mut objects, mut after) = (BTreeSet::new(), None);
            loop {
                let page = store.list(after.as_deref()).await.unwrap();
                objects.extend(page.objects.into_iter().map(|(address, _)| address.to_string()));
                after = page.next;
                if after.is_none() {
                    return objects;
                }
            }
        })
    }

    /// Returns the garbage that `gc` lists.
    fn garbage(&self, arguments: &[&str]) -> BTreeSet<String> {
        let reported = self.sandbox.ok(&[&["gc", "--json", "--min-age", "0s"], arguments].concat());
        let garbage = reported.lines().filter(|line| !line.starts_with("{\"summary\":"));
        let garbage: Vec<_> = garbage.map(address).collect();
        let distinct: BTreeSet<_> = garbage.iter().cloned().collect();
        assert_eq!(distinct.len(), garbage.len(), "{garbage:?}");
        distinct
    }

    /// Adds a file that no other is like. Gives its address.
    fn add(&self, package: &str) -> String {
        self.file("f", 10);
        address(&self.sandbox.ok(&["add", package, "f", "--json"]))
    }

    /// Checks that the store holds what is needed and what `gc` lists, and after its removal only what is needed.
    fn ends_clean(&self, needed: &BTreeSet<String>) {
        let garbage = self.garbage(&[]);
        assert_eq!(self.objects(), garbage.union(needed).cloned().collect());
        assert!(garbage.is_disjoint(needed), "{garbage:?}");
        assert_eq!(self.garbage(&["--delete"]), garbage);
        assert_eq!(self.objects(), *needed);
        assert_eq!(self.garbage(&[]), BTreeSet::new());
        self.is_sound();
    }
}

fn address(json: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    let sha256 = json["sha256"].as_str().unwrap().parse().unwrap();
    Address { sha256, generation: json["generation"].as_u64().unwrap_or_default() }.to_string()
}

#[test]
fn each_step_of_a_collection() {
    for place in PLACES {
        let world = World::new(place);
        let mut needed = BTreeSet::new();
        let steps: &[&str] = match place {
            Place::Embedded => &["gc-page", "sqlite-written", "gc-condemned", "gc-deleted"],
            _ => &["gc-page", "gc-condemned", "gc-deleted"],
        };
        for step in steps {
            needed.insert(world.add(step));
            let mut garbage = BTreeSet::new();
            for version in ["2", "3", "4"] {
                garbage.insert(world.add(step));
                world.sandbox.ok(&["delete", step, version]);
            }
            world.killed_after(usize::from(*step != "gc-page"), step, &REMOVE);
            let left = world.garbage(&[]);
            assert!(left.is_subset(&garbage), "{step}: {left:?}");
            match *step {
                "gc-page" => assert_eq!(left, garbage),
                "gc-deleted" => assert!(left.len() < garbage.len(), "{left:?}"),
                _ => assert!(!left.is_empty(), "{step}"),
            }
            // What was condemned and is not removed may be needed again: elsewhere.
            let again = world.sandbox.ok(&["add", step, "f", "--json"]);
            let sha256 = address(&again);
            let copies = world.objects().into_iter().filter(|object| object.starts_with(&sha256));
            let newest = copies.max().unwrap();
            needed.insert(newest);
            world.ends_clean(&needed);
            world.sandbox.ok(&["download", step, "5", "-o", "check", "-f"]);
        }
    }
}

#[test]
fn a_collection_between_two_pages() {
    let world = World::new(Place::Embedded);
    let needed = BTreeSet::from([world.add("app")]);
    let blobs = world.sandbox.data().join("store/sha256");
    for n in 0..1100 {
        let bytes = format!("an upload whose commit never came {n}");
        fs::write(blobs.join(hex::encode(Sha256::digest(&bytes))), bytes).unwrap();
    }
    // As many as are on a page. Those that are removed at the same time may be gone, too.
    world.killed_after(1000, "gc-deleted", &REMOVE);
    let left = world.garbage(&[]).len();
    assert!((1..100).contains(&left), "{left}");
    world.ends_clean(&needed);
}
