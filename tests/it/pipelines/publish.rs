//! `ci/publish.sh` on its own: the key, the inputs, installation, and the exit codes.

use super::{embedded, job, outcome, path, project, versions};
use crate::support::sandbox::Sandbox;
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    process::Command,
    thread,
};

/// In the place of `sacker`: `add` writes its arguments to `calls` and ends with the code in `code`.
const FAILING: &str = r#"[ "$1" = add ] || exit 0
printf '%s\n' "$*" >>"$HOME/calls"
exit "$(cat "$HOME/code")""#;

/// In the place of `sleep`: the pauses are written to `pauses`, and take no time.
const SLEEP: &str = r#"echo "$1" >>"$HOME/pauses""#;

#[test]
fn only_unavailable_and_unknown_are_tried_again_under_one_key() {
    let sandbox = embedded();
    let path = path(&sandbox, &[("sacker", FAILING), ("sleep", SLEEP)]);
    for code in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130, 137] {
        sandbox.write("code", code.to_string());
        sandbox.write("calls", "");
        sandbox.write("pauses", "");
        let variables = [("SACKER_CI_ATTEMPTS", "6"), ("GITHUB_OUTPUT", "output")];
        let output = job(&sandbox, &path, &variables).output().unwrap();
        assert_eq!(outcome(&sandbox, &output), (code, String::new()));
        let calls = sandbox.read("calls");
        let calls: Vec<_> = calls.lines().collect();
        if [7, 9].contains(&code) {
            assert_eq!(calls.len(), 6, "{code}");
            assert!(calls.iter().all(|call| *call == calls[0] && call.contains("--key github-842-")));
            assert_eq!(sandbox.read("pauses"), "5\n10\n20\n40\n60\n");
        } else {
            assert_eq!((calls.len(), sandbox.read("pauses").as_str()), (1, ""), "{code}");
        }
        assert!(!sandbox.path("output").exists() && sandbox.files("tmp").is_empty());
    }
}

#[test]
fn the_key_is_the_same_in_each_attempt_and_differs_where_the_change_does() {
    let sandbox = embedded();
    let path = path(&sandbox, &[("sacker", FAILING)]);
    sandbox.write("code", "5");
    let key = |variables: &[(&str, &str)]| {
        sandbox.write("calls", "");
        job(&sandbox, &path, variables).output().unwrap();
        let call = sandbox.read("calls");
        call.split_whitespace().nth(2).unwrap().to_owned()
    };
    let first = key(&[]);
    assert_eq!(first, key(&[("GITHUB_RUN_ATTEMPT", "2"), ("GITHUB_ACTOR", "ben"), ("RUNNER_NAME", "other")]));
    let others = [
        ("GITHUB_RUN_ID", "843"),
        ("GITHUB_JOB", "other"),
        ("GITHUB_REPOSITORY", "acme/other"),
        ("GITHUB_SERVER_URL", "https://github.example.com"),
        ("SACKER_CI_PACKAGE", "other"),
        ("SACKER_CI_FILE", "other"),
        ("SACKER_CI_KEY", "build-842"),
    ];
    for other in others {
        assert_ne!(first, key(&[other]), "{other:?}");
    }
    assert_eq!(key(&[("SACKER_CI_KEY", "a b")]), "a");
    // Longest names: within the 128 bytes of a key.
    let long = "x".repeat(200);
    assert!(key(&[("GITHUB_RUN_ID", "18446744073709551615"), ("SACKER_CI_PACKAGE", &long)]).len() < 64);
    // Outside of a CI system, the key has to be given.
    let mut command = job(&sandbox, &path, &[]);
    let output = command.env_remove("GITHUB_RUN_ID").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", sandbox.shown(&output));
    let output = command.env("SACKER_CI_KEY", "by-hand").output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", sandbox.shown(&output));
}

