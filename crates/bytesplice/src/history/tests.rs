//! Undo, redo and snapshots against a list of vectors. Blocks, nodes and the number of exact overwrites are tiny here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::{CommitOptions, Content, Durability, Error, OpenOptions, SpliceFile, Strategy as How};

/// One step. Positions are parts of 2^16 of what they point into.
#[derive(Debug, Clone)]
enum Op {
    Replace(u16, u16, Vec<u8>),
    Overwrite(u16, Vec<u8>),
    Fill(u16, u16, u16),
    File(u16, u16, u16),
    Copy(u16, u16, u16),
    Move(u16, u16, u16),
    Undo(u8),
    Redo(u8),
    Group(Vec<Op>),
    Snapshot(u8),
    Restore(u8),
    Forget(u8),
    Commit(bool),
    Discard,
}

fn edit() -> impl Strategy<Value = Op> {
    let bytes = |most| vec(any::<u8>(), 0..most);
    let places = any::<(u16, u16, u16)>;
    prop_oneof![
        4 => (any::<u16>(), any::<u16>(), bytes(9)).prop_map(|(a, b, c)| Op::Replace(a, b, c)),
        6 => (any::<u16>(), bytes(5)).prop_map(|(a, b)| Op::Overwrite(a, b)),
        1 => (any::<u16>(), any::<u16>(), 0..40_u16).prop_map(|(a, b, c)| Op::Fill(a, b, c)),
        1 => places().prop_map(|(a, b, c)| Op::File(a, b, c)),
        1 => places().prop_map(|(a, b, c)| Op::Copy(a, b, c)),
        2 => places().prop_map(|(a, b, c)| Op::Move(a, b, c)),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        16 => edit(),
        5 => (1..4_u8).prop_map(Op::Undo),
        4 => (1..4_u8).prop_map(Op::Redo),
        1 => vec(edit(), 0..4).prop_map(Op::Group),
        2 => (0..3_u8).prop_map(Op::Snapshot),
        1 => (0..3_u8).prop_map(Op::Restore),
        1 => (0..3_u8).prop_map(Op::Forget),
        1 => any::<bool>().prop_map(Op::Commit),
        1 => (0..10_u8).prop_map(|few| if few == 0 { Op::Discard } else { Op::Undo(1) }),
    ]
}

/// A file, and all that it must hold.
struct Case {
    file: SpliceFile,
    other: tempfile::NamedTempFile,
    now: Vec<u8>,
    on_disk: Vec<u8>,
    undo: Vec<Vec<u8>>,
    redo: Vec<Vec<u8>>,
    snapshots: BTreeMap<String, Vec<u8>>,
    /// Whether all steps and snapshots must be kept.
    unlimited: bool,
}

