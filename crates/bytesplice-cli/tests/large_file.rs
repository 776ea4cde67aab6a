//! A file of 1 GiB, by a process that may have 64 MiB of memory of its own.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use bytesplice::SpliceFile;

const LEN: u64 = 1 << 30;
const SPLICES: u64 = 10_000;
const JOB: &str = "BYTESPLICE_LARGE_JOB";
const SEED: u64 = 7;

/// A seeded source of chance (SplitMix64).
struct Chance(u64);

impl Chance {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A range to replace in a file of `len` bytes, and what by.
    fn splice(&mut self, len: u64) -> (Range<u64>, Vec<u8>) {
        let start = self.bits() % (len + 1);
        let end = (start + self.bits() % 100).min(len);
        let count = self.bits() % 100;
        (start..end, (0..count).map(|_| self.bits() as u8).collect())
    }
}

fn make_file(path: &Path) {
    let mut chance = Chance(1);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    for _ in 0..LEN / 8 {
        out.write_all(&chance.bits().to_le_bytes()).unwrap();
    }
    out.into_inner().unwrap().sync_all().unwrap();
}

fn shell(script: &str, directory: &Path) -> String {
    let output = Command::new("sh")
        .args(["-euc", script])
        .current_dir(directory)
        .env("BYTESPLICE", env!("CARGO_BIN_EXE_bytesplice"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What the process with little memory does.
#[test]
fn process_with_little_memory() {
    let Some(path) = std::env::var_os(JOB) else { return };
    let mut file = SpliceFile::open(PathBuf::from(path)).unwrap();
    let mut chance = Chance(SEED);
    for _ in 0..SPLICES {
        let (range, bytes) = chance.splice(file.len());
        file.replace(range, bytes).unwrap();
    }
    let plan = file.plan().unwrap();
    let written = || {
        let io = fs::read_to_string("/proc/self/io").unwrap();
        let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
        line.parse::<u64>().unwrap()
    };
    let before = written();
    file.commit().unwrap();
    println!("WRITTEN {} {}", written() - before, plan.bytes_moved + plan.bytes_new);
}

/// The same edits on a plain list of where bytes come from: (new bytes or none, offset, length).
fn model() -> Vec<(Option<Vec<u8>>, u64, u64)> {
    let mut parts: Vec<(Option<Vec<u8>>, u64, u64)> = vec![(None, 0, LEN)];
    let mut len = LEN;
    let mut chance = Chance(SEED);
    for _ in 0..SPLICES {
        let (range, bytes) = chance.splice(len);
        len = len - (range.end - range.start) + bytes.len() as u64;
        let mut after = Vec::with_capacity(parts.len() + 2);
        let mut new = Some(bytes);
        let mut position = 0;
        for (added, offset, part_len) in parts {
            let cut = |from: u64, to: u64| {
                let bytes = added.as_ref().map(|bytes| bytes[from as usize..to as usize].to_vec());
                (bytes, offset + from, to - from)
            };
            let end = position + part_len;
            if position < range.start {
                after.push(cut(0, range.start.min(end) - position));
            }
            if end >= range.start
                && let Some(bytes) = new.take()
            {
                let count = bytes.len() as u64;
                after.push((Some(bytes), 0, count));
            }
            if end > range.end {
                after.push(cut(range.end.max(position) - position, part_len));
            }
            position = end;
        }
        parts = after;
    }
    parts
}

#[test]
fn a_gibibyte_under_a_memory_limit() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (path, original) = (directory.path().join("f"), directory.path().join("original"));
    make_file(&path);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    fs::hard_link(&path, directory.path().join("link")).unwrap();
    let before = fs::metadata(&path).unwrap();

    let expected = shell(
        "(head -c 10 f; printf ABCD; tail -c +11 f) | sha256sum; sha256sum < f",
        directory.path(),
    );
    let made = shell(
        "ulimit -d 65536; $BYTESPLICE insert f 10 --text ABCD; sha256sum < link
         $BYTESPLICE remove f 10..14; sha256sum < f",
        directory.path(),
    );
    assert_eq!(made, expected);
    let after = fs::metadata(&path).unwrap();
    assert_eq!(
        (before.ino(), before.mode(), before.nlink()),
        (after.ino(), after.mode(), after.nlink())
    );
    assert_eq!(shell("ls -A", directory.path()), "f\nlink\n");

    fs::copy(&path, &original).unwrap();
    let output = shell(
        &format!(
            "ulimit -d 65536; {JOB}=$PWD/f exec {} --exact process_with_little_memory --nocapture",
            std::env::current_exe().unwrap().display()
        ),
        directory.path(),
    );
    let line = output.lines().find_map(|line| line.strip_prefix("WRITTEN ")).unwrap();
    let (written, changed) = line.split_once(' ').unwrap();
    let (written, changed): (u64, u64) = (written.parse().unwrap(), changed.parse().unwrap());
    println!(
        "{SPLICES} splices, one commit: {written} bytes written for {changed} that change place: {:.2} times",
        written as f64 / changed as f64
    );
    assert!(written <= changed * 22 / 10);

    let (original, edited) = (File::open(&original).unwrap(), File::open(&path).unwrap());
    let mut edited = std::io::BufReader::with_capacity(1 << 20, edited);
    let (mut is, mut should) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    for (added, mut offset, len) in model() {
        let end = offset + len;
        while offset < end {
            let count = (end - offset).min(1 << 20) as usize;
            match &added {
                Some(bytes) => should[..count].copy_from_slice(&bytes[..count]),
                None => original.read_exact_at(&mut should[..count], offset).unwrap(),
            }
            edited.read_exact(&mut is[..count]).unwrap();
            assert!(is[..count] == should[..count], "the file differs from the model");
            offset += count as u64;
        }
    }
    assert_eq!(edited.read(&mut is).unwrap(), 0);
}

#[test]
fn replacing_everywhere_under_a_memory_limit() {
    const MATCHES: u64 = 336_530;
    const DISTANCE: u64 = LEN / MATCHES;
    const OLD: &[u8] = b"needle";
    const NEW: &[u8] = b"a longer text";
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("f");
    let mut chance = Chance(2);
    let mut between = move |bytes: &mut Vec<u8>| {
        bytes.clear();
        // Capital letters are no needles.
        while (bytes.len() as u64) < DISTANCE - OLD.len() as u64 {
            bytes.extend(chance.bits().to_le_bytes().map(|byte| b'A' + byte % 16));
        }
    };
    let mut bytes = Vec::new();
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&path).unwrap());
    let mut expected = crc32fast::Hasher::new();
    for _ in 0..MATCHES {
        between(&mut bytes);
        out.write_all(&bytes).and_then(|()| out.write_all(OLD)).unwrap();
        expected.update(&bytes);
        expected.update(NEW);
    }
    out.into_inner().unwrap().sync_all().unwrap();
    shell(
        r#"ulimit -d 65536; "$BYTESPLICE" replace-all f needle 'a longer text'"#,
        directory.path(),
    );
    let mut found = crc32fast::Hasher::new();
    let (mut file, mut buffer) = (File::open(&path).unwrap(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => break,
            count => found.update(&buffer[..count]),
        }
    }
    assert_eq!(found.finalize(), expected.finalize());
}
