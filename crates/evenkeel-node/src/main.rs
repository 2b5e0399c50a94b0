//! The thin binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    evenkeel_node::cli::run(std::env::args_os())
}
