//! Commits by replacing: what is kept, and who sees what.

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use bytesplice::{ChosenStrategy, Content, Error, LockMode, OpenOptions, SpliceFile, recover};
use proptest::prelude::*;
use replacing::{Place, by_replacing, commit, is_root, names, set_attribute};

#[allow(dead_code, reason = "other tests use the rest")]
mod replacing;

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 1000];
    let len = rustix::fs::getxattr(path, name, &mut value[..]).ok()?;
    value.truncate(len);
    Some(value)
}

/// An access control list in the system's own form: `user::rw-`, `user:12:PERMISSIONS`, `group::r--`, `mask::rw-`,
/// `other::---`.
fn access_list(permissions: u16) -> Vec<u8> {
    let mut list = 2_u32.to_le_bytes().to_vec();
    let nobody = u32::MAX;
    let entries = [
        (1_u16, 6_u16, nobody),
        (2, permissions, 12),
        (4, 4, nobody),
        (0x10, 6, nobody),
        (0x20, 0, nobody),
    ];
    for (tag, permissions, id) in entries {
        list.extend_from_slice(&tag.to_le_bytes());
        list.extend_from_slice(&permissions.to_le_bytes());
        list.extend_from_slice(&id.to_le_bytes());
    }
    list
}

#[derive(Debug, Clone)]
enum Edit {
    Replace(u16, u8, Vec<u8>),
    Copy(u16, u16, u16),
    Fill(u16, u8, u16),
    Commit,
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..40);
    let edit = prop_oneof![
        4 => (any::<u16>(), any::<u8>(), bytes).prop_map(|(at, len, new)| Edit::Replace(at, len, new)),
        1 => any::<(u16, u16, u16)>().prop_map(|(from, to, at)| Edit::Copy(from, to, at)),
        1 => (any::<u16>(), prop_oneof![Just(0), any::<u8>()], 0..9000_u16)
            .prop_map(|(at, byte, count)| Edit::Fill(at, byte, count)),
        2 => Just(Edit::Commit),
    ];
    prop::collection::vec(edit, 1..20)
}

/// The edits, on the file and on a plain vector.
fn check_edits(place: &Path, len: usize, edits: &[Edit]) {
    let path = place.join("data");
    let mut model: Vec<u8> = (0..len).map(|index| (index * 7 % 251) as u8).collect();
    fs::write(&path, &model).unwrap();
    let mut file = SpliceFile::open(&path).unwrap();
    for edit in edits.iter().chain([&Edit::Commit]) {
        let within = |at: u16| usize::from(at) % (model.len() + 1);
        match edit {
            Edit::Replace(at, len, new) => {
                let start = within(*at);
                let end = (start + usize::from(*len)).min(model.len());
                file.replace(start as u64..end as u64, new).unwrap();
                model.splice(start..end, new.iter().copied());
            }
            Edit::Copy(from, to, at) => {
                let (mut from, mut to, at) = (within(*from), within(*to), within(*at));
                (from, to) = (from.min(to), from.max(to));
                to = to.min(from + 5000);
                let at_end = at as u64..at as u64;
                file.splice(at_end, Content::copy(from as u64..to as u64)).unwrap();
                let copied = model[from..to].to_vec();
                model.splice(at..at, copied);
            }
            Edit::Fill(at, byte, count) => {
                let at = within(*at);
                let content = Content::fill(*byte, u64::from(*count));
                file.splice(at as u64..at as u64, content).unwrap();
                model.splice(at..at, vec![*byte; usize::from(*count)]);
            }
            Edit::Commit => {
                let plan = file.plan_with(&by_replacing()).unwrap();
                assert_eq!(plan.new_len, model.len() as u64);
                commit(&mut file).unwrap();
                assert!(!file.is_modified());
                assert!(fs::read(&path).unwrap() == model);
                assert_eq!(names(place), ["data"]);
            }
        }
    }
    let mut seen = Vec::new();
    file.reader().read_to_end(&mut seen).unwrap();
    assert!(seen == model);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_new_file_holds_what_the_edits_say(len in 0..40_000_usize, edits in edits()) {
        check_edits(tempfile::tempdir().unwrap().path(), len, &edits);
    }
}

