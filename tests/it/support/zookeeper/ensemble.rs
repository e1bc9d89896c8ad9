//! An ensemble of processes that a test kills and starts again.

use crate::support::sandbox::eventually;
use std::{
    env,
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// Some members, each a process with files of its own.
pub struct Ensemble {
    dir: TempDir,
    ports: Vec<u16>,
    members: Vec<Option<Child>>,
}

impl Ensemble {
    /// Starts an ensemble, and waits until all members serve.
    pub fn start(size: usize) -> Self {
        // All are held until the last is found, so that they differ.
        let held: Vec<_> = (0..3 * size).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<_> = held.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
        drop(held);
        let dir = tempfile::tempdir().unwrap();
        let mut list = String::new();
        for n in 0..size {
            let (quorum, election) = (ports[size + n], ports[2 * size + n]);
            writeln!(list, "server.{}=127.0.0.1:{quorum}:{election}", n + 1).unwrap();
        }
        for (n, port) in ports.iter().enumerate().take(size) {
            let data = dir.path().join(format!("{n}/data"));
            fs::create_dir_all(&data).unwrap();
            fs::write(data.join("myid"), (n + 1).to_string()).unwrap();
            let config = format!(
                "tickTime=500\ninitLimit=40\nsyncLimit=20\nmaxClientCnxns=0\ndataDir={}\nclientPort={port}\n\
                 clientPortAddress=127.0.0.1\n{list}",
                data.display(),
            );
            fs::write(dir.path().join(format!("{n}/zoo.cfg")), config).unwrap();
        }
        let members = (0..size).map(|_| None).collect();
        let mut ensemble = Self { dir, ports: ports[..size].to_vec(), members };
        (0..size).for_each(|n| ensemble.launch(n));
        eventually("all members serve", || (0..size).all(|n| ensemble.mode(n).is_some()));
        ensemble
    }

    /// The servers, as in a URL.
    pub fn servers(&self) -> String {
        let servers: Vec<_> = self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        servers.join(",")
    }

    /// Starts a member that was killed, without waiting for it.
    pub fn launch(&mut self, n: usize) {
        let home = PathBuf::from(env::var("SACKER_TEST_ZOOKEEPER_HOME").unwrap_or_else(|_| {
            panic!("no ZooKeeper: run the tests with `scripts/test`, which installs and starts it")
        }));
        let java =
            env::var("JAVA_HOME").map_or_else(|_| "java".to_owned(), |home| format!("{home}/bin/java"));
        let log = fs::File::create(self.dir.path().join(format!("{n}/log"))).unwrap();
        let child = Command::new(java)
            .args(["-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"])
            .args(["-Dzookeeper.4lw.commands.whitelist=srvr", "-Dzookeeper.admin.enableServer=false"])
            .args(["-Dreadonlymode.enabled=true", "-cp"])
            .arg(home.join("lib/*"))
            .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
            .arg(self.dir.path().join(format!("{n}/zoo.cfg")))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.members[n] = Some(child);
    }

    /// Kills a member outright.
    pub fn kill(&mut self, n: usize) {
        let mut child = self.members[n].take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Copies the files of a member that runs, and returns the folder of the copy.
    pub fn save(&self, n: usize) -> PathBuf {
        let saved = self.dir.path().join(format!("{n}/saved"));
        copy(&self.dir.path().join(format!("{n}/data")), &saved);
        saved
    }

    /// Puts the files of a member back, while it does not run.
    pub fn restore(&self, n: usize, saved: &Path) {
        let data = self.dir.path().join(format!("{n}/data"));
        fs::remove_dir_all(&data).unwrap();
        copy(saved, &data);
    }

    /// Waits for a leader, and returns it.
    pub fn leader(&self) -> usize {
        let mut found = None;
        eventually("there is a leader", || {
            found = (0..self.ports.len()).find(|n| self.mode(*n).as_deref() == Some("leader"));
            found.is_some()
        });
        found.unwrap()
    }

    /// Waits until a member serves.
    pub fn serves(&self, n: usize) {
        eventually("a member serves", || self.mode(n).is_some());
    }

    /// The role of a member, or `None` if it does not serve.
    fn mode(&self, n: usize) -> Option<String> {
        self.members[n].as_ref()?;
        let mut socket = TcpStream::connect(("127.0.0.1", self.ports[n])).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        socket.write_all(b"srvr").ok()?;
        let mut text = String::new();
        socket.read_to_string(&mut text).ok()?;
        text.lines().find_map(|line| line.strip_prefix("Mode: ").map(str::to_owned))
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        for child in self.members.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
