//! Histories of reads and writes by several clients on different members, checked to be linearizable.

use super::table;
use crate::support::{backends, zookeeper::Ensemble};
use sacker::{
    fault::FaultKind,
    table::{Action, Change, Condition, Item, Key, Table, TransactError, Transaction},
};
use serde_json::json;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Two numbers that change together, in two partitions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pair(u64);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Operation {
    /// Raises both from one number to the next.
    Swap(u64),
    /// Reads both as a snapshot.
    Both,
    /// Reads the second one.
    Second,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Outcome {
    Swapped,
    Found(u64),
}

impl SequentialSpec for Pair {
    type Op = Operation;
    type Ret = Outcome;

    fn invoke(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Swap(from) if self.0 == *from => {
                self.0 += 1;
                Outcome::Swapped
            }
            _ => Outcome::Found(self.0),
        }
    }
}

fn keys() -> [Key; 2] {
    [Key::new("P#one", "H"), Key::new("P#two", "V#0000000000000001")]
}

fn swap(from: u64) -> Transaction {
    let mut transaction = Transaction::new(uuid::Uuid::new_v4().to_string());
    for key in keys() {
        let item = Item::from_iter([("n".to_owned(), json!(from + 1))]);
        let condition = if from == 0 { Condition::Absent } else { Condition::equals("n", from) };
        transaction.push(Action { key, condition, change: Change::Put(item) });
    }
    transaction
}

fn number(item: Option<&Item>) -> u64 {
    item.map_or(0, |item| item["n"].as_u64().unwrap())
}

type Tester = LinearizabilityTester<usize, Pair>;

/// Makes some operations, and records when each began and ended. One without a certain outcome ends the client: the
/// history has it as still pending.
async fn client(
    table: Arc<dyn Table>,
    id: usize,
    tester: Arc<Mutex<Tester>>,
    mut random: fastrand::Rng,
    answered: Arc<AtomicUsize>,
) -> usize {
    let (mut seen, mut made) = (0, 0);
    for _ in 0..8 {
        let operation = match random.u8(0..4) {
            0 | 1 => Operation::Swap(seen),
            2 => Operation::Both,
            _ => Operation::Second,
        };
        tester.lock().unwrap().on_invoke(id, operation.clone()).unwrap();
        let outcome = loop {
            let asked = match operation {
                Operation::Swap(from) => match table.transact(&swap(from)).await {
                    Ok(()) => Ok(Outcome::Swapped),
                    Err(TransactError::Refused(found)) => {
                        assert_eq!(found[0], found[1], "a refusal shows two instants");
                        Ok(Outcome::Found(number(found[0].as_ref().unwrap().as_ref())))
                    }
                    Err(TransactError::Fault(fault)) => Err(fault),
                },
                Operation::Both => table.get_transact(&keys()).await.map(|found| {
                    assert_eq!(found[0], found[1], "a snapshot shows two instants");
                    Outcome::Found(number(found[0].as_ref()))
                }),
                Operation::Second => {
                    table.get(&keys()[1]).await.map(|item| Outcome::Found(number(item.as_ref())))
                }
            };
            match asked {
                Ok(outcome) => break outcome,
                Err(fault)
                    if matches!(operation, Operation::Swap(_)) && fault.kind == FaultKind::Unavailable =>
                {
                    return made;
                }
                Err(fault) => {
                    assert!(fault.kind.is_transient(), "{fault:?}");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        };
        seen = match (&outcome, &operation) {
            (Outcome::Found(n), _) => *n,
            (Outcome::Swapped, Operation::Swap(from)) => from + 1,
            (Outcome::Swapped, _) => unreachable!("only a swap is made"),
        };
        tester.lock().unwrap().on_return(id, outcome).unwrap();
        answered.fetch_add(1, Ordering::SeqCst);
        made += 1;
    }
    made
}

/// Returns the number of operations and the judgement; `None` if the root could not be made, as between two leaders.
/// Each operation that has an answer is counted in `answered` as well, at once.
async fn history(servers: &[String], round: u64, answered: &Arc<AtomicUsize>) -> Option<(usize, bool)> {
    let root = format!("/{}", backends::unique("history"));
    table(&servers.join(","), &root).create().await.ok()?;
    let tester = Arc::new(Mutex::new(Tester::new(Pair(0))));
    let clients: Vec<_> = (0..4)
        .map(|id| {
            // Each on one member, of which some lag behind.
            let table: Arc<dyn Table> = Arc::new(table(&servers[id % servers.len()], &root));
            let random = fastrand::Rng::with_seed(round * 16 + id as u64);
            tokio::spawn(client(table, id, tester.clone(), random, answered.clone()))
        })
        .collect();
    let mut made = 0;
    for client in clients {
        made += client.await.unwrap();
    }
    let tester = tester.lock().unwrap();
    Some((made, tester.is_consistent()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_on_an_ensemble_are_linearizable() {
    let servers: Vec<_> = backends::zookeeper_ensemble().split(',').map(str::to_owned).collect();
    let mut total = 0;
    for round in 0..40 {
        let (made, consistent) = history(&servers, round, &Arc::default()).await.unwrap();
        assert!(consistent, "round {round}");
        total += made;
    }
    assert!(total > 1000, "{total}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_stay_linearizable_while_the_leader_is_killed() {
    let mut ensemble = tokio::task::spawn_blocking(|| Ensemble::start(3)).await.unwrap();
    let all = ensemble.servers();
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let killing = tokio::task::spawn_blocking({
        let (stop, answered) = (stop.clone(), answered.clone());
        move || {
            let (mut kills, mut next) = (0, 0);
            while !stop.load(Ordering::SeqCst) {
                // On a slow machine an ensemble that is always electing would answer nothing.
                if answered.load(Ordering::SeqCst) < next {
                    std::thread::sleep(Duration::from_millis(10));
                    continue;
                }
                next = answered.load(Ordering::SeqCst) + 24;
                let leader = ensemble.leader();
                ensemble.kill(leader);
                ensemble.leader();
                ensemble.launch(leader);
                ensemble.serves(leader);
                kills += 1;
            }
            kills
        }
    });
    let (mut total, mut rounds) = (0, 0);
    while rounds < 25 {
        let servers = [all.clone()];
        let Some((made, consistent)) = history(&servers, 1000 + rounds, &answered).await else { continue };
        assert!(consistent, "round {rounds}");
        (total, rounds) = (total + made, rounds + 1);
    }
    stop.store(true, Ordering::SeqCst);
    let kills = killing.await.unwrap();
    println!("{kills} kills during {rounds} histories of {total} operations");
    assert!(kills >= 2);
}
