//! The tags of a package, as a client reads them and as the specification has them.

use sacker::{
    model::{PackageName, Protection, TagName},
    ops::{Client, Error},
};

/// The line of a tag: the version and the rev, the time and the author of its last move, and its protection.
pub fn line(
    tag: &TagName,
    (version, rev): (u64, u64),
    (when, who): (u64, &str),
    protection: Option<Protection>,
) -> String {
    format!("{tag} {version} {rev} {when} {who} {protection:?}")
}

/// Reads the tags of a package; none if there is no such package.
pub async fn status(client: &Client, package: &PackageName) -> Result<Vec<String>, Error> {
    let found = client.ledger().status(std::slice::from_ref(package), &[], None).await?;
    let tags = found.into_iter().flat_map(|status| status.tags);
    Ok(tags
        .filter_map(|tag| {
            let at = (tag.version?.get(), tag.rev);
            Some(line(&tag.tag, at, (tag.since.as_millis(), tag.by.as_str()), tag.protection))
        })
        .collect())
}
