//! Large blobs over realistic links: slow, shared, stalled, dead; and parts that fail while others continue.
//!
//! `SACKER_LONG_LINKS=1` (`just slow-links`) runs what is scaled down here at its real size: 40 MiB at 256 KiB/s, a
//! deadline of 60 s, a stall of 50 s. That takes three minutes.

use crate::{
    faults::stalls::{home_at, timed},
    support::{
        link::{Counts, Link, Shape, Stall},
        sandbox::Sandbox,
        server::{Fault, Request, Server},
    },
};
use std::{collections::BTreeMap, env, time::Duration};
use tokio::runtime::Runtime;

const MIB: u64 = 1 << 20;

/// The bytes that pass a link besides the blobs: requests and answers.
const TALK: u64 = 200_000;

/// A link of 256 KiB/s and all times that go with it, or the same fifteen times as fast.
#[derive(Clone, Copy)]
struct Scale(u32);

impl Scale {
    fn new() -> Self {
        Self(if env::var_os("SACKER_LONG_LINKS").is_some() { 1 } else { 15 })
    }

    /// 40 MiB; in the short form 24 MiB, three parts, since a busy machine needs some of the deadline for itself.
    fn size(self) -> u64 {
        if self.0 == 1 { 40 * MIB } else { 24 * MIB }
    }

    fn rate(self) -> u64 {
        256 * 1024 * u64::from(self.0)
    }

    fn time(self, seconds: u64) -> Duration {
        Duration::from_secs(seconds) / self.0
    }

    /// 50 s; in the short form 30 s, since a busy machine needs some of the deadline for itself.
    fn stall(self) -> Duration {
        self.time(if self.0 == 1 { 50 } else { 30 })
    }

    /// 60 s.
    fn deadline(self) -> String {
        format!("--deadline={}ms", self.time(60).as_millis())
    }
}

/// A server with a link to it, and a home that reaches it through that.
struct World {
    server: Server,
    link: Link,
    sandbox: Sandbox,
    runtime: Runtime,
}

impl World {
    fn new(shape: Shape) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let server = Server::new();
        let link = runtime.block_on(Link::start(&server.endpoint, shape));
        let sandbox = home_at(&link.url());
        Self { server, link, sandbox, runtime }
    }

    /// Makes a world with a version of a package `app` whose blob has `size` bytes and was added past the link, which
    /// has this shape.
    fn with_blob(size: u64, shape: Shape) -> Self {
        let world = Self::new(shape);
        world.file(size);
        let store = world.sandbox.variable("SACKER_STORE").replace(&world.link.url(), &world.server.endpoint);
        world.sandbox.ok(&["add", "app", "f", "--store", &store]);
        world
    }

    fn file(&self, size: u64) {
        let mut bytes = vec![0; usize::try_from(size).unwrap()];
        fastrand::Rng::with_seed(size).fill(&mut bytes);
        self.sandbox.write("f", bytes);
    }

    /// The number of requests for each part of an upload, or for each range of a download.
    fn asked(&self, operation: &str) -> BTreeMap<String, usize> {
        let mut asked = BTreeMap::new();
        for request in self.server.seen().into_iter().filter(|request| request.operation == operation) {
            if let Some(what) = request.query.get("partNumber").or_else(|| request.headers.get("range")) {
                *asked.entry(what.clone()).or_default() += 1;
            }
        }
        asked
    }

    fn counts(&self) -> Counts {
        self.link.counts()
    }
}

fn slow(scale: Scale) -> Shape {
    Shape { rate: Some(scale.rate()), ..Shape::default() }
}

#[test]
fn a_slow_link_carries_each_byte_once() {
    let scale = Scale::new();
    let size = scale.size();
    let once = |world: &World, operation| {
        let asked = world.asked(operation);
        assert!(asked.values().all(|times| *times == 1), "{operation}: {asked:?}");
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let world = World::new(slow(scale));
            world.file(size);
            assert_eq!(timed(&world.sandbox, &["add", "app", "f", &scale.deadline()]).0, Some(0));
            once(&world, "UploadPart");
            let up = world.counts().up;
            assert!(up < size + TALK, "{up} bytes");
        });
        scope.spawn(|| {
            let world = World::with_blob(size, slow(scale));
            let arguments = ["download", "app", "1", "-o", "g", &scale.deadline()];
            assert_eq!(timed(&world.sandbox, &arguments).0, Some(0));
            once(&world, "GetObject");
            let down = world.counts().down;
            assert!(down < size + TALK, "{down} bytes");
        });
    });
}

/// A blob of three parts.
const STALLED: u64 = 17 * MIB;

/// The shape of a link that stalls in the middle of such a blob.
fn stalling(scale: Scale, lasts: Option<Duration>) -> Shape {
    Shape { stall: Some(Stall { after: 10 * MIB, lasts }), ..slow(scale) }
}

