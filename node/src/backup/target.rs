//! Where backups are kept: a folder or a bucket, behind the interface of object stores.
//!
//! `objects/ab/abcd…` holds a file's content under its hash, `manifests/…` what belongs
//! together. An object appears whole or not at all, and is durable when its writing is answered.

use std::path::Path as FilePath;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail, ensure};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, WriteMultipart};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::desk::Pace;
use super::manifest::{FileRecord, Manifest, is_hash, is_name};
use super::place::Place;
use super::s3::S3Settings;

/// Bytes read, hashed and sent at once: what a backup holds in memory of a file. A file of no
/// more is sent in one request, and S3 takes no part but the last that has less than 5 MiB.
const CHUNK_BYTES: usize = 8 << 20;
/// Parts of one object under way to the target at once.
const PARTS_MAX: usize = 2;
const OBJECTS: &str = "objects";
const MANIFESTS: &str = "manifests";
const BUSY: &str = "busy";

/// What is done to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Backup,
    Prune,
}

impl Work {
    const fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Prune => "prune",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Backup => Self::Prune,
            Self::Prune => Self::Backup,
        }
    }
}

/// A target in which work is under way.
#[must_use]
pub(crate) struct Occupied<'a> {
    target: &'a Target,
    path: Path,
}

impl Occupied<'_> {
    /// The work has ended.
    pub(crate) async fn free(self) -> anyhow::Result<()> {
        Ok(self.target.store.delete(&self.path).await?)
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    store: Arc<dyn ObjectStore>,
    url: String,
}

/// Whether an object had to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It had.
    New,
    /// The target had it.
    Known,
}

/// An object that is not what its name says.
#[derive(Debug, thiserror::Error)]
#[error("object {hash} of the backup is {what}: the backup cannot be used")]
pub(crate) struct BadObject {
    hash: String,
    what: &'static str,
}

impl Target {
    /// Opens a target by its URL: `file:///var/backups/shop`, the folder's path, or
    /// `s3://bucket/prefix`. The folder has to be there: where a mount is missing, none is made in
    /// its place. A bucket is asked once, so that what keeps it from being used is told before
    /// anything is done.
    pub(crate) async fn open(url: &str, settings: &S3Settings) -> anyhow::Result<Self> {
        let store: Arc<dyn ObjectStore> = match Place::parse(url)? {
            Place::Folder(folder) => {
                let store = LocalFileSystem::new_with_prefix(&folder)
                    .with_context(|| format!("cannot open the backups in {}", folder.display()))?;
                Arc::new(store.with_fsync(true))
            }
            Place::Bucket { bucket, prefix } => {
                let what = || format!("cannot open the backups in {url} ({})", settings.told());
                let store = settings.open(&bucket).with_context(what)?;
                let store = PrefixStore::new(store, prefix);
                let manifests = Path::from(MANIFESTS);
                let asked = store.list_with_delimiter(Some(&manifests)).await;
                // What it says has its causes in it already.
                asked.map_err(|cause| anyhow!("{}: {cause}", what()))?;
                Arc::new(store)
            }
        };
        Ok(Self {
            store,
            url: url.to_owned(),
        })
    }