#[test]
fn the_plan_tells_the_price() {
    let place = Place::new(vec![b'.'; 100_000]);
    let mut file = SpliceFile::open(&place.path).unwrap();
    let nothing = file.plan_with(&by_replacing()).unwrap();
    assert_eq!(nothing.strategy, ChosenStrategy::Nothing);
    file.insert(60_000, "new").unwrap();
    let plan = file.plan_with(&by_replacing()).unwrap();
    assert_eq!(plan.strategy.to_string(), "replace");
    assert_eq!((plan.old_len, plan.new_len), (100_000, 100_003));
    assert_eq!((plan.bytes_staying, plan.bytes_moved, plan.bytes_new), (60_000, 40_000, 3));
    assert_eq!((plan.bytes_to_journal, plan.fsyncs, plan.keeps_inode), (0, 3, false));
    assert!([40_003, 100_003].contains(&plan.bytes_to_write));
    assert_eq!(plan.bytes_to_write, plan.extra_disk);
    assert!(!plan.breaks_hard_links);
    fs::hard_link(&place.path, place.at("link")).unwrap();
    assert!(file.plan_with(&by_replacing()).unwrap().breaks_hard_links);
    assert!(!file.plan().unwrap().breaks_hard_links);

    let (mut last, mut total) = (0, 0);
    let mut progress = |now: bytesplice::Progress| {
        assert!(last <= now.bytes_done && now.bytes_done <= now.bytes_total);
        (last, total) = (now.bytes_done, now.bytes_total);
    };
    // The new link changed the inode under the handle.
    drop(file);
    let mut file = SpliceFile::open(&place.path).unwrap();
    file.insert(60_000, "new").unwrap();
    file.commit_with(by_replacing().progress(&mut progress)).unwrap();
    assert_eq!((last, total), (plan.bytes_to_write, plan.bytes_to_write));
}

#[test]
fn commits_in_a_row_on_one_handle() {
    let place = Place::new("0123456789");
    let mut file = SpliceFile::open(&place.path).unwrap();
    let mut inodes = vec![fs::metadata(&place.path).unwrap().ino()];
    for number in 0..4 {
        file.insert(number, "x").unwrap();
        commit(&mut file).unwrap();
        inodes.push(fs::metadata(&place.path).unwrap().ino());
        // In between in place, on the new inode.
        file.append("y").unwrap();
        file.commit().unwrap();
        assert_eq!(fs::metadata(&place.path).unwrap().ino(), *inodes.last().unwrap());
        assert!(matches!(SpliceFile::open(&place.path), Err(Error::Locked { .. })));
    }
    inodes.dedup();
    assert_eq!(inodes.len(), 5);
    assert_eq!(place.contents(), "xxxx0123456789yyyy");
    drop(file);
    SpliceFile::open(&place.path).unwrap();
    assert_eq!(names(place.directory.path()), ["data"]);
}

#[test]
fn a_handle_without_a_lock_goes_on_too() {
    let place = Place::new("0123456789");
    let mut file = OpenOptions::new().lock(LockMode::None).open(&place.path).unwrap();
    for _ in 0..2 {
        file.insert(5, "x").unwrap();
        commit(&mut file).unwrap();
        // Between commits others may commit.
        drop(SpliceFile::open(&place.path).unwrap());
    }
    assert_eq!(place.contents(), "01234xx56789");
    let mut other = SpliceFile::open(&place.path).unwrap();
    other.append("other").unwrap();
    commit(&mut other).unwrap();
    file.insert(0, "late").unwrap();
    assert!(matches!(commit(&mut file), Err(Error::Locked { .. } | Error::Changed { .. })));
    drop(other);
    assert!(matches!(commit(&mut file), Err(Error::Changed { .. })));
    assert!(matches!(file.commit(), Err(Error::Changed { .. })));
    assert_eq!(place.contents(), "01234xx56789other");
}

