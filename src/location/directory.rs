//! The URLs of directories.

use std::path::Path;
use url::Url;

pub(super) fn file_url(directory: &Path) -> String {
    Url::from_directory_path(directory).map_or_else(
        |()| directory.display().to_string(),
        // The root's own slash stays.
        |url| match url.as_str().trim_end_matches('/') {
            "file:" => "file:///".to_owned(),
            url => url.to_owned(),
        },
    )
}
