//! A sparse file of 100 GB, edited by a process that may have 64 MiB of memory: its holes stay holes.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::process::Command;

const LEN: u64 = 100_000_000_000;
/// Far more than these edits need, and far less than the file is long, in bytes.
const MOST_ON_DISK: u64 = 64 << 20;

fn limited(directory: &std::path::Path, arguments: &str) {
    let output = Command::new("bash")
        .current_dir(directory)
        .args([
            "-c",
            // Minutes would be enough to write out the holes.
            &format!(
                "ulimit -d 65536; exec timeout 60 '{}' {arguments}",
                env!("CARGO_BIN_EXE_bytesplice")
            ),
        ])
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {}: {message}", output.status);
}

#[test]
fn holes_stay_holes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    if file.set_len(LEN).is_err() {
        return println!("SKIPPED a sparse file: no file of 100 GB can be made here");
    }
    for (offset, bytes) in [(0, b"front"), (50_000_000_000, b"midst"), (LEN - 5, b"close")] {
        file.write_all_at(bytes, offset).unwrap();
    }
    // A file that another process has open for writing is not cut.
    drop(file);
    limited(directory.path(), "insert data 10 --text ABCD");
    limited(directory.path(), "remove data 60000000000+4096");
    limited(directory.path(), "append data --text end");

    let file = File::open(&path).unwrap();
    let found = |offset, len| {
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, offset).unwrap();
        bytes
    };
    assert_eq!(file.metadata().unwrap().len(), LEN + 4 - 4096 + 3);
    assert_eq!(found(0, 16), b"front\0\0\0\0\0ABCD\0\0");
    assert_eq!(found(50_000_000_004, 5), b"midst");
    assert_eq!(found(LEN + 4 - 4096 - 5, 8), b"closeend");
    let on_disk = file.metadata().unwrap().blocks() * 512;
    assert!(on_disk < MOST_ON_DISK, "{on_disk} bytes on the disk");
}
