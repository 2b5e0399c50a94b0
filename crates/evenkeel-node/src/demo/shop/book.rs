//! A book: JSON lines, each flushed to the medium before anyone hears that it was written.
//!
//! One thread owns the file. Lines that arrive while a flush runs share the next one. A line
//! whose key is in the book already is not written again: the first one is given back. A torn
//! last line, from a kill in the middle of a write, is cut off at opening: nobody was told of it.
//! After a failed write the book takes nothing more.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

/// What a book can hold.
pub(crate) trait Line: Serialize + DeserializeOwned + Clone + Send + 'static {
    /// What makes two lines the same.
    fn key(&self) -> String;
}

/// A line that is on the medium.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept<T> {
    pub(crate) line: T,
    /// False when the book had it already.
    pub(crate) fresh: bool,
}

/// A handle to the book; clones write to the same one.
#[derive(Clone)]
pub(crate) struct Book<T> {
    asks: mpsc::UnboundedSender<Ask<T>>,
}

struct Ask<T> {
    line: T,
    answer: oneshot::Sender<Kept<T>>,
}

struct Owner<T> {
    file: File,
    lines: HashMap<String, T>,
}

impl<T: Line> Book<T> {
    pub(crate) fn open(path: &Path) -> Result<Book<T>, String> {
        let say = |error: std::io::Error| format!("{}: {error}", path.display());
        let owner = Owner::open(path).map_err(say)?;
        let (asks, asked) = mpsc::unbounded_channel();
        std::thread::Builder::new().name("book".to_owned()).spawn(move || owner.write_all(asked)).map_err(say)?;
        Ok(Book { asks })
    }

    /// Writes the line, unless its key is there; returns once it is on the medium.
    pub(crate) async fn keep(&self, line: T) -> Result<Kept<T>, String> {
        let (answer, answered) = oneshot::channel();
        let closed = || "the book takes nothing more: a write failed".to_owned();
        self.asks.send(Ask { line, answer }).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())
    }
}

impl<T: Line> Owner<T> {
    fn open(path: &Path) -> std::io::Result<Owner<T>> {
        let mut file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path)?;
        let bytes = std::fs::read(path)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let mut lines = HashMap::new();
        for text in bytes[..whole].split(|b| *b == b'\n').filter(|text| !text.is_empty()) {
            let line: T = serde_json::from_slice(text)?;
            lines.insert(line.key(), line);
        }
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        file.sync_all()?;
        Ok(Owner { file, lines })
    }

    fn write_all(mut self, mut asked: mpsc::UnboundedReceiver<Ask<T>>) {
        while let Some(first) = asked.blocking_recv() {
            let mut group = vec![first];
            while let Ok(more) = asked.try_recv() {
                group.push(more);
            }
            if let Err(error) = self.write(group) {
                eprintln!("book: {error}");
                return;
            }
        }
    }

    fn write(&mut self, group: Vec<Ask<T>>) -> std::io::Result<()> {
        let mut text = Vec::new();
        let mut answers = Vec::with_capacity(group.len());
        for Ask { line, answer } in group {
            let key = line.key();
            let kept = match self.lines.get(&key) {
                Some(there) => Kept { line: there.clone(), fresh: false },
                None => {
                    serde_json::to_writer(&mut text, &line)?;
                    text.push(b'\n');
                    self.lines.insert(key, line.clone());
                    Kept { line, fresh: true }
                }
            };
            answers.push((answer, kept));
        }
        if !text.is_empty() {
            self.file.write_all(&text)?;
            self.file.sync_data()?;
        }
        for (answer, kept) in answers {
            let _ = answer.send(kept);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::{Book, Line};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Word(String, u32);

    impl Line for Word {
        fn key(&self) -> String {
            self.0.clone()
        }
    }

    #[tokio::test]
    async fn a_key_is_written_once_and_the_first_line_is_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("book.jsonl");
        let book = Book::open(&path).unwrap();
        assert!(book.keep(Word("a".into(), 1)).await.unwrap().fresh);
        let again = book.keep(Word("a".into(), 2)).await.unwrap();
        assert_eq!((again.fresh, again.line.1), (false, 1));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[\"a\",1]\n");
    }

    #[tokio::test]
    async fn a_reopened_book_remembers_and_cuts_a_torn_line_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("book.jsonl");
        std::fs::write(&path, "[\"a\",1]\n[\"b\",").unwrap();
        let book = Book::open(&path).unwrap();
        assert!(!book.keep(Word("a".into(), 9)).await.unwrap().fresh);
        assert!(book.keep(Word("b".into(), 3)).await.unwrap().fresh);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[\"a\",1]\n[\"b\",3]\n");
    }
}
