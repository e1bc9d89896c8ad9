//! The place of a table in PostgreSQL: the URL of a ledger there, as it is read and printed.

use std::fmt::{self, Write as _};

/// The port of a server whose URL names none.
const PORT: u16 = 5432;
/// The table of a URL that names none.
const TABLE: &str = "sacker";
/// The longest identifier of PostgreSQL.
const LONGEST: usize = 63;

/// A table in a PostgreSQL database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresPlace {
    /// The role that connects.
    pub user: String,
    /// The servers of which one is the primary; at least one.
    pub hosts: Vec<PostgresHost>,
    /// The database.
    pub database: String,
    /// The schema, if the `search_path` of the role does not decide.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
    /// The use of TLS, if the URL says.
    pub tls: Option<PostgresTls>,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresHost {
    /// The name, the address, or the directory of its socket.
    pub name: String,
    /// The port.
    pub port: u16,
}

/// The use of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostgresTls {
    /// No TLS.
    Disable,
    /// The server's certificate must be signed by a trusted authority, for the server's name.
    VerifyFull,
}

impl PostgresTls {
    fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl PostgresHost {
    /// Returns true for a socket of this machine.
    #[must_use]
    pub fn is_socket(&self) -> bool {
        self.name.starts_with('/')
    }

    /// Returns true if the connection never leaves this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let address = self.name.parse::<std::net::IpAddr>();
        self.is_socket() || self.name == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for PostgresHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_socket() {
            write!(f, "{}", encoded(&self.name))?;
        } else if self.name.contains(':') {
            write!(f, "[{}]", self.name)?;
        } else {
            f.write_str(&self.name)?;
        }
        if self.port == PORT { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl PostgresPlace {
    /// Reads what follows `postgres://` in a URL.
    ///
    /// # Errors
    /// The reason why it names no table. It contains no part of the URL in which a password might be.
    pub fn parse(rest: &str) -> Result<Self, String> {
        if rest.contains('#') {
            return Err("`#` begins a fragment, which it can't have".to_owned());
        }
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = place.split_once('/').ok_or("it does not name a database")?;
        // The last `@`: one in a password must not show the rest of it as a host.
        let (user, hosts) =
            authority.rsplit_once('@').ok_or("it does not name a user: postgres://USER@HOST/DB")?;
        if user.contains(':') {
            return Err("a password does not belong in it; PGPASSWORD or ~/.pgpass gives it".to_owned());
        }
        let hosts = hosts.split(',').map(host).collect::<Result<_, _>>()?;
        let mut place = Self {
            user: name("user", user)?,
            hosts,
            database: name("database", database)?,
            schema: None,
            table: TABLE.to_owned(),
            tls: None,
        };
        place.read_parameters(parameters)?;
        Ok(place)
    }

    fn read_parameters(&mut self, parameters: &str) -> Result<(), String> {
        let mut seen = Vec::new();
        for (name, value) in url::form_urlencoded::parse(parameters.as_bytes()) {
            if seen.contains(&name) {
                return Err(format!("the parameter {name:?} is given twice"));
            }
            match (&*name, &*value) {
                ("table" | "sslmode", "") => return Err(format!("the parameter {name:?} is empty")),
                ("table", value) => (self.schema, self.table) = table(value)?,
                ("sslmode", "disable") => self.tls = Some(PostgresTls::Disable),
                ("sslmode", "verify-full") => self.tls = Some(PostgresTls::VerifyFull),
                ("sslmode", _) => {
                    return Err(
                        "its sslmode must be verify-full or disable: no other detects an impostor".to_owned()
                    );
                }
                _ => return Err(format!("unknown parameter {name:?}; known are table and sslmode")),
            }
            seen.push(name);
        }
        Ok(())
    }

    /// Returns the use of TLS with a server: by default, all that leaves this machine is encrypted and verified.
    #[must_use]
    pub fn tls_with(&self, host: &PostgresHost) -> PostgresTls {
        let default = if host.is_local() { PostgresTls::Disable } else { PostgresTls::VerifyFull };
        if host.is_socket() { PostgresTls::Disable } else { self.tls.unwrap_or(default) }
    }

    /// Returns the name of the table in SQL.
    #[must_use]
    pub fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => format!("\"{schema}\".\"{}\"", self.table),
            None => format!("\"{}\"", self.table),
        }
    }

    /// Returns the servers, for people.
    #[must_use]
    pub fn servers(&self) -> String {
        self.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

impl fmt::Display for PostgresPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@{}/{}", encoded(&self.user), self.servers(), encoded(&self.database))?;
        let mut mark = '?';
        if self.schema.is_some() || self.table != TABLE {
            write!(f, "{mark}table=")?;
            if let Some(schema) = &self.schema {
                write!(f, "{schema}.")?;
            }
            f.write_str(&self.table)?;
            mark = '&';
        }
        if let Some(tls) = self.tls {
            write!(f, "{mark}sslmode={}", tls.name())?;
        }
        Ok(())
    }
}

fn host(text: &str) -> Result<PostgresHost, String> {
    let (host, port) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((address, port)) => (address, port.strip_prefix(':')),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        None => PORT,
        Some(port) => {
            port.parse().ok().filter(|port| *port > 0).ok_or("a port is a number from 1 to 65535")?
        }
    };
    let decoded = decoded(host).ok_or("a host is not UTF-8")?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-:".contains(&b);
    let is_socket = decoded.starts_with('/') && !decoded.contains(char::is_control);
    if decoded.is_empty() {
        return Err("it does not name a host".to_owned());
    }
    if !is_socket && !decoded.bytes().all(plain) {
        return Err(
            "a host is a name, an address, or the directory of a socket, such as %2Frun%2Fpostgresql"
                .to_owned(),
        );
    }
    Ok(PostgresHost { name: decoded, port })
}

