//! What the fuzzers can't reach from outside.

use super::{config, error::Failure};
use std::path::Path;

/// The ledger and the store that a configuration file names, or what is shown of what is wrong with it.
///
/// # Errors
/// The text is no configuration file.
pub fn configuration(text: &str) -> Result<(Option<String>, Option<String>), String> {
    let file = config::parse_file(Path::new("sacker.json"), text);
    file.map(|file| (file.ledger, file.store)).map_err(|error| Failure::from(error).message)
}
