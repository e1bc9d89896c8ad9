//! The ledgers and stores that the program is run on, each with a URL.
//!
//! A new back end is a function here, and a name in [`on_each_ledger`] or [`on_each_pair`].

use super::{backends, git_http, git_ssh, sandbox::Sandbox};
use std::env;

/// A fresh ledger or store.
pub struct Place {
    pub url: String,
    /// Variables that the program needs to use it.
    pub variables: Vec<(&'static str, String)>,
}

/// Makes a fresh ledger or store for a sandbox; `name` differs for each one in it.
pub type Make = fn(&Sandbox, name: &str) -> Place;

fn aws(url: String) -> Place {
    let variables = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"];
    let value = |name| {
        env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with `scripts/test`"))
    };
    Place { url, variables: variables.map(|name| (name, value(name))).into() }
}

/// A directory, for the embedded ledger or a store.
pub fn directory(sandbox: &Sandbox, name: &str) -> Place {
    let url = format!("file://{}", sandbox.path(name).display());
    Place { url, variables: Vec::new() }
}

pub fn git(sandbox: &Sandbox, name: &str) -> Place {
    let url = format!("git+file://{}.git", sandbox.path(name).display());
    Place { url, variables: Vec::new() }
}

pub fn git_http(_: &Sandbox, _: &str) -> Place {
    Place { url: format!("git+{}", git_http::repository()), variables: Vec::new() }
}

pub fn git_ssh(_: &Sandbox, _: &str) -> Place {
    Place { url: git_ssh::Repository::new().url, variables: vec![git_ssh::command()] }
}

pub fn dynamodb(_: &Sandbox, name: &str) -> Place {
    aws(format!("dynamodb://{}?endpoint={}", backends::unique(name), backends::dynamodb()))
}

#[cfg(feature = "zookeeper")]
pub fn zookeeper(_: &Sandbox, name: &str) -> Place {
    let url = format!("zookeeper://{}/{}", backends::zookeeper(), backends::unique(name));
    Place { url, variables: Vec::new() }
}

pub fn s3(_: &Sandbox, name: &str) -> Place {
    let bucket = backends::unique(name);
    aws(format!("s3://{}/blobs?endpoint={}", &bucket[..bucket.len().min(63)], backends::s3()))
}

/// A table of its own, over TLS.
#[cfg(feature = "postgres")]
pub fn postgres(_: &Sandbox, name: &str) -> Place {
    let cluster = super::postgres::shared();
    let url = cluster.place(&super::postgres::name(name)).to_string();
    Place { url, variables: cluster.variables() }
}

/// A folder of its own.
#[cfg(feature = "hdfs")]
pub fn hdfs(_: &Sandbox, name: &str) -> Place {
    Place {
        url: format!("hdfs://{}/{}", super::hdfs::namenode(), backends::unique(name)),
        variables: Vec::new(),
    }
}

/// A container of its own.
#[cfg(feature = "azure")]
pub fn azure(_: &Sandbox, _: &str) -> Place {
    let url = super::azure::Container::unmade().url();
    Place { url, variables: vec![("AZURE_STORAGE_ACCOUNT_KEY", super::azure::key())] }
}

/// Gives each of these tests a module for each ledger, in which it has this ledger's function as `LEDGER`.
macro_rules! on_each_ledger {
    ($($test:ident)*) => {
        on_each_ledger!(@ directory $($test)*);
        on_each_ledger!(@ dynamodb $($test)*);
        #[cfg(feature = "postgres")]
        on_each_ledger!(@ postgres $($test)*);
        #[cfg(feature = "zookeeper")]
        on_each_ledger!(@ zookeeper $($test)*);
        on_each_ledger!(@ git $($test)*);
    };
    (@ $ledger:ident $($test:ident)*) => {
        mod $ledger {
            $(
                #[test]
                fn $test() {
                    super::$test($crate::support::places::$ledger);
                }
            )*
        }
    };
}
pub(crate) use on_each_ledger;

/// Runs a test on pairs of a ledger and a store: each ledger with each of the two usual stores, and each other store
/// with the embedded ledger and with one other.
macro_rules! on_each_pair {
    ($test:ident) => {
        on_each_pair!(@ $test directory_and_s3 directory s3);
        on_each_pair!(@ $test dynamodb_and_directory dynamodb directory);
        on_each_pair!(@ $test dynamodb_and_s3 dynamodb s3);
        #[cfg(feature = "postgres")]
        on_each_pair!(@ $test postgres_and_directory postgres directory);
        #[cfg(feature = "postgres")]
        on_each_pair!(@ $test postgres_and_s3 postgres s3);
        #[cfg(feature = "zookeeper")]
        on_each_pair!(@ $test zookeeper_and_directory zookeeper directory);
        #[cfg(feature = "zookeeper")]
        on_each_pair!(@ $test zookeeper_and_s3 zookeeper s3);
        on_each_pair!(@ $test git_and_directory git directory);
        on_each_pair!(@ $test git_and_s3 git s3);
        on_each_pair!(@ $test git_http_and_directory git_http directory);
        on_each_pair!(@ $test git_ssh_and_directory git_ssh directory);
        #[cfg(feature = "azure")]
        on_each_pair!(@ $test directory_and_azure directory azure);
        #[cfg(feature = "azure")]
        on_each_pair!(@ $test dynamodb_and_azure dynamodb azure);
        #[cfg(feature = "hdfs")]
        on_each_pair!(@ $test directory_and_hdfs directory hdfs);
        #[cfg(all(feature = "hdfs", feature = "zookeeper"))]
        on_each_pair!(@ $test zookeeper_and_hdfs zookeeper hdfs);
        #[cfg(all(feature = "azure", feature = "postgres"))]
        on_each_pair!(@ $test postgres_and_azure postgres azure);
    };
    (@ $test:ident $name:ident $ledger:ident $store:ident) => {
        #[test]
        fn $name() {
            $test($crate::support::places::$ledger, $crate::support::places::$store);
        }
    };
}
pub(crate) use on_each_pair;
