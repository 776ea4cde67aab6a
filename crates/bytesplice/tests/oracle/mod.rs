//! Every strategy against a `Vec<u8>`, in one directory.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use bytesplice::{
    ChosenStrategy, CommitOptions, Content, Durability, Error, FileState, SpliceFile, Strategy,
};

const MEBIBYTE: usize = 1 << 20;

/// Bytes of which no block is like another.
pub fn numbers(len: usize) -> Vec<u8> {
    (0..len.div_ceil(4) as u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .take(len)
        .collect()
}

/// A file and what it must hold.
struct Case {
    file: SpliceFile,
    model: Vec<u8>,
    strategy: Strategy,
}

impl Case {
    fn replace(&mut self, range: std::ops::Range<usize>, bytes: &[u8]) {
        self.file.replace(range.start as u64..range.end as u64, bytes).unwrap();
        self.model.splice(range, bytes.iter().copied());
    }

    /// Commits and compares; says by which way.
    fn commit(&mut self, what: &str) -> ChosenStrategy {
        let options =
            || CommitOptions::new().strategy(self.strategy).durability(Durability::Synced);
        let plan = self.file.plan_with(&options()).unwrap();
        assert_eq!(plan.new_len, self.model.len() as u64, "{what}");
        self.file.commit_with(options()).unwrap();
        let path = self.file.path().to_path_buf();
        let found = fs::read(&path).unwrap();
        let wrong = found.iter().zip(&self.model).position(|(is, should)| is != should);
        assert_eq!(
            (found.len(), wrong),
            (self.model.len(), None),
            "{what}, {} as {}",
            self.strategy,
            plan.strategy
        );
        plan.strategy
    }
}

/// Commits edits of all kinds by this strategy, or finds that it cannot be had.
pub fn commits(place: &Path, strategy: Strategy) -> Result<(), Error> {
    let path = place.join("data");
    let model = numbers(40 * MEBIBYTE + 123);
    fs::write(&path, &model).unwrap();
    let before = fs::metadata(&path).unwrap();
    let mut case = Case { file: SpliceFile::open(&path).unwrap(), model, strategy };
    case.replace(10..10, b"four");
    if let Err(error) = case.file.commit_with(CommitOptions::new().strategy(strategy)) {
        assert_eq!(error.file_state(), FileState::Unchanged, "{error}");
        assert!(fs::read(&path).unwrap() == numbers(40 * MEBIBYTE + 123));
        drop(case);
        fs::remove_file(&path).unwrap();
        return Err(error);
    }
    case.replace(10..14, b"");
    case.commit("a removal at the front");
    case.replace(MEBIBYTE..MEBIBYTE, &numbers(MEBIBYTE));
    case.commit("whole blocks inserted");
    case.replace(5 * MEBIBYTE..7 * MEBIBYTE, b"");
    case.commit("whole blocks removed");
    case.replace(5000..5000, &numbers(8192));
    case.replace(9 * MEBIBYTE + 5..9 * MEBIBYTE + 5 + 4096, b"");
    case.replace(11 * MEBIBYTE..11 * MEBIBYTE + 12288, b"");
    case.replace(30 * MEBIBYTE + 77..30 * MEBIBYTE + 77, &numbers(3 * MEBIBYTE));
    case.commit("whole blocks inserted and removed at odd places");
    case.replace(3 * MEBIBYTE..3 * MEBIBYTE, &numbers(2 * MEBIBYTE));
    case.replace(20 * MEBIBYTE + 9..20 * MEBIBYTE + 9, b"odd");
    case.replace(100..105, b"equal");
    case.commit("blocks and bytes");
    for at in 0..200 {
        let at = at * 123_456 % case.model.len();
        case.replace(at..at, b"scattered");
    }
    case.commit("scattered insertions");
    for at in (0..200).rev() {
        let at = at * 100_001 % (case.model.len() - 20);
        case.replace(at..at + 9, b"");
    }
    case.commit("scattered removals");
    case.replace(7..7 + 6 * MEBIBYTE, &numbers(1000));
    case.commit("much removed");
    let start = case.model.len() - 5 * MEBIBYTE;
    let end = case.model.len();
    case.replace(start..end, b"short end");
    case.commit("cut");
    let end = case.model.len();
    case.replace(end..end, &numbers(MEBIBYTE));
    case.replace(0..1, b"");
    case.commit("appended and shifted");

    let len = case.model.len() as u64;
    case.file.splice(5..5, Content::copy(len / 2..len / 2 + 3_000_000)).unwrap();
    let copied = case.model[(len / 2) as usize..(len / 2) as usize + 3_000_000].to_vec();
    case.model.splice(5..5, copied);
    case.file.splice(4096..4096, Content::fill(b'-', 10_000_000)).unwrap();
    case.model.splice(4096..4096, vec![b'-'; 10_000_000]);
    case.commit("a copy and a fill");
    let tail = case.model.split_off(case.model.len() - 4_000_001);
    let len = case.model.len() as u64;
    case.file.move_range(len.., 77).unwrap();
    case.model.splice(77..77, tail);
    case.file.copy_range(1_000_000..3_500_000, 20).unwrap();
    let copied = case.model[1_000_000..3_500_000].to_vec();
    case.model.splice(20..20, copied);
    case.replace(50..60, b"overwrites");
    case.commit("pieces moved and copied");
    let end = case.model.len();
    case.replace(0..end, b"");
    case.commit("nothing left");
    case.replace(0..0, b"something");
    case.commit("something again");
    drop(case);
    let after = fs::metadata(&path).unwrap();
    if strategy != Strategy::Auto {
        assert_eq!(before.mode(), after.mode());
        // The number of a replaced inode may be used again.
        assert!(before.ino() == after.ino() || strategy == Strategy::Replace);
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(names(place), Vec::<String>::new());
    Ok(())
}

/// Commits to a file of 64 GiB with 12 MiB of data, in the middle and at the end, and looks that it stays sparse.
pub fn keeps_holes(place: &Path, strategy: Strategy) -> Result<(), Error> {
    const LEN: u64 = 64 << 30;
    let path = place.join("sparse");
    let file = File::create(&path).unwrap();
    let parts = [0, 30 << 30, (30 << 30) + (5 << 20), LEN - (3 << 20)];
    for at in parts {
        file.write_all_at(&numbers(3 * MEBIBYTE), at).unwrap();
    }
    file.sync_all().unwrap();
    let allocated = |path: &Path| fs::metadata(path).unwrap().blocks() * 512;
    let before = allocated(&path);
    let mut edited = SpliceFile::open(&path).unwrap();
    edited.insert(30 << 30, "in the middle").unwrap();
    edited.insert(LEN - 100, "near the end").unwrap();
    if let Err(error) = edited.commit_with(CommitOptions::new().strategy(strategy)) {
        assert_eq!(error.file_state(), FileState::Unchanged, "{error}");
        drop(edited);
        fs::remove_file(&path).unwrap();
        return Err(error);
    }
    drop(edited);
    let after = allocated(&path);
    assert!(after < before + (2 << 20), "{strategy}: {before} bytes before, {after} after");
    let open = File::open(&path).unwrap();
    assert_eq!(open.metadata().unwrap().len(), LEN + 25);
    let read = |at: u64, len: usize| {
        let mut bytes = vec![0; len];
        open.read_exact_at(&mut bytes, at).unwrap();
        bytes
    };
    let middle = [&b"in the middle"[..], &numbers(3 * MEBIBYTE)].concat();
    assert!(read(0, 3 * MEBIBYTE) == numbers(3 * MEBIBYTE));
    assert!(read(30 << 30, middle.len()) == middle);
    assert!(read((30 << 30) + (5 << 20) + 13, 3 * MEBIBYTE) == numbers(3 * MEBIBYTE));
    assert!(read((30 << 30) + (3 << 20) + 13, 2 * MEBIBYTE) == vec![0; 2 * MEBIBYTE]);
    let mut end = numbers(3 * MEBIBYTE);
    let at = end.len() - 113;
    end.splice(at..at, *b"near the end");
    assert!(read(LEN - (3 << 20) + 13, end.len()) == end);
    fs::remove_file(&path).unwrap();
    Ok(())
}

/// The names in a directory, but those that a new file system has.
pub fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "lost+found").collect();
    names.sort();
    names
}
