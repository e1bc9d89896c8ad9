//! The copies of `ci/publish.sh` in GitLab's component and in Jenkins's pipeline, and the variables of the three.
//!
//! To write the copies again after a change of the script: set `SACKER_WRITE_CI`.

use super::{embedded, path, project};
use crate::support::sandbox::Sandbox;
use std::{collections::BTreeSet, fs};

const BEGIN: &str = "# BEGIN ci/publish.sh";
const END: &str = "# END ci/publish.sh";

fn source() -> String {
    fs::read_to_string(project("ci/publish.sh")).unwrap()
}

/// A file with a copy: how its lines are indented, and how it spells a backslash.
struct Host {
    file: &'static str,
    indent: &'static str,
    backslash: &'static str,
}

const HOSTS: [Host; 2] = [
    Host { file: "templates/publish.yml", indent: "      ", backslash: "\\" },
    Host { file: "ci/jenkins/Jenkinsfile", indent: "", backslash: "\\\\" },
];

impl Host {
    fn text(&self) -> String {
        fs::read_to_string(project(self.file)).unwrap()
    }

    /// Splits the file: up to the mark, the copy as it stands there, and the rest.
    fn parts(&self) -> (String, String, String) {
        let text = self.text();
        let (begin, end) = (format!("{}{BEGIN}\n", self.indent), format!("{}{END}\n", self.indent));
        let (head, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{}: no {BEGIN}", self.file));
        let (copy, tail) = rest.split_once(&end).unwrap_or_else(|| panic!("{}: no {END}", self.file));
        (head.to_owned() + &begin, copy.to_owned(), end + tail)
    }

    /// Returns the copy that the file must have.
    fn expected(&self) -> String {
        let source = source();
        let (first, body) = source.split_once('\n').unwrap();
        assert_eq!(first, "#!/bin/sh");
        let line = |line: &str| format!("{}{}", self.indent, line.replace('\\', self.backslash));
        body.lines().map(|text| line(text).trim_end().to_owned() + "\n").collect()
    }

    /// Returns the shell of the copy, as the system hands it to a shell.
    fn shell(&self) -> String {
        let (_, copy, _) = self.parts();
        let line = |line: &str| line.strip_prefix(self.indent).unwrap_or(line).replace(self.backslash, "\\");
        copy.lines().map(|text| line(text) + "\n").collect()
    }
}

#[test]
fn each_copy_is_the_script() {
    for host in HOSTS {
        let (head, copy, tail) = host.parts();
        if std::env::var_os("SACKER_WRITE_CI").is_some() {
            fs::write(project(host.file), head + &host.expected() + &tail).unwrap();
        } else {
            assert!(copy == host.expected(), "{}: set SACKER_WRITE_CI to write the copy", host.file);
        }
    }
    let source = source();
    // Jenkins ends the string at the first, and GitLab replaces the second.
    assert!(!source.contains("'''") && !source.contains("$[["));
}

/// The variables of the script, as its first lines list them.
fn documented() -> BTreeSet<String> {
    named(&source().lines().filter(|line| line.starts_with('#')).collect::<Vec<_>>().join("\n"))
}

fn named(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| -> String {
        rest.chars().take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_').collect()
    };
    text.split("SACKER_CI_").skip(1).map(|rest| format!("SACKER_CI_{}", name(rest))).collect()
}

#[test]
fn each_variable_is_documented_used_and_set() {
    let documented = documented();
    assert!(documented.len() > 15, "{documented:?}");
    let used = named(&source().lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n"));
    assert_eq!(used, documented);
    // GitHub has no token for the script: a step before the action takes the role. The pause is for tests alone.
    let set = |file: &str, without: &[&str]| {
        let (mut set, mut expected) = (BTreeSet::new(), documented.clone());
        for line in fs::read_to_string(project(file)).unwrap().lines() {
            if let Some((name, _)) = line
                .trim_start()
                .split_once(": $")
                .filter(|(name, _)| name.starts_with("SACKER_CI_") && line.contains("inputs."))
            {
                set.insert(name.to_owned());
            }
        }
        expected.retain(|name| !without.contains(&name.as_str()));
        assert_eq!(set, expected, "{file}");
    };
    let common = ["SACKER_CI_PAUSE", "SACKER_CI_DIR", "SACKER_CI_ENV_FILE", "SACKER_CI_ID_TOKEN"];
    set("templates/publish.yml", &common);
    set("ci/github/action.yml", &[&common[..], &["SACKER_CI_ROLE_ARN"]].concat());
}

/// Returns the names that end with a colon at this depth of a part of a file.
fn names(file: &str, begin: &str, end: &str, indent: &str) -> Vec<String> {
    let text = fs::read_to_string(project(file)).unwrap();
    let part = text.split_once(begin).unwrap().1.split_once(end).unwrap().0;
    let name = |line: &str| {
        let name = line.strip_prefix(indent)?.strip_suffix(':')?;
        name.starts_with(|c: char| c.is_ascii_lowercase()).then(|| name.to_owned())
    };
    part.lines().filter_map(name).collect()
}

#[test]
fn each_input_and_setting_is_on_its_page() {
    let github = names("ci/github/action.yml", "inputs:\n", "\nruns:", "  ");
    let gitlab = names("templates/publish.yml", "  inputs:\n", "\n---", "    ");
    let scripts = ["infra/systemd/follow", "infra/systemd/restart"];
    let scripts = scripts.map(|file| fs::read_to_string(project(file)).unwrap()).concat();
    let settings =
        scripts.lines().filter_map(|line| line.strip_prefix("#   SACKER_FOLLOW_")?.split(' ').next());
    let settings = settings.filter(|name| *name != "READY").map(|name| format!("SACKER_FOLLOW_{name}"));
    let pages = [("github", github), ("gitlab", gitlab), ("systemd", settings.collect())];
    for (page, names) in pages {
        let text = fs::read_to_string(project(&format!("docs/how-to/{page}.md"))).unwrap();
        assert!(names.len() > 5, "{page}: {names:?}");
        for name in names {
            let rows = text.lines().filter(|line| line.starts_with('|'));
            let cells = rows.filter_map(|row| row.split('|').nth(1));
            assert!(cells.into_iter().any(|cell| cell.contains(&format!("`{name}`"))), "{page}: {name}");
        }
    }
}

/// Runs a copy as its system does, and returns the version that it prints.
fn run(sandbox: &Sandbox, shell: &str, interpreter: &str, system: &[(&str, &str)]) -> String {
    let path = path(sandbox, &[]);
    let mut command = sandbox.shell(&format!("exec {interpreter} -c \"$copy\""));
    let inputs = [("SACKER_CI_PACKAGE", "app"), ("SACKER_CI_FILE", "f"), ("SACKER_CI_TAGS", "canary\nbeta")];
    command.env("copy", shell).env("PATH", path).envs(inputs).envs(system.iter().copied());
    let output = command.env("SACKER_CI_ENV_FILE", "sacker.env").output().unwrap();
    assert!(output.status.success(), "{}", sandbox.shown(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_copy_publishes_once_for_all_attempts_of_its_run() {
    let gitlab = |job: &'static str, attempt| {
        vec![
            ("CI_PIPELINE_ID", "77"),
            ("CI_PROJECT_PATH", "acme/app"),
            ("CI_JOB_NAME", job),
            ("CI_JOB_ID", attempt),
        ]
    };
    let jenkins = |build, attempt| {
        vec![("JOB_NAME", "app/main"), ("BUILD_NUMBER", build), ("EXECUTOR_NUMBER", attempt)]
    };
    let systems = [
        // A job that is repeated has another id; one of a matrix has another name.
        (&HOSTS[0], [gitlab("publish", "1"), gitlab("publish", "2"), gitlab("publish: [arm]", "3")]),
        (&HOSTS[1], [jenkins("12", "0"), jenkins("12", "3"), jenkins("13", "0")]),
    ];
    for (host, [first, again, other]) in systems {
        // The shells that the systems use.
        for interpreter in ["sh", "bash"] {
            let sandbox = embedded();
            sandbox.write("f", "the build");
            let shell = host.shell();
            assert_eq!(run(&sandbox, &shell, interpreter, &first), "1\n", "{}", host.file);
            assert_eq!(run(&sandbox, &shell, interpreter, &again), "1\n", "{}", host.file);
            assert_eq!(run(&sandbox, &shell, interpreter, &other), "2\n", "{}", host.file);
            let digest = "9edfaf2a4b6c59a3c1ba5cfca01aba5aa8b8cce34dbcbc9c84ce4ae2ab7ba8b4";
            let written = sandbox.read("sacker.env");
            assert!(written.starts_with("SACKER_PUBLISHED_VERSION=2\nSACKER_PUBLISHED_SHA256="), "{written}");
            assert_eq!(
                written.trim_end().len(),
                "SACKER_PUBLISHED_VERSION=2\nSACKER_PUBLISHED_SHA256=".len() + digest.len()
            );
            assert!(sandbox.ok(&["tags", "app"]).contains("beta          2\n"));
            assert_eq!(sandbox.files("tmp"), [""; 0]);
        }
    }
}
