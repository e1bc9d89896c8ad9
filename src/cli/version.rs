//! The text of `sacker --version`: the version, and what a report of a bug needs.

use std::sync::LazyLock;

/// The commit, if the build recorded one.
const COMMIT: Option<&str> = option_env!("BUILD_COMMIT");
/// The cargo features by which builds differ, and true for those of this build.
const FEATURES: [(&str, bool); 12] = [
    ("azure", cfg!(feature = "azure")),
    ("dynamodb", cfg!(feature = "dynamodb")),
    ("failpoints", cfg!(feature = "failpoints")),
    ("fuzzing", cfg!(feature = "fuzzing")),
    ("git", cfg!(feature = "git")),
    ("hdfs", cfg!(feature = "hdfs")),
    ("otlp", cfg!(feature = "otlp")),
    ("postgres", cfg!(feature = "postgres")),
    ("s3", cfg!(feature = "s3")),
    ("sqlite", cfg!(feature = "sqlite")),
    ("weak-s3-ledger", cfg!(feature = "weak-s3-ledger")),
    ("zookeeper", cfg!(feature = "zookeeper")),
];

/// Returns the version, the commit, the target and the features, each on a line of its own. `-V` prints the version alone.
pub(super) fn long() -> &'static str {
    &LONG
}

static LONG: LazyLock<String> = LazyLock::new(|| {
    let features: Vec<_> = FEATURES.iter().filter(|(_, is_on)| *is_on).map(|(name, _)| *name).collect();
    format!(
        "{}\ncommit: {}\ntarget: {}\nfeatures: {}",
        env!("CARGO_PKG_VERSION"),
        COMMIT.unwrap_or("not recorded"),
        env!("BUILD_TARGET"),
        features.join(" "),
    )
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_of_the_manifest_is_listed() {
        let manifest = include_str!("../../Cargo.toml");
        let (_, features) = manifest.split_once("[features]\n").unwrap();
        let (features, _) = features.split_once("\n[").unwrap();
        let named = features.lines().filter(|line| !line.starts_with([' ', '#', ']']));
        let named = named.filter_map(|line| Some(line.split_once(" = ")?.0));
        // `aws` does nothing alone, and `cli` is the program itself.
        let mut named: Vec<_> = named.filter(|name| !["default", "aws", "cli"].contains(name)).collect();
        named.sort_unstable();
        assert_eq!(named, FEATURES.map(|(name, _)| name));
    }
}
