//! Who owns which names: a slot is a number, and belongs to whoever has its file locked. The lock
//! goes with its process, however that ends.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use super::{NoNamespaces, ip};

/// Networks of namespaces at once on one machine: more than its processors would bear.
const SLOTS: u8 = 32;
/// Where the files are.
const LOCKS: &str = "/run/meridian-chaos";
/// What the names of our namespaces begin with.
const PREFIX: &str = "meridian-chaos-";

/// A slot that this process has.
#[derive(Debug)]
pub(super) struct Slot {
    number: u8,
    /// Held for as long as it is open.
    _lock: File,
}

impl Slot {
    /// Takes the first that nobody has. Everything that stands under free ones is removed: whoever
    /// made it is dead.
    pub(super) fn take() -> Result<Self, NoNamespaces> {
        let failed = |cause| NoNamespaces::Io {
            what: format!("locking a file in {LOCKS}"),
            cause,
        };
        std::fs::create_dir_all(LOCKS).map_err(failed)?;
        let mut taken = None;
        for number in 0..SLOTS {
            let Some(free) = Self::lock(number).map_err(failed)? else {
                continue;
            };
            free.clear();
            taken = taken.or(Some(free));
        }
        taken.ok_or(NoNamespaces::AllTaken(SLOTS))
    }

    pub(super) const fn number(&self) -> u8 {
        self.number
    }

    /// Name of the namespace of a node.
    pub(super) fn namespace(&self, node: u64) -> String {
        format!("{}{node}", self.prefix())
    }

    /// Name of an interface of this machine: at most 15 bytes.
    pub(super) fn interface(&self, kind: char, host: Option<u8>) -> String {
        format!("mchaos{}{kind}{}", self.number, host.unwrap_or_default())
    }

    /// Lets go of it and of nothing that stands under it, as a killed process does.
    #[cfg(test)]
    pub(super) fn abandon(self) {
        self._lock.unlock().expect("it was locked");
        std::mem::forget(self);
    }

    fn prefix(&self) -> String {
        format!("{PREFIX}{}-", self.number)
    }

    fn lock(number: u8) -> io::Result<Option<Self>> {
        let lock = File::create(Path::new(LOCKS).join(number.to_string()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self {
                number,
                _lock: lock,
            })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(cause),
        }
    }

    /// Removes what stands under it. Cables go first: those of a namespace that is being taken
    /// down go some time later by themselves, and their names are wanted again.
    fn clear(&self) {
        let prefix = self.prefix();
        let ours = ip::namespaces();
        let ours: Vec<&String> = ours
            .iter()
            .filter(|name| name.starts_with(&prefix))
            .collect();
        if ours.is_empty() {
            return;
        }
        for cable in ip::interfaces(&format!("mchaos{}c", self.number)) {
            ip::remove(&format!("link del {cable}"));
        }
        for namespace in ours {
            ip::remove(&format!("netns del {namespace}"));
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.clear();
    }
}
