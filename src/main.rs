//! The program's entry point; the library holds everything else.

use std::process::ExitCode;

fn main() -> ExitCode {
    sacker::cli::main()
}
