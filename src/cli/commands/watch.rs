//! `watch`: prints events as they happen.

use crate::{
    cli::{
        context::Context,
        error::{Failure, Kind},
        json,
        render::plain,
    },
    durable,
    model::{Cursor, Invalid, PackageName, Revs, TagName},
    ops::{Client, Watch, WatchScope},
};
use futures_util::TryStreamExt;
use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

/// Print the events of packages as lines of JSON, as they happen: none left out, none twice
///
/// Each line is an event as in `history --json`, with a cursor: the position after it in the logs of its package, such
/// as app=t7,r3. A consumer that keeps the last cursor of each package continues exactly there after a restart. Begins
/// with what happens from now on, unless --after-rev or --cursor is given. Polls about every second (every 40 s for
/// 10,000 packages) and tolerates outages.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Follow this package: its versions and its tags
    #[arg(value_name = "PACKAGE", required_unless_present = "prefix")]
    package: Option<PackageName>,
    /// Follow only this tag of the package
    #[arg(value_name = "TAG", requires = "package")]
    tag: Option<TagName>,
    /// Follow all packages whose names begin with this prefix, new ones too; '' follows all
    #[arg(long, value_name = "PREFIX", conflicts_with = "package", value_parser = crate::cli::options::prefix)]
    prefix: Option<String>,
    /// Begin after this revision of the package: 7 or t7 of its tags, r3 of its versions, t7,r3 of both, or a cursor;
    /// 0 is the beginning of the log
    #[arg(long, value_name = "REV", conflicts_with_all = ["cursor", "prefix"])]
    after_rev: Option<After>,
    /// Begin after the cursors in this file, to which the consumer appends the cursor of each event that it has
    /// processed; if there is no such file, it is made, with the cursors of now
    #[arg(long, value_name = "FILE")]
    cursor: Option<PathBuf>,
    /// End when all events that were there are printed, instead of waiting for more
    #[arg(long)]
    once: bool,
    /// End after this many events
    #[arg(long, value_name = "N", value_parser = crate::cli::options::limit)]
    limit: Option<usize>,
}

/// A revision, or a cursor, which names the package as well.
#[derive(Debug, Clone)]
struct After {
    package: Option<PackageName>,
    revs: Revs,
}

impl FromStr for After {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.contains('=') {
            let Cursor { package, revs } = text.parse()?;
            return Ok(Self { package: Some(package), revs });
        }
        Ok(Self { package: None, revs: text.parse()? })
    }
}

pub(in crate::cli) async fn run(args: Args, context: &mut Context<'_>) -> Result<(), Failure> {
    let Args { package, tag, prefix, after_rev, cursor, once, limit } = args;
    let doing = match (&package, &tag) {
        (Some(package), Some(tag)) => format!("watching {package} {tag}"),
        (Some(package), None) => format!("watching {package}"),
        (None, _) => "watching packages".to_owned(),
    };
    let scope = match (package, tag) {
        (Some(package), Some(tag)) => WatchScope::Tag(package, tag),
        (Some(package), None) => WatchScope::Package(package),
        (None, _) => WatchScope::Prefix(prefix.unwrap_or_default()),
    };
    let client = context.ledger().await?;
    let after = match (after_rev, &cursor) {
        (Some(after), _) => vec![given(after, &scope)?],
        (None, None) => cursors_of_now(&client, &scope, &doing, context).await?,
        (None, Some(path)) => kept(&client, &scope, path, &doing, context).await?,
    };
    let watch = Watch::new(scope).after(after).once(once);
    let mut events = client.watch(watch);
    for _ in 0..limit.unwrap_or(usize::MAX) {
        let next = context.output.wait(events.try_next()).await?.map_err(context.failed(&doing))?;
        let Some(watched) = next else { break };
        context.output.object(&json::WatchLine::of(&watched))?;
    }
    Ok(())
}

/// Returns the cursor that `--after-rev` means.
fn given(after: After, scope: &WatchScope) -> Result<Cursor, Failure> {
    let (package, of_tag) = match scope {
        WatchScope::Package(package) => (package, false),
        WatchScope::Tag(package, _) => (package, true),
        WatchScope::Prefix(_) => unreachable!("--after-rev conflicts with --prefix"),
    };
    let invalid = |why: String| Err(Failure::new(Kind::Invalid, why));
    match after.package {
        Some(other) if other != *package => {
            invalid(format!("the cursor {other}={} is one of another package than {package}", after.revs))
        }
        _ if of_tag && after.revs.tags.is_none() => {
            invalid(format!("the revision {} is none of the tags: give one like t7", after.revs))
        }
        _ => Ok(Cursor { package: package.clone(), revs: after.revs }),
    }
}

