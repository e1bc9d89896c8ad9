//! The module `infra/modules/version`: the program of its data source, and Terraform with it.

use super::{embedded, path, project};
use crate::support::{
    sandbox::Sandbox,
    servers,
    terraform::{apply, copy},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    process::{Command, Output, Stdio},
};

/// Runs the program with this on stdin.
fn ask(sandbox: &Sandbox, query: &str) -> Output {
    let mut command = sandbox.shell("exec python3 \"$program\"");
    command.env("program", project("infra/modules/version/version.py")).env("PATH", path(sandbox, &[]));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(query.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Adds two versions with hostile text, and `live` on the second.
fn two(sandbox: &Sandbox) {
    sandbox.ok(&["init", "-q"]);
    sandbox.write("f", "the build");
    let label = "note=\"},{\"version\":\"9\" $(touch x) ünïcode";
    sandbox.ok(&["add", "app", "f", "--label", "commit=3f2a91c", "--label", label, "-m", "first"]);
    sandbox.write("f", "another build");
    sandbox.ok(&["add", "app", "f", "--tag", "live"]);
}

fn answers_in_strings(sandbox: &Sandbox) {
    two(sandbox);
    let answer = |query: &str| -> Value {
        let output = ask(sandbox, query);
        assert!(output.status.success() && output.stderr.is_empty(), "{}", sandbox.shown(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    for query in
        [r#"{"package":"app"}"#, r#"{"package":"app","spec":"","ledger":"","store":"","program":""}"#]
    {
        let live = answer(query);
        assert_eq!([&live["version"], &live["size"], &live["rev"], &live["labels"]], ["2", "13", "1", "{}"]);
        assert!(live.as_object().unwrap().values().all(Value::is_string), "{live}");
    }
    let first = answer(r#"{"package":"app","spec":"1"}"#);
    assert_eq!(
        [&first["version"], &first["rev"], &first["message"], &first["state"]],
        ["1", "", "first", "active"]
    );
    let labels: Value = serde_json::from_str(first["labels"].as_str().unwrap()).unwrap();
    let note = "\"},{\"version\":\"9\" $(touch x) ünïcode";
    assert_eq!(labels, json!({ "commit": "3f2a91c", "note": note }));
    assert!(!sandbox.path("x").exists());
}

#[test]
fn the_program_answers_in_strings_on_the_embedded_ledger() {
    answers_in_strings(&embedded());
}

#[test]
fn the_program_answers_in_strings_on_the_servers() {
    answers_in_strings(&servers::sandbox());
}

#[test]
fn the_program_fails_with_a_reason_and_prints_nothing_else() {
    let sandbox = embedded();
    two(&sandbox);
    let cases = [
        ("", 2, "the query is no JSON"),
        ("[]", 2, "an object of strings"),
        (r#"{"package":1}"#, 2, "an object of strings"),
        (r#"{"spec":"live"}"#, 2, "has no package"),
        (r#"{"package":"app","tag":"live"}"#, 2, "unknown names: tag"),
        (r#"{"package":"app","program":"/nowhere/sacker"}"#, 2, "/nowhere/sacker can't be run"),
        (r#"{"package":"app","program":"/bin/false"}"#, 1, "no reason"),
        (r#"{"package":"app","program":"/bin/echo"}"#, 1, "not printed a version as JSON"),
        (r#"{"package":"other"}"#, 4, "there is no package other"),
        (r#"{"package":"app","spec":"canary"}"#, 4, "canary"),
        (r#"{"package":"app;touch x","spec":"$(touch x)"}"#, 2, "invalid value"),
        (r#"{"package":"--help"}"#, 2, "invalid value"),
        (r#"{"package":"app","ledger":"ftp://x","store":"file:///x"}"#, 2, "ftp"),
    ];
    for (query, code, reason) in cases {
        let output = ask(&sandbox, query);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{query}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(reason), "{query}: {stderr}");
        assert!(!stderr.contains("Traceback"), "{query}: {stderr}");
    }
    assert!(!sandbox.path("x").exists());
}

/// Terraform with the module, for a package of a ledger: applied, unchanged, changed after a move, and refused.
#[test]
fn terraform_sees_where_live_is() {
    let sandbox = embedded();
    two(&sandbox);
    copy(&project("infra/modules/version"), &sandbox.path("module"));
    fs::copy(project("infra/modules/version/version.py"), sandbox.path("module/version.py")).unwrap();
    let root = |package: &str| {
        let module = json!({
            "source": "./module", "package": package, "program": env!("CARGO_BIN_EXE_sacker"),
            "ledger": sandbox.variable("SACKER_LEDGER"), "store": sandbox.variable("SACKER_STORE"),
        });
        let outputs = ["version", "sha256", "labels", "rev"];
        let outputs =
            outputs.map(|name| (name.to_owned(), json!({ "value": format!("${{module.live.{name}}}") })));
        let root = json!({ "module": { "live": module }, "output": serde_json::Map::from_iter(outputs) });
        sandbox.write("main.tf.json", root.to_string());
    };
    root("app");
    let plugins = Command::new(project("scripts/terraform-external")).output().unwrap();
    assert!(plugins.status.success(), "{}", sandbox.shown(&plugins));
    let plugins = format!("-plugin-dir={}", String::from_utf8(plugins.stdout).unwrap().trim_end());
    let value = |outputs: &Value, name: &str| outputs[name]["value"].clone();
    let outputs = apply(sandbox.home(), &["init", &plugins]);
    assert_eq!([value(&outputs, "version"), value(&outputs, "rev")], [json!(2), json!(1)]);
    assert_eq!(value(&outputs, "labels"), json!({}));
    let plan = || {
        let mut command = Command::new("terraform");
        command.args(["plan", "-detailed-exitcode", "-no-color", "-input=false"]).current_dir(sandbox.home());
        command.env_remove("TF_CLI_CONFIG_FILE").env("CHECKPOINT_DISABLE", "1");
        let output = command.output().unwrap();
        (output.status.code(), sandbox.shown(&output))
    };
    assert_eq!(plan().0, Some(0), "nothing has changed");
    sandbox.ok(&["tag", "app", "1", "live"]);
    let (code, shown) = plan();
    assert!(code == Some(2) && shown.contains("~ version = 2 -> 1"), "{shown}");
    root("other");
    let (code, shown) = plan();
    assert!(code == Some(1) && shown.contains("there is no package other"), "{shown}");
}
