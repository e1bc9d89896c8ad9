//! Places in ZooKeeper ensembles.

use super::{error::Error, given::Given};
use std::{fmt, path::PathBuf};

pub(super) const SCHEME: &str = "zookeeper://";

/// A place in a ZooKeeper ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ensemble {
    /// The servers, `HOST:PORT` each, separated by commas.
    pub servers: String,
    /// The node of the ledger, an absolute path.
    pub root: String,
    /// The user of digest authentication, with the file that holds the password.
    pub user: Option<(String, PathBuf)>,
}

impl Ensemble {
    /// Parses a URL that begins with [`SCHEME`]. A list of servers is not the host of a URL, so it is taken out first.
    pub(super) fn parse(what: &'static str, text: &str) -> Result<Self, Error> {
        let rest = text.strip_prefix(SCHEME).unwrap_or_default();
        let (servers, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let plain = format!("{SCHEME}servers{rest}");
        // An `@` is left to the parser, which refuses credentials.
        // What may be a password is not shown.
        let shown = if rest.contains("password=") { &text[..text.len() - rest.len()] } else { text };
        let given = Given::parse(what, shown, if servers.contains('@') { text } else { &plain })?;
        let is_server = |server: &str| {
            let (host, port) = match server.rsplit_once(':') {
                Some((host, port)) if !host.starts_with('[') || host.ends_with(']') => (host, port),
                _ => (server, "2181"),
            };
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
            !host.is_empty() && host.bytes().all(plain) && port.parse::<u16>().is_ok_and(|port| port > 0)
        };
        if !servers.split(',').all(is_server) {
            return Err(given.invalid("it begins with servers: zookeeper://HOST:PORT,HOST:PORT/ROOT"));
        }
        let root = given.url.path().trim_end_matches('/');
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let is_name = |name: &str| !matches!(name, "" | "." | "..") && name.bytes().all(plain);
        let Some(names) = root.strip_prefix('/').filter(|names| names.split('/').all(is_name)) else {
            return Err(given.invalid("the node of the ledger is missing, or not of A-Z a-z 0-9 . _ - /"));
        };
        if root.len() > 512 || names.split('/').next() == Some("zookeeper") {
            return Err(
                given.invalid("a ledger can't be below /zookeeper, and its path has at most 512 bytes")
            );
        }
        Ok(Self { servers: servers.to_owned(), root: root.to_owned(), user: user(&given)? })
    }
}

fn user(given: &Given<'_>) -> Result<Option<(String, PathBuf)>, Error> {
    let (mut user, mut file) = (None, None);
    for (name, value) in given.url.query_pairs() {
        let place = match &*name {
            "user" => &mut user,
            "password_file" => &mut file,
            "password" => {
                return Err(given.invalid("a password does not belong in it; `password_file` names its file"));
            }
            _ => {
                let why = format!("unknown parameter {name:?}; known are user and password_file");
                return Err(given.invalid(why));
            }
        };
        if value.is_empty() {
            return Err(given.invalid(format!("the parameter {name:?} is empty")));
        }
        if place.replace(value.into_owned()).is_some() {
            return Err(given.invalid(format!("the parameter {name:?} is given twice")));
        }
    }
    match (user, file.map(PathBuf::from)) {
        (None, None) => Ok(None),
        (Some(user), _) if user.contains([':', ',']) || user.chars().any(char::is_control) => {
            Err(given.invalid("a user's name has no `:` and no `,`"))
        }
        (Some(user), Some(file)) if file.is_absolute() => Ok(Some((user, file))),
        (Some(_), Some(_)) => Err(given.invalid("the path in `password_file` must be absolute")),
        _ => Err(given.invalid("`user` and `password_file` belong together")),
    }
}

impl fmt::Display for Ensemble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}{}", self.servers, self.root)?;
        if let Some((user, file)) = &self.user {
            let encoded =
                |value: &str| -> String { url::form_urlencoded::byte_serialize(value.as_bytes()).collect() };
            let file = encoded(&file.to_string_lossy()).replace("%2F", "/");
            write!(f, "?user={}&password_file={file}", encoded(user))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location::{LedgerUrl, StoreUrl};

    #[cfg(feature = "zookeeper")]
    #[test]
    fn valid_urls_are_parsed_and_printed() {
        for text in [
            "zookeeper://127.0.0.1:2181/sacker",
            "zookeeper://zk1:2181,zk2:2182,zk3/a/b.c_d-e",
            "zookeeper://[::1]:2181,[fe80::2]/sacker",
            "zookeeper://zk1:2181/sacker?user=ci&password_file=/run/secrets/zk",
            "zookeeper://zk1:2181/sacker?user=c+i&password_file=/a%2520b/c",
        ] {
            let ledger: LedgerUrl = text.parse().unwrap();
            assert_eq!(ledger.to_string(), text);
            assert_eq!(ledger.to_string().parse::<LedgerUrl>().unwrap(), ledger);
        }
        let LedgerUrl::Zookeeper(found) = "zookeeper://a:1/b/?user=u&password_file=/p".parse().unwrap()
        else {
            panic!("it is another kind of ledger");
        };
        let user = Some(("u".to_owned(), "/p".into()));
        assert_eq!(found, Ensemble { servers: "a:1".to_owned(), root: "/b".to_owned(), user });
    }

    #[cfg(feature = "zookeeper")]
    #[test]
    fn invalid_urls_are_refused() {
        for (text, expected) in [
            ("zookeeper://", "begins with servers"),
            ("zookeeper:///sacker", "begins with servers"),
            ("zookeeper://a:0/sacker", "begins with servers"),
            ("zookeeper://a:x/sacker", "begins with servers"),
            ("zookeeper://a:1,,b:2/sacker", "begins with servers"),
            ("zookeeper://a:1", "node of the ledger"),
            ("zookeeper://a:1/", "node of the ledger"),
            ("zookeeper://a:1/a//b", "node of the ledger"),
            ("zookeeper://a:1/a%20b", "node of the ledger"),
            ("zookeeper://a:1/zookeeper/quota", "below /zookeeper"),
            ("zookeeper://u:secret@a:1/sacker", "credentials"),
            ("zookeeper://a:1/sacker#x", "fragment"),
            ("zookeeper://a:1/sacker?user=u", "belong together"),
            ("zookeeper://a:1/sacker?user=u&password=secret", "password_file"),
            ("zookeeper://a:1/sacker?user=u:v&password_file=/p", "no `:`"),
            ("zookeeper://a:1/sacker?user=u&password_file=p", "absolute"),
            ("zookeeper://a:1/sacker?region=x", "unknown parameter"),
            ("zookeeper://a:1/sacker?user=u&user=v&password_file=/p", "twice"),
        ] {
            let said = text.parse::<LedgerUrl>().unwrap_err().to_string();
            assert!(said.contains(expected), "{text}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
        assert!("zookeeper://a:1/sacker".parse::<StoreUrl>().is_err());
    }

    #[cfg(not(feature = "zookeeper"))]
    #[test]
    fn a_build_without_it_names_its_feature() {
        let error = "zookeeper://a:1,b:2/sacker".parse::<LedgerUrl>().unwrap_err();
        assert!(matches!(error, Error::NotBuilt { feature: "zookeeper", .. }), "{error}");
        assert!("zookeeper://a:1/sacker".parse::<StoreUrl>().is_err());
    }
}
