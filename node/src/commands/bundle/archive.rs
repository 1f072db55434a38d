//! A gzipped tar that grows no longer than it may.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

/// An archive being written.
pub(super) struct Archive<W: Write> {
    tar: tar::Builder<GzEncoder<W>>,
    modified_s: u64,
    left: usize,
}

impl<W: Write> Archive<W> {
    /// An archive of at most `bytes_max` before it is packed, made at an instant in seconds
    /// since 1970.
    pub(super) fn new(out: W, modified_s: u64, bytes_max: usize) -> Self {
        Self {
            tar: tar::Builder::new(GzEncoder::new(out, Compression::default())),
            modified_s,
            left: bytes_max,
        }
    }

    /// Adds a file if there is room for it; answers whether.
    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        if bytes.len() > self.left {
            return Ok(false);
        }
        self.left -= bytes.len();
        self.add_always(name, bytes)?;
        Ok(true)
    }

    /// Adds a short file that says what the others are.
    pub(super) fn add_always(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(self.modified_s);
        self.tar.append_data(&mut header, name, bytes)
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.tar.into_inner()?.finish()?.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::Archive;

    #[test]
    fn archive_holds_what_was_added_and_refuses_what_is_beyond_its_bound() {
        let mut packed = Vec::new();
        let mut archive = Archive::new(&mut packed, 1, 10);
        assert!(archive.add("node-1/status.json", b"{}").expect("memory"));
        assert!(!archive.add("node-1/log.txt", &[b'x'; 9]).expect("memory"));
        assert!(
            archive
                .add("node-1/ready.json", &[b'x'; 8])
                .expect("memory")
        );
        archive.add_always("missing.txt", b"log").expect("memory");
        archive.finish().expect("memory");
        let mut read = tar::Archive::new(GzDecoder::new(packed.as_slice()));
        let mut names = Vec::new();
        for entry in read.entries().expect("a tar") {
            let mut entry = entry.expect("an entry");
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("text");
            let path = entry.path().expect("a path");
            names.push(format!("{} {}", path.display(), text.len()));
        }
        assert_eq!(
            names,
            [
                "node-1/status.json 2",
                "node-1/ready.json 8",
                "missing.txt 3"
            ]
        );
    }
}
