//! Two users of one machine, who share its directories and not their files. It takes the superuser to be two users: run
//! by another one, these tests are that other user alone.

use crate::support::server::{Fault, Server};
use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

const ANN: u32 = 65_532;
const BEN: u32 = 65_533;
const GROUP: u32 = 65_531;

/// A directory that everyone may write to, as `/tmp` is, with a home for each user.
struct Host {
    dir: TempDir,
    root: bool,
}

impl Host {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // Not so for a superuser without the rights of one, as in some containers.
        let probe = dir.path().join("probe");
        fs::write(&probe, "").unwrap();
        let root = fs::metadata(dir.path()).unwrap().uid() == 0
            && std::os::unix::fs::chown(&probe, Some(ANN), Some(ANN)).is_ok();
        let host = Self { dir, root };
        // By a process of its own: one that is started while this one has the copy open keeps it from being run.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_sacker")).arg(host.path("sacker")).status();
        assert!(copied.unwrap().success());
        for shared in ["tmp", "shared"] {
            fs::create_dir(host.path(shared)).unwrap();
            fs::set_permissions(host.path(shared), fs::Permissions::from_mode(0o1777)).unwrap();
        }
        for user in [ANN, BEN] {
            fs::create_dir(host.home(user)).unwrap();
            host.give(&host.home(user), user);
        }
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn home(&self, user: u32) -> PathBuf {
        self.path(&format!("home-{user}"))
    }

    fn give(&self, path: &Path, user: u32) {
        if self.root {
            std::os::unix::fs::chown(path, Some(user), Some(user)).unwrap();
        }
    }

    fn file(&self, user: u32, name: &str, content: &[u8]) -> PathBuf {
        let path = self.home(user).join(name);
        fs::write(&path, content).unwrap();
        self.give(&path, user);
        path
    }

