//! A disk of a node's own: ext4 on a loop device over a file, which can be filled, and can
//! fail, without anybody else's noticing. Needs root.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::FallocateFlags;
use tokio::process::Command;

/// Size of the file system. The file beneath it takes what is written.
const DISK_BYTES: u64 = 1 << 30;
/// How long ext4 may keep what nobody has asked it to write, in seconds: whatever is not
/// fsynced is to be lost in a power cut, as far as it can.
const COMMIT_S: u32 = 300;
/// Where a system keeps what it takes; not every user's path has it.
const SYSTEM_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// Programs that it takes.
const PROGRAMS: [&str; 3] = ["mkfs.ext4", "mount", "umount"];
/// What fills a disk up.
const BALLAST: &str = "chaos-ballast";
/// What is written without being fsynced.
const PROBE: &str = "chaos-probe";
const PROBE_BYTES: [u8; 8_192] = [0x5a; 8_192];
/// By how much a disk is filled at once, at first and at last.
const BALLAST_BYTES: (u64, u64) = (64 << 20, 4 << 10);

/// A mounted disk.
#[derive(Debug)]
pub(crate) struct Disk {
    image: PathBuf,
    mount: PathBuf,
    mounted: AtomicBool,
}

impl Disk {
    /// Why this machine has no such disks; `None` if it has.
    pub(crate) fn missing() -> Option<String> {
        if !rustix::process::geteuid().is_root() {
            return Some("a disk of its own takes root: run it as root".to_owned());
        }
        if !Path::new("/dev/loop-control").exists() {
            return Some("there are no loop devices: `modprobe loop`".to_owned());
        }
        let there = |program: &&str| {
            let mut folders = SYSTEM_PATH.split(':');
            folders.any(|folder| Path::new(folder).join(program).exists())
        };
        let absent = PROGRAMS.iter().find(|program| !there(program))?;
        Some(format!(
            "`{absent}` is not installed: e2fsprogs and util-linux have it"
        ))
    }

