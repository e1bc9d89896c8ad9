//! Changes of versions where the items of tags can't be read.

use super::changing::{change, changing};
use crate::support::world::{Tables, World, add_many, author, edit, of, read, remove, tag, write};
use sacker::{
    ledger::{Error, Ledger, ProtectRequest, Refused},
    model::{Labels, Protection, ReleaseChange, State},
    table::Table,
};
use serde_json::json;

/// Makes the item of `live` unreadable, or removes it.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Edited,
    Removed,
}

impl Damage {
    async fn to_live(self, table: &dyn Table) {
        match self {
            Self::Edited => edit(table, "T#app", "t#live", json!({ "version": "?" })).await,
            Self::Removed => remove(table, "T#app", "t#live").await,
        }
    }
}

async fn held(ledger: &dyn Ledger, number: u64, to: ReleaseChange) -> Error {
    ledger.change(&changing(number, to)).await.unwrap_err()
}

async fn is_tagged(ledger: &dyn Ledger, number: u64) {
    let error = held(ledger, number, ReleaseChange::Delete).await;
    assert!(matches!(&error, Error::Refused(Refused::Tagged { tags, .. }) if *tags == ["live"]), "{error:?}");
}

async fn is_way_back(ledger: &dyn Ledger, number: u64) {
    let error = held(ledger, number, ReleaseChange::Delete).await;
    assert!(
        matches!(&error, Error::Refused(Refused::WayBack { tags, .. }) if *tags == ["live"]),
        "{error:?}"
    );
}

/// The error names the item, the tag, and the command that looks into it.
async fn is_not_known(ledger: &dyn Ledger, number: u64, to: ReleaseChange, item: &str) {
    match held(ledger, number, to).await {
        Error::Damaged { what, why } => {
            assert_eq!(what, format!("the ledger's item {item}"));
            assert!(
                why.contains("the tag live may be on app") && why.contains("`sacker fsck --repair`"),
                "{why}"
            );
        }
        other => panic!("{other:?}"),
    }
}

/// The head of the tags does not say which are live, as one of an earlier release.
async fn forget_live(table: &dyn Table) {
    edit(table, "T#app", "H", json!({ "live": null })).await;
}

pub async fn a_tag_that_can_not_be_read_holds_what_its_log_says(world: &Tables) {
    let (ledger, table) = (world.ledger(), world.table());
    add_many(&*ledger, "app", 9).await;
    for version in ["1", "2", "3"] {
        tag(&*ledger, "app", version, "live").await;
    }
    // Its last event is not the last of all.
    tag(&*ledger, "app", "4", "canary").await;
    Damage::Edited.to_live(&*table).await;
    is_tagged(&*ledger, 3).await;
    is_way_back(&*ledger, 2).await;
    change(&*ledger, 9, ReleaseChange::Delete).await;
    // Only a second rollback goes there.
    change(&*ledger, 1, ReleaseChange::Delete).await;
    forget_live(&*table).await;
    is_tagged(&*ledger, 3).await;
    is_way_back(&*ledger, 2).await;
    change(&*ledger, 8, ReleaseChange::Yank).await;
    change(&*ledger, 7, ReleaseChange::Delete).await;
    Damage::Removed.to_live(&*table).await;
    tag(&*ledger, "app", "5", "canary").await;
    change(&*ledger, 6, ReleaseChange::Delete).await;
    change(&*ledger, 2, ReleaseChange::Yank).await;
    change(&*ledger, 2, ReleaseChange::Delete).await;
}

pub async fn a_tag_that_its_log_does_not_show_either_holds_active_versions(world: &Tables) {
    let (ledger, table) = (world.ledger(), world.table());
    add_many(&*ledger, "app", 8).await;
    for version in ["1", "2", "3"] {
        tag(&*ledger, "app", version, "live").await;
    }
    tag(&*ledger, "app", "4", "canary").await;
    Damage::Edited.to_live(&*table).await;
    let [last, above] = ["E#0000000000000003", "E#0000000000000004"];
    // Its last event can't be read, is lost, or may have been another one that is lost.
    for (number, sk, edited) in [(8, last, true), (7, last, false), (6, above, false)] {
        let entry = read(&*table, "T#app", sk).await.unwrap();
        if edited {
            edit(&*table, "T#app", sk, json!({ "version": "?" })).await;
        } else {
            remove(&*table, "T#app", sk).await;
        }
        is_not_known(&*ledger, number, ReleaseChange::Delete, "T#app/t#live").await;
        // The head says that the tag is not on it.
        change(&*ledger, number, ReleaseChange::Yank).await;
        for was in [State::Yanked, State::Deleted] {
            assert_eq!(change(&*ledger, number, ReleaseChange::Delete).await.previous, was);
        }
        write(&*table, "T#app", sk, entry.into()).await;
    }
    // Where the head does not say so, an active version is not yanked either.
    change(&*ledger, 5, ReleaseChange::Yank).await;
    forget_live(&*table).await;
    remove(&*table, "T#app", last).await;
    is_not_known(&*ledger, 1, ReleaseChange::Yank, "T#app/t#live").await;
    change(&*ledger, 1, ReleaseChange::Label(Labels::parse(["a=b"]).unwrap())).await;
    change(&*ledger, 5, ReleaseChange::Delete).await;
}

pub async fn a_lost_way_back_holds_active_versions(world: &Tables) {
    let (ledger, table) = (world.ledger(), world.table());
    add_many(&*ledger, "app", 4).await;
    for version in ["1", "2"] {
        tag(&*ledger, "app", version, "live").await;
    }
    let protection = Some(Protection::Confirm);
    let protect = ProtectRequest::new(of("app"), of("live"), protection).author(author(None));
    // From here on only the entry that it goes back to has the version.
    ledger.protect(&protect).await.unwrap();
    is_way_back(&*ledger, 1).await;
    remove(&*table, "T#app", "E#0000000000000001").await;
    is_not_known(&*ledger, 4, ReleaseChange::Delete, "T#app/E#0000000000000001").await;
    change(&*ledger, 4, ReleaseChange::Yank).await;
    let deleted = change(&*ledger, 4, ReleaseChange::Delete).await;
    assert_eq!(deleted.previous, State::Yanked);
    let again = change(&*ledger, 4, ReleaseChange::Delete).await;
    assert_eq!(again.previous, State::Deleted);
}
