//! A network link in front of a server: see `tests/it/support/link`, of which this is the command line.
//!
//! ```sh
//! cargo build --release --locked --example link
//! target/release/examples/link --to 127.0.0.1:9000 --rtt 80ms --rate 1Gbit --rate-per-connection 10MB
//! target/release/examples/link --to 127.0.0.1:9000 --stall-after 20MiB --stall-for 50s --tls certificate.pem
//! ```
//!
//! It prints the URL that clients use and runs until it is killed; what went through it is printed when its stdin ends.

#[path = "../tests/it/support/link/mod.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod link;

use clap::Parser;
use link::{Certificate, Link, Shape, Stall};
use std::{
    error::Error,
    io::{Read, Write},
    path::PathBuf,
    time::Duration,
};

/// Adds a round-trip time, bandwidths, stalls and resets to the way to a server.
#[derive(Parser)]
struct Options {
    /// Address to listen at
    #[arg(long, default_value = "127.0.0.1:0", value_name = "HOST:PORT")]
    listen: String,
    /// Server
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
    /// Round-trip time: 80ms, 1.5s
    #[arg(long, default_value = "0s", value_parser = duration, value_name = "TIME")]
    rtt: Duration,
    /// Bytes a second for all connections, in each direction: 1Gbit, 256KiB
    #[arg(long, value_parser = bytes, value_name = "SIZE")]
    rate: Option<u64>,
    /// Bytes a second for each connection, in each direction: 10MB
    #[arg(long, value_parser = bytes, value_name = "SIZE")]
    rate_per_connection: Option<u64>,
    /// Bytes after which the whole link stalls
    #[arg(long, value_parser = bytes, value_name = "SIZE")]
    stall_after: Option<u64>,
    /// Duration of the stall (default: permanent)
    #[arg(long, value_parser = duration, value_name = "TIME", requires = "stall_after")]
    stall_for: Option<Duration>,
    /// Bytes after which each connection is reset
    #[arg(long, value_parser = bytes, value_name = "SIZE")]
    reset_after: Option<u64>,
    /// Speak TLS, and write the certificate that clients have to trust to this file
    #[arg(long, value_name = "FILE")]
    tls: Option<PathBuf>,
}

/// A number, and the unit after it.
fn split(text: &str) -> Result<(f64, &str), String> {
    let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number = text[..unit].parse().map_err(|_| format!("`{text}` does not begin with a number"))?;
    Ok((number, &text[unit..]))
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text)?;
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err(format!("`{unit}` is not ms, s or m")),
    };
    Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())
}

fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    let of = match unit {
        "" | "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        "kbit" => 125.0,
        "Mbit" => 125e3,
        "Gbit" => 125e6,
        _ => return Err(format!("`{unit}` is not B, kB, MB, GB, KiB, MiB, GiB, kbit, Mbit or Gbit")),
    };
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it saturates, and is not negative"
    )]
    Ok((number * of) as u64)
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let shape = Shape {
        rtt: options.rtt,
        rate: options.rate,
        rate_per_connection: options.rate_per_connection,
        stall: options.stall_after.map(|after| Stall { after, lasts: options.stall_for }),
        reset_after: options.reset_after,
    };
    let certificate = match &options.tls {
        None => None,
        Some(file) => {
            let certificate = Certificate::new();
            std::fs::write(file, certificate.pem())?;
            Some(certificate)
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let link = runtime.block_on(Link::listen(&options.listen, &options.to, shape, certificate.as_ref()))?;
    println!("{}", link.url());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    let counts = link.counts();
    // Nobody may read it any more.
    let _ = writeln!(
        std::io::stdout(),
        r#"{{"connections": {}, "most_at_once": {}, "up": {}, "down": {}}}"#,
        counts.connections,
        counts.most_at_once,
        counts.up,
        counts.down
    );
    Ok(())
}
