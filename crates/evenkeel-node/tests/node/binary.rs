//! The real binary, run as a user would.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Runs one verb to its end.
pub fn evenkeel(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_evenkeel")).current_dir(folder).args(words).output().unwrap()
}

/// Runs one verb, which is killed if it does not end by itself.
pub fn evenkeel_within(patience: Duration, folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    let child = command.current_dir(folder).args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id().to_string();
    let (ended, end) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if end.recv_timeout(patience).is_err_and(|e| e == mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-KILL", &pid]).status();
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    watch.join().unwrap();
    output
}

pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A node that is killed with the test, and the line that it said when it was ready.
pub struct Up(Child, pub String);

impl Up {
    /// Where it serves.
    pub fn url(&self) -> String {
        let address = self.1.split("http ").nth(1).and_then(|rest| rest.split(' ').next());
        format!("http://{}", address.unwrap_or_default())
    }
}

impl Up {
    /// SIGHUP: read the file again.
    pub fn hang_up(&self) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    }
}

impl Up {
    /// SIGTERM: goes down in order; its exit code.
    pub fn stop(mut self) -> Option<i32> {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn up(folder: &Path) -> Up {
    let mut child = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .current_dir(folder)
        .args(["up", "--http", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Up(child, line)
}
