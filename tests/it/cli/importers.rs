//! `import --from files` and `--from oci-layout`, on the embedded default and on the servers.

use crate::support::{backends, sandbox::Sandbox, servers, world::sha256};
use serde_json::{Value, json};
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

/// A source of files, in a directory or in a bucket.
struct Source {
    sandbox: Sandbox,
    bucket: Option<String>,
}

impl Source {
    /// Makes an empty source for an empty ledger; both on this machine, and both on the servers.
    fn both() -> [Self; 2] {
        let (sandbox, bucket) = (servers::sandbox(), backends::unique("source"));
        sandbox.ok(&["init"]);
        on_s3(|client| {
            let bucket = bucket.clone();
            async move { client.create_bucket().bucket(&bucket).send().await.map(drop).unwrap() }
        });
        let local = Self { sandbox: Sandbox::new(), bucket: None };
        fs::create_dir(local.sandbox.path("source")).unwrap();
        [local, Self { sandbox, bucket: Some(bucket) }]
    }

    fn url(&self) -> String {
        match &self.bucket {
            None => "source".to_owned(),
            Some(bucket) => format!("s3://{bucket}/some?endpoint={}", backends::s3()),
        }
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        match &self.bucket {
            None => {
                let path = self.sandbox.path("source").join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
            Some(bucket) => put(bucket, &format!("some/{name}"), content.as_ref()),
        }
    }

    fn import(&self, more: &[&str]) -> String {
        let url = self.url();
        self.sandbox.run(&[&["import", &url, "--from"][..], more].concat())
    }

    fn info(&self, package: &str, version: &str) -> Value {
        serde_json::from_str(&self.sandbox.ok(&["info", package, version, "--json"])).unwrap()
    }

    fn is_sound(&self) {
        assert_eq!(self.sandbox.ok(&["fsck", "--read-data", "-q"]), "");
        assert!(self.sandbox.files("tmp").is_empty());
    }
}

fn on_s3<F: Future<Output = ()>>(work: impl FnOnce(aws_sdk_s3::Client) -> F) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { work(backends::s3_client(&backends::s3()).await).await });
}

/// Puts an object of another program into a bucket.
pub fn put(bucket: &str, key: &str, content: &[u8]) {
    let content = content.to_vec();
    on_s3(|client| async move {
        client.put_object().bucket(bucket).key(key).body(content.into()).send().await.unwrap();
    });
}

fn says(run: &str, code: u8, parts: &[&str]) {
    assert!(run.starts_with(&format!("exit {code}\n")), "{run}");
    for part in parts {
        assert!(run.contains(part), "{part}: {run}");
    }
}

#[test]
fn named_versions_are_numbered_in_order() {
    const FILES: [&str; 4] = ["files", "--pattern", "app/app-{version}.tgz", "--package=app"];
    for source in Source::both() {
        for version in ["1.10", "1.9", "2.0-rc1", "2.0"] {
            source.put(&format!("app/app-{version}.tgz"), version);
        }
        source.put("app/app-latest.tgz", "latest");
        source.put("other/x.tgz", "other");
        source.put("app/app-0.1.tgz", "");
        let dry = source.import(&[&FILES[..], &["-n"]].concat());
        let order = "1| app: 5 versions, 0 events\n\
                     1|   1 <- app/app-0.1.tgz\n\
                     1|   2 <- app/app-1.9.tgz\n\
                     1|   3 <- app/app-1.10.tgz\n\
                     1|   4 <- app/app-2.0-rc1.tgz\n\
                     1|   5 <- app/app-2.0.tgz\n";
        says(
            &dry,
            0,
            &[order, "app/app-latest.tgz is left out: its name does not fit", "nothing was changed"],
        );
        says(&source.sandbox.run(&["info", "app", "1"]), 4, &[]);
        says(&source.import(&FILES), 0, &["1| app: 5 versions, 0 events\n", "copied 5 blobs, 17 B"]);
        let shown = source.info("app", "3");
        assert_eq!((&shown["filename"], &shown["size"]), (&json!("app-1.10.tgz"), &json!(4)));
        assert_eq!(shown["labels"], json!({"source-version": "1.10"}));
        assert_eq!(shown["sha256"], sha256("1.10").as_str());
        // Only a file of this machine has permission bits.
        assert_eq!(shown["mode"].is_null(), source.bucket.is_some(), "{shown}");
        let message = shown["message"].as_str().unwrap();
        assert!(message.starts_with("imported from ") && message.contains("app/app-1.10.tgz"), "{message}");
        // Again: nothing changes. A later version follows; one in between would change numbers.
        let history = source.sandbox.ok(&["history", "app"]);
        says(&source.import(&FILES), 0, &["0 of 1 package got 0 versions"]);
        assert_eq!(source.sandbox.ok(&["history", "app"]), history);
        source.put("app/app-2.1.tgz", "2.1");
        says(&source.import(&[&FILES[..], &["-n"]].concat()), 0, &["1|   6 <- app/app-2.1.tgz\n"]);
        says(&source.import(&FILES), 0, &["1| app: 1 version, 0 events\n", "copied 1 blob"]);
        source.put("app/app-1.95.tgz", "1.95");
        let refused = source.import(&FILES);
        says(&refused, 6, &["the first difference is app 4: it has another size in the source"]);
        source.is_sound();
        assert_eq!(source.info("app", "latest")["version"], 6);
    }
}

