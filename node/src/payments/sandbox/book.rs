//! What the sandbox has done, on disk: one line of JSON for each deed, fsynced before
//! it is answered. Tests read it and compare it with the ledgers.
//!
//! One process writes a book; the file is locked while it does.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::intent::{Deed, Effect, Intent, Refusal, Status, id_of};
use crate::clock;

/// Payments in a book: it is held in memory, and belongs to a test or a demo.
const INTENTS_MAX: usize = 1_000_000;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    at_ms: u64,
    deed: Deed,
    key: String,
    amount: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Book {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    intents: HashMap<String, Intent>,
}

impl Book {
    /// Opens a book, or begins one. A line that was cut off by a crash was never
    /// answered, and is dropped.
    ///
    /// # Errors
    /// The file cannot be used, another process has it, or a line in the middle is none.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        file.try_lock().map_err(io::Error::other)?;
        let mut intents = HashMap::new();
        let mut reader = BufReader::new(&file);
        let (mut whole, mut text) = (0, String::new());
        while reader.read_line(&mut text)? > 0 {
            if !text.ends_with('\n') {
                file.set_len(whole)?;
                break;
            }
            let line: Line = serde_json::from_str(&text)?;
            replay(&mut intents, &line);
            whole += text.len() as u64;
            text.clear();
        }
        Ok(Self {
            inner: Mutex::new(Inner { file, intents }),
        })
    }

    /// A payment by its name.
    pub(super) fn get(&self, id: &str) -> Option<Intent> {
        self.lock().intents.get(id).cloned()
    }

    /// Makes a payment, or finds the one of the same key.
    pub(super) fn create(&self, wanted: Intent) -> Result<Intent, Refusal> {
        let mut inner = self.lock();
        if let Some(known) = inner.intents.get(&wanted.id) {
            return Ok(known.clone());
        }
        if inner.intents.len() >= INTENTS_MAX {
            return Err(Refusal::Book("it is full: begin a new one".to_owned()));
        }
        inner.write(Deed::Create, &wanted, wanted.amount)?;
        inner.intents.insert(wanted.id.clone(), wanted.clone());
        Ok(wanted)
    }

    /// Does a deed, and makes it durable if it is new.
    pub(super) fn apply(&self, id: &str, deed: Deed, amount: u64) -> Result<Intent, Refusal> {
        let mut inner = self.lock();
        let mut intent = inner.intents.get(id).cloned().ok_or(Refusal::NotFound)?;
        if intent.apply(deed, amount)? == Effect::Done {
            inner.write(deed, &intent, amount)?;
            inner.intents.insert(id.to_owned(), intent.clone());
        }
        Ok(intent)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn write(&mut self, deed: Deed, intent: &Intent, amount: u64) -> Result<(), Refusal> {
        let is_new = deed == Deed::Create;
        let line = Line {
            at_ms: clock::now().as_millis(),
            deed,
            key: intent.key.clone(),
            amount,
            currency: is_new.then(|| intent.currency.clone()),
            method: is_new.then(|| intent.method.clone()),
        };
        let failed = |cause: io::Error| Refusal::Book(cause.to_string());
        let mut text = serde_json::to_string(&line).map_err(|cause| failed(cause.into()))?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(failed)?;
        self.file.sync_data().map_err(failed)
    }
}

fn replay(intents: &mut HashMap<String, Intent>, line: &Line) {
    let id = id_of(&line.key);
    let intent = intents.entry(id.clone()).or_insert_with(|| Intent {
        id,
        key: line.key.clone(),
        amount: line.amount,
        currency: line.currency.clone().unwrap_or_default(),
        method: line.method.clone().unwrap_or_default(),
        status: Status::RequiresConfirmation,
        refunded: 0,
    });
    // What was written was let through.
    let _ = intent.apply(line.deed, line.amount);
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{Book, Deed, Intent, Status, id_of};

    fn wanted(key: &str) -> Intent {
        Intent {
            id: id_of(key),
            key: key.to_owned(),
            amount: 100,
            currency: "EUR".to_owned(),
            method: "card_ok".to_owned(),
            status: Status::RequiresConfirmation,
            refunded: 0,
        }
    }

    #[test]
    fn book_reads_back_what_was_done_and_drops_a_line_that_was_cut_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("book.jsonl");
        let id = id_of("bkg_1");
        let before = {
            let book = Book::open(&path).expect("new");
            book.create(wanted("bkg_1")).expect("made");
            book.apply(&id, Deed::Authorize, 0).expect("reserved");
            book.apply(&id, Deed::Capture, 100).expect("taken");
            assert!(Book::open(&path).is_err(), "somebody has it");
            book.apply(&id, Deed::Refund, 30).expect("given back")
        };
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .expect("there");
        file.write_all(b"{\"at_ms\":1,\"de").expect("written");
        drop(file);
        let book = Book::open(&path).expect("readable");
        assert_eq!(book.get(&id), Some(before));
        assert_eq!(
            book.create(wanted("bkg_2")).map(|one| one.status),
            Ok(Status::RequiresConfirmation)
        );
        drop(book);
        assert!(
            Book::open(&path)
                .expect("whole")
                .get(&id_of("bkg_2"))
                .is_some()
        );
    }
}