    /// The hash and the size of a file.
    pub(crate) async fn hash(file: &FilePath, pace: &mut Pace) -> anyhow::Result<(String, u64)> {
        let mut open = File::open(file).await?;
        let (mut hasher, mut bytes) = (blake3::Hasher::new(), 0);
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = open.read(&mut chunk).await?;
            if read == 0 {
                return Ok((hasher.finalize().to_hex().to_string(), bytes));
            }
            hasher.update(&chunk[..read]);
            bytes += read as u64;
            pace.take(read).await;
        }
    }

    /// Sends a file under its hash, unless the target has an object of that name and size.
    pub(crate) async fn send(
        &self,
        file: &FilePath,
        record: &FileRecord,
        pace: &mut Pace,
    ) -> anyhow::Result<Sent> {
        let path = object(&record.hash)?;
        match self.store.head(&path).await {
            Ok(known) if known.size == record.bytes => return Ok(Sent::Known),
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(cause) => return Err(cause.into()),
        }
        let mut open = File::open(file).await?;
        if record.bytes <= CHUNK_BYTES as u64 {
            let content = chunk_of(&mut open, pace).await?;
            self.store.put(&path, content.into()).await?;
            return Ok(Sent::New);
        }
        let upload = self.store.put_multipart(&path).await?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, CHUNK_BYTES);
        match copy(&mut open, &mut upload, pace).await {
            Ok(()) => upload.finish().await.map(drop)?,
            Err(cause) => {
                // Parts that stay cost room, and nobody sees them; that it failed is said anyway.
                let _ = upload.abort().await;
                return Err(cause);
            }
        }
        Ok(Sent::New)
    }

    /// Reads an object and checks it; writes it to a file, durably, if one is given.
    ///
    /// # Errors
    /// [`BadObject`] if a single byte is wrong.
    pub(crate) async fn fetch(
        &self,
        record: &FileRecord,
        into: Option<&FilePath>,
    ) -> anyhow::Result<()> {
        let bad = |what| BadObject {
            hash: record.hash.clone(),
            what,
        };
        let found = match self.store.get(&object(&record.hash)?).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Err(bad("missing").into()),
            Err(cause) => return Err(cause.into()),
        };
        let mut file = match into {
            Some(path) => Some(File::create_new(path).await?),
            None => None,
        };
        let (mut hasher, mut bytes) = (blake3::Hasher::new(), 0);
        let mut stream = found.into_stream();
        while let Some(chunk) = stream.try_next().await? {
            hasher.update(&chunk);
            bytes += chunk.len() as u64;
            if let Some(file) = &mut file {
                file.write_all(&chunk).await?;
            }
        }
        ensure!(bytes == record.bytes, bad("of another size"));
        let is_whole = hasher.finalize().to_hex().as_str() == record.hash;
        ensure!(is_whole, bad("damaged"));
        if let Some(mut file) = file {
            file.flush().await?;
            file.sync_all().await?;
        }
        Ok(())
    }

    /// Writes a manifest: from now on there is this backup.
    pub(crate) async fn write_manifest(&self, manifest: &Manifest) -> anyhow::Result<()> {
        let options = PutOptions::from(PutMode::Create);
        let path = manifest_path(&manifest.id);
        let text = manifest.encode()?;
        match self
            .store
            .put_opts(&path, text.clone().into(), options)
            .await
        {
            // The answer was lost, and the request repeated: it is this one.
            Err(object_store::Error::AlreadyExists { .. })
                if self.store.get(&path).await?.bytes().await? == text.as_bytes() =>
            {
                Ok(())
            }
            written => Ok(written.map(drop)?),
        }
    }

    /// Reads the manifest of a backup.
    pub(crate) async fn manifest(&self, id: &str) -> anyhow::Result<Manifest> {
        ensure!(is_name(id), "{id:?} is no name of a backup");
        let what = || format!("the manifest of backup {id} in {}", self.url);
        let found = self.store.get(&manifest_path(id)).await;
        let bytes = found.with_context(what)?.bytes().await?;
        Manifest::decode(std::str::from_utf8(&bytes).with_context(what)?).with_context(what)
    }

    /// Names of all backups, in order of time.
    pub(crate) async fn backups(&self) -> anyhow::Result<Vec<String>> {
        let prefix = Path::from(MANIFESTS);
        let listed = self.store.list(Some(&prefix));
        let listed: Vec<_> = listed.try_collect().await?;
        let names = listed.iter().filter_map(|one| one.location.filename());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Removes a backup's manifest: it is none from now on.
    pub(crate) async fn remove_manifest(&self, id: &str) -> anyhow::Result<()> {
        Ok(self.store.delete(&manifest_path(id)).await?)
    }

    /// Says that work is under way in the target that must not meet the other kind: a backup
    /// that is being made counts on objects that a prune would take away. Each says so before
    /// it looks whether the other has, so that of two at the same time one goes at least.
    ///
    /// # Errors
    /// The other kind is under way, or has died.
    pub(crate) async fn occupy(&self, work: Work, id: &str) -> anyhow::Result<Occupied<'_>> {
        let path = Path::from_iter([BUSY, work.name(), id]);
        self.store.put(&path, id.to_owned().into()).await?;
        let occupied = Occupied { target: self, path };
        let other = Path::from_iter([BUSY, work.other().name()]);
        let found: Result<Vec<_>, _> = self.store.list(Some(&other)).try_collect().await;
        let found = match found {
            Ok(found) => found,
            Err(cause) => {
                // Nothing is under way; whoever cannot list may not be able to delete either.
                let _ = occupied.free().await;
                return Err(cause.into());
            }
        };
        if let Some(found) = found.first() {
            let found = found.location.clone();
            occupied.free().await?;
            bail!(
                "a {} is under way in {}: wait until it has ended. If it has died, remove {found} \
                 there",
                work.other().name(),
                self.url
            );
        }
        Ok(occupied)
    }

    /// Removes objects that `is_used` does not name; answers how many, and their bytes. What has
    /// no name of an object is somebody else's, and stays.
    pub(crate) async fn remove_objects(
        &self,
        is_used: impl Fn(&str) -> bool,
    ) -> anyhow::Result<(u64, u64)> {
        let prefix = Path::from(OBJECTS);
        let mut listed = self.store.list(Some(&prefix));
        let (mut removed, mut bytes) = (0, 0);
        while let Some(one) = listed.try_next().await? {
            let name = one.location.filename().unwrap_or_default();
            let is_object = is_hash(name) && object(name)? == one.location;
            if is_object && !is_used(name) {
                self.store.delete(&one.location).await?;
                removed += 1;
                bytes += one.size;
            }
        }
        Ok((removed, bytes))
    }
}