    /// Makes one and mounts it over a folder, which is made.
    pub(crate) async fn make(image: PathBuf, mount: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&mount)?;
        File::create_new(&image)?.set_len(DISK_BYTES)?;
        // Nothing kept for root, who is the node here.
        run("mkfs.ext4", &["-q", "-F", "-m", "0", &text(&image)]).await?;
        let disk = Self {
            image,
            mount,
            mounted: AtomicBool::new(false),
        };
        disk.mount().await?;
        std::fs::remove_dir(disk.mount.join("lost+found"))?;
        Ok(disk)
    }

    /// Has the file system fail, at once, as after an error of the device beneath its
    /// journal: nothing that was not fsynced is written any more, nor anything else. By the
    /// mount option `abort` of ext4(5): what the shutdown ioctl does, without unsafe code.
    pub(crate) async fn fail(&self) -> io::Result<()> {
        run("mount", &["-o", "remount,abort", &text(&self.mount)]).await
    }

    /// Unmounts it and mounts it again: the journal brings back what was fsynced. Nobody may
    /// use it meanwhile.
    pub(crate) async fn replay(&self) -> io::Result<()> {
        self.unmount().await?;
        self.mount().await
    }

    pub(crate) async fn unmount(&self) -> io::Result<()> {
        if self.mounted.load(Ordering::Relaxed) {
            run("umount", &[&text(&self.mount)]).await?;
            self.mounted.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Takes all the space that is left.
    pub(crate) fn fill(&self) -> io::Result<()> {
        let ballast = self.mount.join(BALLAST);
        let file = OpenOptions::new().create(true).append(true).open(ballast)?;
        let (mut piece, least) = BALLAST_BYTES;
        let mut filled = file.metadata()?.len();
        while piece >= least {
            match rustix::fs::fallocate(&file, FallocateFlags::empty(), filled, piece) {
                Ok(()) => filled += piece,
                Err(rustix::io::Errno::NOSPC) => piece /= 2,
                Err(cause) => return Err(io::Error::from_raw_os_error(cause.raw_os_error())),
            }
        }
        // A disk that is full stays so, also without power.
        file.sync_all()
    }

    /// Gives back what [`Disk::fill`] took, if it took anything.
    pub(crate) fn free(&self) -> io::Result<()> {
        match std::fs::remove_file(self.mount.join(BALLAST)) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
            freed => freed,
        }
    }

    /// Writes a file, and does not fsync it.
    pub(crate) fn probe(&self) -> io::Result<()> {
        std::fs::write(self.probe_path(), PROBE_BYTES)
    }

    /// Where that file is.
    pub(crate) fn probe_path(&self) -> PathBuf {
        self.mount.join(PROBE)
    }

    /// The numbers of its device, major and minor.
    pub(crate) fn device(&self) -> io::Result<(u32, u32)> {
        let device = std::fs::metadata(&self.mount)?.dev();
        Ok((rustix::fs::major(device), rustix::fs::minor(device)))
    }

    /// Whether that file is there, whole; it is not from then on. Its name alone may be
    /// there: whoever fsyncs another file writes the folder, too.
    pub(crate) fn take_probe(&self) -> bool {
        let probe = self.probe_path();
        let whole = std::fs::read(&probe).is_ok_and(|bytes| bytes == PROBE_BYTES);
        // One that is not there is as good as one that is gone.
        let _ = std::fs::remove_file(&probe);
        whole
    }

    async fn mount(&self) -> io::Result<()> {
        let options = format!("loop,commit={COMMIT_S}");
        let (image, mount) = (text(&self.image), text(&self.mount));
        run("mount", &["-o", &options, &image, &mount]).await?;
        self.mounted.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Disk {
    /// Whatever happened, no loop device is left behind once nobody uses it.
    fn drop(&mut self) {
        if *self.mounted.get_mut() {
            let _ = std::process::Command::new("umount")
                .env("PATH", SYSTEM_PATH)
                .args(["-l", &text(&self.mount)])
                .stderr(Stdio::null())
                .status();
        }
    }
}

async fn run(program: &str, arguments: &[&str]) -> io::Result<()> {
    let output = Command::new(program)
        .env("PATH", SYSTEM_PATH)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let command = arguments.join(" ");
    Err(io::Error::other(format!(
        "`{program} {command}`: {}",
        said.trim()
    )))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::Disk;

    /// Where there are no such disks, says so.
    async fn disk() -> Option<(TempDir, Disk)> {
        if let Some(why) = Disk::missing() {
            println!("SKIPPED: {why}");
            return None;
        }
        let folder = TempDir::new().expect("a folder");
        let (image, mount) = (folder.path().join("disk.img"), folder.path().join("data"));
        let disk = Disk::make(image, mount).await.expect("made");
        Some((folder, disk))
    }

    #[tokio::test]
    async fn failed_disk_loses_what_was_not_fsynced_and_keeps_what_was() {
        let Some((folder, disk)) = disk().await else {
            return;
        };
        let kept = std::fs::File::create(folder.path().join("data/kept")).expect("made");
        kept.sync_all().expect("fsynced");
        drop(kept);
        disk.probe().expect("written");
        disk.fail().await.expect("failed");
        let refused = disk.probe().expect_err("nothing is written any more");
        assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
        disk.replay().await.expect("mounted again");
        assert!(!disk.take_probe());
        assert!(folder.path().join("data/kept").exists());
        disk.probe().expect("it is whole again");
        disk.unmount().await.expect("unmounted");
    }

    #[tokio::test]
    async fn full_disk_takes_nothing_until_it_is_freed() {
        let Some((_folder, disk)) = disk().await else {
            return;
        };
        disk.fill().expect("filled");
        let refused = disk.probe().expect_err("no room");
        assert_eq!(refused.kind(), std::io::ErrorKind::StorageFull);
        disk.fail().await.expect("failed");
        disk.replay().await.expect("mounted again");
        disk.probe().expect_err("no room after a power cut either");
        disk.free().expect("freed");
        disk.free().expect("nothing to free");
        disk.probe().expect("room again");
        disk.unmount().await.expect("unmounted");
    }
}