#[test]
fn plain_numbers_are_kept() {
    const FILES: [&str; 3] = ["files", "--pattern", "{package}/{version}/{package}.bin"];
    for source in Source::both() {
        for number in ["2", "5", "05", "0"] {
            source.put(&format!("team/app/{number}/team/app.bin"), number);
        }
        for (name, why) in
            [("web/1/app.bin", "its name does not fit"), ("-x/1/-x.bin", "its name does not fit")]
        {
            source.put(name, "1");
            says(
                &source.import(&[&FILES[..], &["-n"]].concat()),
                0,
                &[&format!("{name} is left out: {why}")],
            );
        }
        let imported = source.import(&FILES);
        says(
            &imported,
            0,
            &[
                "1| team/app: 5 versions, 0 events\n",
                "team/app/0/team/app.bin is left out: 0 is no number from 1 to 1000000",
                "team/app/5/team/app.bin is left out: the number 5 is given twice",
                "team/app: 3 of 5 numbers have no version; they become deleted versions",
            ],
        );
        for (number, code) in [("1", "exit 4"), ("2", "exit 0"), ("4", "exit 4"), ("5", "exit 0")] {
            assert!(source.sandbox.run(&["info", "team/app", number]).starts_with(code), "{number}");
        }
        assert_eq!(source.info("team/app", "5")["sha256"], sha256("05").as_str());
        assert_eq!(source.info("team/app", "5")["labels"], json!({}));
        says(&source.import(&FILES), 0, &["0 of 1 package got 0 versions"]);
        // Other bytes of the same size under the same name are another past.
        source.put("team/app/2/team/app.bin", "3");
        let refused = source.import(&FILES);
        says(&refused, 6, &["the first difference is team/app 2: it has another sha256 in the source"]);
        source.is_sound();
    }
}

