//! Exporting a package's items and importing them into another ledger.

use crate::support::{
    faulty_table::{Fate, Faulty},
    world::{
        Tables, World, add, adding, adding_with_key, author, edit, of, read, retry_policy, tag, tags,
        try_add, untag, version, write,
    },
};
use futures_util::{StreamExt, TryStreamExt};
use sacker::{
    ledger::{
        ChangeRequest, Error, ExportItem, ImportBatch, Importing, Ledger, Positions, ProtectRequest, Refused,
        TableLedger, Violation,
    },
    model::{Labels, Protection, ReleaseChange},
};
use serde_json::json;
use std::sync::Arc;

async fn items(ledger: &dyn Ledger, from: &Positions) -> Vec<ExportItem> {
    ledger.export(&of("app"), from).try_collect().await.unwrap()
}

async fn lines(ledger: &dyn Ledger) -> Vec<String> {
    items(ledger, &Positions::default()).await.iter().map(ExportItem::to_line).collect()
}

async fn position(ledger: &dyn Ledger) -> Positions {
    ledger.positions(&[of("app")]).await.unwrap().remove(0)
}

/// Imports items, in batches, as `import` does.
async fn import(ledger: &dyn Ledger, from: Positions, items: Vec<ExportItem>) -> Result<(), Error> {
    ledger.mark_import(true).await?;
    let (mut importing, mut batch) = (Importing::new(of("app"), from), ImportBatch::default());
    for item in items {
        // As they are read from a file.
        let item = ExportItem::of_line(&item.to_line()).unwrap();
        if let Err(item) = batch.push(item) {
            ledger.import(&mut importing, &batch, false).await?;
            batch = ImportBatch::default();
            batch.push(item).unwrap();
        }
    }
    ledger.import(&mut importing, &batch, true).await?;
    ledger.mark_import(false).await?;
    Ok(())
}

async fn change(ledger: &dyn Ledger, number: u64, change: ReleaseChange) {
    let request = ChangeRequest::new(of("app"), version(number), change).author(author(None));
    ledger.change(&request).await.unwrap();
}

/// Makes a history of every kind of entry, with more entries than one transaction takes.
async fn populate(ledger: &dyn Ledger) {
    for number in 1..=60 {
        add(ledger, "app", &format!("content {}", number % 50)).await;
    }
    try_add(ledger, &adding_with_key("app", "k"), "with a key").await.unwrap();
    tag(ledger, "app", "3", "live").await;
    tag(ledger, "app", "4", "live").await;
    tag(ledger, "app", "5", "canary").await;
    untag(ledger, "app", "canary").await;
    let protect = ProtectRequest::new(of("app"), of("live"), Some(Protection::Confirm)).author(author(None));
    ledger.protect(&protect).await.unwrap();
    change(ledger, 1, ReleaseChange::Yank).await;
    for number in [1, 2, 8] {
        change(ledger, number, ReleaseChange::Delete).await;
    }
    for number in [1, 8] {
        change(ledger, number, ReleaseChange::Undelete).await;
    }
    change(ledger, 7, ReleaseChange::Label(Labels::parse(["a=b"]).unwrap())).await;
    change(ledger, 61, ReleaseChange::Yank).await;
}

async fn is_sound(ledger: &dyn Ledger) {
    let mut found = Vec::new();
    ledger.audit(false, &mut |it: Violation| found.push(format!("{} {}", it.place, it.what))).await.unwrap();
    assert_eq!(found, Vec::<String>::new());
}

pub async fn what_is_exported_is_imported(world: &Tables) {
    let (source, other) = (world.ledger(), Tables::memory());
    populate(&*source).await;
    let exported = items(&*source, &Positions::default()).await;
    let other = other.ledger();
    import(&*other, Positions::default(), exported.clone()).await.unwrap();
    is_sound(&*other).await;
    assert_eq!(lines(&*other).await, lines(&*source).await);
    assert_eq!(tags(&*other, "app").await, tags(&*source, "app").await);
    // A repeat changes nothing, and the key is known.
    import(&*other, Positions::default(), exported).await.unwrap();
    is_sound(&*other).await;
    let (release, new) = try_add(&*other, &adding_with_key("app", "k"), "with a key").await.unwrap();
    assert_eq!((release.version, new), (version(61), true), "the first outcome");
    assert_eq!(add(&*other, "app", "next").await.version, version(62));
    is_sound(&*other).await;
}

pub async fn an_import_continues_from_an_earlier_state(world: &Tables) {
    let (source, destination) = (Tables::memory().ledger(), world.ledger());
    populate(&*source).await;
    import(&*destination, Positions::default(), items(&*source, &Positions::default()).await).await.unwrap();
    let before = position(&*destination).await;
    // Changes of what is there, and more than fits in one transaction.
    change(&*source, 3, ReleaseChange::Yank).await;
    change(&*source, 9, ReleaseChange::Delete).await;
    change(&*source, 2, ReleaseChange::Undelete).await;
    change(&*source, 7, ReleaseChange::Label(Labels::parse(["c=d"]).unwrap())).await;
    tag(&*source, "app", "8", "canary").await;
    for number in 0..60 {
        add(&*source, "app", &format!("content {}", number % 50)).await;
    }
    assert!(source.has_passed(&of("app"), &before).await.unwrap());
    let new = items(&*source, &before).await;
    assert!(new.len() < 90, "only what is new: {}", new.len());
    import(&*destination, before, new).await.unwrap();
    is_sound(&*destination).await;
    assert_eq!(lines(&*destination).await, lines(&*source).await);
    // The same from a whole export.
    let whole = Tables::memory().ledger();
    import(&*whole, Positions::default(), items(&*source, &Positions::default()).await).await.unwrap();
    is_sound(&*whole).await;
}

