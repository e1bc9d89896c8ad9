//! Running the program `git`, with the settings that nothing in a repository can change.
//!
//! No hook of the local repository runs, no other program is started for it, and no protocol is used but that of the
//! ledger's URL. The user's own settings of credentials, proxies and ssh apply. Each run ends by the deadline of the
//! attempt that it is part of, with all processes that it has started.

use super::{failure, output::Output};
use crate::{
    fault::{Fault, FaultKind},
    retry::Limit,
};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    time::Instant,
};

/// The maximum time of one run.
const LONGEST: Duration = Duration::from_mins(2);
/// The time after which a server that sends nothing counts as away.
const QUIET: Duration = Duration::from_secs(20);
/// The maximum number of bytes of an answer that are kept.
const KEPT: u64 = 1 << 20;

/// Settings that win over those of the repository and of the user.
const SETTINGS: [&str; 22] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.alternateRefsCommand=",
    "core.warnAmbiguousRefs=false",
    "core.logAllRefUpdates=false",
    // What is acknowledged is on the disk.
    "core.fsync=committed,loose-object",
    "core.fsyncMethod=fsync",
    "fastimport.unpackLimit=1",
    "fetch.fsckObjects=true",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "http.lowSpeedLimit=1",
    "pack.threads=1",
    "pack.writeReverseIndex=false",
    "push.gpgSign=false",
    "push.useForceIfIncludes=false",
    "repack.writeBitmaps=false",
    "repack.updateServerInfo=false",
    "safe.bareRepository=all",
    "submodule.recurse=false",
];

/// Variables that would make git use another repository, or print what the messages here don't expect.
const REMOVED: [&str; 24] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CURL_VERBOSE",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REDIRECT_STDERR",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_TRACE",
    "GIT_TRACE2",
    "GIT_TRACE2_EVENT",
    "GIT_TRACE2_PERF",
    "GIT_TRACE_CURL",
    "GIT_TRACE_PACKET",
    "GIT_TRACE_PERFORMANCE",
    "GIT_TRACE_SETUP",
    "GIT_TRACE_SHALLOW",
    "GIT_WORK_TREE",
];

/// The program `git` on one repository.
#[derive(Debug, Clone)]
pub(super) struct Git {
    arguments: Vec<OsString>,
    /// The folder above which git does not look for a repository.
    ceiling: Option<PathBuf>,
    /// The protocols that may be used, with colons between.
    protocols: &'static str,
}

impl Git {
    /// On a repository of this machine, which git must accept as one of this user or as a safe one.
    pub fn at(directory: &Path) -> Self {
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        let ceiling = directory.parent().map(Path::to_owned);
        // `none` is no protocol: nothing that a repository names may be fetched.
        Self { arguments: vec!["-C".into(), directory.into()], ceiling, protocols: "none" }
    }

    /// On a clone in the cache, for a remote of these protocols.
    pub fn of_clone(directory: &Path, protocols: &'static str) -> Self {
        let mut option = OsString::from("--git-dir=");
        option.push(directory);
        Self { arguments: vec![option], ceiling: None, protocols }
    }

    /// On no repository.
    pub fn nowhere() -> Self {
        Self { arguments: Vec::new(), ceiling: None, protocols: "none" }
    }

    /// With another setting for each run.
    pub fn with(mut self, setting: String) -> Self {
        self.arguments.extend(["-c".into(), setting.into()]);
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        let quiet = Limit::here().map_or(QUIET, |limit| limit.quiet(QUIET));
        command.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        command.arg("-c").arg(format!("http.lowSpeedTime={}", quiet.as_secs().max(1)));
        command.args(&self.arguments).args(arguments);
        for name in REMOVED {
            command.env_remove(name);
        }
        if let Some(ceiling) = &self.ceiling {
            command.env("GIT_CEILING_DIRECTORIES", ceiling);
        }
        command
            .env("LC_ALL", "C")
            .env("LANGUAGE", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_ALLOW_PROTOCOL", self.protocols)
            .env("GIT_PROTOCOL_FROM_USER", "0")
            // A signal from the terminal is for sacker, which ends what it has started.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn spawn(&self, doing: &str, arguments: &[&str]) -> Result<Running, Fault> {
        tracing::debug!(arguments = arguments.join(" "), "git");
        let child = self.command(arguments).spawn().map_err(|error| failure::of_start(doing, error))?;
        Ok(Running { child })
    }

    /// Runs git to its end.
    ///
    /// # Errors
    /// [`FaultKind::Unavailable`] if it does not end in time; then it may have done what it was for.
    #[tracing::instrument(level = "debug", name = "git", skip_all, fields(command = arguments.first()))]
    pub async fn run(&self, doing: &str, arguments: &[&str], input: &[u8]) -> Result<Output, Fault> {
        let mut running = self.spawn(doing, arguments)?;
        let Child { stdin, stdout, stderr, .. } = &mut running.child;
        let (stdin, stdout, stderr) = (stdin.take(), stdout.take(), stderr.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // A git that has failed does not read on, and says why.
                let _ = stdin.write_all(input).await;
                let _ = stdin.shutdown().await;
            }
        };
        let read = async { tokio::join!(write, text(stdout), text(stderr)) };
        let ended = tokio::time::timeout_at(end(), async {
            let ((), stdout, stderr) = read.await;
            (stdout, stderr, running.child.wait().await)
        });
        let Ok((stdout, stderr, status)) = ended.await else {
            return Err(Fault::new(FaultKind::Unavailable, doing, "git did not end in time and was stopped"));
        };
        let status = status.map_err(|error| Fault::new(FaultKind::Unavailable, doing, error))?;
        let (stdout, stderr) = (stdout, String::from_utf8_lossy(&stderr).into_owned());
        tracing::debug!(%status, stderr = failure::without_secrets(&stderr), "git ended");
        Ok(Output { code: status.code(), stdout, stderr })
    }

    /// Does the same as [`run`](Self::run) for what must succeed.
    pub async fn ok(&self, doing: &str, arguments: &[&str], input: &[u8]) -> Result<Output, Fault> {
        let output = self.run(doing, arguments, input).await?;
        if output.is_ok() { Ok(output) } else { Err(failure::of(doing, &output)) }
    }
}

/// Returns the time at which a run has to end.
pub(super) fn end() -> Instant {
    let longest = Instant::now() + LONGEST;
    Limit::here().map_or(longest, |limit| limit.end(None, Duration::ZERO).min(longest))
}

async fn text(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = (&mut pipe).take(KEPT).read_to_end(&mut kept).await;
        // What is not read would keep it waiting.
        let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    }
    kept
}

/// A git that runs. Dropping it ends it, with all that it has started.
#[derive(Debug)]
pub(super) struct Running {
    pub child: Child,
}

impl Running {
    /// Returns the end of a run that closed its output.
    pub async fn finished(mut self) -> io::Result<Output> {
        drop(self.child.stdin.take());
        let stderr = text(self.child.stderr.take()).await;
        let status = self.child.wait().await?;
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        Ok(Output { code: status.code(), stdout: Vec::new(), stderr })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // `None` once it has ended and was waited for: the number may be another's by now.
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(group) = pid {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
