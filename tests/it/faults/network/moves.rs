//! Rollback, protection, and plans of three packages: each fate at each request, by the library and by the program.

use super::{
    bench::{Bench, author},
    single::{Work, each_fate, requests_of},
};
use crate::support::proxy::{
    Proxy,
    fate::{Answer, Fate},
    http::Message,
};
use crate::{
    conformance::ledger::steps::{self, Step, live, prepare},
    support::{
        audit::audit,
        backends,
        sandbox::Sandbox,
        servers,
        world::{partition, tag},
    },
};
use sacker::{
    ledger::TableLedger,
    ops::{Client, Error},
    table::{Item, Table, dynamodb::DynamoTable},
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

fn packages() -> [String; 3] {
    let unique = backends::unique("p");
    ["a", "b", "c"].map(|name| format!("{name}-{unique}"))
}

/// Packages in the state before the first step, and the number of changes of tags in each.
type Prepared = ([String; 3], [usize; 3]);

/// All steps, one after the other.
struct Steps<'a> {
    bench: &'a Bench,
    /// Prepared packages for reuse, since making them takes longer than all steps.
    unused: &'a Mutex<Vec<Prepared>>,
    prepared: Prepared,
    /// The prefix of its keys, if it has some.
    key: Option<String>,
}

impl<'a> Steps<'a> {
    async fn new(bench: &'a Bench, unused: &'a Mutex<Vec<Prepared>>, keyed: bool) -> Self {
        let (client, again) = (bench.clean().await, unused.lock().unwrap().pop());
        let prepared = if let Some((packages, [a, b, c])) = again {
            tag(client.ledger(), &packages[0], "2", "live").await;
            (packages, [a + 1, b, c])
        } else {
            let packages = packages();
            prepare(client.ledger(), &packages).await;
            (packages, Step::Back.before().1)
        };
        Self { bench, unused, prepared, key: keyed.then(|| backends::unique("key")) }
    }
}

