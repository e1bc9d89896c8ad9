//! The roles of `docs/ledgers/postgres.md`, made by its SQL.

use crate::support::{
    postgres::{Cluster, name, shared},
    sandbox::Sandbox,
};

/// The SQL of the page, with names of this test.
fn sql(of: &str, table: &str) -> String {
    let page = include_str!("../../../docs/ledgers/postgres.md");
    let blocks = page.split("```sql\n").skip(1).map(|block| block.split("```").next().unwrap());
    let block =
        blocks.into_iter().find(|block| block.starts_with(&format!("-- {of}"))).expect("the page has it");
    block
        .replace("sacker_", &format!("{table}_"))
        .replace("ON sacker ", &format!("ON {table} "))
        .replace("TABLE sacker ", &format!("TABLE {table} "))
}

struct Roles {
    cluster: Cluster,
    table: String,
    owner: Sandbox,
}

impl Roles {
    async fn new(parts: &[&str]) -> Self {
        let (cluster, table) = (shared(), name("roles"));
        let owner = cluster.sandbox_at(&cluster.place(&table));
        owner.ok(&["init"]);
        owner.write("f", "content");
        owner.write("g", "other");
        owner.ok(&["add", "app", "f", "--tag", "live"]);
        for part in parts {
            cluster.sql(&sql(part, &table)).await;
        }
        Self { cluster, table, owner }
    }

    /// Runs a command as a member of a role, on the owner's store.
    async fn run(&self, role: &str, arguments: &[&str]) -> String {
        let user = format!("{}_{role}_user", self.table);
        self.cluster
            .sql(&format!(
                "DO $$ BEGIN CREATE ROLE {user} LOGIN PASSWORD 'p'; GRANT {}_{role} TO {user}; \
                 EXCEPTION WHEN duplicate_object THEN NULL; END $$",
                self.table
            ))
            .await;
        let mut place = self.cluster.place(&self.table);
        place.user = user;
        let mut command = self.owner.command(arguments);
        command.env("SACKER_LEDGER", place.to_string()).env("PGPASSWORD", "p");
        self.owner.shown(&command.output().unwrap())
    }
}

fn denied(said: &str) {
    assert!(said.starts_with("exit 10\n") && said.contains("42501"), "{said}");
}

fn ok(said: &str) {
    assert!(said.starts_with("exit 0\n"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grants_distinguish_readers_and_writers() {
    let roles = Roles::new(&["Roles"]).await;
    for arguments in
        [&["list"][..], &["info", "app", "live"], &["history", "app"], &["download", "app", "1", "-o", "-"]]
    {
        ok(&roles.run("reader", arguments).await);
    }
    ok(&roles.run("reader", &["fsck"]).await);
    denied(&roles.run("reader", &["add", "app", "g"]).await);
    denied(&roles.run("reader", &["tag", "app", "1", "canary"]).await);
    ok(&roles.run("writer", &["add", "app", "g", "--tag", "canary"]).await);
    ok(&roles.run("writer", &["untag", "app", "canary"]).await);
    ok(&roles.run("writer", &["delete", "app", "2"]).await);
    let doctor = roles.run("reader", &["doctor"]).await;
    assert!(doctor.contains("SELECT on the table") && doctor.contains("INSERT on the table"), "{doctor}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_security_distinguishes_publishers_and_promoters() {
    let roles = Roles::new(&["Roles", "Row security"]).await;
    ok(&roles.run("publisher", &["add", "app", "g"]).await);
    ok(&roles.run("publisher", &["yank", "app", "2"]).await);
    ok(&roles.run("publisher", &["unyank", "app", "2"]).await);
    denied(&roles.run("publisher", &["tag", "app", "2", "live"]).await);
    denied(&roles.run("publisher", &["add", "app", "f", "--tag", "live"]).await);
    ok(&roles.run("promoter", &["tag", "app", "2", "live"]).await);
    ok(&roles.run("promoter", &["rollback", "app", "live"]).await);
    denied(&roles.run("promoter", &["add", "app", "g"]).await);
    denied(&roles.run("promoter", &["yank", "app", "2"]).await);
    let freeze = ["freeze", "--prefix", "app", "-m", "why"];
    denied(&roles.run("freezer", &freeze).await);
    ok(&roles.run("writer", &["freeze", "--prefix", "setup", "-m", "setup"]).await);
    for role in ["publisher", "promoter", "reader"] {
        denied(&roles.run(role, &freeze).await);
    }
    ok(&roles.run("freezer", &freeze).await);
    denied(&roles.run("freezer", &["untag", "app", "live"]).await);
    let frozen = roles.run("promoter", &["tag", "app", "2", "live"]).await;
    assert!(frozen.starts_with("exit 6\n"), "{frozen}");
    ok(&roles.run("freezer", &["thaw", "--prefix", "app"]).await);
    ok(&roles.run("promoter", &["tag", "app", "2", "live"]).await);
    ok(&roles.run("reader", &["tags", "app"]).await);
    ok(&roles.run("writer", &["add", "app", "f", "--tag", "live"]).await);
    assert_eq!(roles.owner.ok(&["fsck", "--read-data"]), "");
}
