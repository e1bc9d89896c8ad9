//! Making the commit of a transaction.

use super::{
    command::Git,
    objects::{Oid, Tip, is_oid},
    paths,
};
use crate::{
    fault::{Fault, FaultKind},
    table::{Item, Key, Note, Transaction, canonical::canonical},
};
use serde_json::Value;
use std::{
    fmt::Write,
    time::{SystemTime, UNIX_EPOCH},
};

/// The file in the root of the tree that marks a ledger, with the number of the layout.
pub(super) const MARK: &str = "sacker-ledger-1";
/// The beginning of such a file's name.
pub(super) const ANY_MARK: &str = "sacker-ledger-";

const ABOUT: &str = "\
This branch is a ledger of sacker: each commit is one change, and the files in `items` are its records.
`git log` shows who changed what, and why. Don't edit, rebase or revert it: sacker writes it, and `sacker fsck` checks
it.
";

/// Returns an item as the content of a file, one attribute a line.
fn text(item: &Item) -> String {
    let mut lines: Vec<_> = item
        .iter()
        .map(|(name, value)| format!("  {}: {}", canonical(&Value::from(name.as_str())), canonical(value)))
        .collect();
    lines.sort();
    if lines.is_empty() { "{}\n".to_owned() } else { format!("{{\n{}\n}}\n", lines.join(",\n")) }
}

/// Makes a commit with these items on top of a tip, and returns its name. No ref is on it.
pub(super) async fn make(
    git: &Git,
    doing: &str,
    tip: &Tip,
    transaction: &Transaction,
    items: &[(Key, Option<Item>)],
) -> Result<Oid, Fault> {
    let message = message(transaction);
    let author = transaction.note().and_then(|note| note.actor.as_deref()).unwrap_or("sacker");
    let mut input = header(author, &message);
    let _ = writeln!(input, "from {}", tip.commit);
    for (key, item) in items {
        let path = paths::of_item(key).join("/");
        match item {
            Some(item) => file(&mut input, &path, &text(item)),
            None => {
                let _ = writeln!(input, "D {path}");
            }
        }
    }
    import(git, doing, input).await
}

/// Makes the first commit of a ledger: without items.
pub(super) async fn first(git: &Git, doing: &str) -> Result<Oid, Fault> {
    let mut input = header("sacker", "create the ledger\n");
    file(&mut input, MARK, ABOUT);
    import(git, doing, input).await
}

/// The ref that a commit is made on. It exists in no repository: it is removed in the input that would make it.
const NEW: &str = "refs/sacker/new";

fn header(author: &str, message: &str) -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let who = identity(author);
    let length = message.len();
    format!(
        "feature done\ncommit {NEW}\nmark :1\nauthor {who} {seconds} +0000\ncommitter {who} {seconds} +0000\n\
         data {length}\n{message}\n"
    )
}

fn file(input: &mut String, path: &str, content: &str) {
    let _ = writeln!(input, "M 100644 inline {path}\ndata {}\n{content}", content.len());
}

async fn import(git: &Git, doing: &str, mut input: String) -> Result<Oid, Fault> {
    let _ = write!(input, "get-mark :1\nreset {NEW}\n\ndone\n");
    let output = git.ok(doing, &["fast-import", "--quiet", "--date-format=raw"], input.as_bytes()).await?;
    let oid = output.line();
    if is_oid(&oid) {
        return Ok(oid);
    }
    Err(Fault::new(FaultKind::Unexpected, doing, format!("git names the new commit {oid:?}")))
}

/// Returns an actor as the author of a commit: `ann@host <ann@host>`.
fn identity(actor: &str) -> String {
    let plain: String =
        actor.chars().map(|c| if c.is_control() || "<>".contains(c) { '_' } else { c }).collect();
    let name = plain.trim();
    let is_address = name.contains('@') && !name.contains(char::is_whitespace);
    match name {
        "" => "sacker <>".to_owned(),
        name if is_address => format!("{name} <{name}>"),
        name => format!("{name} <>"),
    }
}

/// Returns the message of a transaction's commit: what was changed, why, and the numbers of operation and transaction.
fn message(transaction: &Transaction) -> String {
    let otherwise =
        Note { summary: format!("change {} items", transaction.actions().len()), ..Note::default() };
    let Note { summary, changes, message, actor, operation } = transaction.note().unwrap_or(&otherwise);
    let clean = |text: &str, keep: &str| -> String {
        text.chars().map(|c| if c.is_control() && !keep.contains(c) { ' ' } else { c }).collect()
    };
    let mut text = clean(summary, "") + "\n\n";
    for change in changes.iter().filter(|change| *change != summary) {
        let _ = writeln!(text, "- {}", clean(change, ""));
    }
    if let Some(message) = message {
        let gap = if text.ends_with("\n\n") { "" } else { "\n" };
        let _ = writeln!(text, "{gap}{}", clean(message, "\n").trim());
    }
    if !text.ends_with("\n\n") {
        text.push('\n');
    }
    for (name, value) in [("Actor", actor.as_deref()), ("Operation", operation.as_deref())] {
        if let Some(value) = value {
            let _ = writeln!(text, "{name}: {}", clean(value, ""));
        }
    }
    let _ = writeln!(text, "Transaction: {}", clean(transaction.token(), ""));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn items_have_an_attribute_a_line() {
        let Value::Object(item) = json!({"b": {"y": 1, "x": "é\n"}, "a": 2}) else { unreachable!() };
        assert_eq!(text(&item), "{\n  \"a\": 2,\n  \"b\": {\"x\":\"é\\n\",\"y\":1}\n}\n");
        assert_eq!(serde_json::from_str::<Item>(&text(&item)).unwrap(), item);
        assert_eq!(text(&Item::new()), "{}\n");
    }

    #[test]
    fn messages_say_what_why_and_who() {
        let note = Note {
            summary: "add app 2".to_owned(),
            changes: vec!["add app 2".to_owned()],
            message: Some("fix\u{1b}[31m\n\nmore".to_owned()),
            actor: Some("ann@host".to_owned()),
            operation: Some("op".to_owned()),
        };
        let transaction = Transaction::new("t".to_owned()).with_note(note);
        let text = "add app 2\n\nfix [31m\n\nmore\n\nActor: ann@host\nOperation: op\nTransaction: t\n";
        assert_eq!(message(&transaction), text);
        assert_eq!(message(&Transaction::new("t".to_owned())), "change 0 items\n\nTransaction: t\n");
        assert_eq!(identity("ann@host"), "ann@host <ann@host>");
        assert_eq!(identity("x <y>\n"), "x _y__ <>");
        assert_eq!(identity(" "), "sacker <>");
    }
}
