//! File systems made for a test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in an image file, unmounted on drop.
pub struct Mounted {
    directory: tempfile::TempDir,
}

impl Mounted {
    /// Of so many megabytes, made by `mkfs.KIND`; or why not.
    pub fn new(kind: &str, options: &[&str], megabytes: u64) -> Result<Self, String> {
        // What they sync needs no real disk.
        let memory = Path::new("/dev/shm");
        let directory =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let directory = directory.map_err(|error| error.to_string())?;
        let image = directory.path().join("image");
        let mount = directory.path().join("mount");
        fs::create_dir(&mount).map_err(|error| error.to_string())?;
        let file = fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(megabytes << 20).map_err(|error| error.to_string())?;
        run(Command::new(format!("mkfs.{kind}")).arg("-q").args(options).arg(&image))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mount))?;
        Ok(Self { directory })
    }

    /// Where the files are.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("mount")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg(self.path()));
    }
}

/// Runs a command to its end, or says why it failed.
pub fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
