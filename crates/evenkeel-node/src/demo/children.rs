//! The supervisor's children: started, found by their port, killed, and never left behind.
//!
//! A child's output goes to files in the data folder. Dropping [`Children`] kills them all;
//! `tether` covers the death of the supervisor itself.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const POLL: Duration = Duration::from_millis(10);
const START_MAX: Duration = Duration::from_secs(20);

/// All processes that the supervisor started.
pub(crate) struct Children {
    running: BTreeMap<String, Child>,
    starts: BTreeMap<String, u32>,
    logs: PathBuf,
}

impl Children {
    pub(crate) fn logging_to(logs: PathBuf) -> std::io::Result<Children> {
        std::fs::create_dir_all(&logs)?;
        Ok(Children { running: BTreeMap::new(), starts: BTreeMap::new(), logs })
    }

    /// Starts a program under a name; gives back the file that its standard output goes to.
    pub(crate) fn start(&mut self, name: &str, program: Vec<OsString>) -> Result<PathBuf, String> {
        let count = self.starts.entry(name.to_owned()).or_default();
        *count += 1;
        let (out, err) = (self.log(name, "out"), self.log(name, "err"));
        let say = |error: std::io::Error| format!("{name} does not start: {error}");
        let this = std::env::current_exe().map_err(say)?;
        let child = Command::new(this)
            .args(["shop-service", "tether", "--"])
            .args(program)
            .stdin(Stdio::null())
            .stdout(File::create(&out).map_err(say)?)
            .stderr(File::create(&err).map_err(say)?)
            .spawn()
            .map_err(say)?;
        self.running.insert(name.to_owned(), child);
        Ok(out)
    }

    /// Kills a child with SIGKILL and takes leave of it.
    pub(crate) fn kill(&mut self, name: &str) -> Result<(), String> {
        let mut child = self.running.remove(name).ok_or_else(|| format!("{name} is not running"))?;
        child.kill().and_then(|()| child.wait()).map(|_| ()).map_err(|e| format!("{name}: {e}"))
    }

    pub(crate) fn runs(&self, name: &str) -> bool {
        self.running.contains_key(name)
    }

    /// A child that ended by itself, and where to read why.
    pub(crate) fn fallen(&mut self) -> Option<String> {
        let logs = self.logs.clone();
        let ended = |(name, child): (&String, &mut Child)| {
            let status = child.try_wait().ok().flatten()?;
            Some(format!("{name} ended by itself ({status}); see {}/{name}-*.err", logs.display()))
        };
        self.running.iter_mut().find_map(ended)
    }

    fn log(&self, name: &str, kind: &str) -> PathBuf {
        let count = self.starts.get(name).copied().unwrap_or(0);
        self.logs.join(format!("{name}-{count}.{kind}"))
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until the file holds a line that `read` understands.
pub(crate) async fn line_in<T>(path: &Path, read: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    let looking = async {
        loop {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            if let Some(found) = whole.lines().find_map(&read) {
                return found;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let waited = tokio::time::timeout(START_MAX, looking).await;
    waited.map_err(|_| format!("nothing to be read in {} within {START_MAX:?}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::line_in;

    #[tokio::test]
    async fn only_a_whole_line_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("port");
        std::fs::write(&path, "noise\n80").unwrap();
        let half =
            tokio::time::timeout(std::time::Duration::from_millis(50), line_in(&path, |l| l.parse::<u16>().ok()));
        assert!(half.await.is_err());
        std::fs::write(&path, "noise\n8080\n").unwrap();
        assert_eq!(line_in(&path, |l| l.parse::<u16>().ok()).await, Ok(8080));
    }
}
