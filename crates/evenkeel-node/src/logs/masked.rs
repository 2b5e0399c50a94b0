//! Secrets that the node read, so that no line holds one: whatever text goes out, what stands for a secret is starred.
//!
//! A secret of fewer than [`SHORTEST`] characters is not looked for: it would star half of every line.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{PoisonError, RwLock};

/// Shorter ones are not looked for.
const SHORTEST: usize = 6;
const STARS: &str = "***";

static SECRETS: RwLock<BTreeSet<String>> = RwLock::new(BTreeSet::new());

/// From here on no line holds this.
pub(crate) fn mask(secret: &str) {
    let secret = secret.trim();
    let json = serde_json::Value::from(secret).to_string();
    // Of a URL what is behind its host is as secret as all of it, and may be written alone.
    let path = secret.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| path);
    let forms = [Some(secret), json.get(1..json.len() - 1), path];
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    for form in forms.into_iter().flatten().filter(|form| form.len() >= SHORTEST) {
        secrets.insert(form.to_owned());
    }
}

/// A text without the secrets in it.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    // The longest first: one may stand in another.
    let mut there: Vec<&String> = secrets.iter().filter(|secret| text.contains(secret.as_str())).collect();
    there.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    there.into_iter().fold(Cow::Borrowed(text), |text, secret| Cow::Owned(text.replace(secret.as_str(), STARS)))
}

/// A way out that stars secrets; whole lines are written to it.
pub(super) struct Masking<W>(pub(super) W);

impl<W: Write> Write for Masking<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.write_all(masked(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::{Masking, mask, masked};
    use crate::happenings::CollectorDown;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_secret_that_was_read_is_in_no_line_of_text_or_json() {
        mask("hunter2\"quoted\n");
        mask("https://hooks.example/T0/B1/xyzzy-plugh");
        mask("ab");
        let page = Page::default();
        let to = page.clone();
        let json = page.clone();
        let listening = tracing_subscriber::registry()
            .with(tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || Masking(to.clone())))
            .with(tracing_subscriber::fmt::layer().json().with_writer(move || Masking(json.clone())));
        tracing::subscriber::with_default(listening, || {
            let why = "no answer to hunter2\"quoted at T0/B1/xyzzy-plugh, about".to_owned();
            CollectorDown { signal: "traces".to_owned(), why }.tell();
            tracing::error!("https://hooks.example/T0/B1/xyzzy-plugh is away");
        });
        let written = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written.lines().count(), 4, "{written}");
        assert!(!written.contains("hunter2") && !written.contains("xyzzy"), "{written}");
        assert!(written.contains("no answer to *** at ***, about"), "{written}");
        assert_eq!(masked("ab"), "ab", "too short to be looked for");
    }
}