#[test]
fn both_directions_resume_after_a_stall() {
    let (scale, size) = (Scale::new(), STALLED);
    let lasts = Some(scale.stall());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let world = World::new(stalling(scale, lasts));
            world.file(size);
            assert_eq!(timed(&world.sandbox, &["add", "app", "f", &scale.deadline()]).0, Some(0));
            let up = world.counts().up;
            assert!(up > 10 * MIB && up < 2 * size, "{up} bytes");
        });
        scope.spawn(|| {
            let world = World::with_blob(size, stalling(scale, lasts));
            let arguments = ["download", "app", "1", "-o", "g", &scale.deadline()];
            assert_eq!(timed(&world.sandbox, &arguments).0, Some(0));
            // What was on its way in connections that were given up is all that is sent again.
            let down = world.counts().down;
            assert!(down < size + 8 * 3 * MIB, "{down} bytes");
        });
    });
}

#[test]
fn a_link_that_stays_dead_ends_at_the_deadline() {
    let scale = Scale::new();
    let ends = |took: Duration| {
        // The bytes, the deadline and what a late movement adds to it, and a busy machine.
        let most = scale.time(80 + 60 + 50) + Duration::from_secs(8);
        assert!(took < most, "{took:?}");
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let world = World::new(stalling(scale, None));
            world.file(STALLED);
            let (code, took) = timed(&world.sandbox, &["add", "app", "f", &scale.deadline()]);
            assert_eq!(code, Some(7));
            ends(took);
        });
        scope.spawn(|| {
            let world = World::with_blob(STALLED, stalling(scale, None));
            let (code, took) = timed(&world.sandbox, &["download", "app", "1", "-o", "g", &scale.deadline()]);
            assert_eq!(code, Some(7));
            ends(took);
        });
    });
}

fn is_part(request: &Request, number: &str) -> bool {
    request.operation == "UploadPart" && request.query["partNumber"] == number
}

/// Two parts of 8 MiB take two seconds, while the third, of 1 MiB, fails five times.
#[test]
fn a_part_that_fails_is_sent_again_by_itself() {
    for (status, code) in [(500, "InternalError"), (503, "SlowDown")] {
        let world = World::new(Shape { rate_per_connection: Some(4 * MIB), ..Shape::default() });
        world.file(17 * MIB);
        let failed = std::sync::atomic::AtomicUsize::new(0);
        world.server.faults(move |request| {
            let fails = is_part(request, "3") && failed.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 5;
            fails.then_some(Fault::Error(status, code))
        });
        assert_eq!(timed(&world.sandbox, &["add", "app", "f", "--deadline=20s"]).0, Some(0));
        let asked: Vec<_> = world.asked("UploadPart").into_values().collect();
        assert_eq!(asked, [1, 1, 6], "{code}");
        let up = world.counts().up;
        assert!(up < (17 + 5) * MIB + TALK, "{code}: {up} bytes");
        let begun = world.server.seen().iter().filter(|one| one.operation == "CreateMultipartUpload").count();
        assert_eq!(begun, 1);
    }
}

/// An error that waiting does not help ends the command at once.
#[test]
fn a_part_that_is_denied_ends_all() {
    let world = World::new(Shape { rate_per_connection: Some(MIB), ..Shape::default() });
    world.file(17 * MIB);
    world.server.faults(|request| is_part(request, "3").then_some(Fault::Error(403, "AccessDenied")));
    assert_eq!(timed(&world.sandbox, &["add", "app", "f"]).0, Some(10));
    assert_eq!(world.asked("UploadPart"), BTreeMap::from([("3".to_owned(), 1)]));
}

/// The second range stops half-way; then it is resumed where it was, and no other range is asked for again.
#[test]
fn a_range_that_stops_is_resumed_by_itself() {
    let world = World::with_blob(20 * MIB, Shape::default());
    let second = "bytes=8388608-16777215";
    world.server.faults(move |request| {
        let is_second = request.headers.get("range").is_some_and(|range| range == second);
        (request.operation == "GetObject" && is_second).then_some(Fault::Half)
    });
    assert_eq!(timed(&world.sandbox, &["download", "app", "1", "-o", "g", "--deadline=8s"]).0, Some(0));
    let asked = world.asked("GetObject");
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(asked.values().all(|times| *times == 1), "{asked:?}");
    assert!(asked.contains_key("bytes=12582912-16777215"), "{asked:?}");
}

/// More connections are used if each has a bandwidth of its own.
#[test]
fn connections_are_added_while_that_helps() {
    let shape = Shape { rate_per_connection: Some(8 * MIB), ..Shape::default() };
    let world = World::new(shape);
    world.file(160 * MIB);
    assert_eq!(timed(&world.sandbox, &["add", "app", "f"]).0, Some(0));
    let up = world.counts().most_at_once;
    assert!((12..=33).contains(&up), "{up} connections up");
    let url = world.server.endpoint.clone();
    let link = world.runtime.block_on(Link::start(&url, shape));
    let store = world.sandbox.variable("SACKER_STORE").replace(&world.link.url(), &link.url());
    let arguments = ["download", "app", "1", "-o", "g", "--store", &store];
    assert_eq!(timed(&world.sandbox, &arguments).0, Some(0));
    let down = link.counts().most_at_once;
    assert!((12..=33).contains(&down), "{down} connections down");
}