fn name(what: &str, text: &str) -> Result<String, String> {
    let decoded = decoded(text).ok_or_else(|| format!("its {what} is not UTF-8"))?;
    if decoded.is_empty() {
        return Err(format!("it does not name a {what}"));
    }
    if decoded.len() > LONGEST || decoded.contains(|c: char| c.is_control() || c == '/') {
        return Err(format!(
            "a {what}'s name is at most {LONGEST} bytes, without control characters and `/`"
        ));
    }
    Ok(decoded)
}

fn table(text: &str) -> Result<(Option<String>, String), String> {
    let (schema, table) = match text.split_once('.') {
        Some((schema, table)) => (Some(schema), table),
        None => (None, text),
    };
    let is_plain = |name: &str| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
            && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && name.len() <= LONGEST
    };
    if !is_plain(table) || !schema.is_none_or(is_plain) {
        return Err(
            "a table is [SCHEMA.]TABLE, each at most 63 of a-z 0-9 _, not beginning with a digit".to_owned()
        );
    }
    Ok((schema.map(str::to_owned), table.to_owned()))
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
            encoded.push(byte.into());
        } else {
            // Writing to a string never fails.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(rest: &str) -> PostgresPlace {
        PostgresPlace::parse(rest).unwrap_or_else(|why| panic!("{rest}: {why}"))
    }

    #[test]
    fn its_parts_are_read() {
        let place =
            parsed("ann%40x@db1,[::1]:5433,10.0.0.7:1/acme?table=releases.ledger&sslmode=verify-full");
        let host = |name: &str, port| PostgresHost { name: name.to_owned(), port };
        assert_eq!(place.hosts, [host("db1", 5432), host("::1", 5433), host("10.0.0.7", 1)]);
        assert_eq!((place.user.as_str(), place.database.as_str()), ("ann@x", "acme"));
        assert_eq!(place.quoted(), "\"releases\".\"ledger\"");
        assert_eq!(place.tls, Some(PostgresTls::VerifyFull));
        assert_eq!(parsed("a@b/c").to_string(), "postgres://a@b/c");
        assert_eq!(parsed("a@b/c").quoted(), "\"sacker\"");
    }

    #[test]
    fn all_that_leaves_the_machine_is_verified_by_default() {
        for (rest, expected) in [
            ("a@db/c", PostgresTls::VerifyFull),
            ("a@10.0.0.1/c", PostgresTls::VerifyFull),
            ("a@localhost.evil.example/c", PostgresTls::VerifyFull),
            ("a@localhost/c", PostgresTls::Disable),
            ("a@127.0.0.9/c", PostgresTls::Disable),
            ("a@[::1]/c", PostgresTls::Disable),
            ("a@%2Frun/c?sslmode=verify-full", PostgresTls::Disable),
            ("a@localhost/c?sslmode=verify-full", PostgresTls::VerifyFull),
            ("a@db/c?sslmode=disable", PostgresTls::Disable),
        ] {
            let place = parsed(rest);
            assert_eq!(place.tls_with(&place.hosts[0]), expected, "{rest}");
        }
    }

    #[test]
    fn what_names_no_table_is_explained() {
        for (rest, wrong) in [
            ("", "does not name a database"),
            ("a@b", "does not name a database"),
            ("b/c", "does not name a user"),
            ("@b/c", "does not name a user"),
            ("a@/c", "does not name a host"),
            ("a@b,/c", "does not name a host"),
            ("a@b/", "does not name a database"),
            ("a@b/c/d", "a database's name is"),
            ("a:secret@b/c", "a password does not belong in it"),
            ("a:secret/x@b/c", "does not name a user"),
            ("a@b:0/c", "a port is a number"),
            ("a@b:x/c", "a port is a number"),
            ("a@b c/c", "a host is a name"),
            ("a@b/%ff", "its database is not UTF-8"),
            ("a@b/c#x", "fragment"),
            ("a@b/c?table=", "\"table\" is empty"),
            ("a@b/c?table=A", "a table is"),
            ("a@b/c?table=a.b.c", "a table is"),
            ("a@b/c?table=x%22;drop", "a table is"),
            ("a@b/c?sslmode=require", "its sslmode must be"),
            ("a@b/c?table=a&table=b", "given twice"),
            ("a@b/c?password=secret", "unknown parameter \"password\""),
        ] {
            let why = PostgresPlace::parse(rest).expect_err(rest);
            assert!(why.contains(wrong) && !why.contains("secret"), "{rest}: {why}");
        }
    }

    proptest! {
        #[test]
        fn it_prints_as_it_is_read(
            user in "[a-z@ %é:]{1,10}",
            hosts in proptest::collection::vec(("[a-z][a-z0-9.-]{0,9}|/run/[a-z]{1,5}|::1", 1_u16..), 1..4),
            database in "[A-Za-z0-9 %é?#_-]{1,10}",
            schema in proptest::option::of("[a-z_][a-z0-9_]{0,9}"),
            table in "[a-z_][a-z0-9_]{0,9}",
            tls in proptest::option::of(prop_oneof![Just(PostgresTls::Disable), Just(PostgresTls::VerifyFull)]),
        ) {
            let hosts = hosts.into_iter().map(|(name, port)| PostgresHost { name, port }).collect();
            let place = PostgresPlace { user, hosts, database, schema, table, tls };
            let url = place.to_string();
            prop_assert_eq!(PostgresPlace::parse(url.strip_prefix("postgres://").unwrap()), Ok(place));
        }

        #[test]
        fn nothing_makes_it_panic(text in ".{0,60}") {
            let _ = PostgresPlace::parse(&text);
        }
    }
}