fn contents(file: &SpliceFile) -> Vec<u8> {
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

impl Case {
    /// Makes an edit, of which nothing is recorded here. Whether it is a step.
    fn edit(&mut self, op: &Op) -> bool {
        let len = self.now.len();
        let place = |part: u16| usize::from(part) % (len + 1);
        let range = |start: u16, size: u16| {
            let start = place(start);
            start..len.min(start + usize::from(size % 24))
        };
        let wide = |range: &std::ops::Range<usize>| range.start as u64..range.end as u64;
        match op {
            Op::Replace(start, size, new) => {
                let at = range(*start, *size);
                self.file.replace(wide(&at), new).unwrap();
                self.now.splice(at.clone(), new.iter().copied());
                !at.is_empty() || !new.is_empty()
            }
            Op::Overwrite(start, new) => {
                let start = place(*start);
                let new = &new[..new.len().min(len - start)];
                let at = start..start + new.len();
                self.file.replace(wide(&at), new).unwrap();
                self.now.splice(at, new.iter().copied());
                !new.is_empty()
            }
            Op::Fill(start, size, count) => {
                let at = range(*start, *size);
                self.file.splice(wide(&at), Content::fill(b'-', u64::from(*count))).unwrap();
                self.now.splice(at.clone(), vec![b'-'; usize::from(*count)]);
                !at.is_empty() || *count > 0
            }
            Op::File(start, size, from) => {
                let at = range(*start, *size);
                let from = usize::from(from % 90)..usize::from(from % 90) + 10;
                let content = Content::file_range(self.other.path(), wide(&from)).unwrap();
                self.file.splice(wide(&at), content).unwrap();
                self.now.splice(at, from.map(|number| number as u8));
                true
            }
            Op::Copy(start, size, to) => {
                let (from, to) = (range(*start, *size), place(*to));
                self.file.copy_range(wide(&from), to as u64).unwrap();
                let copied = self.now[from.clone()].to_vec();
                self.now.splice(to..to, copied);
                !from.is_empty()
            }
            Op::Move(start, size, to) => {
                let (from, to) = (range(*start, *size), place(*to));
                if from.start < to && to < from.end {
                    return false;
                }
                self.file.move_range(wide(&from), to as u64).unwrap();
                let moved: Vec<u8> = self.now.drain(from.clone()).collect();
                let at = if to >= from.end { to - moved.len() } else { to };
                self.now.splice(at..at, moved);
                !from.is_empty() && from.start != to && from.end != to
            }
            _ => false,
        }
    }

    fn run(&mut self, op: &Op) {
        let before = self.now.clone();
        match op {
            Op::Undo(count) | Op::Redo(count) => {
                for _ in 0..*count {
                    self.back_or_forth(matches!(op, Op::Undo(_)));
                }
            }
            Op::Group(edits) => {
                self.file.begin_group();
                let steps = edits.iter().filter(|edit| self.edit(edit)).count();
                self.file.end_group();
                self.note(before, steps > 0);
            }
            Op::Snapshot(name) => {
                self.file.snapshot(name.to_string()).unwrap();
                self.snapshots.insert(name.to_string(), before);
            }
            Op::Restore(name) => {
                let name = name.to_string();
                match (self.file.restore(&name), self.snapshots.get(&name)) {
                    (Ok(()), Some(then)) => {
                        self.now = then.clone();
                        let is_step = !before.is_empty() || !self.now.is_empty();
                        self.note(before, is_step);
                    }
                    (Err(Error::NoSnapshot { .. }), None) => {}
                    (Err(Error::SnapshotStale { .. }), Some(_)) if !self.unlimited => {}
                    (outcome, _) => panic!("{outcome:?}"),
                }
            }
            Op::Forget(name) => {
                let name = name.to_string();
                let was = self.snapshots.remove(&name).is_some();
                assert_eq!(self.file.remove_snapshot(&name), was);
            }
            Op::Commit(replace) => {
                let how = if *replace { How::Replace } else { How::Auto };
                let options = CommitOptions::new().durability(Durability::Unsynced).strategy(how);
                self.file.commit_with(options).unwrap();
                self.on_disk = before;
                assert_eq!(fs::read(self.file.path()).unwrap(), self.on_disk);
            }
            Op::Discard => {
                self.file.discard();
                self.now = self.on_disk.clone();
                self.undo.clear();
                self.redo.clear();
                self.snapshots.clear();
            }
            edit => {
                let is_step = self.edit(edit);
                self.note(before, is_step);
            }
        }
        self.file.tree.assert_invariants();
        assert_eq!(contents(&self.file), self.now, "{op:?}");
    }

    fn note(&mut self, before: Vec<u8>, is_step: bool) {
        if is_step {
            self.undo.push(before);
            self.redo.clear();
        }
    }

    fn back_or_forth(&mut self, back: bool) {
        let (outcome, from, to) = if back {
            (self.file.undo(), &mut self.undo, &mut self.redo)
        } else {
            (self.file.redo(), &mut self.redo, &mut self.undo)
        };
        match outcome {
            Ok(true) => to.push(std::mem::replace(&mut self.now, from.pop().unwrap())),
            Ok(false) => assert!(from.is_empty(), "{} steps more", from.len()),
            Err(Error::UndoForgotten { .. }) => {
                assert!(!self.unlimited);
                // Nothing older comes back later.
                from.clear();
            }
            other => panic!("{other:?}"),
        }
    }

    fn check_snapshots(&self) {
        let names: Vec<&str> = self.file.snapshots().collect();
        assert_eq!(names, self.snapshots.keys().collect::<Vec<_>>());
        for (name, then) in &self.snapshots {
            match self.file.view(name) {
                Ok(view) => {
                    let mut bytes = vec![0; view.len() as usize];
                    view.read_exact_at(&mut bytes, 0).unwrap();
                    assert_eq!(&bytes, then, "{name}");
                }
                Err(Error::SnapshotStale { .. }) => assert!(!self.unlimited),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn case(len: usize, memory_limit: u64, history_limit: u64) -> (tempfile::TempDir, Case) {
    // In memory where that can be had: thousands of files would wait for the disk.
    let memory = Path::new("/dev/shm");
    let directory =
        if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let directory = directory.unwrap();
    let path = directory.path().join("data");
    let now: Vec<u8> = (0..len).map(|number| number as u8).collect();
    fs::write(&path, &now).unwrap();
    let other = tempfile::NamedTempFile::new_in(directory.path()).unwrap();
    fs::write(other.path(), (0..100).collect::<Vec<u8>>()).unwrap();
    let options = OpenOptions::new().memory_limit(memory_limit).history_limit(history_limit);
    let case = Case {
        file: options.open(&path).unwrap(),
        other,
        on_disk: now.clone(),
        now,
        undo: Vec::new(),
        redo: Vec::new(),
        snapshots: BTreeMap::new(),
        unlimited: history_limit > 1 << 20,
    };
    (directory, case)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn history_is_that_of_a_list_of_vectors(
        len in 0..200_usize,
        memory_limit in prop_oneof![Just(0), 0..200_u64, Just(u64::MAX)],
        history_limit in prop_oneof![3 => Just(u64::MAX), 1 => 1..2000_u64],
        ops in vec(op(), 1..50),
    ) {
        let (_directory, mut case) = case(len, memory_limit, history_limit);
        for op in &ops {
            case.run(op);
        }
        case.check_snapshots();
        // All the way back, and forth again.
        for back in [true, false, true] {
            for _ in 0..50 {
                case.back_or_forth(back);
                prop_assert_eq!(contents(&case.file), &case.now[..]);
            }
        }
        case.check_snapshots();
    }
}

#[test]
fn removed_bytes_come_back_after_commits() {
    let (_directory, mut case) = case(200, 50, u64::MAX);
    for start in [150, 100, 50] {
        case.run(&Op::Replace(start, 20, vec![7; 5]));
        case.run(&Op::Commit(false));
    }
    assert_eq!(case.file.history().saved, 60);
    for _ in 0..3 {
        case.back_or_forth(true);
    }
    case.run(&Op::Commit(false));
    assert_eq!(case.on_disk, (0..200).collect::<Vec<u8>>());
    for _ in 0..3 {
        case.back_or_forth(false);
    }
    case.run(&Op::Commit(true));
    assert_eq!(case.file.history().saved, 60);
}

#[test]
fn what_does_not_fit_is_forgotten_and_said_to_be() {
    let (_directory, mut case) = case(4000, u64::MAX, 500);
    case.file.snapshot("all").unwrap();
    case.file.remove(..1000).unwrap();
    case.file.remove(..10).unwrap();
    case.file.commit().unwrap();
    let stale = case.file.view("all").unwrap_err();
    assert!(stale.to_string().contains("would have had to save 1010 bytes"), "{stale}");
    assert!(case.file.undo().unwrap());
    assert_eq!(case.file.len(), 3000);
    let forgotten = case.file.undo().unwrap_err();
    assert!(forgotten.to_string().contains("save 1000 bytes, and 490 of 500"), "{forgotten}");
    assert!(case.file.history().forgotten);
}

#[test]
fn a_limit_of_nothing_keeps_nothing() {
    let (_directory, mut case) = case(100, u64::MAX, 0);
    assert!(!case.file.undo().unwrap());
    case.file.remove(..10).unwrap();
    assert!(matches!(case.file.undo(), Err(Error::UndoForgotten { .. })));
    assert_eq!(case.file.history().memory, 0);
}

#[test]
fn a_group_is_forgotten_as_a_whole() {
    let (_directory, mut case) = case(100, u64::MAX, 500);
    case.file.insert(0, "before").unwrap();
    case.file.group(|file| {
        for _ in 0..100 {
            file.insert(0, "x").unwrap();
        }
    });
    assert!(matches!(case.file.undo(), Err(Error::UndoForgotten { .. })));
    assert_eq!(case.file.history().undo_steps, 0);
    case.file.insert(0, "after").unwrap();
    assert!(case.file.undo().unwrap());
    assert_eq!(case.file.len(), 206);
    assert!(case.file.undo().is_err());
}

#[test]
fn memory_is_within_the_limit() {
    let limit = 100_000;
    let (_directory, mut case) = case(0, u64::MAX, limit);
    for number in 0..10_000_u64 {
        case.file.insert(number / 2, "ab").unwrap();
        case.file.replace(0..1, "c").unwrap();
        assert!(case.file.history().memory <= limit);
    }
    assert!(case.file.history().undo_steps > 1000);
}
