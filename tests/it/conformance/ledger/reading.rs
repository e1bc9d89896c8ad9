//! Reads.

use crate::support::world::{Tables, World, add, add_many, of, sha256, tag, untag, version};
use futures_util::TryStreamExt;
use sacker::{
    ledger::{Error, Ledger, NotFound, PackageQuery},
    model::{Created, PackageName, Release, Spec},
};

pub async fn names(ledger: &dyn Ledger, prefix: &str, after: Option<&str>) -> Vec<String> {
    let query = {
        let mut it = PackageQuery::new().prefix(prefix.to_owned());
        it.after = after.map(of);
        it
    };
    ledger.packages(&query).map_ok(|name| name.to_string()).try_collect().await.unwrap()
}

async fn versions(ledger: &dyn Ledger, package: &str) -> Result<Vec<Release>, Error> {
    ledger.versions(&of(package)).try_collect().await
}

fn missing<T: std::fmt::Debug>(result: Result<T, Error>) -> NotFound {
    match result {
        Err(Error::NotFound(missing)) => missing,
        other => panic!("{other:?}"),
    }
}

pub async fn an_empty_ledger_has_nothing(world: &dyn World) {
    let ledger = world.ledger();
    assert_eq!(names(&*ledger, "", None).await, [""; 0]);
    assert_eq!(ledger.summaries(&[of("app")]).await.unwrap(), []);
    let none = NotFound::Package(of("app"));
    assert_eq!(missing(versions(&*ledger, "app").await), none);
    assert_eq!(missing(ledger.tags(&of("app")).await), none);
    for spec in ["1", "live", "latest"] {
        assert_eq!(missing(ledger.release(&of("app"), &of(spec)).await), none);
        assert_eq!(missing(ledger.blob(&of("app"), &of(spec)).await), none);
    }
    assert!(!ledger.describe().is_empty());
}

pub async fn what_is_missing_is_named(world: &dyn World) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 2).await;
    tag(&*ledger, "app", "1", "gone").await;
    untag(&*ledger, "app", "gone").await;
    let no_version = NotFound::Version { package: of("app"), version: version(3), last: version(2) };
    let no_tag = |tag: &str| NotFound::Tag { package: of("app"), tag: of(tag) };
    for (spec, expected) in [("3", no_version), ("live", no_tag("live")), ("gone", no_tag("gone"))] {
        assert_eq!(missing(ledger.release(&of("app"), &of(spec)).await), expected);
        assert_eq!(missing(ledger.blob(&of("app"), &of(spec)).await), expected);
    }
    // A name that another package's name begins with, or that begins with one.
    for package in ["ap", "app/x", "App"] {
        assert_eq!(missing(ledger.tags(&of(package)).await), NotFound::Package(of(package)));
    }
}

const NAMES: [&str; 12] = ["0", "A", "Z9", "a", "a-b", "a.b", "a/b", "a/b/c", "a0", "aB", "a_b", "zz"];

pub async fn packages_come_in_bytewise_order(world: &dyn World) {
    let ledger = world.ledger();
    for name in NAMES.iter().rev() {
        add(&*ledger, name, "same").await;
    }
    add(&*ledger, "a", "another").await;
    assert_eq!(names(&*world.ledger(), "", None).await, NAMES);
}

pub async fn a_listing_begins_where_requested(world: &dyn World) {
    let ledger = world.ledger();
    for name in NAMES {
        add(&*ledger, name, "same").await;
    }
    let listed = async |prefix, after| names(&*ledger, prefix, after).await;
    assert_eq!(listed("a", None).await, NAMES[3..11]);
    assert_eq!(listed("a/", None).await, ["a/b", "a/b/c"]);
    assert_eq!(listed("a/b", None).await, ["a/b", "a/b/c"]);
    assert_eq!(listed("", Some("a/b")).await, NAMES[7..]);
    // What it begins after need not be there, nor have the prefix.
    assert_eq!(listed("", Some("a/a")).await, NAMES[6..]);
    assert_eq!(listed("a/", Some("a/b")).await, ["a/b/c"]);
    assert_eq!(listed("a/", Some("Z")).await, ["a/b", "a/b/c"]);
    assert_eq!(listed("a/", Some("zz")).await, [""; 0]);
    assert_eq!(listed("", Some("zz")).await, [""; 0]);
    for nothing in ["b", "~", "\u{e9}", "a//", " ", &"a".repeat(3000)] {
        assert_eq!(listed(nothing, None).await, [""; 0], "{nothing:?}");
    }
}

pub async fn summaries_follow_the_releases(world: &dyn World) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 3).await;
    let last = add(&*ledger, "other", "content").await;
    let asked: Vec<PackageName> = ["other", "missing", "app"].map(of).to_vec();
    let found = ledger.summaries(&asked).await.unwrap();
    let short: Vec<_> = found.iter().map(|it| (it.package.as_str(), it.versions.get(), it.latest)).collect();
    assert_eq!(short, [("other", 1, Some(version(1))), ("app", 3, Some(version(3)))]);
    assert_eq!((found[0].size, found[0].changed_at), (Some(7), last.added_at));
}

pub async fn versions_come_newest_first(world: &dyn World) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", 4).await;
    add_many(&*ledger, "app/x", 1).await;
    tag(&*ledger, "app", "2", "live").await;
    tag(&*ledger, "app", "2", "canary").await;
    let found = versions(&*world.ledger(), "app").await.unwrap();
    let numbers: Vec<u64> = found.iter().map(|release| release.version.get()).collect();
    assert_eq!(numbers, [4, 3, 2, 1]);
    let tags: Vec<&[String]> = found.iter().map(|release| &*release.tags).collect();
    assert_eq!(tags, [&["latest".to_owned()][..], &[], &["canary".to_owned(), "live".to_owned()], &[]]);
    assert_eq!(found[3].blob.address.sha256, sha256("1"));
}

pub async fn creating_again_changes_nothing(world: &dyn World) {
    let (_, id) = world.ledger().create().await.unwrap();
    assert_eq!(world.ledger().create().await.unwrap(), (Created::Present, id.clone()));
    let request = crate::support::world::adding("app");
    assert_eq!(world.ledger().begin_add(&request, None).await.unwrap().ledger.id, id);
}

pub async fn many_versions_come_page_by_page(world: &Tables) {
    let ledger = world.ledger();
    add_many(&*ledger, "app", world.many).await;
    let found = versions(&*ledger, "app").await.unwrap();
    let numbers: Vec<u64> = found.iter().map(|release| release.version.get()).collect();
    assert_eq!(numbers, (1..=world.many).rev().collect::<Vec<_>>());
    let (latest, _) = ledger.blob(&of("app"), &Spec::Latest).await.unwrap();
    assert_eq!(latest.get(), world.many);
}
