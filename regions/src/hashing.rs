//! One way of hashing structured input: domain first, every part with its length,
//! so that no two inputs run together.

/// Collects parts and answers 32 bytes of BLAKE3.
pub(crate) struct Digest(blake3::Hasher);

impl Digest {
    /// Begins a digest for one purpose; two purposes never share a value.
    pub(crate) fn new(domain: &str) -> Self {
        Self(blake3::Hasher::new()).text(domain)
    }

    pub(crate) fn text(self, part: &str) -> Self {
        self.bytes(part.as_bytes())
    }

    pub(crate) fn number(self, part: u64) -> Self {
        self.bytes(&part.to_be_bytes())
    }

    pub(crate) fn bytes(mut self, part: &[u8]) -> Self {
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
        self
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
