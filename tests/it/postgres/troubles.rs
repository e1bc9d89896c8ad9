//! Troubles with a server: the exit code of the contract, and a hint.

use crate::support::postgres::{Cluster, name, shared};
use sacker::location::{PostgresHost, PostgresPlace, PostgresTls};
use std::{fs, os::unix::fs::PermissionsExt};

/// The output of a command there: its exit code, its error and its hint.
fn said(cluster: &Cluster, place: &PostgresPlace, variables: &[(&str, &str)]) -> String {
    let mut sandbox = cluster.sandbox_at(place);
    for (name, value) in variables {
        sandbox = sandbox.set(name, *value);
    }
    sandbox.run(&["list", "--deadline", "1s"])
}

fn expect(said: &str, code: u8, error: &str, hint: &str) {
    assert!(said.starts_with(&format!("exit {code}\n")), "{said}");
    assert!(said.contains(error) && said.contains(hint), "{said}");
    assert!(!said.contains("sackertestsecret"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_or_none_is_denied() {
    let (cluster, place) = (shared(), shared().place("sacker"));
    expect(
        &said(&cluster, &place, &[("PGPASSWORD", "wrong")]),
        10,
        "28P01",
        "PGPASSWORD, or a line of ~/.pgpass",
    );
    expect(
        &said(&cluster, &place, &[("PGPASSWORD", "")]),
        10,
        "password missing",
        "PGPASSWORD, or a line of ~/.pgpass",
    );
    let mut nobody = place.clone();
    nobody.user = "nosuchuser".to_owned();
    expect(&said(&cluster, &nobody, &[]), 10, "28P01", "check the user in the URL");
    let mut plain = place;
    (plain.user, plain.tls) = ("tls_only".to_owned(), Some(PostgresTls::Disable));
    cluster.sql("DO $$ BEGIN CREATE ROLE tls_only; EXCEPTION WHEN duplicate_object THEN NULL; END $$").await;
    let url = plain.to_string();
    plain.database = "tls_only".to_owned();
    expect(&said(&cluster, &plain, &[]), 10, "28000", "check the user in the URL");
    assert!(!url.contains("sackertestsecret"));
}

#[test]
fn a_password_file_is_read() {
    let cluster = shared();
    let sandbox = cluster.sandbox_at(&cluster.place(&name("pgpass"))).set("PGPASSWORD", "");
    sandbox.write(".pgpass", format!("localhost:*:*:sacker:{}\n", cluster.password()));
    // Others may read it.
    expect(&sandbox.run(&["init"]), 10, "password missing", "readable by its owner alone");
    fs::set_permissions(sandbox.path(".pgpass"), fs::Permissions::from_mode(0o600)).unwrap();
    sandbox.ok(&["init"]);
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (cluster, place) = (shared(), shared().place("sacker"));
    expect(&said(&cluster, &place, &[("PGSSLROOTCERT", "")]), 2, "invalid peer certificate", "PGSSLROOTCERT");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let sandbox = cluster.sandbox_at(&place);
    sandbox.write("other.crt", other.cert.pem());
    let path = sandbox.path("other.crt");
    expect(
        &said(&cluster, &place, &[("PGSSLROOTCERT", path.to_str().unwrap())]),
        2,
        "invalid peer certificate",
        "PGSSLROOTCERT",
    );
    expect(&said(&cluster, &place, &[("PGSSLROOTCERT", "/none")]), 2, "/none can't be read", "PGSSLROOTCERT");
    // The certificate is for localhost.
    let mut by_address = place;
    by_address.hosts[0].name = "127.0.0.1".to_owned();
    expect(&said(&cluster, &by_address, &[]), 2, "not valid for name", "check the host in the URL");
}

#[test]
fn a_server_that_is_away_is_unavailable() {
    let (cluster, mut place) = (shared(), shared().place("sacker"));
    // Nothing listens there.
    place.hosts[0].port = 1;
    expect(&said(&cluster, &place, &[]), 7, "refused", "check that the server runs");
    let sandbox = cluster.sandbox_at(&place);
    sandbox.write("f", "content");
    let add = sandbox.run(&["add", "app", "f", "--deadline", "1s"]);
    expect(&add, 7, "refused", "nothing was changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_the_hosts_is_enough() {
    let cluster = shared();
    let mut place = cluster.place(&name("hosts"));
    place.hosts.insert(0, PostgresHost { name: "localhost".to_owned(), port: 1 });
    cluster.sandbox_at(&place).ok(&["init"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_or_table_that_is_missing_is_named() {
    let (cluster, mut place) = (shared(), shared().place(&name("missing")));
    expect(&said(&cluster, &place, &[]), 2, "42P01", "run `sacker init`");
    place.schema = Some("nosuchschema".to_owned());
    let sandbox = cluster.sandbox_at(&place);
    expect(&sandbox.run(&["init"]), 2, "3F000", "correct `table` in the URL");
    place.database = "nosuchdatabase".to_owned();
    expect(&said(&cluster, &place, &[]), 2, "3D000", "createdb");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_only_reads_is_unavailable() {
    let cluster = shared();
    let mut place = cluster.place(&name("readonly"));
    cluster.sandbox_at(&place).ok(&["init"]);
    let user = name("frozen");
    cluster
        .sql(&format!(
            "CREATE ROLE {user} LOGIN SUPERUSER PASSWORD 'p'; ALTER ROLE {user} SET default_transaction_read_only = on"
        ))
        .await;
    place.user = user;
    let said = said(&cluster, &place, &[("PGPASSWORD", "p")]);
    expect(&said, 7, "the server allows only read-only transactions", "name the primary in the URL");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_connections_are_throttling() {
    let cluster = shared();
    let mut place = cluster.place(&name("crowded"));
    cluster.sandbox_at(&place).ok(&["init"]);
    let user = name("single");
    let sql = format!(
        "CREATE ROLE {user} LOGIN PASSWORD 'p' CONNECTION LIMIT 0; GRANT ALL ON {} TO {user}",
        place.table
    );
    cluster.sql(&sql).await;
    place.user = user.clone();
    let said = said(&cluster, &place, &[("PGPASSWORD", "p")]);
    expect(&said, 7, "53300", "max_connections");
    cluster.sql(&format!("ALTER ROLE {user} CONNECTION LIMIT 1")).await;
    cluster.sandbox_at(&place).set("PGPASSWORD", "p").ok(&["list"]);
}

#[test]
fn a_password_in_the_url_is_refused_and_not_shown() {
    let cluster = shared();
    let sandbox = cluster.sandbox_at(&cluster.place("x"));
    for url in ["postgres://a:s3cret@h/d", "postgres://a@h/d?password=s3cret", "postgresql://a:s3@cret@h,i/d"]
    {
        let said = sandbox.run(&["--ledger", url, "list"]);
        assert!(said.starts_with("exit 2\n") && !said.contains("s3") && !said.contains("cret@"), "{said}");
    }
}

#[test]
fn nothing_that_is_logged_has_the_password() {
    let cluster = shared();
    let sandbox = cluster.sandbox_at(&cluster.place(&name("logged")));
    sandbox.ok(&["init"]);
    sandbox.write("f", "content");
    let output = sandbox.command(&["-vvv", "add", "app", "f"]).output().unwrap();
    let logged = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && logged.contains("postgres"), "{logged}");
    assert!(!logged.contains(&cluster.password()), "{logged}");
}