/// Returns the cursors of now. A package that is not there is noted, since its name may be misspelt.
async fn cursors_of_now(
    client: &Client,
    scope: &WatchScope,
    doing: &str,
    context: &Context<'_>,
) -> Result<Vec<Cursor>, Failure> {
    let cursors = client.cursors(scope).await.map_err(context.failed(doing))?;
    if let (WatchScope::Package(package) | WatchScope::Tag(package, _), [cursor]) =
        (scope, cursors.as_slice())
        && cursor.revs == Revs::START
    {
        context
            .notices
            .note(&format!("there is no package {package} yet; its events are printed when it appears"));
    }
    Ok(cursors)
}

/// Returns the cursors of a file. A file that does not exist is made.
async fn kept(
    client: &Client,
    scope: &WatchScope,
    path: &Path,
    doing: &str,
    context: &mut Context<'_>,
) -> Result<Vec<Cursor>, Failure> {
    let failed = |what: &str, error: &io::Error| {
        Failure::new(Kind::Invalid, format!("can't {what} the cursors {}: {}", path.display(), plain(error)))
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let now = cursors_of_now(client, scope, doing, context).await?;
            write(path, &now).map_err(|error| failed("write", &error))?;
            return Ok(now);
        }
        Err(error) => return Err(failed("read", &error)),
    };
    let (cursors, lines) = parse(&text).map_err(|(line, invalid)| {
        let place = format!("reading the cursors {}, line {line}: {invalid}", path.display());
        Failure::new(Kind::Invalid, place)
            .hint("each line is a cursor as `watch` prints it, such as app=t7,r3")
    })?;
    if lines > cursors.len() {
        // Only the last cursor of each package counts, so that the file does not grow without end.
        write(path, &cursors).map_err(|error| failed("write", &error))?;
    }
    Ok(cursors)
}

/// Returns the last cursor of each package, and the number of lines. An incomplete last line, which an interrupted
/// consumer has left, does not count: its event is printed again.
fn parse(text: &str) -> Result<(Vec<Cursor>, usize), (usize, Invalid)> {
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut last = BTreeMap::new();
    let mut lines = usize::from(complete.len() + 1 < text.len());
    for (number, line) in complete.lines().enumerate() {
        let Cursor { package, revs } = line.parse().map_err(|invalid| (number + 1, invalid))?;
        last.insert(package, revs);
        lines += 1;
    }
    Ok((last.into_iter().map(|(package, revs)| Cursor { package, revs }).collect(), lines))
}

/// Replaces the file, durably and at one instant.
fn write(path: &Path, cursors: &[Cursor]) -> io::Result<()> {
    let folder = durable::directory_of(path);
    let mut file = tempfile::Builder::new().prefix(".sacker-").tempfile_in(folder)?;
    // No line at all for no cursor: the consumer appends the first one.
    let text: String = cursors.iter().flat_map(|cursor| [cursor.to_string(), "\n".to_owned()]).collect();
    file.write_all(text.as_bytes())?;
    durable::flush(file.as_file(), path)?;
    durable::name(file, path, true).map_err(|error| error.error)?;
    durable::flush_directory(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_can_append_to_a_file_that_was_made_without_a_cursor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cursors");
        for made in [Vec::new(), vec!["a=t1".parse().unwrap(), "b=t2,r1".parse().unwrap()]] {
            write(&path, &made).unwrap();
            let text = fs::read_to_string(&path).unwrap() + "c=t3\n";
            let (cursors, lines) = parse(&text).unwrap();
            assert_eq!((cursors.len(), lines), (made.len() + 1, made.len() + 1), "{text:?}");
        }
    }

    #[test]
    fn the_last_cursor_of_each_package_counts_and_half_a_line_does_not() {
        let shown = |text: &str| {
            let (cursors, lines) = parse(text).unwrap();
            (cursors.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), lines)
        };
        assert_eq!(shown(""), (String::new(), 0));
        assert_eq!(shown("b=t1,r1\na=t1\nb=t2,r1\n"), ("a=t1 b=t2,r1".to_owned(), 3));
        assert_eq!(shown("a=t1\na=t2"), ("a=t1".to_owned(), 2));
        assert_eq!(parse("a=t1\nnonsense\n").unwrap_err().0, 2);
    }
}