/// Names and files that no import follows or trusts.
#[test]
fn hostile_files_are_left_out() {
    let sandbox = Sandbox::new();
    let source = sandbox.path("source");
    fs::create_dir_all(source.join("deep")).unwrap();
    sandbox.write("secret-1", "secret");
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, source.join(name)).unwrap();
    link("../secret-1", "app-2");
    link("..", "up");
    link(".", "round");
    for name in ["app-1", "app-3\x1b[31m", "app-4\n", "app-9\\..", "app-", "deep/app-5", "ünï-1"] {
        fs::write(source.join(name), name).unwrap();
    }
    fs::write(source.join(OsStr::from_bytes(b"app-\xff")), "x").unwrap();
    assert!(std::process::Command::new("mkfifo").arg(source.join("app-6")).status().unwrap().success());
    let import = ["import", "source", "--from", "files", "--pattern", "{package}-{version}"];
    let imported = sandbox.run(&import);
    let parts = [
        "1| app: 1 version, 0 events\n",
        "1| deep/app: 5 versions, 0 events\n",
        "app-2 is left out: it is a symbolic link",
        "up is left out: it is a symbolic link",
        "round is left out: it is a symbolic link",
        "app-6 is left out: it is not a regular file",
        "is left out: its name is not UTF-8",
        "is left out: file name",
        "app- is left out: its name does not fit {package}-{version}",
        "ünï-1 is left out: its name does not fit {package}-{version}",
    ];
    says(&imported, 0, &parts);
    assert!(!imported.contains('\x1b') && imported.matches("is left out").count() == 10, "{imported}");
    assert!(!sandbox.ok(&["versions", "app"]).contains(sha256("secret").as_str()));
    assert_eq!(sandbox.ok(&["versions", "app", "-q", "--limit", "9"]).lines().count(), 2);
    assert_eq!(sandbox.ok(&["fsck", "--read-data", "-q"]), "");
    says(
        &sandbox.run(&["import", "none", "--from", "files", "--pattern", "{package}-{version}"]),
        2,
        &["none"],
    );
}

#[test]
fn the_order_can_be_chosen() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("source")).unwrap();
    for (name, seconds) in [("b", 3), ("a", 5), ("7", 4)] {
        sandbox.write(&format!("source/app-{name}"), name);
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let file = fs::File::options().write(true).open(sandbox.path(&format!("source/app-{name}"))).unwrap();
        file.set_modified(at).unwrap();
    }
    let import = |order: &str| {
        let pattern =
            ["import", "source", "--from", "files", "--pattern", "app-{version}", "--package", "app"];
        sandbox.run(&[&pattern[..], &["-n", "--order", order]].concat())
    };
    says(&import("time"), 0, &["1|   1 <- app-b\n1|   2 <- app-7\n1|   3 <- app-a\n"]);
    says(&import("version"), 0, &["1|   1 <- app-7\n", "1 package would get 1 version"]);
    says(&import("number"), 0, &["1|   7 <- app-7\n", "app: 6 of 7 numbers have no version"]);
    assert!(!sandbox.data().exists());
}

#[test]
fn options_of_another_importer_are_refused() {
    let sandbox = Sandbox::new();
    let files = ["import", "x", "--from", "files"];
    for (arguments, why) in [
        (&["import", "x", "--pattern", "{version}"][..], "--pattern is only for --from files"),
        (&["import", "x", "--package", "app"], "--package is only for --from files or oci-layout"),
        (&files, "--from files needs --pattern"),
        (&[&files[..], &["--pattern", "{version}"]].concat(), "no package is given by name"),
        (
            &[&files[..], &["--pattern", "{package}-{version}", "--package", "a"]].concat(),
            "the package is also given by name",
        ),
        (&[&files[..], &["--pattern", "{version}", "--blobs", "b"]].concat(), "--blobs is only for"),
        (&[&files[..], &["--tags", "t"]].concat(), "--tags is only for --from python-sacker"),
        (&["import", "x", "--from", "oci-layout"], "--from oci-layout needs --package"),
        (
            &["import", "x", "--from", "oci-layout", "--package", "a", "--order", "time"],
            "--order time is only for --from files",
        ),
        (&["import", "ftp://x/y", "--from", "files", "--pattern", "{package}-{version}"], "unknown scheme"),
    ] {
        says(&sandbox.run(arguments), 2, &[why]);
    }
}

/// An image layout, as `oras` writes it.
#[derive(Default)]
struct Layout {
    manifests: Vec<Value>,
}

impl Layout {
    fn blob(source: &Source, content: &str) -> Value {
        let digest = sha256(content);
        source.put(&format!("blobs/sha256/{digest}"), content);
        json!({"mediaType": "application/x", "digest": format!("sha256:{digest}"), "size": content.len()})
    }

    fn tag(&mut self, source: &Source, tag: &str, layers: &[Value]) {
        let manifest = json!({"schemaVersion": 2, "layers": layers}).to_string();
        let mut descriptor = Self::blob(source, &manifest);
        descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
        self.manifests.push(descriptor);
    }

