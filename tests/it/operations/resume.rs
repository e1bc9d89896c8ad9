//! An interrupted download is resumed, and the bytes that it left are verified.

use super::{
    Site,
    around::{Around, Hooks},
};
use crate::support::world::{adding, of, retry_policy};
use futures_util::StreamExt;
use sacker::{
    fault::{Fault, FaultKind},
    model::Blob,
    ops::{AddInput, Client, Download, Downloaded, Error, Observer, Phase, Target},
    store::Body,
};
use std::{
    fs::{self, File, Permissions},
    num::NonZeroUsize,
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink},
    path::PathBuf,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

const MIB: u64 = 1 << 20;

/// The length of a part of a download.
const PART: u64 = 8 * MIB;

const JOBS: u64 = 2;

/// Six parts, the last one short.
const SIZE: u64 = 5 * PART + 3 * MIB + 1;

/// Reading breaks off after `after` bytes; the bytes that are read are counted.
#[derive(Debug)]
struct BreaksOff {
    after: u64,
    given: Arc<AtomicU64>,
}

impl Hooks for BreaksOff {
    fn body(&self, body: Body) -> Body {
        let (given, after) = (Arc::clone(&self.given), self.after);
        let stream = body.stream.map(move |chunk| {
            let chunk = chunk?;
            let length = chunk.len() as u64;
            if given.fetch_add(length, SeqCst) + length > after {
                // Credentials that ran out are not waited for.
                return Err(Fault::new(FaultKind::Denied, "reading", "expired"));
            }
            Ok(chunk)
        });
        Body { stream: stream.boxed(), ..body }
    }
}

/// An observer that records every report.
#[derive(Debug, Default)]
struct Reports {
    resumed: AtomicU64,
    warnings: Mutex<Vec<String>>,
}

impl Observer for Reports {
    fn begin(&self, _: Phase, _: Option<u64>) {}

    fn resume(&self, bytes: u64) {
        self.resumed.fetch_add(bytes, SeqCst);
    }

    fn advance(&self, _: u64) {}

    fn end(&self) {}

    fn warn(&self, warning: &str) {
        self.warnings.lock().unwrap().push(warning.to_owned());
    }
}

/// A version of a package `app` that is large enough to resume, and a directory `to` to download it into.
struct World {
    site: Site,
    bytes: Vec<u8>,
    blob: Blob,
}

impl World {
    async fn new() -> Self {
        Self::with(fastrand::fill).await
    }

    async fn with(fill: impl FnOnce(&mut [u8])) -> Self {
        let site = Site::local();
        let mut bytes = vec![0; usize::try_from(SIZE).unwrap()];
        fill(&mut bytes);
        let path = site.dir.path().join("f");
        fs::write(&path, &bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let (release, _) = site.client().add(adding("app"), AddInput::file(path)).await.unwrap();
        fs::create_dir(site.dir.path().join("to")).unwrap();
        Self { site, bytes, blob: release.blob }
    }

    fn to(&self, name: &str) -> PathBuf {
        self.site.dir.path().join("to").join(name)
    }

    fn part(&self) -> PathBuf {
        self.to(&format!(".sacker-{}.part", self.blob.address.sha256))
    }

    fn left(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.to("")).unwrap();
        let mut left: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        left.sort();
        left
    }

    /// Downloads it through a store that breaks off after `after` bytes. Also returns how many bytes it gave, and the
    /// reports.
    async fn download(&self, after: u64) -> (Result<Downloaded, Error>, u64, Reports) {
        let (given, reported) = (Arc::new(AtomicU64::new(0)), Arc::new(Reports::default()));
        let store = Around::new(&self.site.store(), BreaksOff { after, given: Arc::clone(&given) });
        let scratch = self.site.dir.path().to_owned();
        let client = Client::new(self.site.ledger(), store, retry_policy(), scratch);
        let client = client.with_jobs(NonZeroUsize::new(usize::try_from(JOBS).unwrap()).unwrap());
        let target = Target::Directory(self.to(""));
        let download = Download::new(of("app"), of("1"), target);
        let client = client.with_observer(Arc::clone(&reported) as _);
        let done = client.download(download).await;
        drop(client);
        (done, given.load(SeqCst), Arc::into_inner(reported).unwrap())
    }