impl Work for Steps<'_> {
    async fn run(&self, client: &Client) -> Result<(), Error> {
        for step in Step::ALL {
            let key = self.key.as_ref().map(|key| format!("{key} {step:?}"));
            let done = step.take(client.ledger(), &self.prepared.0, author(key.as_deref())).await?;
            assert_eq!(done, step.outcome(), "{step:?}");
        }
        Ok(())
    }

    async fn check(&self) {
        let (packages, mut moves) = self.prepared.clone();
        let (where_to, after) = Step::Undo.after();
        assert_eq!(live(self.bench.clean().await.ledger(), &packages).await, where_to);
        for at in 0..packages.len() {
            moves[at] += after[at] - Step::Back.before().1[at];
            let audited = self.bench.audit(&packages[at]).await;
            assert_eq!((audited.versions, audited.moves), (2, moves[at]), "{}", packages[at]);
        }
        self.unused.lock().unwrap().push((packages, moves));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fate_at_each_request_about_tags() {
    let (bench, unused) = (Bench::new().await, Mutex::default());
    let requests = requests_of(&bench, &Steps::new(&bench, &unused, false).await).await;
    each_fate(&bench, &requests, 8, async |keyed| Steps::new(&bench, &unused, keyed).await).await;
}

/// The program on a ledger of its own, which it can reach through a proxy.
struct Program {
    sandbox: Sandbox,
    table: Arc<dyn Table>,
}

impl Program {
    async fn new() -> Self {
        let sandbox = servers::sandbox();
        tokio::task::block_in_place(|| sandbox.ok(&["init"]));
        let url = sandbox.variable("SACKER_LEDGER");
        let name = url.trim_start_matches("dynamodb://").split('?').next().unwrap();
        let client = backends::aws().dynamodb(&backends::at(backends::dynamodb())).await.unwrap();
        Self { table: Arc::new(backends::RetryingTable(DynamoTable::new(client, name))), sandbox }
    }

    fn ledger(&self) -> TableLedger {
        TableLedger::new(Arc::clone(&self.table), backends::retry_policy())
    }

    /// Three packages before a step.
    async fn before(&self, step: Step) -> [String; 3] {
        let (packages, ledger) = (packages(), self.ledger());
        prepare(&ledger, &packages).await;
        for earlier in Step::ALL.into_iter().take_while(|it| *it != step) {
            earlier.take(&ledger, &packages, author(None)).await.unwrap();
        }
        self.sandbox.write(&packages[0], steps::plan(&packages));
        packages
    }

    /// The command that takes a step, and its expected output.
    fn command(step: Step, packages: &[String; 3]) -> (Vec<String>, String) {
        let [a, b, c] = packages;
        let (command, said) = match step {
            Step::Back => (vec!["rollback", a, "live"], "live: 2 -> 1\n".to_owned()),
            Step::Protect => (vec!["protect", b, "live", "--confirm"], "live: confirm\n".to_owned()),
            Step::Unprotect => (vec!["unprotect", b, "live"], "live: unprotected\n".to_owned()),
            Step::Apply => {
                (vec!["apply", a], format!("{c} live: 2 -> none\n{a} live: 1 -> 2\n{b} live: 2 -> 1\n"))
            }
            Step::Undo => (
                vec!["apply", "--undo", a],
                format!("{c} live: none -> 2\n{a} live: 2 -> 1\n{b} live: 1 -> 2\n"),
            ),
        };
        (command.into_iter().map(str::to_owned).collect(), said)
    }

    /// Runs a command, through a proxy or directly.
    fn run(&self, through: Option<&Proxy>, command: &[String], more: &[&str]) -> String {
        let url = self.sandbox.variable("SACKER_LEDGER");
        let url = through.map_or(url.to_owned(), |proxy| url.replace(&backends::dynamodb(), &proxy.url));
        let command = command.iter().map(String::as_str).chain(more.iter().copied());
        let arguments: Vec<_> = command.chain(["-q", "--ledger", &url]).collect();
        let output = tokio::task::block_in_place(|| self.sandbox.command(&arguments).output().unwrap());
        let said = |bytes| String::from_utf8(bytes).unwrap();
        format!("{} {}{}", output.status.code().unwrap(), said(output.stdout), said(output.stderr))
    }

    async fn stands(&self, packages: &[String; 3], (where_to, moves): (&str, [usize; 3])) {
        assert_eq!(live(&self.ledger(), packages).await, where_to);
        for (package, moves) in packages.iter().zip(moves) {
            assert_eq!(audit(&*self.table, package).await.moves, moves, "{package}");
        }
    }

    async fn everything(&self, packages: &[String; 3]) -> Vec<(String, Item)> {
        let mut all = Vec::new();
        for package in packages {
            all.extend(partition(&*self.table, &format!("T#{package}")).await);
        }
        all
    }
}

/// These fates for the changes, in their order; of what comes after, `rest` for each request.
fn changes(
    first: &'static [Fate],
    rest: impl Fn(&Message) -> Fate + Send + Sync + 'static,
) -> impl Fn(&Message) -> Fate + Send + Sync + 'static {
    let sent = AtomicUsize::new(0);
    move |request| {
        let changes = request.kind() == "TransactWriteItems";
        match first.get(if changes {
            sent.fetch_add(1, Ordering::SeqCst)
        } else {
            sent.load(Ordering::SeqCst)
        }) {
            Some(fate) if changes => *fate,
            Some(_) => Fate::Passes,
            None => rest(request),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_reply_that_is_lost_once_is_found_out() {
    let program = Program::new().await;
    for step in Step::ALL {
        let packages = program.before(step).await;
        let (command, said) = Program::command(step, &packages);
        let proxy = Proxy::new(&backends::dynamodb(), changes(&[Fate::LosesReply], |_| Fate::Passes)).await;
        assert_eq!(program.run(Some(&proxy), &command, &[]), format!("0 {said}"), "{step:?}");
        program.stands(&packages, step.after()).await;
    }
}

/// The connection is lost for good in the middle of a change, once before and once after it is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn an_outcome_that_is_unknown_is_found_out_by_its_key() {
    let program = Arc::new(Program::new().await);
    let cases = Step::ALL
        .into_iter()
        .flat_map(|step| [&[Fate::LosesReply] as &'static [Fate], &[Fate::IsLost]].map(|fate| (step, fate)));
    let cases = cases.map(|(step, fate)| {
        let program = Arc::clone(&program);
        tokio::spawn(async move {
            let packages = program.before(step).await;
            let (command, said) = Program::command(step, &packages);
            let proxy = Proxy::new(&backends::dynamodb(), changes(fate, |_| Fate::IsLost)).await;
            let unknown = program.run(Some(&proxy), &command, &["--deadline", "1s"]);
            assert!(unknown.starts_with("9 "), "{step:?} {fate:?}: {unknown}");
            let key = unknown.split("--key ").nth(1).and_then(|rest| rest.split(['`', ' ']).next()).unwrap();
            assert!(key.contains('@'), "{unknown}");
            let landed = fate == [Fate::LosesReply];
            program.stands(&packages, if landed { step.after() } else { step.before() }).await;
            for _ in 0..2 {
                assert_eq!(program.run(None, &command, &["--key", key]), format!("0 {said}"), "{step:?}");
            }
            program.stands(&packages, step.after()).await;
        })
    });
    for case in cases.collect::<Vec<_>>() {
        case.await.unwrap();
    }
}

/// A caller without rights on one of the partitions is refused the whole transaction, of reads or of writes, as by AWS.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn without_rights_on_one_package_nothing_is_changed_in_any() {
    let program = Program::new().await;
    for step in [Step::Apply, Step::Undo] {
        for (kind, which) in [("TransactWriteItems", 0), ("TransactWriteItems", 2), ("TransactGetItems", 1)] {
            let packages = program.before(step).await;
            let (command, said) = Program::command(step, &packages);
            let before = program.everything(&packages).await;
            let partition = format!("\"T#{}\"", packages[which]);
            let denied = move |request: &Message| {
                let asked = String::from_utf8_lossy(&request.body).contains(&partition);
                let denied = request.kind() == kind && asked;
                if denied { Fate::IsAnswered(Answer::AccessDenied) } else { Fate::Passes }
            };
            let proxy = Proxy::new(&backends::dynamodb(), denied).await;
            let reported = program.run(Some(&proxy), &command, &[]);
            assert!(
                reported.starts_with("10 ") && reported.contains("access denied"),
                "{step:?} {kind}: {reported}"
            );
            let met = proxy.log().into_iter().filter(|(_, fate)| *fate != Fate::Passes).count();
            assert_eq!(met, 1, "it was tried again");
            assert!(program.everything(&packages).await == before, "{step:?} {kind}");
            let tried = program.run(Some(&proxy), &command, &["-n"]);
            let code = if kind == "TransactGetItems" { "10 " } else { "0 " };
            assert!(tried.starts_with(code), "{step:?} {kind}: {tried}");
            assert_eq!(program.run(None, &command, &[]), format!("0 {said}"), "{step:?}");
            program.stands(&packages, step.after()).await;
        }
    }
}

/// A right may also be withdrawn while a change is under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_denial_after_an_answer_that_was_lost_does_not_hide_what_was_done() {
    let program = Program::new().await;
    for (fate, landed) in [(&[Fate::LosesReply] as &'static [Fate], true), (&[Fate::IsLost], false)] {
        let packages = program.before(Step::Apply).await;
        let (command, said) = Program::command(Step::Apply, &packages);
        let partition = format!("\"T#{}\"", packages[2]);
        let rest = move |request: &Message| {
            let asked = String::from_utf8_lossy(&request.body).contains(&partition);
            let denied = request.kind() == "TransactWriteItems" && asked;
            if denied { Fate::IsAnswered(Answer::AccessDenied) } else { Fate::Passes }
        };
        let proxy = Proxy::new(&backends::dynamodb(), changes(fate, rest)).await;
        let reported = program.run(Some(&proxy), &command, &[]);
        if landed {
            assert_eq!(reported, format!("0 {said}"));
            program.stands(&packages, Step::Apply.after()).await;
        } else {
            assert!(reported.starts_with("10 "), "{reported}");
            program.stands(&packages, Step::Apply.before()).await;
        }
    }
}