/// Returns the command that the action of GitHub runs, with each variable that its `env` makes of an input.
fn action(sandbox: &Sandbox, inputs: &[(&str, &str)]) -> Command {
    let action = fs::read_to_string(project("ci/github/action.yml")).unwrap();
    let run = action.lines().find_map(|line| line.trim().strip_prefix("run: ")).unwrap();
    let mut command = sandbox.shell(run);
    let bin = path(sandbox, &[]);
    command.env("PATH", bin).env("GITHUB_ACTION_PATH", project("ci/github")).env_remove("SACKER_ACTOR");
    for line in action.lines() {
        let Some((name, input)) =
            line.trim().split_once(": ${{ inputs.").filter(|(name, _)| name.starts_with("SACKER_CI_"))
        else {
            continue;
        };
        let input = input.trim_end_matches(" }}");
        // The default of an input that is not given.
        let block = action.split_once(&format!("\n  {input}:\n")).unwrap().1;
        let default = block.lines().find_map(|line| line.trim().strip_prefix("default: ")).unwrap_or("''");
        let given = inputs.iter().find(|(name, _)| *name == input).map(|(_, value)| *value);
        command.env(name, given.unwrap_or(default.trim_matches('\'')));
    }
    command.envs([("GITHUB_RUN_ID", "842"), ("GITHUB_REPOSITORY", "acme/app"), ("GITHUB_JOB", "publish")]);
    command.env("RUNNER_TEMP", sandbox.path("tools")).env("GITHUB_OUTPUT", sandbox.path("output"));
    command
}

/// Text that a shell would run, if it ever became part of a script.
const HOSTILE: &str = "$(touch x) `touch x`; touch x #' touch x \" touch x\\ * ${HOME} %s \\n";

/// The same, as far as sacker records it as the name of a file.
const FILE: &str = "$(touch x) `touch x`; touch x #' touch x \" * ${HOME} %s";

#[test]
fn no_input_is_run_or_expanded() {
    let sandbox = embedded().set("GITHUB_ACTOR", HOSTILE);
    sandbox.write(FILE, "the build");
    // A file that a pattern would find.
    sandbox.write("glob=found", "");
    let labels = format!("note={HOSTILE}\nother= two  words \nglob=*");
    let inputs =
        [("package", "app"), ("file", FILE), ("labels", &labels), ("message", HOSTILE), ("key", HOSTILE)];
    let output = action(&sandbox, &inputs).output().unwrap();
    assert_eq!(outcome(&sandbox, &output), (0, "1\n".to_owned()), "{}", sandbox.shown(&output));
    let info: serde_json::Value = serde_json::from_str(&sandbox.ok(&["info", "app", "1", "--json"])).unwrap();
    assert_eq!(info["labels"]["note"], HOSTILE);
    assert_eq!(info["labels"]["other"], " two  words ");
    assert_eq!(info["labels"]["glob"], "*");
    assert_eq!((&info["message"], &info["filename"]), (&HOSTILE.into(), &FILE.into()));
    assert_eq!(info["added_by"], format!("{HOSTILE} (acme/app run 842)"));
    // What sacker refuses is an argument, too.
    for input in ["package", "tags"] {
        let mut inputs = vec![("package", "app"), ("file", FILE), ("key", "other")];
        inputs.retain(|(name, _)| *name != input);
        inputs.push((input, HOSTILE));
        let output = action(&sandbox, &inputs).output().unwrap();
        assert_eq!(outcome(&sandbox, &output), (2, String::new()), "{input}");
    }
    for option in ["--help", "-f"] {
        let output = action(&sandbox, &[("package", option), ("file", FILE)]).output().unwrap();
        assert_ne!(output.status.code(), Some(0), "{option}");
    }
    assert!(!sandbox.path("x").exists());
    assert_eq!(versions(&sandbox, "app"), 1);
}

