//! The standard configuration of PostgreSQL's clients, as [libpq](https://www.postgresql.org/docs/current/libpq-envars.html)
//! reads it: passwords and trusted certificates.

use crate::endpoint::PostgresHost;
use std::{
    env, fmt, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The sources of passwords and of trusted certificates.
#[derive(Clone, Default)]
pub struct Standard {
    password: Option<String>,
    password_file: Option<PathBuf>,
    root_certificates: Option<PathBuf>,
}

impl fmt::Debug for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = self.password.as_ref().map(|_| "…");
        f.debug_struct("Standard")
            .field("password", &password)
            .field("password_file", &self.password_file)
            .field("root_certificates", &self.root_certificates)
            .finish()
    }
}

impl Standard {
    /// Returns the configuration of this process: `PGPASSWORD`, `PGPASSFILE` or `~/.pgpass`, and `PGSSLROOTCERT` or
    /// `~/.postgresql/root.crt`.
    #[must_use]
    pub fn of_process() -> Self {
        let filled = |name| env::var_os(name).filter(|value| !value.is_empty());
        let home = filled("HOME").map(PathBuf::from);
        let below_home = |name: &str| home.as_ref().map(|home| home.join(name));
        let root = below_home(".postgresql/root.crt").filter(|path| path.exists());
        let named_root = filled("PGSSLROOTCERT").map(PathBuf::from);
        Self {
            password: filled("PGPASSWORD").and_then(|value| value.into_string().ok()),
            password_file: filled("PGPASSFILE").map(PathBuf::from).or_else(|| below_home(".pgpass")),
            root_certificates: named_root.or(root).filter(|path| path != Path::new("system")),
        }
    }

    /// Sets the password for all hosts.
    #[must_use]
    pub fn password(self, password: impl Into<String>) -> Self {
        Self { password: Some(password.into()), ..self }
    }

    /// Sets the file with the certificates that are trusted, instead of the system's.
    #[must_use]
    pub fn root_certificates(self, path: impl Into<PathBuf>) -> Self {
        Self { root_certificates: Some(path.into()), ..self }
    }

    /// Returns the file with the certificates that are trusted; `None` for the system's.
    pub(super) fn roots(&self) -> Option<&Path> {
        self.root_certificates.as_deref()
    }

    /// Returns the password of a user, if there is one.
    pub(super) fn password_of(&self, host: &PostgresHost, database: &str, user: &str) -> Option<String> {
        if let Some(password) = &self.password {
            return Some(password.clone());
        }
        let path = self.password_file.as_ref()?;
        let found = fs::metadata(path).ok()?;
        if found.mode() & 0o077 != 0 {
            tracing::warn!("{} is not used: others may read it; run `chmod 0600` on it", path.display());
            return None;
        }
        let name = if host.is_socket() { "localhost" } else { host.name.as_str() };
        let wanted = [name, &host.port.to_string(), database, user];
        fs::read_to_string(path).ok()?.lines().find_map(|line| password_in(line, &wanted))
    }
}

/// Returns the password in a line of a [password file](https://www.postgresql.org/docs/current/libpq-pgpass.html), if
/// the line is for this host, port, database and user.
fn password_in(line: &str, wanted: &[&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        // The rest of the line is the password, with its colons.
        let last = fields.len() - 1;
        match c {
            ':' if last < wanted.len() => fields.push(String::new()),
            '\\' => fields[last].extend(characters.next()),
            c => fields[last].push(c),
        }
    }
    let password = fields.pop().filter(|password| !password.is_empty())?;
    let fits = |(field, wanted): (&String, &&str)| field == "*" || field == wanted;
    (fields.len() == wanted.len() && fields.iter().zip(wanted).all(fits)).then_some(password)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn host(name: &str) -> PostgresHost {
        PostgresHost { name: name.to_owned(), port: 5432 }
    }

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pgpass");
        let lines = "# db:5432:acme:ann:no\nother:5432:acme:ann:no\ndb:*:acme:ann:a\\:b\\\\:c\n*:*:*:*:any\n";
        fs::write(&path, lines).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let standard = Standard { password_file: Some(path.clone()), ..Standard::default() };
        assert_eq!(standard.password_of(&host("db"), "acme", "ann").as_deref(), Some("a:b\\:c"));
        assert_eq!(standard.password_of(&host("db2"), "acme", "ann").as_deref(), Some("any"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(standard.password_of(&host("db"), "acme", "ann"), None);
        let explicit = standard.password("other");
        assert_eq!(explicit.password_of(&host("db"), "acme", "ann").as_deref(), Some("other"));
        assert!(!format!("{explicit:?}").contains("other"));
    }

    #[test]
    fn a_line_for_another_is_none() {
        let wanted = ["db", "1", "acme", "ann"];
        for line in ["", "db", "db:1:acme:ann", "db:1:acme:ann:", "db:2:acme:ann:x", "db:1:acme:bob:x"] {
            assert_eq!(password_in(line, &wanted), None, "{line}");
        }
        assert_eq!(password_in("db:1:acme:ann:x", &wanted).as_deref(), Some("x"));
    }
}
