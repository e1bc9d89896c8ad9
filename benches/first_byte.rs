//! The time of a command from its start to the first byte that it sends over a connection.
//!
//! ```sh
//! cargo build --release --locked --example first_byte
//! export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret SACKER_ACTOR=me
//! target/release/examples/first_byte 50 target/release/sacker info app 1 \
//!     --ledger 'dynamodb://ledger?region=us-east-1&endpoint=http://{}' --store file:///tmp/store
//! ```
//!
//! The first argument is how often. In the others, `{}` becomes the address of a port that listens; the command is
//! killed as soon as something arrives there. With `https://{}` that is the beginning of a TLS handshake. Times are in
//! milliseconds, those of `fork` and `exec` included.

use std::{
    error::Error,
    io::Read,
    net::TcpListener,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: first_byte RUNS COMMAND [ARGUMENT...], where `{}` is an address";
    let mut arguments = std::env::args().skip(1);
    let runs: usize = arguments.next().ok_or(usage)?.parse()?;
    let program = arguments.next().ok_or(usage)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let arguments: Vec<_> = arguments.map(|argument| argument.replace("{}", &address)).collect();
    let mut times = Vec::new();
    for _ in 0..runs.max(1) {
        let began = Instant::now();
        let mut child = Command::new(&program)
            .args(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        times.push(first_byte(&listener, began)?);
        child.kill()?;
        child.wait()?;
        // The other connections that it had begun are dropped.
        listener.set_nonblocking(true)?;
        while listener.accept().is_ok() {}
        listener.set_nonblocking(false)?;
    }
    times.sort_unstable();
    let shown = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1000.0);
    let (least, median, most) = (times[0], times[times.len() / 2], times[times.len() - 1]);
    println!("first byte after: median {} ms, least {}, most {}", shown(median), shown(least), shown(most));
    Ok(())
}

fn first_byte(listener: &TcpListener, began: Instant) -> Result<Duration, Box<dyn Error>> {
    loop {
        let (mut stream, _) = listener.accept()?;
        if stream.read(&mut [0])? == 1 {
            return Ok(began.elapsed());
        }
    }
}
