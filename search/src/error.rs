//! What can go wrong with an index.

/// The index cannot be read or written. Nothing is lost: it can be built again.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The library, or the disk below it.
    #[error("the search index: {0}")]
    Library(#[from] tantivy::TantivyError),
    /// The folder.
    #[error("the folder of the search index: {0}")]
    Folder(#[from] std::io::Error),
    /// Something that only we write is not there as we write it.
    #[error("the search index holds {0}")]
    Malformed(&'static str),
}
