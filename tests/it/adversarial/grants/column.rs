//! A role, on a ledger and a store of its own: every command is run as that role.

use super::rows::{ROWS, Row, Scene};
use crate::support::{
    backends,
    iam::{
        Ask, Guard, Policies,
        guard::{Denied, name},
    },
    sandbox::Sandbox,
    servers,
};
use aws_sdk_dynamodb::types::AttributeValue;
use sacker::table::{Table, dynamodb::DynamoTable};
use std::{collections::BTreeSet, process::Output};

/// The result of a command.
#[derive(Debug)]
pub struct Cell {
    pub row: &'static Row,
    pub allowed: bool,
    /// The requests that it made, and those that were denied.
    pub asks: Vec<Ask>,
    pub denied: Vec<Denied>,
    pub said: String,
}

/// A ledger and a store of its own, with something for every command to do.
pub struct Place {
    pub sandbox: Sandbox,
    pub guard: Guard,
    pub runtime: tokio::runtime::Runtime,
}

impl Place {
    /// Makes the files, and the table and the bucket only if they are wanted.
    fn bare() -> Self {
        let sandbox = servers::sandbox();
        for (file, content) in
            [("one", "first"), ("two", "second"), ("new", "third"), ("spare", "fourth"), ("lost", "fifth")]
        {
            sandbox.write(file, content);
        }
        sandbox.write("large", vec![7; 17 << 20]);
        sandbox.write("fresh", "sixth");
        sandbox.write("plan", r#"{"moves":[{"package":"app","tag":"planned","to":2}]}"#);
        let guard = Guard::new(&sandbox);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { sandbox, guard, runtime }
    }

    pub fn new() -> Self {
        let place = Self::bare();
        for line in [
            "init",
            "add app one --tag live --tag old --tag kept",
            "add app two --tag live",
            "add app spare",
            "add other spare",
            "add lost lost",
            "add web/tool one",
            "add web/tool two",
            "add web/tool spare",
        ] {
            place.administer(line);
        }
        place
    }

    /// Runs what must succeed, with all rights.
    pub fn administer(&self, line: &str) -> String {
        self.sandbox.ok(&line.split(' ').collect::<Vec<_>>()).trim().to_owned()
    }

    /// Runs a command through the guard.
    pub fn run(&self, line: &str) -> Output {
        self.sandbox.command(&self.guard.line(line)).output().unwrap()
    }

    /// Makes the state that a command needs, and returns its line.
    fn prepare(&self, row: &Row) -> String {
        self.freshen();
        let (mut number, mut other) = (String::new(), String::new());
        for line in row.before {
            let said = self.administer(&line.replace("{n}", &number));
            if line.starts_with("add") {
                number = said;
            }
        }
        match row.scene {
            Scene::Usual | Scene::New => {}
            Scene::Ghosts => self.plant_ghosts(),
            Scene::Lost => self.lose(),
            Scene::Interrupted => self.interrupt(),
            Scene::Overtaken => {
                self.interrupt();
                self.administer("add other large");
            }
            Scene::Abandoned => self.abandon(),
            Scene::Other => other = self.make_other(true),
            Scene::Empty => other = self.make_other(false),
        }
        row.line.replace("{n}", &number).replace("{other}", &other)
    }

    /// Runs a command as the guard's role, and checks that it changed nothing if it was denied.
    pub fn cell(&self, row: &'static Row, policies: &Policies) -> Cell {
        if row.scene == Scene::New {
            return Self::bare().fresh_cell(row, policies);
        }
        let line = self.prepare(row);
        let before = self.items();
        self.guard.set(Some(policies));
        let output = self.run(&line);
        let cell = self.judged(row, &output);
        if !cell.allowed || line.starts_with("doctor") {
            let after = self.items();
            let changed = before.symmetric_difference(&after);
            // Who may update blobs but not delete objects condemns the garbage, which the collector then removes. Who may
            // write the ledger but not the store begins to import.
            let begun = match row.scene {
                Scene::Other => ["\"M\"", ": \"B#"].as_slice(),
                _ if line.starts_with("gc --delete") => &[": \"B#"],
                _ => &[],
            };
            let changed: Vec<_> =
                changed.filter(|item| !begun.iter().any(|kind| item.contains(kind))).collect();
            assert!(changed.is_empty(), "`{line}` was denied and changed {changed:?}: {}", cell.said);
        }
        match row.scene {
            // An import that was begun is completed, entries of no package are removed, and a lost object is stored again.
            Scene::Other if !cell.allowed => drop(self.administer(&line)),
            Scene::Ghosts if !cell.allowed => drop(self.administer("fsck --repair")),
            Scene::Lost => drop(self.administer("add lost lost")),
            _ => {}
        }
        cell
    }

    /// Makes another ledger and store, if they are to be filled, and exports them: they hold all that this one holds, and one
    /// more package. Returns the beginning of their addresses.
    fn make_other(&self, filled: bool) -> String {
        let (name, package) = (backends::unique("other"), backends::unique("web/incoming"));
        let address = format!("file://{}/", self.sandbox.path(&name).display());
        if filled {
            let at = format!("--ledger {address}ledger --store {address}store");
            let [from_ledger, from_store] =
                ["SACKER_LEDGER", "SACKER_STORE"].map(|name| self.sandbox.variable(name));
            let copy = format!("copy --from-ledger {from_ledger} --from-store {from_store}");
            for line in [copy, format!("add {package} fresh --tag live")] {
                self.administer(&format!("{line} {at}"));
            }
            std::fs::remove_file(self.sandbox.path("incoming")).ok();
            self.administer(&format!("export -o incoming --blobs incoming-blobs {at}"));
        }
        address
    }

    fn fresh_cell(&self, row: &'static Row, policies: &Policies) -> Cell {
        self.guard.set(Some(policies));
        let output = self.run(row.line);
        let cell = self.judged(row, &output);
        let table = name(self.sandbox.variable("SACKER_LEDGER"));
        let tables = self.runtime.block_on(async {
            let client = dynamodb().await;
            client.describe_table().table_name(table).send().await.is_ok()
        });
        assert_eq!(tables, cell.allowed, "`{}`: {}", row.line, cell.said);
        cell
    }

    fn judged(&self, row: &'static Row, output: &Output) -> Cell {
        let (asks, denied) = self.guard.asked();
        self.guard.set(None);
        let said = format!("`{}`: {}", row.line, self.sandbox.shown(output));
        let code = output.status.code().unwrap();
        let allowed = code == i32::from(row.code);
        assert!(allowed || code == 10, "{said}");
        assert!(allowed || !denied.is_empty(), "{said}: nothing was denied");
        Cell { row, allowed, asks, denied, said }
    }

    /// Gives the file `fresh` other bytes.
    fn freshen(&self) {
        let name = backends::unique("fresh");
        self.sandbox.write("fresh", name);
    }

    /// Begins an upload, whose second part is refused.
    fn interrupt(&self) {
        self.sandbox.write("large", [backends::unique("large").as_bytes(), &vec![7; 17 << 20]].concat());
        self.guard.refuse(Some("partNumber=2"));
        let output = self.run("add app large");
        assert_eq!(output.status.code(), Some(10), "{}", self.sandbox.shown(&output));
        self.guard.refuse(None);
    }

    fn abandon(&self) {
        let bucket = name(self.sandbox.variable("SACKER_STORE"));
        let key = "blobs/sha256/ab/abandoned";
        let begun = self.runtime.block_on(async {
            let client = backends::s3_client(&backends::s3()).await;
            client.create_multipart_upload().bucket(bucket).key(key).send().await.unwrap()
        });
        self.guard.list_upload(key, begun.upload_id().unwrap());
    }

    /// Everything that the ledger holds.
    fn items(&self) -> BTreeSet<String> {
        let name = name(self.sandbox.variable("SACKER_LEDGER"));
        self.runtime.block_on(async {
            let table = backends::RetryingTable(DynamoTable::new(dynamodb().await, name));
            let (mut all, mut after) = (BTreeSet::new(), None);
            loop {
                let page = table.scan(after.as_ref()).await.unwrap();
                all.extend(page.items.iter().map(|item| format!("{item:?}")));
                after = page.next;
                if after.is_none() {
                    return all;
                }
            }
        })
    }

    fn plant_ghosts(&self) {
        let table = name(self.sandbox.variable("SACKER_LEDGER"));
        self.runtime.block_on(async {
            let client = dynamodb().await;
            for number in 0..4 {
                let put = client.put_item().table_name(table);
                let put = put.item("pk", AttributeValue::S(format!("D#{number}")));
                put.item("sk", AttributeValue::S("ghost".to_owned())).send().await.unwrap();
            }
        });
    }

    /// Removes the object of the package `lost`.
    fn lose(&self) {
        let bucket = name(self.sandbox.variable("SACKER_STORE"));
        let info = self.administer("info lost 1 --json");
        let info: serde_json::Value = serde_json::from_str(&info).unwrap();
        let sha256 = info["sha256"].as_str().unwrap();
        self.runtime.block_on(async {
            let listed = backends::s3_client(&backends::s3()).await;
            let objects = listed.list_objects_v2().bucket(bucket).send().await.unwrap();
            for object in objects.contents() {
                let key = object.key().unwrap();
                if key.contains(&sha256[2..]) {
                    listed.delete_object().bucket(bucket).key(key).send().await.unwrap();
                }
            }
        });
    }
}

async fn dynamodb() -> aws_sdk_dynamodb::Client {
    backends::aws().dynamodb(&backends::at(backends::dynamodb())).await.unwrap()
}

/// Runs every command as a role. The last rows, which are not in the table of the page, only run where the same command
/// is allowed in it.
pub fn column(place: &Place, policies: &Policies) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    for row in &ROWS {
        let command = row.line.split(' ').next();
        let may = |cell: &Cell| cell.allowed && cell.row.line.split(' ').next() == command;
        if row.name.is_some() || cells.iter().any(may) {
            cells.push(place.cell(row, policies));
        }
    }
    cells
}
