//! Disks that fail, and work again, under a file system that stays mounted.
//!
//! A file on a file system on a [`FuseDisk`] is committed. At a report of progress behind the commit point the disk begins to
//! refuse all writes with bytes of the file (they are told by their contents), but none of the file system's metadata. The commit
//! fails. The disk is cured, and recovery runs in the same mount: Linux calls pages clean that could not be written, and ext4
//! reports success for a second write and sync of some of them, whose blocks are read as zeros later. If recovery says that it is
//! done, the disk must hold wholly old or wholly new contents, which is looked at after the file system was mounted again. If it
//! stops, it must be done after the file system was mounted again.
//!
//! First the same is done with a plain file that is written, synced in vain, written and synced again: says on which file systems
//! such a sync lies, so that what the tier has seen is known.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use bytesplice::{CommitOptions, Error, FileState, Recovery, Strategy, recover};

use crate::chance::Chance;
use crate::file_system::{FileSystem, Mount};
use crate::fuse_disk::FuseDisk;
use crate::report::Report;
use crate::workload::{
    COMMITTING, Edit, Edits, STRATEGIES, difference, is_refused, phase, strategy, write_file,
};

/// What all blocks of the file have in them, and nothing else on the disk.
const SIGN: &[u8] = b"bytes of the file under test";
const MIB: usize = 1 << 20;

/// Disks of each kind of file system in a round.
const DISKS: u64 = 3;

/// One round.
pub fn run(seed: u64, deadline: Option<Instant>) -> Report {
    let mut report = Report::default();
    if !rustix::process::geteuid().is_root() {
        report.skip("failing disks: they need root, to mount file systems");
        return report;
    }
    for kind in FileSystem::ALL {
        let mut chance = Chance::new(seed ^ kind.smallest_disk());
        for _ in 0..DISKS {
            if deadline.is_some_and(|end| Instant::now() >= end) {
                return report;
            }
            if let Err(reason) = on_a_disk(kind, &mut chance, &mut report) {
                report.skip(format!("failing disks on {kind}: {reason}"));
                break;
            }
        }
    }
    report
}

fn text(error: std::io::Error) -> String {
    error.to_string()
}

fn on_a_disk(kind: FileSystem, chance: &mut Chance, report: &mut Report) -> Result<(), String> {
    let disk = FuseDisk::<()>::new(kind.disk_for_extents())?;
    let directory = tempfile::tempdir().map_err(text)?;
    let options = kind.make_for_shifts(&disk.path(), chance)?;
    let mount = || Mount::new(&disk.path(), directory.path(), kind, &options, true);
    let fresh = disk.moment();
    plain_file(kind, &disk, &mount, chance, report)?;
    for name in STRATEGIES {
        let Ok(strategy) = strategy(name) else {
            report.skip(format!("failing disks: the strategy {name} is not there"));
            continue;
        };
        // Nothing was replaced before its last step, so nothing is to be recovered.
        if strategy == Strategy::Replace {
            continue;
        }
        for shape in 0..3 {
            disk.go_back(fresh);
            let case = format!("{kind} ({options}), {name}, edit {shape}");
            if let Some(wrong) = one(kind, &disk, &mount, strategy, shape, chance, report)? {
                report.wrong(format!("failing disk: {case}: {wrong}"));
            }
        }
    }
    Ok(())
}

/// Counts whether a second write and sync lies after the first one failed.
fn plain_file(
    kind: FileSystem,
    disk: &FuseDisk<()>,
    mount: &impl Fn() -> Result<Mount, String>,
    chance: &mut Chance,
    report: &mut Report,
) -> Result<(), String> {
    let mounted = mount()?;
    let path = mounted.path().join("plain");
    let bytes = signed(chance, MIB);
    let file = File::create(&path).map_err(text)?;
    disk.refuse(Some(SIGN.into()));
    file.write_all_at(&bytes, 0).map_err(text)?;
    let first = file.sync_all();
    disk.refuse(None);
    let second = file.write_all_at(&bytes, 0).and_then(|()| file.sync_all());
    drop(file);
    mounted.unmount()?;
    let mounted = mount()?;
    let is_there = fs::read(&path).is_ok_and(|found| found == bytes);
    mounted.unmount()?;
    report.count(match (first, second, is_there) {
        (Ok(()), ..) => return Err("the disk refused nothing".into()),
        (Err(_), Ok(()), false) => format!("{kind} second syncs that lied"),
        (Err(_), Ok(()), true) => format!("{kind} second syncs that were true"),
        (Err(_), Err(_), _) => format!("{kind} second syncs that failed"),
    });
    Ok(())
}

