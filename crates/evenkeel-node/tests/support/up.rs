//! A node as a process of its own, to be killed, stopped, or told to go down.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use evenkeel_node::client::Client;
use rustix::process::{Pid, Signal, kill_process};

use super::until;

pub struct Up {
    pub name: &'static str,
    child: Child,
    pub client: Client,
    log: PathBuf,
}

impl Up {
    /// With its own data, in a folder of that name.
    pub async fn start(folder: &Path, name: &'static str, yaml: &str) -> Up {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("evenkeel.yaml");
        std::fs::write(&file, yaml).unwrap();
        let log = folder.join("node.log");
        let errors = std::fs::File::options().append(true).create(true).open(&log).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
            .args(["up", "--config"])
            .arg(&file)
            .env("RABBIT_PASSWORD", "guest")
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let read = move || {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            line
        };
        let line = tokio::task::spawn_blocking(read).await.unwrap();
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let address = line.strip_prefix("evenkeel ready: http ").unwrap_or_else(|| panic!("`{line}`\n{said}"));
        let client = Client::new(&format!("http://{}", address.split(' ').next().unwrap()));
        Up { name, child, client, log }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Goes down in order.
    pub async fn leave(mut self) {
        self.signal(Signal::TERM);
        let ended = until("the node goes down", || {
            let ended = self.child.try_wait().unwrap();
            async move { ended }
        });
        assert_eq!(ended.await.code(), Some(0), "{}", self.said());
    }

    /// All that it wrote to its log.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("── {}\n{}", self.log.display(), self.said());
        }
    }
}
