//! Ties a process to its parent: when the parent dies, however it dies, so does the child.
//!
//! The supervisor starts every child through `shop-service tether -- PROGRAM …`, which asks the
//! kernel for a signal at the parent's death and then becomes the program. Elsewhere than on
//! Linux the supervisor's own clean-up is all there is.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

/// Becomes the program; returns only when that failed.
pub(crate) fn become_program(program: &[OsString]) -> ExitCode {
    let Some((name, arguments)) = program.split_first() else {
        eprintln!("tether: no program was named");
        return ExitCode::from(2);
    };
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)) {
        eprintln!("tether: {error}");
    }
    let error = Command::new(name).args(arguments).exec();
    eprintln!("tether: {}: {error}", name.display());
    ExitCode::FAILURE
}