#[test]
fn metadata_is_kept() {
    let place = Place::new("0123456789");
    let path = &place.path;
    set_attribute(path, "user.colour", b"green");
    set_attribute(path, "user.empty", b"");
    set_attribute(path, "user.long", &[7; 900]);
    set_attribute(path, "system.posix_acl_access", &access_list(6));
    // A list that every new file in the directory would get.
    set_attribute(place.directory.path(), "system.posix_acl_default", &access_list(4));
    if is_root() {
        std::os::unix::fs::chown(path, Some(1234), Some(2345)).unwrap();
    } else {
        println!("SKIPPED the owner: only root can give files away");
    }
    fs::set_permissions(path, Permissions::from_mode(0o6751)).unwrap();
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    if is_root() {
        set_attribute(path, "security.capability", &capability);
    }
    let old = fs::metadata(path).unwrap();
    let list = attribute(path, "system.posix_acl_access");
    assert!(list.is_some());
    fs::File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH)
        .unwrap();

    let mut file = SpliceFile::open(path).unwrap();
    file.insert(5, "new").unwrap();
    commit(&mut file).unwrap();

    let new = fs::metadata(path).unwrap();
    assert_ne!(old.ino(), new.ino());
    assert_eq!(format!("{:o}", new.mode()), format!("{:o}", old.mode()));
    assert_eq!((new.uid(), new.gid()), (old.uid(), old.gid()));
    assert_eq!(attribute(path, "user.colour").unwrap(), b"green");
    assert_eq!(attribute(path, "user.empty").unwrap(), b"");
    assert_eq!(attribute(path, "user.long").unwrap(), [7; 900]);
    assert_eq!(attribute(path, "system.posix_acl_access"), list);
    assert_eq!(attribute(path, "user.bytesplice-new"), None);
    if is_root() {
        assert_eq!(attribute(path, "security.capability").unwrap(), capability);
    }
    assert!(new.modified().unwrap() > std::time::UNIX_EPOCH);
    assert!(old.modified().unwrap().elapsed().unwrap() < Duration::from_secs(3600));

    // And without a list none comes from the directory.
    rustix::fs::removexattr(path, "system.posix_acl_access").unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o640)).unwrap();
    file = {
        drop(file);
        SpliceFile::open(path).unwrap()
    };
    file.insert(5, "more").unwrap();
    commit(&mut file).unwrap();
    assert_eq!(attribute(path, "system.posix_acl_access"), None);
    assert_eq!(fs::metadata(path).unwrap().mode() & 0o7777, 0o640);
}

#[test]
fn other_links_and_open_descriptors_keep_the_old_contents() {
    let place = Place::new("0123456789");
    let link = place.at("link");
    fs::hard_link(&place.path, &link).unwrap();
    let reader = fs::File::open(&place.path).unwrap();
    let mut file = SpliceFile::open(&place.path).unwrap();
    file.replace(2..5, "two to four").unwrap();
    commit(&mut file).unwrap();
    assert_eq!(place.contents(), "01two to four56789");
    assert_eq!(fs::read(&link).unwrap(), b"0123456789");
    assert_eq!(fs::metadata(&link).unwrap().nlink(), 1);
    let mut seen = [0; 20];
    assert_eq!(reader.read_at(&mut seen, 0).unwrap(), 10);
    assert_eq!(&seen[..10], b"0123456789");
    // The old inode is nobody's any more.
    let mut other = SpliceFile::open(&link).unwrap();
    other.append("!").unwrap();
    other.commit().unwrap();
    assert_eq!(place.contents(), "01two to four56789");
}

