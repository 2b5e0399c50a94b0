//! The house: the folder, the files, the services and the node of one run.
//!
//! Writes the configuration that the node is started with, starts every process on a port of its
//! own choosing, and starts it there again after it died. Children end when the house is dropped.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::args::{DemoArgs, Role};
use super::children::{Children, line_in};
use super::plan::Plan;

/// The services, in the order in which they are started.
pub(crate) const ROLES: [Role; 5] = [Role::Inventory, Role::Payment, Role::Shipping, Role::Hooks, Role::Order];
const NODE: &str = "node";
const SHIPPING_PY: &str = include_str!("../../../../examples/shop/shipping.py");
const CONFIG: &str = include_str!("files/evenkeel.yaml");
const OBJECTIVE: &str = include_str!("files/objective.yaml");
const PLAYBOOK: &str = include_str!("files/playbook.yaml");
/// The subscriptions that have an objective.
pub(crate) const OBJECTIVES: [&str; 2] = ["payment", "shipping"];

/// One run's place.
pub(crate) struct House {
    pub(crate) dir: PathBuf,
    this: PathBuf,
    healing: bool,
    sabotage: Option<&'static str>,
    python: bool,
    ports: BTreeMap<String, u16>,
    children: Children,
}

impl House {
    /// Makes the folders; starts nothing.
    pub(crate) fn found(args: &DemoArgs, dir: PathBuf) -> Result<House, String> {
        for folder in ["", "objectives", "playbooks", "books", "logs"] {
            let path = dir.join(folder);
            std::fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        if dir.join("evenkeel.yaml").exists() {
            return Err(format!("{}: there is a run in it already; name another folder", dir.display()));
        }
        let children = Children::logging_to(dir.join("logs")).map_err(|e| e.to_string())?;
        Ok(House {
            this: std::env::current_exe().map_err(|e| e.to_string())?,
            healing: !args.no_healing,
            sabotage: args.sabotage.map(|sabotage| sabotage.name()),
            python: has_python(),
            ports: BTreeMap::new(),
            children,
            dir,
        })
    }

    /// Starts the services, then the node.
    pub(crate) async fn open(&mut self, plan: &Plan) -> Result<(), String> {
        let desk = serde_json::to_string_pretty(&plan.desk).map_err(|e| e.to_string())?;
        self.write("desk.json", &desk)?;
        self.write("shipping.py", SHIPPING_PY)?;
        for role in ROLES {
            self.start_service(role).await?;
        }
        self.configure()?;
        self.start_node().await
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}", self.ports.get(name).copied().unwrap_or_default())
    }

    pub(crate) fn book(&self, name: &str) -> PathBuf {
        self.dir.join("books").join(format!("{name}.jsonl"))
    }

    pub(crate) fn speaks_python(&self) -> bool {
        self.python
    }

    pub(crate) fn fallen(&mut self) -> Option<String> {
        self.children.fallen()
    }

    pub(crate) fn kill(&mut self, name: &str) -> Result<(), String> {
        self.children.kill(name)
    }

    /// Starts what was killed, at the port that it had.
    pub(crate) async fn start_again(&mut self, name: &str) -> Result<(), String> {
        if self.children.runs(name) {
            return Ok(());
        }
        match ROLES.into_iter().find(|role| role.name() == name) {
            Some(role) => self.start_service(role).await,
            None => self.start_node().await,
        }
    }

    /// Puts the addresses of this run into a text.
    pub(crate) fn fill(&self, text: &str) -> String {
        let put = |text: String, role: Role| {
            text.replace(&format!("@{}@", role.name().to_uppercase()), &self.url(role.name()))
        };
        ROLES.into_iter().fold(text.to_owned(), put)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.dir.join(name);
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(path)
    }

    fn configure(&self) -> Result<(), String> {
        let mut config = self.fill(CONFIG);
        if self.healing {
            config.push_str("playbooks: ./playbooks/*.yaml\n");
            self.write("playbooks/recycle-shipping.yaml", &self.fill(PLAYBOOK))?;
        }
        for name in OBJECTIVES {
            self.write(&format!("objectives/{name}.yaml"), &OBJECTIVE.replace("@NAME@", name))?;
        }
        self.write("evenkeel.yaml", &config).map(drop)
    }

    async fn start_service(&mut self, role: Role) -> Result<(), String> {
        let name = role.name();
        let books = self.dir.join("books");
        let port_file = books.join(format!("{name}.port"));
        let _ = std::fs::remove_file(&port_file);
        let port = self.ports.get(name).copied().unwrap_or(0).to_string();
        let mut program: Vec<OsString> = if role == Role::Shipping && self.python {
            vec!["python3".into(), self.dir.join("shipping.py").into()]
        } else {
            vec![self.this.clone().into(), "shop-service".into(), name.into()]
        };
        program.extend(["--dir".into(), books.into(), "--port".into(), port.into()]);
        if role == Role::Order {
            program.extend(["--plan".into(), self.dir.join("desk.json").into()]);
        }
        self.children.start(name, program)?;
        let port = self.unless_it_fails(name, line_in(&port_file, |line| line.parse().ok()).await)?;
        self.ports.insert(name.to_owned(), port);
        Ok(())
    }

    /// A child that did not come up is ended, so that it can be started again.
    fn unless_it_fails<T>(&mut self, name: &str, came_up: Result<T, String>) -> Result<T, String> {
        came_up.map_err(|why| {
            let fallen = self.fallen().unwrap_or_default();
            let _ = self.kill(name);
            format!("{name} does not come up: {why} {fallen}")
        })
    }

    async fn start_node(&mut self) -> Result<(), String> {
        let port = self.ports.get(NODE).copied().unwrap_or(0);
        let mut program: Vec<OsString> = vec![self.this.clone().into(), "up".into(), "--config".into()];
        program.push(self.dir.join("evenkeel.yaml").into());
        program.extend(["--http".into(), format!("127.0.0.1:{port}").into()]);
        if let Some(sabotage) = self.sabotage {
            program.extend(["--sabotage".into(), sabotage.into()]);
        }
        let out = self.children.start(NODE, program)?;
        let port = self.unless_it_fails(NODE, line_in(&out, ready_port).await)?;
        self.ports.insert(NODE.to_owned(), port);
        Ok(())
    }
}

/// `evenkeel ready: http 127.0.0.1:8080 (data ./evenkeel-data, 14 ms)`
fn ready_port(line: &str) -> Option<u16> {
    let address = line.strip_prefix("evenkeel ready: http ")?.split_whitespace().next()?;
    address.rsplit_once(':')?.1.parse().ok()
}

fn has_python() -> bool {
    let asked = std::process::Command::new("python3")
        .args(["-c", "import sys; sys.exit(sys.version_info < (3, 8))"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

/// Where a run is written unless it is told: beside the data of other nodes, and on a disk.
pub(crate) fn default_dir() -> PathBuf {
    Path::new("evenkeel-data").join(format!("demo-{}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::ready_port;

    #[test]
    fn the_node_s_port_stands_in_its_ready_line() {
        assert_eq!(ready_port("evenkeel ready: http 127.0.0.1:8080 (data ./evenkeel-data, 14 ms)"), Some(8080));
        assert_eq!(ready_port("something else"), None);
    }
}