    fn write(&self, source: &Source) {
        source.put("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
        source.put("index.json", json!({"schemaVersion": 2, "manifests": self.manifests}).to_string());
    }
}

fn layer(source: &Source, content: &str, title: &str) -> Value {
    let mut layer = Layout::blob(source, content);
    layer["annotations"] = json!({"org.opencontainers.image.title": title});
    layer
}

#[test]
fn the_tags_of_an_image_layout_become_versions() {
    const LAYOUT: [&str; 3] = ["oci-layout", "--package", "app"];
    for source in Source::both() {
        let mut layout = Layout::default();
        let [one, two, three] = ["one", "two", "three"].map(|it| layer(&source, it, "app.tgz"));
        layout.tag(&source, "v1.10", std::slice::from_ref(&two));
        layout.tag(&source, "v1.9", std::slice::from_ref(&one));
        layout.tag(&source, "stable", std::slice::from_ref(&two));
        layout.tag(&source, "latest", std::slice::from_ref(&two));
        layout.tag(&source, "edge", &[three]);
        layout.tag(&source, "v2.0", &[layer(&source, "bad title", "../x")]);
        layout.tag(&source, "v2.1", &[one, two]);
        layout.tag(&source, "v2.2", &[json!({"digest": "sha256:../../../secret", "size": 1})]);
        layout.tag(&source, "v2.3", &[layer(&source, "lost", "x")]);
        layout.tag(&source, "v2.4", &[layer(&source, "changed", "x")]);
        layout.tag(&source, "v2.5", &[layer(&source, "damaged manifest", "x")]);
        layout.manifests.push(json!({"digest": "sha256:0", "size": 1}));
        let damaged = layout.manifests[10]["digest"].as_str().unwrap().replace("sha256:", "blobs/sha256/");
        source.put(&damaged, "{}");
        source.put(&format!("blobs/sha256/{}", sha256("changed")), "CHANGED");
        source.put(&format!("blobs/sha256/{}", sha256("lost")), "");
        layout.write(&source);
        let dry = source.import(&[&LAYOUT[..], &["-n"]].concat());
        says(
            &dry,
            0,
            &["1| app: 5 versions, 1 event\n1|   1 <- v1.9\n1|   2 <- v1.10\n", "nothing was changed"],
        );
        let imported = source.import(&LAYOUT);
        let parts = [
            "1| app: 5 versions, 1 event\n",
            "latest is left out: tag",
            "edge is left out: it names no version, and no version has its manifest",
            "v2.0: its title is not carried: file name",
            "v2.1 is left out: it has 2 layers; only an artifact with one is a version",
            "v2.2 is left out: its digest \"sha256:../../../secret\" is no sha256",
            "app 4 becomes a deleted version: its file",
            "app 5 becomes a deleted version: its file",
            "v2.5 is left out: its manifest is not ",
            "sha256:0 is left out: it has no tag",
        ];
        says(&imported, 0, &parts);
        assert_eq!(source.info("app", "1")["labels"], json!({"source-version": "v1.9"}));
        let two = source.info("app", "stable");
        assert_eq!((&two["version"], &two["sha256"]), (&json!(2), &json!(sha256("two").as_str())));
        assert_eq!((&two["filename"], &two["mode"]), (&json!("app.tgz"), &Value::Null));
        let history = source.sandbox.ok(&["history", "app"]);
        says(&source.import(&LAYOUT), 0, &["0 of 1 package got 0 versions"]);
        assert_eq!(source.sandbox.ok(&["history", "app"]), history);
        source.is_sound();
        source.put("index.json", "{}");
        says(&source.import(&LAYOUT), 2, &["index.json", "missing field"]);
    }
    let sandbox = Sandbox::new();
    let none = sandbox.run(&["import", ".", "--from", "oci-layout", "--package", "app"]);
    says(&none, 2, &["it is no OCI image layout"]);
    assert!(!Path::new(&sandbox.data()).exists());
}
