//! `baton`: runs a host, and talks to one.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