#[test]
fn the_action_writes_its_outputs_in_each_attempt() {
    let sandbox = embedded();
    sandbox.write("f", "the build");
    let inputs =
        [("package", "app"), ("file", "f"), ("tags", "canary\n\nbeta\n"), ("labels", "commit=3f2a91c\n")];
    for _ in 0..2 {
        sandbox.write("output", "earlier=1\n");
        let output = action(&sandbox, &inputs).output().unwrap();
        assert_eq!(outcome(&sandbox, &output), (0, "1\n".to_owned()), "{}", sandbox.shown(&output));
        let sha256 = sandbox.ok(&["info", "app", "1", "--json"]);
        let sha256 = sha256.split_once("\"sha256\":\"").unwrap().1.split_once('"').unwrap().0.to_owned();
        assert_eq!(sandbox.read("output"), format!("earlier=1\nversion=1\nsha256={sha256}\n"));
    }
    assert_eq!(
        sandbox.ok(&["tags", "app"]),
        "TAG     VERSION\nlatest        1\nbeta          1\ncanary        1\n"
    );
    // Another build of the same run is a conflict, not a second version.
    sandbox.write("f", "another build");
    let output = action(&sandbox, &inputs).output().unwrap();
    assert_eq!(outcome(&sandbox, &output), (5, String::new()));
    assert_eq!(versions(&sandbox, "app"), 1);
    // A label can't pass for a field.
    let hostile =
        ("labels", "version=7\nsha256=0000000000000000000000000000000000000000000000000000000000000000");
    let output = action(&sandbox, &[inputs[0], inputs[1], hostile, ("key", "k")]).output().unwrap();
    assert_eq!(outcome(&sandbox, &output), (0, "2\n".to_owned()));
    assert!(!sandbox.read("output").contains("0000000000"));
}

#[test]
fn without_a_configuration_nothing_is_published() {
    let sandbox = Sandbox::new();
    sandbox.write("f", "the build");
    let output = job(&sandbox, &path(&sandbox, &[]), &[]).output().unwrap();
    assert_eq!(outcome(&sandbox, &output), (2, String::new()));
    assert!(!sandbox.data().exists());
    let home = sandbox.home().display().to_string();
    let (ledger, store) = (format!("file://{home}/l"), format!("file://{home}/s"));
    let variables = [("SACKER_CI_LEDGER", ledger.as_str()), ("SACKER_CI_STORE", &store)];
    let output = job(&sandbox, &path(&sandbox, &[]), &variables).output().unwrap();
    assert_eq!(outcome(&sandbox, &output), (0, "1\n".to_owned()));
    for missing in ["SACKER_CI_PACKAGE", "SACKER_CI_FILE"] {
        let output = job(&sandbox, &path(&sandbox, &[]), &[(missing, "")]).output().unwrap();
        assert_eq!(outcome(&sandbox, &output), (2, String::new()), "{missing}");
    }
}

/// Serves files of a sandbox over HTTP, as `URL/NAME`; the first request of each is refused.
fn serve(sandbox: &Sandbox) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let home = sandbox.home().to_owned();
    thread::spawn(move || {
        let mut seen = Vec::new();
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            while !lines.next().unwrap().unwrap().is_empty() {}
            let name = first.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
            let body = if seen.contains(&name) { fs::read(home.join(&name)).ok() } else { None };
            let status = if body.is_some() { "200 OK" } else { "503 Not Now" };
            let body = body.unwrap_or_default();
            seen.push(name);
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            // The client may not want it.
            let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(&body));
        }
    });
    url
}

