//! The commands: one file each.

pub(super) mod add;
pub(super) mod completions;
pub(super) mod download;
pub(super) mod info;
pub(super) mod init;
pub(super) mod list;
pub(super) mod tag;
pub(super) mod tags;
pub(super) mod untag;
pub(super) mod versions;

/// Reads how many rows to show at most.
fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("not a whole number above 0".to_owned()),
        Ok(limit) => Ok(limit),
    }
}
