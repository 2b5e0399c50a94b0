//! The crates depend on each other only as ARCHITECTURE.md's table allows.
//!
//! A row of the table is ``| `crate` | one line | `a`, `b` |``; the last cell lists what it may
//! depend on, `–` nothing, `all` everything.

use std::collections::BTreeMap;
use std::fs;

use super::tree::Tree;

pub(super) fn rule(tree: &Tree) -> Vec<String> {
    let Ok(page) = fs::read_to_string(tree.root.join("ARCHITECTURE.md")) else {
        return vec!["ARCHITECTURE.md: missing; its table of crates holds the allowed edges".to_owned()];
    };
    let allowed = allowed_edges(&page);
    let mut found = Vec::new();
    let Ok(crates) = fs::read_dir(tree.root.join("crates")) else { return found };
    for folder in crates.flatten() {
        let name = folder.file_name().to_string_lossy().into_owned();
        let Ok(manifest) = fs::read_to_string(folder.path().join("Cargo.toml")) else { continue };
        let Some(edges) = allowed.get(&name) else {
            found.push(format!("crates/{name}: ARCHITECTURE.md's table of crates does not list it"));
            continue;
        };
        for edge in own_dependencies(&manifest) {
            if !edges.iter().any(|e| e == &edge || e == "all") {
                found.push(format!(
                    "crates/{name}/Cargo.toml: may not depend on `{edge}` (ARCHITECTURE.md allows {edges:?})"
                ));
            }
        }
    }
    found
}

fn allowed_edges(page: &str) -> BTreeMap<String, Vec<String>> {
    let rows = page.lines().filter(|l| l.starts_with("| `evenkeel"));
    rows.filter_map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells.first()?.trim_matches('`').to_owned();
        let edges = cells.last()?.split(',').map(|e| e.trim().trim_matches('`').to_owned());
        Some((name, edges.collect()))
    })
    .collect()
}

/// Names under `[dependencies]` that are crates of ours; what tests use is not an edge.
fn own_dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.lines().skip_while(|l| l.trim() != "[dependencies]").skip(1);
    section
        .take_while(|l| !l.starts_with('['))
        .filter_map(|l| l.split(['.', ' ', '=']).next())
        .filter(|name| name.starts_with("evenkeel"))
        .map(str::to_owned)
        .collect()
}
