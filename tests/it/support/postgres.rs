//! PostgreSQL: the server that `scripts/backends` starts, and clusters of a test's own.

use super::{backends::unique, sandbox::Sandbox};
use sacker::{
    location::{PostgresHost, PostgresPlace, PostgresTls},
    table::postgres::{PostgresTable, Standard},
};
use std::{env, fs, path::PathBuf};

/// A cluster: its folder, as `scripts/servers/postgres/cluster` makes it.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub dir: PathBuf,
}

/// Returns the cluster that all tests share.
pub fn shared() -> Cluster {
    let dir = env::var_os("SACKER_TEST_POSTGRES")
        .expect("no PostgreSQL: run the tests with `scripts/test`, which installs and starts it");
    Cluster { dir: dir.into() }
}

impl Cluster {
    pub fn port(&self) -> u16 {
        fs::read_to_string(self.dir.join("port")).unwrap().trim().parse().unwrap()
    }

    pub fn password(&self) -> String {
        fs::read_to_string(self.dir.join("password")).unwrap()
    }

    pub fn root(&self) -> PathBuf {
        self.dir.join("root.crt")
    }

    pub fn standard(&self) -> Standard {
        Standard::default().password(self.password()).root_certificates(self.root())
    }

    /// A place in the cluster, reached over TLS.
    pub fn place(&self, table: &str) -> PostgresPlace {
        PostgresPlace {
            user: "sacker".to_owned(),
            hosts: vec![PostgresHost { name: "localhost".to_owned(), port: self.port() }],
            database: "postgres".to_owned(),
            schema: None,
            table: table.to_owned(),
            tls: Some(PostgresTls::VerifyFull),
        }
    }

    pub fn table(&self, name: &str) -> PostgresTable {
        PostgresTable::new(self.place(name), self.standard())
    }

    /// The variables with which the program finds the password and the certificate.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![("PGPASSWORD", self.password()), ("PGSSLROOTCERT", self.root().to_str().unwrap().to_owned())]
    }

    /// A sandbox with its ledger there, at a place, and its store in a directory.
    pub fn sandbox_at(&self, place: &PostgresPlace) -> Sandbox {
        let sandbox = Sandbox::new();
        let store = format!("file://{}/store", sandbox.home().display());
        let sandbox = sandbox.set("SACKER_LEDGER", place.to_string()).set("SACKER_STORE", store);
        self.variables().into_iter().fold(sandbox, |sandbox, (name, value)| sandbox.set(name, value))
    }

    /// Runs SQL as the superuser.
    pub async fn sql(&self, sql: &str) -> Vec<tokio_postgres::SimpleQueryMessage> {
        let mut config = tokio_postgres::Config::new();
        config
            .host("127.0.0.1")
            .port(self.port())
            .user("sacker")
            .dbname("postgres")
            .password(self.password());
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        let answer = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        drop(client);
        driver.await.unwrap().unwrap();
        answer
    }

    /// The first value that SQL returns.
    pub async fn value(&self, sql: &str) -> String {
        let answer = self.sql(sql).await;
        let row = answer.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        row.and_then(|row| row.get(0)).unwrap_or_default().to_owned()
    }
}

/// A name of a table that no other test has.
pub fn name(what: &str) -> String {
    unique(what).replace('-', "_")
}

/// A sandbox on a table of its own, which is not there yet, and a directory.
pub fn sandbox() -> Sandbox {
    let cluster = shared();
    cluster.sandbox_at(&cluster.place(&name("cli")))
}
