//! Patterns with `*`: of names, and of files in one folder.

use std::path::{Path, PathBuf};

use crate::error::{Error, codes};

/// Whether `name` matches `pattern`, in which `*` stands for anything.
pub fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).filter(|i| rest.is_char_boundary(*i)).any(|i| matches(after, &rest[i..]))
        }),
    }
}

/// The files of a pattern, sorted; `*` may stand in the last part only. A pattern without `*`
/// must name a file that is there.
pub(super) fn files(key: &str, pattern: &str, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let whole = folder.join(pattern);
    let wrong = |why: String| Error::new(codes::CONFIG_VALUE, format!("`{key}`: {why}"));
    let name = whole.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
    // A bare name beside a configuration that was itself named without a folder.
    let parent = whole.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new(".")).to_path_buf();
    if parent.to_string_lossy().contains('*') {
        return Err(wrong(format!("`{pattern}`: `*` may stand in the file's name only")));
    }
    if !name.contains('*') {
        return if whole.is_file() { Ok(vec![whole]) } else { Err(wrong(format!("no file `{}`", whole.display()))) };
    }
    let entries = match std::fs::read_dir(&parent) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(wrong(format!("cannot list `{}`: {e}", parent.display()))),
    };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.is_file() && p.file_name().and_then(|n| n.to_str()).is_some_and(|n| matches(&name, n)))
        .collect();
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{files, matches};

    #[test]
    fn a_bare_pattern_beside_a_bare_configuration_means_the_folder_one_is_in() {
        let here = files("objectives", "Cargo*", Path::new("")).unwrap();
        assert!(here.iter().any(|path| path.ends_with("Cargo.toml")), "{here:?}");
    }

    #[test]
    fn a_star_stands_for_anything_or_nothing() {
        assert!(matches("*.yaml", "a.yaml") && matches("shop-*", "shop-") && matches("*", "x"));
        assert!(matches("a*b*c", "a1b2c") && !matches("a*b*c", "acb"));
        assert!(!matches("*.yaml", "a.yml") && !matches("orders", "orders2"));
    }
}