    /// The program as this user, with nothing of the other but the directories for all.
    fn command(&self, user: u32, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path("sacker"));
        command.args(arguments).env_clear().env("HOME", self.home(user)).env("TMPDIR", self.path("tmp"));
        command.env("SACKER_ACTOR", format!("{user}@host")).current_dir(self.home(user)).stdin(Stdio::null());
        if self.root {
            command.uid(user).gid(user);
        }
        command
    }

    fn ok(&self, user: u32, arguments: &[&str]) -> String {
        let output = self.command(user, arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn each_user_has_a_ledger_a_cache_and_files_of_their_own() {
    let host = Host::new();
    for user in [ANN, BEN] {
        host.file(user, "f", format!("of {user}").as_bytes());
        assert_eq!(host.ok(user, &["add", "app", "f", "-q"]), "1\n");
        let mut child = host.command(user, &["add", "app", "-", "-q"]);
        child.stdin(Stdio::from(fs::File::open(host.home(user).join("f")).unwrap()));
        assert!(child.output().unwrap().status.success());
        assert_eq!(host.ok(user, &["list"]), "app\n");
        // Nobody else may look into it.
        let data = fs::metadata(host.home(user).join(".local/share/sacker")).unwrap();
        assert_eq!(data.mode() & 0o777, 0o700);
    }
    assert_eq!(host.path("tmp").read_dir().unwrap().count(), 0);
}

/// A download into a directory for all: what the other's interrupted one left is neither believed nor touched.
#[test]
fn a_partial_download_of_another_user_is_left_alone() {
    let host = Host::new();
    if !host.root {
        return eprintln!("it takes the superuser to be two users");
    }
    let bytes = vec![7; 20 << 20];
    for user in [ANN, BEN] {
        host.file(user, "f", &bytes);
        host.ok(user, &["add", "app", "f", "-q"]);
    }
    let sha256 = host.ok(ANN, &["info", "app", "1"]);
    let sha256 = sha256.lines().find_map(|line| line.strip_prefix("sha256: ")).unwrap().to_owned();
    let part = host.path(&format!("shared/.sacker-{sha256}.part"));
    let precious = host.file(BEN, "precious", b"mine");
    for planted in ["a file", "a link"] {
        match planted {
            "a file" => fs::write(&part, &bytes).unwrap(),
            _ => symlink(&precious, &part).unwrap(),
        }
        if planted == "a file" {
            host.give(&part, ANN);
        }
        let to = host.path("shared/copy");
        host.ok(BEN, &["download", "app", "1", "-o", to.to_str().unwrap()]);
        assert_eq!(fs::metadata(&to).unwrap().uid(), BEN, "{planted}");
        assert!(fs::read(&to).unwrap() == bytes, "{planted}");
        assert!(part.symlink_metadata().is_ok(), "{planted} stays");
        assert_eq!(fs::read(&precious).unwrap(), b"mine");
        fs::remove_file(to).unwrap();
        fs::remove_file(&part).unwrap();
    }
}

/// Another user's cache is not read, which could name anyone as the actor, and not written to, since a link in it could
/// lead to a file of one's own.
#[test]
fn the_cache_of_another_user_is_not_used() {
    let host = Host::new();
    if !host.root {
        return eprintln!("it takes the superuser to be two users");
    }
    let server = Server::new();
    let store = format!("s3://bucket/p?region=us-east-1&endpoint={}", server.endpoint);
    let ledger = format!("file://{}", host.home(BEN).join("ledger").display());
    let add = || {
        let mut command = host.command(BEN, &["add", "app", "f", "--ledger", &ledger, "--store", &store]);
        command.env("XDG_CACHE_HOME", host.path("shared")).env("AWS_ACCESS_KEY_ID", "key");
        command.env("AWS_SECRET_ACCESS_KEY", "secret").output().unwrap()
    };
    host.file(BEN, "f", &vec![7; 17 << 20]);
    server.faults(|request| (request.operation == "UploadPart").then_some(Fault::Error(403, "AccessDenied")));
    let output = add();
    assert_eq!(output.status.code(), Some(10), "{}", stderr(&output));
    // The unfinished upload is remembered; had the other user made the directories, this could be in its place.
    let uploads = host.path("shared/sacker/uploads");
    let entry = uploads.read_dir().unwrap().next().expect("it is remembered").unwrap().path();
    let precious = host.file(BEN, "precious", b"mine");
    fs::remove_file(&entry).unwrap();
    symlink(&precious, &entry).unwrap();
    host.give(&host.path("shared/sacker"), ANN);
    fs::set_permissions(host.path("shared/sacker"), fs::Permissions::from_mode(0o755)).unwrap();
    host.give(&uploads, ANN);
    fs::set_permissions(&uploads, fs::Permissions::from_mode(0o777)).unwrap();
    server.faults(|_| None);
    let output = add();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(fs::read(&precious).unwrap(), b"mine");
    assert!(entry.is_symlink());
}

/// A store that a group shares: its `OWNER` is read-only, and replaced all the same.
#[test]
fn an_unprivileged_user_adopts_a_store_under_any_umask() {
    let host = Host::new();
    for umask in ["022", "077", "002"] {
        let at = |name: &str| format!("file://{}", host.home(ANN).join(format!("{name}-{umask}")).display());
        let script = format!(
            "umask {umask}; \"$0\" init --ledger {l} --store {s} -q && \"$0\" init --adopt-store --ledger {o} --store {s} -q && \
             \"$0\" add app f --ledger {o} --store {s} && ! \"$0\" add app f --ledger {l} --store {s} 2>/dev/null",
            l = at("ledger"),
            o = at("other"),
            s = at("store"),
        );
        host.file(ANN, "f", umask.as_bytes());
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script]).arg(host.path("sacker")).env_clear().env("HOME", host.home(ANN));
        command.env("PATH", "/usr/bin:/bin").current_dir(host.home(ANN)).stdin(Stdio::null());
        if host.root {
            command.uid(ANN).gid(ANN);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{umask}: {}", stderr(&output));
        let owner = host.home(ANN).join(format!("store-{umask}/OWNER"));
        let mask = u32::from_str_radix(umask, 8).unwrap();
        assert_eq!(fs::metadata(owner).unwrap().mode() & 0o777, 0o444 & !mask, "{umask}");
    }
}

#[test]
fn a_home_that_is_read_only_is_named_where_the_default_needs_it() {
    let host = Host::new();
    if !host.root {
        return eprintln!("it takes the superuser to take the home from its user");
    }
    host.file(BEN, "f", b"x");
    fs::set_permissions(host.home(BEN), fs::Permissions::from_mode(0o555)).unwrap();
    let output = host.command(BEN, &["add", "app", "f", "-q"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("hint: check the permissions of "), "{}", stderr(&output));
    // Reading needs nothing.
    assert_eq!(host.ok(BEN, &["list"]), "");
}

/// The embedded ledger and a directory store are their user's alone, until that user opens them to a group.
#[test]
fn a_group_shares_what_its_owner_opens() {
    let host = Host::new();
    if !host.root {
        return eprintln!("it takes the superuser to be two users");
    }
    let at = |name: &str| format!("file://{}", host.path("shared").join(name).display());
    let sacker = |user: u32, arguments: &[&str]| {
        let script = "umask 002; exec \"$0\" \"$@\"";
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).arg(host.path("sacker")).args(arguments).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("HOME", host.home(user)).env("TMPDIR", host.path("tmp"));
        command.env("SACKER_LEDGER", at("ledger")).env("SACKER_STORE", at("store"));
        command.current_dir(host.home(user)).stdin(Stdio::null()).uid(user).gid(GROUP);
        command.output().unwrap()
    };
    assert!(sacker(ANN, &["init"]).status.success());
    host.file(BEN, "f", b"of ben");
    host.file(ANN, "f", b"of ann");
    let refused = sacker(BEN, &["add", "app", "f"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("hint: check the permissions of "), "{}", stderr(&refused));
    let open = Command::new("/bin/chmod").args(["-R", "g+rwX"]).arg(host.path("shared")).status().unwrap();
    assert!(open.success());
    for (user, version) in [(BEN, "1\n"), (ANN, "2\n")] {
        let added = sacker(user, &["add", "app", "f"]);
        assert!(added.status.success(), "{}", stderr(&added));
        assert_eq!(String::from_utf8(added.stdout).unwrap(), version);
    }
    for user in [ANN, BEN] {
        for (version, content) in [("1", "of ben"), ("2", "of ann")] {
            let got = sacker(user, &["download", "app", version, "-o", "-"]);
            assert!(got.status.success(), "{}", stderr(&got));
            assert_eq!(String::from_utf8(got.stdout).unwrap(), content);
        }
    }
}