    /// Begins a download that breaks off once some parts have landed.
    async fn interrupted(&self) -> u64 {
        let (done, given, reported) = self.download(4 * PART).await;
        assert!(matches!(done, Err(Error::Store(fault)) if fault.kind == FaultKind::Denied));
        assert_eq!((reported.resumed.into_inner(), self.left()), (0, vec![self.part()]));
        self.is_free().await;
        given.min(4 * PART)
    }

    /// Waits until nobody has the file of an earlier download locked. The last tasks of one may end after it, and a
    /// process that another test is starting has all files of this one open until it runs its program.
    async fn is_free(&self) {
        let file = File::open(self.part()).unwrap();
        while file.try_lock().is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Not by closing it: such a process may have this one open, too.
        file.unlock().unwrap();
    }

    /// Nothing but the file, right in each byte and bit.
    fn is_done(&self) {
        assert_eq!(self.left(), [self.to("f")]);
        self.is_right();
    }

    fn is_right(&self) {
        assert!(fs::read(self.to("f")).unwrap() == self.bytes);
        assert_eq!(fs::metadata(self.to("f")).unwrap().mode() & 0o7777, 0o640);
    }

    /// Downloads it, and all of it had to be sent.
    async fn is_fetched_whole(&self) {
        let (done, given, reported) = self.download(u64::MAX).await;
        done.unwrap();
        assert_eq!((given, reported.resumed.into_inner()), (SIZE, 0));
        self.is_right();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_landed_is_not_sent_again() {
    let world = World::new().await;
    let before = world.interrupted().await;
    let mode = fs::metadata(world.part()).unwrap().mode();
    assert_eq!(mode & 0o7777 & !0o640, 0, "nobody reads it who may not in the end");
    // Once more: what has landed stays, and some lands.
    let (done, given, reported) = world.download(PART + 3 * MIB).await;
    done.unwrap_err();
    world.is_free().await;
    assert!(reported.resumed.into_inner() >= before - JOBS * PART);
    let (done, last, reported) = world.download(u64::MAX).await;
    done.unwrap();
    world.is_done();
    assert_eq!(last, SIZE - reported.resumed.into_inner());
    let sent_again = before + given.min(PART + 3 * MIB) + last - SIZE;
    assert!(sent_again <= 2 * JOBS * PART, "{sent_again} bytes for two interruptions");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_whole_needs_only_its_name() {
    let world = World::new().await;
    fs::write(world.part(), &world.bytes).unwrap();
    fs::set_permissions(world.part(), Permissions::from_mode(0o600)).unwrap();
    let (done, given, reported) = world.download(u64::MAX).await;
    done.unwrap();
    assert_eq!((given, reported.resumed.into_inner()), (0, SIZE));
    world.is_done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_and_wrong_is_fetched_again() {
    // A part that landed and was changed; one that is marked and never landed, as after a power cut.
    for wrong in ["a bit", "a hole"] {
        let world = World::new().await;
        world.interrupted().await;
        let file = File::options().write(true).open(world.part()).unwrap();
        match wrong {
            "a bit" => file.write_all_at(&[!world.bytes[7]], 7).unwrap(),
            _ => file.write_all_at(&[1; 6], SIZE + 16).unwrap(),
        }
        drop(file);
        let (done, _, reported) = world.download(u64::MAX).await;
        done.unwrap();
        assert_eq!(reported.warnings.into_inner().unwrap().len(), 1, "{wrong}");
        world.is_done();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zeros_that_come_take_the_place_of_what_is_left() {
    let world = World::with(|_| ()).await;
    world.interrupted().await;
    // In each part, landed or not: what is sent of it is left out where there is a hole.
    let file = File::options().write(true).open(world.part()).unwrap();
    for part in 0..6 {
        file.write_all_at(b"x", part * PART).unwrap();
    }
    drop(file);
    world.download(u64::MAX).await.0.unwrap();
    world.is_done();
    assert!(fs::metadata(world.to("f")).unwrap().blocks() * 512 < MIB, "holes stay holes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_in_the_store_is_damage() {
    let world = World::new().await;
    world.interrupted().await;
    let stored = world.site.dir.path().join("store/sha256").join(world.blob.address.to_string());
    fs::set_permissions(&stored, Permissions::from_mode(0o600)).unwrap();
    let file = File::options().write(true).open(&stored).unwrap();
    file.write_all_at(&[!world.bytes[usize::try_from(SIZE - 1).unwrap()]], SIZE - 1).unwrap();
    let (done, given, _) = world.download(u64::MAX).await;
    assert!(matches!(done, Err(Error::Damaged { .. })), "{done:?}");
    assert!(given >= SIZE, "it is not called damaged for what was left");
    assert_eq!(world.left(), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_layout_restarts_the_download() {
    let world = World::new().await;
    for left in [&b""[..], b"sacker", &vec![1; usize::try_from(SIZE + 22).unwrap()], &[7; 100]] {
        fs::write(world.part(), left).unwrap();
        fs::set_permissions(world.part(), Permissions::from_mode(0o600)).unwrap();
        world.is_fetched_whole().await;
        world.is_done();
        fs::remove_file(world.to("f")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partial_file_that_others_may_read_is_not_resumed() {
    let world = World::new().await;
    world.interrupted().await;
    let before = fs::metadata(world.part()).unwrap().ino();
    let reads_on = File::open(world.part()).unwrap();
    fs::set_permissions(world.part(), Permissions::from_mode(0o644)).unwrap();
    world.is_fetched_whole().await;
    world.is_done();
    assert_ne!(fs::metadata(world.to("f")).unwrap().ino(), before);
    drop(reads_on);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_in_use_is_left_alone() {
    let world = World::new().await;
    world.interrupted().await;
    let before = fs::read(world.part()).unwrap();
    let held = File::open(world.part()).unwrap();
    held.lock().unwrap();
    world.is_fetched_whole().await;
    assert_eq!(world.left(), [world.part(), world.to("f")]);
    assert!(fs::read(world.part()).unwrap() == before);
    // Now that it is there, what is left is of no use; but it is not for others to remove.
    world.download(u64::MAX).await.0.unwrap();
    assert_eq!(world.left().len(), 2);
    drop(held);
    assert!(world.download(u64::MAX).await.0.unwrap().present);
    world.is_done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_at_once_both_get_it() {
    let world = World::new().await;
    let (one, two) = tokio::join!(world.download(u64::MAX), world.download(u64::MAX));
    // To whichever comes second the same bytes are there.
    let present = [one.0.unwrap().present, two.0.unwrap().present];
    assert!(present.contains(&false));
    world.is_done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_file_is_not_touched() {
    let world = World::new().await;
    let precious = world.site.dir.path().join("precious");
    for planted in ["a link", "a link to nothing", "a hard link", "a pipe", "a directory"] {
        fs::write(&precious, "mine").unwrap();
        match planted {
            "a link" => symlink(&precious, world.part()).unwrap(),
            "a link to nothing" => symlink("nothing", world.part()).unwrap(),
            "a hard link" => fs::hard_link(&precious, world.part()).unwrap(),
            "a pipe" => assert!(Command::new("mkfifo").arg(world.part()).status().unwrap().success()),
            _ => fs::create_dir(world.part()).unwrap(),
        }
        world.is_fetched_whole().await;
        assert_eq!(world.left(), [world.part(), world.to("f")], "{planted}");
        assert_eq!(fs::read(&precious).unwrap(), b"mine", "{planted}");
        assert!(!world.to("nothing").exists());
        // Nor when it is of no use any more.
        assert!(world.download(u64::MAX).await.0.unwrap().present);
        assert_eq!(world.left().len(), 2, "{planted}");
        fs::remove_file(world.to("f")).unwrap();
        fs::remove_file(world.part()).or_else(|_| fs::remove_dir(world.part())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_part_has_landed_nothing_stays() {
    let world = World::new().await;
    world.download(MIB).await.0.unwrap_err();
    assert_eq!(world.left(), Vec::<PathBuf>::new());
}