#[test]
fn symlinks_stay() {
    let place = Place::new("0123456789");
    let links = tempfile::tempdir().unwrap();
    let link = links.path().join("link");
    std::os::unix::fs::symlink(&place.path, &link).unwrap();
    let mut file = SpliceFile::open(&link).unwrap();
    file.remove(..5).unwrap();
    commit(&mut file).unwrap();
    assert_eq!(fs::read_link(&link).unwrap(), place.path);
    assert_eq!(place.contents(), "56789");
    assert_eq!(names(links.path()), ["link"]);
}

#[test]
fn readers_only_ever_see_old_or_new() {
    let old = vec![b'a'; 3 << 20];
    let place = Place::new(&old);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut looks = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let seen = fs::read(&place.path).unwrap();
                let first = seen[0];
                assert!(seen.len() == (3 << 20) + usize::from(first - b'a'));
                assert!(seen.iter().all(|&byte| byte == first));
                looks += 1;
            }
            looks
        });
        let mut file = SpliceFile::open(&place.path).unwrap();
        for number in 1..20 {
            let content = Content::fill(b'a' + number, (3 << 20) + u64::from(number));
            file.splice(.., content).unwrap();
            commit(&mut file).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}

#[test]
fn holes_stay_holes_also_where_they_move() {
    const LEN: u64 = 10 << 30;
    let place = Place::new("");
    let sparse = fs::File::options().write(true).open(&place.path).unwrap();
    sparse.set_len(LEN).unwrap();
    sparse.write_all_at(b"island", 5 << 30).unwrap();
    drop(sparse);
    let mut file = SpliceFile::open(&place.path).unwrap();
    file.insert(1 << 30, "odd").unwrap();
    file.remove(9 << 30..(9 << 30) + 12_345).unwrap();
    file.splice(3..3, Content::fill(0, 1 << 30)).unwrap();
    let plan = file.plan_with(&by_replacing()).unwrap();
    assert!(plan.bytes_to_write < 1 << 20, "{plan:?}");
    commit(&mut file).unwrap();
    let metadata = fs::metadata(&place.path).unwrap();
    assert_eq!(metadata.len(), LEN + 3 - 12_345 + (1 << 30));
    assert!(metadata.blocks() * 512 < 1 << 20, "{} bytes on the disk", metadata.blocks() * 512);
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, (6 << 30) + 2).unwrap();
    assert_eq!(&bytes, b"\0island\0");
    file.read_exact_at(&mut bytes, (2 << 30) - 1).unwrap();
    assert_eq!(&bytes, b"\0odd\0\0\0\0");
}

#[test]
fn who_waits_gets_the_new_file() {
    let place = Place::new("0123456789");
    let mut file = SpliceFile::open(&place.path).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let sender = sender.clone();
            scope.spawn(|| {
                let sender = sender;
                let mut file = OpenOptions::new().lock(LockMode::Wait).open(&place.path).unwrap();
                let mut seen = String::new();
                file.reader().read_to_string(&mut seen).unwrap();
                sender.send(seen).unwrap();
                file.append("w").unwrap();
                commit(&mut file).unwrap();
            });
        }
        std::thread::sleep(Duration::from_millis(50));
        for _ in 0..3 {
            file.insert(0, "x").unwrap();
            commit(&mut file).unwrap();
            assert!(matches!(SpliceFile::open(&place.path), Err(Error::Locked { .. })));
            assert!(matches!(recover(&place.path), Err(Error::Locked { .. })));
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(receiver.try_recv().is_err());
        drop(file);
        let mut seen: Vec<String> = (0..3).map(|_| receiver.recv().unwrap()).collect();
        seen.sort();
        assert_eq!(seen, ["xxx0123456789", "xxx0123456789w", "xxx0123456789ww"]);
    });
    assert_eq!(place.contents(), "xxx0123456789www");
    assert_eq!(names(place.directory.path()), ["data"]);
}
