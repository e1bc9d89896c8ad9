//! Functions that fuzz targets can't reach from outside.

use super::{config, error::Failure};
use std::path::Path;

/// Returns the ledger and the store of a configuration file, or the message that is shown for an invalid file.
///
/// # Errors
/// The text is not a valid configuration file.
pub fn configuration(text: &str) -> Result<(Option<String>, Option<String>), String> {
    let file = config::parse_file(Path::new("sacker.json"), text);
    file.map(|file| (file.ledger, file.store)).map_err(|error| Failure::from(error).message)
}
