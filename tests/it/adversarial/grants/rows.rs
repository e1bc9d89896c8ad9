//! The commands that every role runs, and the state that each of them needs.

/// A command as each role runs it.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name in the table of the page; none if it is not there.
    pub name: Option<&'static str>,
    /// `{n}` is the version that the line before it added; `{ledger}` and `{store}` are those with IAM, `{other}` is the
    /// address of the other ledger and store.
    pub line: &'static str,
    /// The lines that an administrator runs before it, so that there is something to do each time.
    pub before: &'static [&'static str],
    /// The state that there must be before it.
    pub scene: Scene,
    /// Its exit code if it is allowed.
    pub code: u8,
}

/// A state that no command makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    Usual,
    /// The list of packages has entries of no package.
    Ghosts,
    /// The object of the package `lost` is gone.
    Lost,
    /// There is no table and no bucket.
    New,
    /// An upload of the file `large` was interrupted.
    Interrupted,
    /// It was interrupted, and somebody else has added the same file since.
    Overtaken,
    /// The bucket has an upload that nobody finished for years.
    Abandoned,
    /// Another ledger and store, without IAM, hold what this one holds and one more package, and were exported to `incoming`.
    Other,
    /// Another ledger and store, without IAM, do not exist yet.
    Empty,
}

const fn row(name: &'static str, line: &'static str) -> Row {
    Row { name: Some(name), line, before: &[], scene: Scene::Usual, code: 0 }
}

const fn after(name: &'static str, line: &'static str, before: &'static [&'static str]) -> Row {
    Row { before, ..row(name, line) }
}

const FREEZABLE: [&str; 2] = ["freeze --prefix zoo -m x", "thaw --prefix zoo"];

/// Each `fresh` has other bytes. The packages of publisher and promoter are `app` and `web/*`.
pub const ROWS: [Row; 63] = [
    row("list -l", "list -l"),
    row("versions", "versions app"),
    row("tags", "tags app"),
    row("info", "info app live"),
    row("status", "status --prefix app"),
    row("changes", "changes app 1..2"),
    row("find", "find --prefix app --state active"),
    row("history", "history app"),
    row("wait", "wait app live"),
    row("watch", "watch app --after-rev t0,r0 --once"),
    row("watch --prefix", "watch --prefix app --once"),
    row("download", "download app live -o copy -f"),
    row("download` of another package `", "download other 1 -o copy -f"),
    row("add", "add app fresh"),
    row("add` of a new package `", "add web/site fresh"),
    row("add` of another package `", "add other fresh"),
    row("add --tag", "add app fresh --tag staging"),
    after("tag", "tag app 1 stable", &["tag app 2 stable"]),
    row("tag` of another package `", "tag other 1 stable"),
    after("untag", "untag app old", &["tag app 1 old"]),
    after("rollback", "rollback app live", &["tag app 2 live"]),
    after("apply", "apply plan", &["tag app 1 planned"]),
    after("apply --undo", "apply plan --undo", &["tag app 1 planned", "apply plan"]),
    after("protect", "protect app kept --confirm", &["unprotect app kept"]),
    after(
        "protect --require",
        "protect app gated --require tag:live --require was:canary",
        &["protect app gated --confirm", "unprotect app gated"],
    ),
    row("check", "check app live staging --require tag:live --require was:live --require soak:live=0s"),
    after(
        "tag --override",
        "tag app 1 hurried --override urgent",
        &[
            "tag app 2 hurried --override reset",
            "protect app hurried --require soak:live=100d --require was:old",
        ],
    ),
    after("unprotect", "unprotect app kept", &["protect app kept --confirm"]),
    // The first freeze of a ledger also changes its identity, which the administrator does here.
    after("freeze", "freeze --prefix zoo -m why", &FREEZABLE),
    row("freeze --list", "freeze --list"),
    after("thaw", "thaw --prefix zoo", &["freeze --prefix zoo -m x"]),
    after("recall", "recall app {n}", &["add app fresh", "tag app 2 live", "tag app {n} live"]),
    row("label", "label app 1 tests=passed"),
    after("yank", "yank app 3", &["unyank app 3"]),
    after("unyank", "unyank app 3", &["yank app 3"]),
    after("delete", "delete app {n}", &["add app fresh"]),
    after("delete --force", "delete app {n} --force", &["add app fresh"]),
    after("undelete", "undelete app {n}", &["add app fresh", "delete app {n}"]),
    row("prune", "prune app --keep 0 --min-age 1000h"),
    row("prune --prefix", "prune --prefix app --keep 1000"),
    after(
        "prune --delete",
        "prune web/site --keep 1 --delete",
        &["add web/site fresh", "add web/site fresh"],
    ),
    after("delete` of another package `", "delete other {n}", &["add other fresh"]),
    after("gc", "gc --min-age 0s", &["add other fresh", "delete other {n}"]),
    after("gc --delete", "gc --delete --min-age 0s", &["add other fresh", "delete other {n}"]),
    row("fsck", "fsck"),
    row("fsck --read-data", "fsck --read-data"),
    Row { scene: Scene::Ghosts, ..row("fsck --repair", "fsck --repair") },
    row("audit", "audit"),
    row("export", "export"),
    Row { scene: Scene::Other, ..row("import", "import incoming --blobs incoming-blobs") },
    Row { scene: Scene::Other, ..row("copy", "copy --from-ledger {other}ledger --from-store {other}store") },
    Row {
        scene: Scene::Empty,
        ..row(
            "copy` to another ledger `",
            "copy --ledger {other}ledger --store {other}store --from-ledger {ledger} --from-store {store}",
        )
    },
    row("doctor", "doctor"),
    row("doctor --probe", "doctor --probe --package app"),
    row("init", "init"),
    Row { scene: Scene::New, ..row("init` of a new table and bucket `", "init") },
    // Each pattern of packages counts.
    Row { name: None, ..after("", "tag web/tool 1 stable", &["tag web/tool 3 stable"]) },
    Row { name: None, ..after("", "yank web/tool 2", &["unyank web/tool 2"]) },
    Row { name: None, ..row("", "add web/tool fresh --tag staging") },
    // An upload in parts is resumed, or aborted because others added the same.
    Row { name: None, scene: Scene::Interrupted, ..row("", "add app large") },
    Row { name: None, scene: Scene::Overtaken, ..row("", "add app large") },
    // An upload that was abandoned long ago is aborted.
    Row { name: None, scene: Scene::Abandoned, ..row("", "gc --delete --min-age 0s") },
    // Who may not list is refused where others learn that the object is gone.
    Row { name: None, scene: Scene::Lost, code: 8, ..row("", "download lost 1 -o copy -f") },
];