pub async fn later_changes_are_left_out(world: &Tables) {
    let source = world.ledger();
    populate(&*source).await;
    let (before, expected) = (position(&*source).await, lines(&*source).await);
    let package = of("app");
    let mut exported = source.export(&package, &Positions::default());
    let mut items = vec![exported.next().await.unwrap().unwrap()];
    // From here on, everything is later than the heads that were read.
    change(&*source, 3, ReleaseChange::Yank).await;
    change(&*source, 6, ReleaseChange::Delete).await;
    change(&*source, 2, ReleaseChange::Undelete).await;
    change(&*source, 8, ReleaseChange::Delete).await;
    change(&*source, 8, ReleaseChange::Undelete).await;
    change(&*source, 7, ReleaseChange::Label(Labels::parse(["c=d"]).unwrap())).await;
    tag(&*source, "app", "8", "canary").await;
    tag(&*source, "app", "8", "fresh").await;
    untag(&*source, "app", "canary").await;
    try_add(&*source, &adding_with_key("app", "later"), "later").await.unwrap();
    items.extend(exported.try_collect::<Vec<_>>().await.unwrap());
    assert_eq!(items.iter().map(ExportItem::to_line).collect::<Vec<_>>(), expected);
    let other = Tables::memory().ledger();
    import(&*other, Positions::default(), items).await.unwrap();
    is_sound(&*other).await;
    assert_eq!(position(&*other).await, before);
}

pub async fn another_past_is_refused(world: &Tables) {
    let (source, destination) = (Tables::memory().ledger(), world.ledger());
    for number in 1..=3 {
        add(&*source, "app", &number.to_string()).await;
        add(&*destination, "app", &number.to_string()).await;
    }
    let before = lines(&*destination).await;
    assert!(!source.has_passed(&of("app"), &position(&*destination).await).await.unwrap());
    let refused =
        import(&*destination, Positions::default(), items(&*source, &Positions::default()).await).await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("P#app/V#0000000000000001"), "{error}");
    // Nothing else is allowed until the mark is gone.
    let refused = try_add(&*destination, &adding("app"), "more").await.unwrap_err();
    assert!(matches!(refused, Error::Refused(Refused::Importing)), "{refused:?}");
    assert_eq!(lines(&*destination).await, before);
    destination.mark_import(false).await.unwrap();
    assert_eq!(add(&*destination, "app", "more").await.version, version(4));
}

pub async fn what_a_newer_release_wrote_is_carried(world: &Tables) {
    let (source, destination) = (Tables::memory(), world.ledger());
    let table = source.table();
    add(&*source.ledger(), "app", "one").await;
    tag(&*source.ledger(), "app", "1", "live").await;
    edit(&*table, "P#app", "H", json!({"more": {"a": "b"}})).await;
    edit(&*table, "T#app", "t#live", json!({"more": 7})).await;
    edit(&*table, "P#app", "V#0000000000000001", json!({"more_things": "x"})).await;
    write(&*table, "P#app", "Z#new", json!({"any": "thing"})).await;
    write(&*table, "T#app", "0#new", json!({"any": "thing"})).await;
    let exported = items(&*source.ledger(), &Positions::default()).await;
    import(&*destination, Positions::default(), exported).await.unwrap();
    for (pk, sk) in [
        ("P#app", "H"),
        ("T#app", "t#live"),
        ("P#app", "V#0000000000000001"),
        ("P#app", "Z#new"),
        ("T#app", "0#new"),
    ] {
        let (there, here) = (read(&*table, pk, sk).await, read(&*world.table(), pk, sk).await);
        assert!(there.is_some());
        assert_eq!(here, there, "{pk}/{sk}");
    }
    // A head that this release must not change is refused, with the release to install.
    edit(&*table, "P#app", "H", json!({"needs": {"read": "99.0.0"}})).await;
    let refused = source.ledger().export(&of("app"), &Positions::default()).try_collect::<Vec<_>>().await;
    assert!(refused.unwrap_err().to_string().contains("needs sacker 99.0.0"));
}

pub async fn an_unanswered_import_is_not_counted_twice(world: &Tables) {
    let source = Tables::memory().ledger();
    populate(&*source).await;
    let exported = items(&*source, &Positions::default()).await;
    let fate = |number: usize, _: &_| if number.is_multiple_of(2) { Fate::LosesReply } else { Fate::Arrives };
    let faulty = Arc::new(Faulty::new(world.table(), fate));
    let destination = TableLedger::new(faulty, retry_policy());
    import(&destination, Positions::default(), exported).await.unwrap();
    let destination = world.ledger();
    is_sound(&*destination).await;
    assert_eq!(lines(&*destination).await, lines(&*source).await);
}

/// A version without its chain value, or one that is missing, is not imported.
pub async fn a_broken_chain_is_refused(world: &Tables) {
    let (source, destination) = (Tables::memory(), world.ledger());
    for number in 1..=3 {
        add(&*source.ledger(), "app", &number.to_string()).await;
    }
    let whole = items(&*source.ledger(), &Positions::default()).await;
    let mut gap = whole.clone();
    gap.remove(2);
    let mut short = whole.clone();
    short.pop();
    edit(&*source.table(), "P#app", "V#0000000000000002", json!({"who": "someone@else"})).await;
    let edited = items(&*source.ledger(), &Positions::default()).await;
    for broken in [gap, short, edited] {
        let refused = import(&*destination, Positions::default(), broken).await.unwrap_err();
        assert!(matches!(refused, Error::Damaged { .. }), "{refused:?}");
        assert_eq!(position(&*destination).await, Positions::default());
    }
    import(&*destination, Positions::default(), whole).await.unwrap();
    is_sound(&*destination).await;
}
