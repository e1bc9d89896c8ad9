//! HDFS: the shared `NameNode`, and clusters of a test's own, whose processes it may kill.

use super::backends;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    time::Duration,
};
use tempfile::TempDir;

/// The address of the shared `NameNode`, as HOST:PORT.
pub fn namenode() -> String {
    let url = backends::address("SACKER_TEST_HDFS", "HDFS");
    url.trim_start_matches("hdfs://").to_owned()
}

/// A process of a cluster, and the lines that it prints.
struct Process {
    child: Child,
    commands: ChildStdin,
    lines: mpsc::Receiver<String>,
}

impl Process {
    fn start(dir: &Path, arguments: &[&str]) -> Self {
        let home = backends::address("SACKER_TEST_HDFS_HOME", "HDFS");
        let mut child = Command::new("java")
            .args(["-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-cp"])
            .arg(format!("{home}/classes:{home}/lib/*"))
            .arg("Hdfs")
            .arg(dir)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { commands: child.stdin.take().unwrap(), child, lines }
    }

    /// Carries out a command.
    fn obey(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
        assert_eq!(self.line(), "done", "{command}");
    }

    /// The address of a `NameNode` that has started.
    fn address(&self) -> String {
        self.line().rsplit("hdfs://").next().unwrap().to_owned()
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(Duration::from_mins(3)).expect("the server ends or says nothing")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A cluster of its own. Its processes end with it.
pub struct Cluster {
    namenode: Process,
    datanodes: Vec<Process>,
    started: usize,
    pub address: String,
    dir: TempDir,
}

/// The kind of the `NameNode`.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Active,
    Standby,
}

impl Cluster {
    pub fn start(kind: Kind, datanodes: usize, full: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let role = if kind == Kind::Active { "namenode" } else { "standby" };
        // As many replicas as can be, but one.
        let replication = datanodes.saturating_sub(1).max(1).to_string();
        let namenode = Process::start(&dir.path().join("name"), &[role, &replication]);
        let address = namenode.address();
        let mut cluster = Self { namenode, datanodes: Vec::new(), started: 0, address, dir };
        for _ in 0..datanodes {
            cluster.add_datanode(full);
        }
        cluster
    }

    /// Starts another `DataNode`.
    pub fn add_datanode(&mut self, full: bool) {
        self.started += 1;
        let mut arguments = vec!["datanode", &self.address];
        arguments.extend(full.then_some("FULL"));
        let datanode = Process::start(&self.dir.path().join(format!("data{}", self.started)), &arguments);
        assert!(datanode.line().starts_with("joined"));
        self.datanodes.push(datanode);
    }

    /// Carries out a command: `safemode enter|leave`, or `quota FOLDER NAMES BYTES`.
    pub fn command(&mut self, command: &str) {
        self.namenode.obey(command);
    }

    /// Stops a `DataNode` with a signal: it keeps its connections, and answers nothing.
    pub fn stop_datanode(&self) {
        let datanode = self.datanodes.last().expect("there is none");
        let id = rustix::process::Pid::from_child(&datanode.child);
        rustix::process::kill_process(id, rustix::process::Signal::STOP).unwrap();
    }

    /// Kills the `NameNode` with signal 9.
    pub fn kill_namenode(&mut self) {
        self.namenode.child.kill().unwrap();
        self.namenode.child.wait().unwrap();
    }

    /// Kills a `DataNode` with signal 9.
    pub fn kill_datanode(&mut self) {
        drop(self.datanodes.pop().expect("there is none any more"));
    }
}

/// Two `NameNode`s of one cluster, of which at most one is active, and a `DataNode`.
pub struct Pair {
    one: Process,
    two: Process,
    _datanode: Process,
    dir: TempDir,
}

impl Pair {
    /// The logical name of the two in the configuration of the clients.
    pub const NAME: &str = "releases";

    /// Starts them: the first one is active.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let name = dir.path().join("name");
        let mut one = Process::start(&name, &["standby"]);
        let first = one.address();
        let two = Process::start(&name, &["second"]);
        let second = two.address();
        one.obey("active");
        let datanode = Process::start(&dir.path().join("data"), &["datanode", &format!("{first},{second}")]);
        assert!(datanode.line().starts_with("joined"));
        let property = |name: &str, value: &str| {
            format!("<property><name>{name}</name><value>{value}</value></property>\n")
        };
        let properties = [
            property("dfs.nameservices", Self::NAME),
            property("dfs.ha.namenodes.releases", "one,two"),
            property("dfs.namenode.rpc-address.releases.one", &first),
            property("dfs.namenode.rpc-address.releases.two", &second),
        ];
        let file = dir.path().join("hdfs-site.xml");
        std::fs::write(file, format!("<configuration>\n{}</configuration>\n", properties.concat())).unwrap();
        Self { one, two, _datanode: datanode, dir }
    }

    /// The folder of the clients' configuration.
    pub fn configuration(&self) -> &Path {
        self.dir.path()
    }

    /// Kills the active one with signal 9.
    pub fn kill_active(&mut self) {
        self.one.child.kill().unwrap();
        self.one.child.wait().unwrap();
    }

    /// Makes the other one active.
    pub fn fail_over(&mut self) {
        self.two.obey("active");
    }
}
