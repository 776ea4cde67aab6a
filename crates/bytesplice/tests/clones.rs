//! Clones of a file system that are taken in the middle of a commit: a snapshot of a btrfs subvolume, and copies of ext4 and
//! XFS images, mounted beside the original. A clone has the inode numbers, births, marks and paths of the original. Each of
//! both must become wholly old or wholly new by its own journal, and neither may touch the journal of the other.
//!
//! Needs root and the mkfs programs. Commits are broken by a child, this test binary again, which runs a command at one report
//! of progress and kills itself at a later one.

use std::fs;
use std::path::Path;
use std::process::Command;

use bytesplice::{CommitOptions, Recovery, SpliceFile, Strategy, recover};
use mounted::{Mounted, run};

mod mounted;

const OLD_LEN: usize = 70 << 20;
const REMOVED: usize = 5;

fn old() -> Vec<u8> {
    (0..OLD_LEN as u32 / 4)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect()
}

/// What the child does.
#[test]
fn child() {
    let Some(path) = std::env::var_os("CLONES_PATH") else { return };
    let number = |name: &str| std::env::var(name).unwrap().parse::<u32>().unwrap();
    let (clone_at, kill_at) = (number("CLONES_AT"), number("CLONES_KILL"));
    let command = std::env::var("CLONES_COMMAND").unwrap();
    let mut reports = 0;
    let mut progress = |_: bytesplice::Progress| {
        if reports == clone_at {
            run(Command::new("sh").args(["-ec", &command])).unwrap();
        }
        if reports == kill_at {
            let (itself, kill) = (rustix::process::getpid(), rustix::process::Signal::KILL);
            let _ = rustix::process::kill_process(itself, kill);
        }
        reports += 1;
    };
    let mut file = SpliceFile::open(path).unwrap();
    file.remove(..REMOVED as u64).unwrap();
    file.commit_with(CommitOptions::new().strategy(Strategy::Journaled).progress(&mut progress))
        .unwrap();
}

/// Commits to the file at `path`, with the command run at one report of progress and the process killed at another.
fn broken_commit(path: &Path, command: &str, clone_at: u32, kill_at: u32) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--test-threads=1"])
        .env("CLONES_PATH", path)
        .env("CLONES_COMMAND", command)
        .env("CLONES_AT", clone_at.to_string())
        .env("CLONES_KILL", kill_at.to_string())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(9), "{told}");
}

/// Recovers the files in this order; each must become old or new, and leave no journal.
fn recover_both(files: [&Path; 2], what: &str) {
    let (old, new) = (old(), old()[REMOVED..].to_vec());
    for path in files {
        let expected = match recover(path).unwrap_or_else(|error| panic!("{what}: {error}")) {
            Recovery::RolledBack => &old,
            Recovery::Completed => &new,
            Recovery::Clean => panic!("{what}: {} was clean", path.display()),
        };
        assert!(&fs::read(path).unwrap() == expected, "{what}: {} is mixed", path.display());
        assert!(!path.with_file_name(".victim.bytesplice").exists(), "{what}");
    }
}

/// When the clone is taken and when the original is killed, in reports of progress: before and after the commit point.
const MOMENTS: [(u32, u32); 3] = [(3, 40), (30, 62), (60, 70)];

#[test]
fn a_snapshot_of_a_subvolume_has_its_own_journal() {
    let file_system = match Mounted::new("btrfs", &[], 2000) {
        Ok(file_system) => file_system,
        Err(reason) => return println!("SKIPPED snapshots of btrfs: {reason}"),
    };
    let root = file_system.path();
    for (number, (clone_at, kill_at)) in MOMENTS.into_iter().enumerate() {
        for snapshot_first in [true, false] {
            let volume = root.join(format!("volume-{number}-{snapshot_first}"));
            let snapshot = root.join(format!("snapshot-{number}-{snapshot_first}"));
            run(Command::new("btrfs").args(["subvolume", "create"]).arg(&volume)).unwrap();
            let [path, clone] = [&volume, &snapshot].map(|folder| folder.join("victim"));
            fs::write(&path, old()).unwrap();
            let command =
                format!("btrfs subvolume snapshot '{}' '{}'", volume.display(), snapshot.display());
            broken_commit(&path, &command, clone_at, kill_at);
            let files = if snapshot_first { [&*clone, &*path] } else { [&*path, &*clone] };
            recover_both(files, &format!("{clone_at} {kill_at} {snapshot_first}"));
            for folder in [volume, snapshot] {
                run(Command::new("btrfs").args(["subvolume", "delete"]).arg(&folder)).unwrap();
            }
        }
    }
}

#[test]
fn the_copy_of_an_image_has_its_own_journal() {
    for (kind, options) in [("ext4", "loop"), ("xfs", "loop,nouuid")] {
        let file_system = match Mounted::new(kind, &[], 400) {
            Ok(file_system) => file_system,
            Err(reason) => {
                println!("SKIPPED copies of {kind}: {reason}");
                continue;
            }
        };
        let mount = file_system.path();
        let image = mount.with_file_name("image");
        for (clone_at, kill_at) in MOMENTS {
            for copy_first in [true, false] {
                let folder = tempfile::tempdir_in(mount.parent().unwrap()).unwrap();
                let (copy, copy_mount) = (folder.path().join("copy"), folder.path().join("mount"));
                fs::create_dir(&copy_mount).unwrap();
                let path = mount.join("victim");
                fs::write(&path, old()).unwrap();
                // Frozen, the image is consistent.
                let command = format!(
                    "fsfreeze -f '{mount}'; cp --sparse=always '{image}' '{copy}'; fsfreeze -u '{mount}'",
                    mount = mount.display(),
                    image = image.display(),
                    copy = copy.display()
                );
                broken_commit(&path, &command, clone_at, kill_at);
                run(Command::new("mount").args(["-o", options]).arg(&copy).arg(&copy_mount))
                    .unwrap();
                let clone = copy_mount.join("victim");
                let files = if copy_first { [&*clone, &*path] } else { [&*path, &*clone] };
                recover_both(files, &format!("{kind} {clone_at} {kill_at} {copy_first}"));
                run(Command::new("umount").arg(&copy_mount)).unwrap();
            }
        }
    }
}
