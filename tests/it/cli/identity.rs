//! The actor that is recorded with a change: the AWS identity, asked of moto's STS.

use crate::support::{backends, sandbox::Sandbox, servers};
use std::fs;

/// Runs a command without `SACKER_ACTOR`, and with these variables.
fn run(sandbox: &Sandbox, variables: &[(&str, &str)], arguments: &[&str]) {
    let mut command = sandbox.command(arguments);
    command.env_remove("SACKER_ACTOR").envs(variables.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Returns the actor of the package's last change.
fn last(sandbox: &Sandbox) -> String {
    let line = sandbox.ok(&["history", "app", "--limit", "1", "--json"]);
    serde_json::from_str::<serde_json::Value>(&line).unwrap()["by"].as_str().unwrap().to_owned()
}

/// Makes changes until the given number of identities are kept.
fn change_until(sandbox: &Sandbox, variables: &[(&str, &str)], count: usize) {
    let changes = (0..15).find(|number| {
        run(sandbox, variables, &["label", "app", "1", &format!("{count}/{number}=x")]);
        kept(sandbox).len() == count
    });
    changes.expect("an answer comes, or a refusal");
}

fn kept(sandbox: &Sandbox) -> Vec<String> {
    let folder = ".cache/sacker/identities";
    if !sandbox.path(folder).exists() {
        return Vec::new();
    }
    let names = sandbox.files(folder);
    names.iter().map(|name| sandbox.read(&format!("{folder}/{name}"))).collect()
}

const MOTO: &str = "arn:aws:sts::123456789012:user/moto";

#[test]
fn the_aws_identity_is_asked_for_once_and_kept() {
    let sandbox = servers::sandbox();
    sandbox.ok(&["init"]);
    sandbox.write("f", "first");
    let (moto, nobody) = (backends::moto(), "http://127.0.0.1:1".to_owned());
    let sts = |url: &'static str| [("AWS_ENDPOINT_URL_STS", url)];
    let (moto, nobody): (&'static str, &'static str) = (moto.leak(), nobody.leak());
    // It is asked for concurrently with the first change, and known at its commit; the commit does not wait for long,
    // so a busy machine may need another go. Each is on a fresh machine, as CI has for each job.
    let known = (0..10).any(|_| {
        let _ = fs::remove_dir_all(sandbox.path(".cache"));
        run(&sandbox, &sts(moto), &["add", "app", "f"]);
        last(&sandbox) == MOTO
    });
    assert!(known, "{}", last(&sandbox));
    let known = (0..10).any(|number| {
        let _ = fs::remove_dir_all(sandbox.path(".cache"));
        run(&sandbox, &sts(moto), &["label", "app", "1", &format!("fresh/{number}=x")]);
        last(&sandbox) == MOTO
    });
    assert!(known, "{}", last(&sandbox));
    // An answer that takes longer than a command lingers comes to a later one.
    change_until(&sandbox, &sts(moto), 1);
    assert_eq!(kept(&sandbox), [MOTO]);
    // Every later one knows it, and asks nobody.
    run(&sandbox, &sts(nobody), &["tag", "app", "1", "live"]);
    assert_eq!(last(&sandbox), MOTO);
    run(&sandbox, &sts(nobody), &["label", "app", "1", "tests=passed"]);
    assert_eq!(last(&sandbox), MOTO);
    // What is set wins.
    sandbox.ok(&["untag", "app", "live"]);
    assert_eq!(last(&sandbox), "tester@host");
    // Other credentials are someone else's.
    let other = [("AWS_ENDPOINT_URL_STS", nobody), ("AWS_ACCESS_KEY_ID", "another")];
    change_until(&sandbox, &other, 2);
    assert!(!last(&sandbox).starts_with("arn:"), "{}", last(&sandbox));
    // And that theirs could not be found out is kept as well.
    let mut all = kept(&sandbox);
    all.sort();
    assert_eq!(all, ["", MOTO]);
}

#[test]
fn credentials_of_another_service_have_no_aws_identity() {
    let sandbox = servers::sandbox();
    sandbox.ok(&["init"]);
    sandbox.write("f", "first");
    run(&sandbox, &[], &["add", "app", "f"]);
    change_until(&sandbox, &[], 1);
    assert_eq!(kept(&sandbox), [""]);
    // Where the cache can't be written, nothing is lost but the name.
    fs::remove_dir_all(sandbox.path(".cache")).unwrap();
    sandbox.write(".cache", "a file");
    run(&sandbox, &[], &["tag", "app", "1", "live"]);
    assert!(!last(&sandbox).starts_with("arn:"), "{}", last(&sandbox));
}
