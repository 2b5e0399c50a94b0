//! The thin binary.

use std::process::ExitCode;

/// Events are allocated on one thread and freed on another, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The first touch of a huge page stops a thread for milliseconds (docs/why/stalls.md). Where they cannot
    // be turned off, it is only slower.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    evenkeel_node::cli::run(std::env::args_os())
}
