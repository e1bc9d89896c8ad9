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
        let line = namenode.line();
        let address = line.rsplit("hdfs://").next().unwrap().to_owned();
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
        writeln!(self.namenode.commands, "{command}").unwrap();
        assert_eq!(self.namenode.line(), "done", "{command}");
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