fn sha256(sandbox: &Sandbox, name: &str) -> String {
    let output = sandbox.shell(&format!("sha256sum <{name} | cut -d ' ' -f 1")).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn a_program_is_installed_only_with_the_right_checksum() {
    let sandbox = embedded();
    sandbox.write("f", "the build");
    // In the place of the program: a script that runs it, and leaves a sign.
    let program = format!("#!/bin/sh\ntouch \"$HOME/ran\"\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_sacker"));
    sandbox.write("program", &program);
    sandbox.ok_shell("mkdir -p pack/sacker-1.0/bin && cp program pack/sacker-1.0/bin/sacker");
    // A release has another file of that name; whichever comes first in the archive, the program is found.
    sandbox.ok_shell(
        "mkdir -p pack/sacker-1.0/share/completions && echo false > pack/sacker-1.0/share/completions/sacker",
    );
    sandbox.ok_shell("cd pack && tar -czf ../p.tar.gz sacker-1.0/share sacker-1.0/bin");
    // A name of the runner's own folder says nothing about the archive.
    sandbox.ok_shell("mkdir -p share/tmp");
    let temporary = sandbox.path("share/tmp").display().to_string();
    let url = serve(&sandbox);
    // Only with the downloaders that are named; no other sacker is there.
    let tools = |downloader: &str| {
        let bin = sandbox.path(downloader);
        let names = "sh rm mkdir mktemp chmod mv cut find head tar gzip sha256sum touch cat";
        let link = format!(
            "mkdir -p {0} && cd {0} && for n in {names} {downloader}; do ln -sf \"$(command -v $n)\" .; done; printf '#!/bin/sh\\n' >sleep; chmod +x sleep",
            bin.display()
        );
        sandbox.ok_shell(&link);
        bin.display().to_string()
    };
    for downloader in ["curl", "wget"] {
        for name in ["program", "p.tar.gz"] {
            let address = format!("{url}/{name}");
            let run = |sha256: &str, key: &str| {
                let variables = [
                    ("SACKER_CI_URL", address.as_str()),
                    ("SACKER_CI_SHA256", sha256),
                    ("SACKER_CI_KEY", key),
                    ("TMPDIR", temporary.as_str()),
                ];
                let output = job(&sandbox, &tools(downloader), &variables).output().unwrap();
                (outcome(&sandbox, &output), sandbox.path("ran").exists())
            };
            let key = format!("{downloader}-{name}");
            let right = sha256(&sandbox, name);
            let wrong = right.chars().rev().collect::<String>();
            for checksum in [wrong.as_str(), "", &right.to_uppercase(), &right[1..]] {
                assert_eq!(run(checksum, &key), ((2, String::new()), false), "{key} {checksum}");
            }
            let ((code, version), ran) = run(&right, &key);
            assert_eq!((code, ran), (0, true), "{key}");
            assert_eq!(run(&right, &key).0, (0, version), "{key}");
            fs::remove_file(sandbox.path("ran")).unwrap();
        }
    }
    assert_eq!(versions(&sandbox, "app"), 4);
    assert_eq!(sandbox.files("share/tmp"), [""; 0]);
    // A file that is not there is out of reach; and without a downloader, the message says so.
    let absent = format!("{url}/absent");
    let variables = [("SACKER_CI_URL", absent.as_str()), ("SACKER_CI_SHA256", "0")];
    let output = job(&sandbox, &tools("curl"), &variables).output().unwrap();
    assert_eq!(outcome(&sandbox, &output).0, 7);
    let output = job(&sandbox, &tools("true"), &variables).output().unwrap();
    assert_eq!(outcome(&sandbox, &output).0, 2, "{}", sandbox.shown(&output));
}

#[test]
fn an_installed_program_stays_for_later_steps() {
    let sandbox = embedded();
    sandbox.write("f", "the build");
    let program = format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_sacker"));
    sandbox.write("program", &program);
    let sha256 = sha256(&sandbox, "program");
    let url = format!("file://{}/program", sandbox.home().display());
    let inputs = [("package", "app"), ("file", "f"), ("url", &url), ("sha256", &sha256)];
    for _ in 0..2 {
        let output = action(&sandbox, &inputs).env("GITHUB_PATH", sandbox.path("paths")).output().unwrap();
        assert_eq!(outcome(&sandbox, &output), (0, "1\n".to_owned()), "{}", sandbox.shown(&output));
    }
    assert_eq!(sandbox.files("tools/sacker-bin"), ["sacker"]);
    let paths = format!("{}\n", sandbox.path("tools/sacker-bin").display());
    assert_eq!(sandbox.read("paths"), paths.repeat(2));
}

#[test]
fn a_role_is_taken_with_the_token_of_the_job() {
    let sandbox = embedded();
    let show = r#"[ "$1" = info ] || { echo "$AWS_ROLE_ARN $AWS_ROLE_SESSION_NAME $(cat "$AWS_WEB_IDENTITY_TOKEN_FILE")" >"$HOME/role"
ls -l "$AWS_WEB_IDENTITY_TOKEN_FILE" | cut -c 1-10 >>"$HOME/role"; exit 5; }"#;
    let path = path(&sandbox, &[("sacker", show)]);
    let role = ("SACKER_CI_ROLE_ARN", "arn:aws:iam::111122223333:role/sacker-publisher");
    let output = job(&sandbox, &path, &[role, ("SACKER_CI_ID_TOKEN", "ey.token")]).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", sandbox.shown(&output));
    assert_eq!(sandbox.read("role"), format!("{} sacker ey.token\n-rw-------\n", role.1));
    assert_eq!(sandbox.files("tmp"), [""; 0]);
    assert_eq!(job(&sandbox, &path, &[role]).output().unwrap().status.code(), Some(2));
}