/// The next chunk of a file; empty at its end.
async fn chunk_of(file: &mut File, pace: &mut Pace) -> anyhow::Result<Bytes> {
    let mut chunk = Vec::new();
    let mut limited = file.take(CHUNK_BYTES as u64);
    limited.read_to_end(&mut chunk).await?;
    pace.take(chunk.len()).await;
    Ok(Bytes::from(chunk))
}

async fn copy(file: &mut File, upload: &mut WriteMultipart, pace: &mut Pace) -> anyhow::Result<()> {
    loop {
        let chunk = chunk_of(file, pace).await?;
        if chunk.is_empty() {
            return Ok(());
        }
        upload.wait_for_capacity(PARTS_MAX).await?;
        upload.put(chunk);
    }
}

fn object(hash: &str) -> anyhow::Result<Path> {
    let head = hash.get(..2).context("a hash that is none")?;
    Ok(Path::from_iter([OBJECTS, head, hash]))
}

fn manifest_path(id: &str) -> Path {
    Path::from_iter([MANIFESTS, id])
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::{OBJECTS, S3Settings, Target};

    #[tokio::test]
    async fn what_has_no_name_of_an_object_is_somebody_elses_and_stays() {
        let folder = TempDir::new().expect("a folder");
        let objects = folder.path().join(OBJECTS);
        let hash = "ab".repeat(32);
        let own = objects.join("ab").join(&hash);
        let others = [
            objects.join("info/packs"),
            objects.join("cd").join(&hash),
            objects.join("ab").join("cd12"),
        ];
        for file in others.iter().chain([&own]) {
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            std::fs::write(file, "six or").expect("written");
        }
        let url = folder.path().display().to_string();
        let target = Target::open(&url, &S3Settings::default()).await;
        let target = target.expect("a folder");
        let used = target.remove_objects(|name| name == hash).await;
        assert_eq!(used.expect("listed"), (0, 0), "it is used");
        let removed = target.remove_objects(|_| false).await;
        assert_eq!(removed.expect("listed"), (1, 6));
        assert!(!own.exists());
        assert!(others.iter().all(|file| file.exists()), "{others:?}");
    }
}
