//! The thin binary.

use std::process::ExitCode;

/// Events are allocated on one thread and freed on another, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    evenkeel_node::cli::run(std::env::args_os())
}