/// Random bytes with the sign in every sector.
fn signed(chance: &mut Chance, len: usize) -> Vec<u8> {
    let mut bytes = chance.bytes(len);
    for sector in bytes.chunks_mut(512) {
        if let Some(place) = sector.get_mut(100..100 + SIGN.len()) {
            place.copy_from_slice(SIGN);
        }
    }
    bytes
}

/// Commits while the disk fails, and recovers; what is wrong.
fn one(
    kind: FileSystem,
    disk: &FuseDisk<()>,
    mount: &impl Fn() -> Result<Mount, String>,
    strategy: Strategy,
    shape: u64,
    chance: &mut Chance,
    report: &mut Report,
) -> Result<Option<String>, String> {
    let mounted = mount()?;
    let path = mounted.path().join("data");
    let old = signed(chance, 6 * MIB + 1000);
    write_file(&path, &old).map_err(text)?;
    let new_bytes = signed(chance, 5 * MIB);
    let edit = match shape {
        // Whole blocks, at a block: extents can be shifted.
        0 => Edit::Replace(MIB..MIB, new_bytes),
        1 => Edit::Replace(10..10, new_bytes),
        _ => Edit::Replace(MIB + 5..2 * MIB, new_bytes),
    };
    let edits = Edits::one(edit);
    let mut new = old.clone();
    edits.apply(&mut new);

    let mut fails_after = chance.below(3);
    let mut file = edits.open(&path).map_err(|error| error.to_string())?;
    let mut failing = false;
    let mut progress = |_| {
        if !failing && phase(&path).is_ok_and(|phase| phase == COMMITTING) {
            if fails_after == 0 {
                failing = true;
                disk.refuse(Some(SIGN.into()));
            }
            fails_after = fails_after.saturating_sub(1);
        }
    };
    let options = CommitOptions::new().strategy(strategy).progress(&mut progress);
    let outcome = file.commit_with(options);
    drop(file);
    disk.refuse(None);
    let error = match outcome {
        Err(error) if is_refused(&error) => {
            report.count(format!("{kind} refused a strategy"));
            return mounted.unmount().map(|()| None);
        }
        Ok(()) => {
            report.count(format!("{kind} commits that met no failure"));
            return look(mounted, mount, &path, &old, &new, Some(true));
        }
        Err(error) => error,
    };
    report.count(format!("{kind} commits that failed"));
    if !matches!(error.file_state(), FileState::Recoverable { .. }) {
        return Ok(Some(format!("the commit left another state: {error}")));
    }
    if matches!(error, Error::Io { operation: "write" | "sync", .. })
        && !error.to_string().contains("mount the file system anew")
    {
        return Ok(Some(format!("the message does not say what to do: {error}")));
    }
    match recover(&path) {
        Ok(recovery) => {
            report.count(format!("{kind} recoveries in the same mount"));
            look(mounted, mount, &path, &old, &new, Some(recovery == Recovery::Completed))
        }
        Err(error) => {
            let differs = matches!(error, Error::DiskDiffers { .. });
            report.count(if differs {
                format!("{kind} recoveries that found a sync that lied")
            } else {
                format!("{kind} recoveries that met an error")
            });
            if !differs {
                println!("{kind}: {error}");
            }
            if !matches!(error.file_state(), FileState::Recoverable { .. }) {
                return Ok(Some(format!("recovery left another state: {error}")));
            }
            look(mounted, mount, &path, &old, &new, None)
        }
    }
}

/// Mounts the file system again, recovers, and looks at the file; what is wrong. `must` be new or old.
fn look(
    mounted: Mount,
    mount: &impl Fn() -> Result<Mount, String>,
    path: &Path,
    old: &[u8],
    new: &[u8],
    must: Option<bool>,
) -> Result<Option<String>, String> {
    mounted.unmount()?;
    let mounted = mount()?;
    let recovery = recover(path);
    let contents = fs::read(path).map_err(text)?;
    mounted.unmount()?;
    Ok(match (recovery, must) {
        (Err(error), _) => {
            Some(format!("no recovery after the file system was mounted again: {error}"))
        }
        (Ok(_), Some(false)) if contents != old => {
            Some(format!("not old: {}", difference(&contents, old)))
        }
        (Ok(_), Some(true)) if contents != new => {
            Some(format!("not new: {}", difference(&contents, new)))
        }
        (Ok(_), None) if contents != old && contents != new => {
            Some(format!("neither old nor new: {}", difference(&contents, new)))
        }
        _ => None,
    })
}
