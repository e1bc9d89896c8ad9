//! A link to a ZooKeeper server that understands the frames of its protocol, and is cut at a chosen `multi`.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// The fate of a transaction with changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It passes.
    Nothing,
    /// The connection breaks before the server gets it.
    Before,
    /// The server gets it, and the connection breaks before its answer returns.
    After,
}

/// A link whose cuts a script decides: it gets the number of each transaction with changes.
pub struct Cuts {
    pub address: String,
    counts: Arc<Mutex<usize>>,
}

type Script = Arc<dyn Fn(usize) -> Cut + Send + Sync>;

impl Cuts {
    pub fn new(server: &str, script: impl Fn(usize) -> Cut + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (server, script, counts) = (server.to_owned(), Arc::new(script) as Script, Arc::default());
        let shared = Arc::clone(&counts);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (server, script, counts) = (server.clone(), Arc::clone(&script), Arc::clone(&shared));
                thread::spawn(move || relay(client, &server, &script, &counts));
            }
        });
        Self { address, counts }
    }

    /// The number of transactions with changes until now.
    pub fn count(&self) -> usize {
        *self.counts.lock().unwrap()
    }
}

fn relay(mut client: TcpStream, server: &str, script: &Script, counts: &Mutex<usize>) {
    let Ok(mut server) = TcpStream::connect(server) else { return };
    // The answer to this request and all later ones are held back.
    let held = Arc::new(Mutex::new(None::<i32>));
    thread::spawn({
        let (mut client, mut server, held) =
            (client.try_clone().unwrap(), server.try_clone().unwrap(), Arc::clone(&held));
        move || {
            let mut is_first = true;
            while let Ok(frame) = frame(&mut server) {
                let xid = number(&frame, 0);
                if !is_first && xid.is_some() && *held.lock().unwrap() == xid {
                    break;
                }
                is_first = false;
                if send(&mut client, &frame).is_err() {
                    break;
                }
            }
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    });
    let mut is_first = true;
    while let Ok(frame) = frame(&mut client) {
        if !is_first && changes(&frame) {
            let number = {
                let mut count = counts.lock().unwrap();
                *count += 1;
                *count
            };
            match script(number) {
                Cut::Nothing => {}
                Cut::Before => break,
                Cut::After => *held.lock().unwrap() = self::number(&frame, 0),
            }
        }
        is_first = false;
        if send(&mut server, &frame).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

/// Returns true for a `multi` (14) with any operation but checks (13).
fn changes(frame: &[u8]) -> bool {
    const MULTI: i32 = 14;
    const CHECK: i32 = 13;
    // The transaction of a ledger checks or writes its stripes first, and each write writes one.
    let operations = operations(frame);
    number(frame, 4) == Some(MULTI) && operations.iter().any(|operation| *operation != CHECK)
}

/// Returns the operations of a `multi` up to the first that is no check.
fn operations(frame: &[u8]) -> Vec<i32> {
    let (mut found, mut at) = (Vec::new(), 8);
    while let (Some(operation), Some(&done)) = (number(frame, at), frame.get(at + 4)) {
        if done != 0 {
            break;
        }
        found.push(operation);
        let Some(length) = number(frame, at + 9).filter(|_| operation == 13) else { break };
        // The header, the path with its length, and the version.
        at += 9 + 4 + usize::try_from(length).unwrap() + 4;
    }
    found
}

fn number(frame: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(frame.get(at..at + 4)?.try_into().unwrap()))
}

fn frame(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    from.read_exact(&mut frame)?;
    Ok(frame)
}

fn send(to: &mut TcpStream, frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
    to.write_all(&[&length[..], frame].concat())
}
