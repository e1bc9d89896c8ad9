//! Jobs that are killed at different moments, with all their processes, and run again: published once.

use super::{embedded, job, kill_group, outcome, path, versions};
use crate::{
    faults::kills::STEPS_OF_ADD,
    support::{
        sandbox::{Sandbox, eventually},
        servers,
    },
};
use std::{fs, os::unix::process::CommandExt, process::Stdio};

/// Runs the job until a file appears, and kills its process group.
fn killed(sandbox: &Sandbox, path: &str, sign: &str, failpoints: &str, moment: &str) {
    let sign = sandbox.path(sign);
    let mut command = job(sandbox, path, &[("GITHUB_OUTPUT", "output")]);
    let command = command.env("FAILPOINTS", failpoints).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.process_group(0).spawn().unwrap();
    eventually(moment, || sign.exists() || child.try_wait().unwrap().is_some());
    assert_eq!(child.try_wait().unwrap(), None, "{moment} was not met");
    kill_group(&mut child);
    fs::remove_file(sign).unwrap();
}

/// Runs the job twice: as a rerun, and as a rerun of a job that was already right.
fn published_once(sandbox: &Sandbox, path: &str, package: &str, moment: &str) {
    for attempt in ["2", "3"] {
        sandbox.write("output", "");
        let variables = [("GITHUB_OUTPUT", "output"), ("GITHUB_RUN_ATTEMPT", attempt)];
        let output = job(sandbox, path, &variables).output().unwrap();
        assert_eq!(outcome(sandbox, &output), (0, "1\n".to_owned()), "{moment}: {}", sandbox.shown(&output));
        assert!(sandbox.read("output").starts_with("version=1\nsha256="), "{moment}");
    }
    assert_eq!(versions(sandbox, package), 1, "{moment}");
    assert_eq!(sandbox.ok(&["fsck", "--read-data"]), "", "{moment}");
}

fn each_step(make: fn() -> Sandbox) {
    for step in STEPS_OF_ADD {
        let sandbox = make();
        sandbox.ok(&["init"]);
        sandbox.write("f", "the build".repeat(1000));
        let path = path(&sandbox, &[]);
        killed(&sandbox, &path, "sign", &format!("{step}=return({})", sandbox.path("sign").display()), step);
        published_once(&sandbox, &path, "app", step);
    }
}

#[test]
fn at_each_step_on_the_embedded_ledger() {
    each_step(embedded);
}

#[test]
fn at_each_step_on_the_servers() {
    each_step(servers::sandbox);
}

/// Before and after the change: a program in the place of `sacker` stops there.
#[test]
fn between_the_commands_of_the_script() {
    let stop = |before: &str, after: &str| {
        let sacker = env!("CARGO_BIN_EXE_sacker");
        let hang = "{ touch \"$HOME/sign\"; exec sleep 600; }";
        format!(
            "[ -e \"$HOME/passed\" ] && exec {sacker} \"$@\"\n[ \"$1\" = '{before}' ] && {hang}\n\
             code=0; {sacker} \"$@\" || code=$?\n[ \"$1\" = '{after}' ] && {hang}\nexit $code"
        )
    };
    for (before, after) in [("add", ""), ("", "add"), ("info", ""), ("", "info")] {
        let sandbox = embedded();
        sandbox.write("f", "the build");
        let path = path(&sandbox, &[("sacker", &stop(before, after))]);
        let moment = format!("before {before:?}, after {after:?}");
        killed(&sandbox, &path, "sign", "", &moment);
        sandbox.write("passed", "");
        published_once(&sandbox, &path, "app", &moment);
    }
}

/// With the outputs half written.
#[test]
fn while_it_writes_the_outputs() {
    let sandbox = embedded();
    sandbox.write("f", "the build");
    sandbox.ok_shell("mkfifo output");
    let path = path(&sandbox, &[]);
    let mut command = job(&sandbox, &path, &[("GITHUB_OUTPUT", "output")]);
    let mut child = command.process_group(0).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    // The shell waits for a reader, since nothing reads the pipe.
    eventually("it is published", || sandbox.run(&["versions", "app", "--json"]).contains("1| {"));
    kill_group(&mut child);
    fs::remove_file(sandbox.path("output")).unwrap();
    published_once(&sandbox, &path, "app", "the outputs");
}
