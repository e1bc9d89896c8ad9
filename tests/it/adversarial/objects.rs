//! Wrong bytes under a content address: a download reports them and leaves nothing; adding the right ones repairs it.

use super::code;
use crate::support::{backends, sandbox::Sandbox, servers};
use aws_sdk_s3::primitives::ByteStream;
use sha2::{Digest, Sha256};
use std::fs;

/// Puts other bytes where those with this sha256 are.
trait Swap {
    fn swap(&self, sha256: &str, bytes: Vec<u8>);
}

impl Swap for Sandbox {
    fn swap(&self, sha256: &str, bytes: Vec<u8>) {
        let local = self.data().join("store/sha256").join(sha256);
        if local.exists() {
            fs::remove_file(&local).unwrap();
            return fs::write(local, bytes).unwrap();
        }
        let url = self.variable("SACKER_STORE");
        let bucket = url.trim_start_matches("s3://").split('/').next().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let client = backends::aws().s3(&backends::at(backends::s3())).await.unwrap();
            let put = client.put_object().bucket(bucket).key(format!("blobs/sha256/{sha256}"));
            put.body(ByteStream::from(bytes)).send().await.unwrap();
        });
    }
}

fn swapped(sandbox: &Sandbox, size: usize) {
    sandbox.ok(&["init"]);
    let content = vec![b'a'; size];
    let sha256 = hex::encode(Sha256::digest(&content));
    sandbox.write("f", &content);
    sandbox.ok(&["add", "app", "f", "--tag", "live"]);
    fs::create_dir(sandbox.path("in")).unwrap();
    let mut other = content.clone();
    other[size / 2] ^= 1;
    for bytes in [other, content[..size - 1].to_vec(), [&content[..], b"a"].concat(), Vec::new()] {
        let what = format!("{} bytes for {size}", bytes.len());
        sandbox.swap(&sha256, bytes);
        for spec in ["1", "live", "latest"] {
            let output = sandbox.command(&["download", "app", spec, "-o", "in/f"]).output().unwrap();
            assert_eq!(code(&output), 8, "{what}: {}", sandbox.shown(&output));
            assert_eq!(sandbox.files("in"), Vec::<String>::new(), "{what}");
        }
        let output = sandbox.command(&["fsck", "--read-data"]).output().unwrap();
        assert_eq!(code(&output), 8, "{what}: {}", sandbox.shown(&output));
        let output = sandbox.command(&["add", "app", "f"]).output().unwrap();
        assert_eq!(code(&output), 0, "{what}: {}", sandbox.shown(&output));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("was damaged in the store; it has been replaced"), "{what}: {said}");
        sandbox.ok(&["download", "app", "1", "-o", "in/f"]);
        assert!(fs::read(sandbox.path("in/f")).unwrap() == content, "{what}");
        fs::remove_file(sandbox.path("in/f")).unwrap();
        assert_eq!(code(&sandbox.command(&["fsck", "--read-data"]).output().unwrap()), 0, "{what}");
    }
}

#[test]
fn swapped_in_a_directory() {
    for size in [10, 9 << 20] {
        swapped(&Sandbox::new(), size);
    }
}

#[test]
fn swapped_on_s3() {
    // In one request, and in parts.
    for size in [10, 17 << 20] {
        swapped(&servers::sandbox(), size);
    }
}

#[test]
fn an_owner_of_any_size_is_only_shown() {
    let sandbox = Sandbox::with_app();
    let owner = sandbox.data().join("store/OWNER");
    for content in [vec![b'x'; 50 << 20], vec![0xff; 10], b"\x1b[2J".to_vec(), Vec::new()] {
        fs::remove_file(&owner).unwrap();
        fs::write(&owner, &content).unwrap();
        let output = sandbox.command(&["add", "app", "one.txt"]).output().unwrap();
        assert!([2, 8].contains(&code(&output)), "{}", output.status);
        assert!(output.stderr.len() < 4_000, "{}", output.stderr.len());
        assert!(!output.stderr.contains(&0x1b));
    }
}
