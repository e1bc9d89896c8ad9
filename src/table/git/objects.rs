//! Reading objects, by one `git cat-file --batch` that stays for all reads of a table.
//!
//! It looks up refs and new objects again for each request. Objects never change, so the trees are kept in memory.

use super::command::{Git, Running};
use super::failure;
use crate::fault::{Fault, FaultKind};
use std::{collections::HashMap, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{ChildStdin, ChildStdout},
};

/// The maximum size of an object that is read. What sacker writes is far smaller.
const LARGEST: u64 = 64 << 20;
/// The number of trees that are kept.
const TREES: usize = 4096;

/// The name of an object: 40 or 64 hexadecimal digits.
pub(super) type Oid = String;

/// Returns true for a text that has the form of an object's name.
pub(super) fn is_oid(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The commit that a ref is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tip {
    pub commit: Oid,
    pub tree: Oid,
}

/// An entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub name: String,
    pub kind: EntryKind,
    pub oid: Oid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    Tree,
    /// A regular file.
    File,
    /// A link, a submodule or anything else: sacker writes none.
    Other,
}

struct Object {
    oid: Oid,
    kind: String,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Batch {
    running: Running,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

/// A reader of the objects of one repository.
#[derive(Debug)]
pub(super) struct Objects {
    git: Git,
    batch: Option<Batch>,
    trees: HashMap<Oid, Arc<Vec<Entry>>>,
}

impl Objects {
    pub fn of(git: Git) -> Self {
        Self { git, batch: None, trees: HashMap::new() }
    }

    /// Returns the commit that a ref is on; `None` if there is no such ref.
    pub async fn tip(&mut self, doing: &str, reference: &str) -> Result<Option<Tip>, Fault> {
        let Some(object) = self.get(doing, reference).await? else { return Ok(None) };
        let text = String::from_utf8_lossy(&object.bytes);
        let tree = text.strip_prefix("tree ").and_then(|rest| rest.split('\n').next());
        match tree {
            Some(tree) if object.kind == "commit" => {
                Ok(Some(Tip { commit: object.oid, tree: tree.to_owned() }))
            }
            _ => {
                let why = format!("`{reference}` is on a {}, not on a commit", object.kind);
                Err(Fault::new(FaultKind::Misconfigured, doing, why))
            }
        }
    }

    /// Returns the entries of a tree, in no order that matters.
    pub async fn tree(&mut self, doing: &str, oid: &str) -> Result<Arc<Vec<Entry>>, Fault> {
        if let Some(known) = self.trees.get(oid) {
            return Ok(Arc::clone(known));
        }
        let damaged = |why: &str| Fault::new(FaultKind::Corrupt, doing, format!("the tree {oid} {why}"));
        let object = self.get(doing, oid).await?.ok_or_else(|| damaged("is missing"))?;
        if object.kind != "tree" {
            return Err(damaged("is no tree"));
        }
        let entries = entries(&object.bytes, oid.len() / 2).ok_or_else(|| damaged("can't be read"))?;
        let entries = Arc::new(entries);
        if self.trees.len() >= TREES {
            self.trees.clear();
        }
        self.trees.insert(oid.to_owned(), Arc::clone(&entries));
        Ok(entries)
    }

    /// Returns the content of a file; `None` if this repository does not have it.
    pub async fn file(&mut self, doing: &str, oid: &str) -> Result<Option<Vec<u8>>, Fault> {
        match self.get(doing, oid).await? {
            Some(object) if object.kind != "blob" => {
                Err(Fault::new(FaultKind::Corrupt, doing, format!("the object {oid} is no file")))
            }
            found => Ok(found.map(|object| object.bytes)),
        }
    }

    async fn get(&mut self, doing: &str, name: &str) -> Result<Option<Object>, Fault> {
        let mut batch = match self.batch.take() {
            Some(batch) => batch,
            None => Batch::start(&self.git, doing)?,
        };
        // If this future is dropped, the process is in the middle of an answer: it is ended with the future.
        match batch.request(name).await {
            Ok(Answer::Object(object)) => {
                self.batch = Some(batch);
                Ok(Some(object))
            }
            Ok(Answer::Missing) => {
                self.batch = Some(batch);
                Ok(None)
            }
            Ok(Answer::TooLarge(size)) => {
                let why = format!("the object {name} has {size} bytes; nothing of a ledger is that large");
                Err(Fault::new(FaultKind::Corrupt, doing, why))
            }
            Err(error) => Err(match batch.running.finished().await {
                Ok(output) if output.code != Some(0) => failure::of(doing, &output),
                _ => Fault::new(FaultKind::Unavailable, doing, error),
            }),
        }
    }
}

enum Answer {
    Object(Object),
    Missing,
    TooLarge(u64),
}

impl Batch {
    fn start(git: &Git, doing: &str) -> Result<Self, Fault> {
        let mut running = git.spawn(doing, &["cat-file", "--batch"])?;
        let (stdin, stdout) = (running.child.stdin.take(), running.child.stdout.take());
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else { unreachable!("both are piped") };
        Ok(Self { running, stdin, stdout: BufReader::with_capacity(64 << 10, stdout) })
    }

    async fn request(&mut self, name: &str) -> std::io::Result<Answer> {
        self.stdin.write_all(format!("{name}\n").as_bytes()).await?;
        self.stdin.flush().await?;
        let mut line = String::new();
        self.stdout.read_line(&mut line).await?;
        let closed = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "git ended");
        let line = line.strip_suffix('\n').ok_or_else(closed)?;
        if line.ends_with(" missing") || line.ends_with(" ambiguous") {
            return Ok(Answer::Missing);
        }
        let mut words = line.split(' ');
        let (Some(oid), Some(kind), Some(Ok(size))) =
            (words.next(), words.next(), words.next().map(str::parse::<u64>))
        else {
            return Err(std::io::Error::other(format!("git answers {line:?}")));
        };
        if size > LARGEST {
            return Ok(Answer::TooLarge(size));
        }
        // A line end follows.
        let mut bytes = Vec::new();
        (&mut self.stdout).take(size + 1).read_to_end(&mut bytes).await?;
        if bytes.pop() != Some(b'\n') || bytes.len() as u64 != size {
            return Err(closed());
        }
        Ok(Answer::Object(Object { oid: oid.to_owned(), kind: kind.to_owned(), bytes }))
    }
}

/// Reads [a tree](https://git-scm.com/book/en/v2/Git-Internals-Git-Objects#_tree_objects) whose names of objects have
/// this many bytes.
fn entries(mut bytes: &[u8], width: usize) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ')?;
        let (mode, rest) = bytes.split_at(space);
        let end = rest.iter().position(|byte| *byte == 0)?;
        let (name, rest) = (&rest[1..end], &rest[end + 1..]);
        let (oid, rest) = rest.split_at_checked(width)?;
        bytes = rest;
        let kind = match mode {
            b"40000" | b"040000" => EntryKind::Tree,
            b"100644" | b"100664" | b"100755" => EntryKind::File,
            _ => EntryKind::Other,
        };
        entries.push(Entry { name: String::from_utf8(name.to_vec()).ok()?, kind, oid: hex::encode(oid) });
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_read_and_half_ones_are_not() {
        let mut tree = b"40000 a\0".to_vec();
        tree.extend([1; 20]);
        tree.extend(b"120000 b\0");
        tree.extend([2; 20]);
        let read = entries(&tree, 20).unwrap();
        let shown: Vec<_> =
            read.iter().map(|entry| (entry.name.as_str(), entry.kind, &entry.oid[..4])).collect();
        assert_eq!(shown, [("a", EntryKind::Tree, "0101"), ("b", EntryKind::Other, "0202")]);
        assert_eq!(entries(&[], 20), Some(Vec::new()));
        for length in 1..tree.len() {
            assert!(length == 28 || entries(&tree[..length], 20).is_none(), "{length}");
        }
    }
}
