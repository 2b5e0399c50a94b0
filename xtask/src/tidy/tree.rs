//! The files that tidy looks at.

use std::fs;
use std::path::{Path, PathBuf};

/// The project's own text files.
pub(crate) struct Tree {
    /// The workspace.
    pub(crate) root: PathBuf,
    /// Rust sources, by path from the root, with `/` between folders.
    pub(crate) rust: Vec<Source>,
}

/// One Rust file.
pub(crate) struct Source {
    /// Its path from the root.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

impl Source {
    /// Tests stand beside the code in `x/tests.rs`, in `tests/`, or in a `#[cfg(test)]` module
    /// at the end of a file.
    pub(crate) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/") || self.path.contains("_tests/")
    }

    /// The lines before a `#[cfg(test)]` module, if there is one with a body.
    pub(crate) fn production_lines(&self) -> Vec<&str> {
        let lines: Vec<&str> = self.text.lines().collect();
        let end = lines.windows(2).position(|pair| {
            pair[0].trim() == "#[cfg(test)]"
                && pair[1].trim_start().starts_with("mod ")
                && pair[1].trim_end().ends_with('{')
        });
        lines.into_iter().take(end.unwrap_or(usize::MAX)).collect()
    }
}

impl Tree {
    /// Reads everything below the folders that hold code.
    pub(crate) fn read(root: &Path) -> Result<Tree, String> {
        let mut tree = Tree { root: root.to_path_buf(), rust: Vec::new() };
        for folder in ["crates", "xtask", "bench", "fuzz"] {
            tree.walk(&root.join(folder))?;
        }
        tree.rust.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn walk(&mut self, folder: &Path) -> Result<(), String> {
        let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() {
                if name != "target" && name != "corpus" {
                    self.walk(&path)?;
                }
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
                let path = path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                self.rust.push(Source { path, text });
            }
        }
        Ok(())
    }
}
