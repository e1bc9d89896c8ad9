//! The same program, with features of `serde_json` that sacker does not ask for.

use std::process::ExitCode;

fn main() -> ExitCode {
    sacker::cli::main()
}
