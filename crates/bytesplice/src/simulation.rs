//! The crash simulator: random edits, committed on a disk that forgets, with a crash at every operation, and again at
//! every operation of the recovery.
//!
//! The expected contents come from the edits by `Vec<u8>`, never from the plan.

use std::io;
use std::ops::{AddAssign, Range};

use crate::commit::engine::{Engine, Verification};
use crate::commit::failure::Failure;
use crate::commit::literals::{PieceLiterals, Sources};
use crate::commit::plan::Geometry;
use crate::commit::program::Subject;
use crate::commit::recover::Goal;
pub use crate::commit::sabotage::Sabotage;
use crate::commit::shift::DataMap;
use crate::commit::watch::Watch;
use crate::pieces::{Piece, PieceTree, Source};
use crate::storage::simulated::{
    Chance, Contents, CrashPoint, Fault, History, SECTOR, SimulatedStorage, Wreck,
};
use crate::storage::{Storage, StorageFile};
use failing::Undisturbed;

mod appending;
mod failing;
mod replacing;

/// What an exploration saw.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Edited files committed (once or twice each).
    pub cases: u64,
    /// States of the disk after a crash of a commit, each recovered and compared.
    pub states: u64,
    /// States of the disk after a crash of such a recovery, each recovered and compared.
    pub nested: u64,
    /// Commits while others appended to the file.
    pub appended_to: u64,
    /// Commits in which calls were made to fail.
    pub faults: u64,
    /// Recoveries in which calls were made to fail, each then repeated without.
    pub recovery_faults: u64,
    /// What was wrong, at most a few.
    pub wrong: Vec<String>,
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.cases += other.cases;
        self.states += other.states;
        self.nested += other.nested;
        self.appended_to += other.appended_to;
        self.faults += other.faults;
        self.recovery_faults += other.recovery_faults;
        self.wrong.extend(other.wrong);
    }
}

/// Explores one case: one file, one or two commits, crashes at every operation. The same seed gives the same case.
#[must_use]
pub fn explore(seed: u64, sabotage: Option<Sabotage>) -> Report {
    let mut report = Report { cases: 1, ..Report::default() };
    let mut case = Case::new(seed, sabotage);
    // Every fourth case has commits by replacing among its commits; to the files of others more is appended meanwhile.
    let outcome = match seed % 8 {
        3 | 7 => case.run_replacing(&mut report),
        1 => case.run_appended_to(&mut report),
        _ => case.run(&mut report),
    };
    if let Err(wrong) = outcome {
        report.wrong.push(format!("seed {seed}: {wrong}"));
    }
    report
}

/// The contents of a file, its edits, and how to commit them.
struct Case {
    chance: Chance,
    geometry: Geometry,
    sabotage: Option<Sabotage>,
    way: Way,
    old: Vec<u8>,
    /// Blocks of the old file that are holes.
    holes: Vec<Range<usize>>,
    /// Whether these holes are allocated.
    preallocated: bool,
    /// What others wrote before the commit, without a sync.
    written_by_others: Option<Range<usize>>,
    edits: Vec<Edits>,
    /// Whether others write to the file after the last commit.
    edited_later: bool,
    markable: bool,
    fault: bool,
}

/// The strategies, where they can be had.
#[derive(Debug, Clone, Copy)]
enum Way {
    Journaled,
    Snapshot,
    Shifts,
    Hop,
}

/// Edits of one commit: as pieces, and as the bytes that they make.
struct Edits {
    tree: PieceTree,
    added: Vec<u8>,
    new: Vec<u8>,
}

/// What the file may hold after a crash up to a position in the history.
struct Expected<'a> {
    before: usize,
    /// Anything, if none is given.
    contents: Vec<&'a [u8]>,
}

impl Case {
    fn new(seed: u64, sabotage: Option<Sabotage>) -> Self {
        let mut chance = Chance::new(seed);
        let block = SECTOR as u64 * (1 + chance.below(3));
        let chunk = block * (1 + chance.below(3));
        let geometry = Geometry {
            block,
            page: 192,
            chunk,
            longest_step: chunk * (1 + chance.below(3)),
            buffer: block * (1 + chance.below(4)),
            sabotage,
        };
        let len = match chance.below(8) {
            0 => 0,
            1 => block * chance.below(6),
            _ => chance.below(block * 9),
        };
        let mut old: Vec<u8> = (0..len).map(|_| b'a' + chance.below(26) as u8).collect();
        let mut holes = Vec::new();
        if chance.below(3) == 0 {
            for at in 0..len / block {
                if chance.below(3) == 0 {
                    holes.push((at * block) as usize..((at + 1) * block) as usize);
                    old[(at * block) as usize..((at + 1) * block) as usize].fill(0);
                }
            }
        }
        let way = match chance.below(6) {
            0 | 1 => Way::Journaled,
            2 => Way::Snapshot,
            3 => Way::Shifts,
            _ => Way::Hop,
        };
        let written_by_others = (len > 0 && chance.below(3) == 0).then(|| {
            let start = chance.below(len) as usize;
            start..start + 1 + chance.below(len - start as u64) as usize
        });
        // Opening shifts of such files are refused.
        let preallocated = !matches!(way, Way::Shifts) && chance.below(2) == 0;
        // Whole blocks are what shifts are for.
        let unit = if matches!(way, Way::Shifts) { block } else { 1 };
        let first = Edits::random(&old, unit, &mut chance);
        let mut edits = vec![first];
        if chance.below(2) == 0 {
            let second = Edits::random(&edits[0].new, unit, &mut chance);
            edits.push(second);
        }
        let edited_later = chance.below(2) == 0;
        let markable = chance.below(4) > 0;
        let fault = chance.below(3) == 0;
        Self {
            chance,
            geometry,
            sabotage,
            way,
            old,
            holes,
            preallocated,
            written_by_others,
            edits,
            edited_later,
            markable,
            fault,
        }
    }

    fn run(&mut self, report: &mut Report) -> Result<(), String> {
        if self.fault { self.run_with_fault(report) } else { self.run_commits(report) }
    }

    /// A file with the holes of this case.
    fn sparse(&self, bytes: Vec<u8>) -> Contents {
        let mut contents = Contents::new(bytes, self.geometry.block as usize);
        for hole in &self.holes {
            contents.punch(hole.start, hole.end);
            if self.preallocated {
                contents.preallocate(hole.start, hole.end);
            }
        }
        contents
    }

    /// One or two commits, with a crash anywhere in them.
    fn run_commits(&mut self, report: &mut Report) -> Result<(), String> {
        let mut on_disk = self.old.clone();
        if let Some(range) = &self.written_by_others {
            on_disk[range.clone()].fill(b'?');
        }
        let mut contents = self.sparse(on_disk);
        if let Some(range) = &self.written_by_others {
            contents.fill_in(range.start, range.end);
        }
        let wreck = Wreck::fresh(contents, self.markable);
        let storage = SimulatedStorage::boot(&wreck, self.sabotage, Fault::None);
        if let Some(range) = &self.written_by_others {
            let written =
                storage.target().write_all_at(&self.old[range.clone()], range.start as u64);
            written.map_err(|error| error.to_string())?;
        }
        let mut expected = Vec::new();
        let edited: Vec<u8>;
        let mut old: &[u8] = &self.old;
        for (number, edits) in self.edits.iter().enumerate() {
            let nonce = 1000 + number as u64;
            edits
                .commit(&storage, self.geometry, self.way, nonce)
                .map_err(|failure| format!("commit: {failure:?}"))?;
            if storage.seen().contents() != edits.new {
                return Err("the commit wrote wrong bytes, without any crash".into());
            }
            expected
                .push(Expected { before: storage.operations(), contents: vec![old, &edits.new] });
            old = &edits.new;
        }
        if self.edited_later {
            // An old journal that came back would undo what others do afterwards.
            edited = [&old[..old.len() / 2], b"later"].concat();
            let target = storage.target();
            let outcome = target.set_len(old.len() as u64 / 2);
            let outcome =
                outcome.and_then(|()| target.write_all_at(b"later", old.len() as u64 / 2));
            outcome.and_then(|()| target.sync_all()).map_err(|error| error.to_string())?;
            // Until these are synced they may hold anything.
            expected.push(Expected { before: storage.operations(), contents: Vec::new() });
            old = &edited;
        }
        expected.push(Expected { before: usize::MAX, contents: vec![old] });
        let history = storage.history();
        self.crash_everywhere(&history, &expected, report)
    }

    /// Draws states of the disk at every point of the history, and recovers each.
    fn crash_everywhere(
        &self,
        history: &History,
        expected: &[Expected<'_>],
        report: &mut Report,
    ) -> Result<(), String> {
        let mut chance = self.chance.clone();
        let synced = history.first_target_sync();
        let mut point = history.start();
        loop {
            let position = point.position();
            let allowed = expected.iter().find(|expected| position < expected.before);
            let allowed = allowed.map_or(&[][..], |expected| &expected.contents);
            let loose = if position < synced { self.written_by_others.as_ref() } else { None };
            for _ in 0..6 {
                report.states += 1;
                self.crash_once(&point, allowed, loose, &mut chance, report).map_err(|wrong| {
                    format!("after operation {position} of {}: {wrong}", history.len())
                })?;
            }
            if !point.advance() {
                return Ok(());
            }
        }
    }

    /// One state after a crash, its recovery, and crashes in that.
    fn crash_once(
        &self,
        point: &CrashPoint<'_>,
        allowed: &[&[u8]],
        loose: Option<&Range<usize>>,
        chance: &mut Chance,
        report: &mut Report,
    ) -> Result<(), String> {
        let wreck = point.crash(chance);
        let storage = SimulatedStorage::boot(&wreck, self.sabotage, Fault::None);
        let goal = if chance.below(8) == 0 { Goal::Abort } else { Goal::Recover { force: false } };
        match settle(&storage, self.geometry, goal) {
            Err(Failure::PastCommitPoint) if goal == Goal::Abort => {}
            outcome => outcome.map_err(|failure| format!("{goal:?}: {failure:?}"))?,
        }
        let calls = storage.attempts();
        if goal == Goal::Abort {
            recover(&storage, self.geometry).map_err(|failure| format!("recovery: {failure:?}"))?;
        }
        let recovered = storage.seen();
        check(&recovered, allowed, loose).map_err(|wrong| format!("recovery: {wrong}"))?;

        // What a recovery is to bring, it brings however often it is cut short. Of an abort recovery may make the new
        // contents as well.
        let outcome = [recovered.contents()];
        let allowed = if goal == Goal::Abort { allowed } else { &outcome };
        self.crash_in_recovery(&storage.history(), &outcome, allowed, loose, chance, report)
            .map_err(|wrong| format!("second recovery: {wrong}"))?;
        if calls > 0 && chance.below(4) == 0 {
            let undisturbed = Undisturbed { wreck: &wreck, goal, calls, outcome: &outcome };
            self.fail_in_recovery(undisturbed, allowed, loose, chance, report)
                .map_err(|wrong| format!("a call fails in the recovery: {wrong}"))?;
        }
        Ok(())
    }

    /// A crash somewhere in a recovery, and one at its end, when its outcome is for good; each is recovered.
    fn crash_in_recovery(
        &self,
        history: &History,
        outcome: &[&[u8]],
        allowed: &[&[u8]],
        loose: Option<&Range<usize>>,
        chance: &mut Chance,
        report: &mut Report,
    ) -> Result<(), String> {
        let mut point = history.start();
        let stop = chance.below(history.len() as u64 + 1) as usize;
        loop {
            let end = point.position() == history.len();
            if point.position() == stop || end {
                report.nested += 1;
                let again =
                    SimulatedStorage::boot(&point.crash(chance), self.sabotage, Fault::None);
                recover(&again, self.geometry).map_err(|failure| format!("{failure:?}"))?;
                check(&again.seen(), if end { outcome } else { allowed }, loose)?;
            }
            if !point.advance() {
                return Ok(());
            }
        }
    }
}

/// Whether a recovered disk holds one of the allowed contents, and nothing beside it.
fn check(recovered: &Wreck, allowed: &[&[u8]], loose: Option<&Range<usize>>) -> Result<(), String> {
    if !recovered.is_clean() {
        return Err("a journal or a mark is left".into());
    }
    let contents = recovered.contents();
    let fits = |allowed: &&[u8]| match loose {
        None => contents == *allowed,
        // Not synced when the crash came: these sectors may hold anything.
        Some(loose) => {
            let loose = loose.start / SECTOR * SECTOR..loose.end.next_multiple_of(SECTOR);
            contents.len() == allowed.len()
                && contents
                    .iter()
                    .zip(*allowed)
                    .enumerate()
                    .all(|(index, (is, should))| loose.contains(&index) || is == should)
        }
    };
    if allowed.is_empty() || allowed.iter().any(fits) {
        return Ok(());
    }
    Err(format!(
        "the file holds {:?}, expected {:?}",
        text(contents),
        allowed.iter().map(|c| text(c)).collect::<Vec<_>>()
    ))
}

fn text(contents: &[u8]) -> String {
    contents.escape_ascii().to_string()
}

fn recover(storage: &SimulatedStorage, geometry: Geometry) -> Result<(), Failure> {
    settle(storage, geometry, Goal::Recover { force: false })
}

fn settle(storage: &SimulatedStorage, geometry: Geometry, goal: Goal) -> Result<(), Failure> {
    Engine {
        storage,
        geometry,
        watch: Watch::new(&mut |_| {}),
        // The disk in memory holds what was synced.
        verification: Verification::None,
    }
    .recover(goal)?;
    replacing::recover(storage)
}

impl Edits {
    /// A few random splices, done to pieces and to bytes.
    /// With a `unit` of a block, some lengths and offsets are whole blocks.
    fn random(old: &[u8], unit: u64, chance: &mut Chance) -> Self {
        let mut tree = PieceTree::from_pieces([Piece::new(Source::Original, 0, old.len() as u64)]);
        let mut added = Vec::new();
        let mut new = old.to_vec();
        for _ in 0..1 + chance.below(5) {
            if chance.below(4) == 0 {
                rearrange(&mut tree, &mut new, chance);
                continue;
            }
            let start = chance.below(new.len() as u64 + 1);
            let longest = if chance.below(3) == 0 { new.len() as u64 } else { 40 };
            let end = match chance.below(3) {
                0 => start,
                _ => start + chance.below((new.len() as u64 - start).min(longest) + 1),
            };
            let longest = if chance.below(3) == 0 { 200 } else { 24 };
            let len = chance.below(longest);
            let (start, end, len) = if unit > 1 && chance.below(4) > 0 {
                let round = |number: u64| number.next_multiple_of(unit).min(new.len() as u64);
                (round(start), round(end), len.next_multiple_of(unit))
            } else {
                (start, end, len)
            };
            let (piece, bytes) = match chance.below(8) {
                0 => (None, Vec::new()),
                1 => (Some(Piece::new(Source::Fill(b'#'), 0, len)), vec![b'#'; len as usize]),
                2 if !old.is_empty() => {
                    let from = chance.below(old.len() as u64);
                    let len = len.min(old.len() as u64 - from);
                    let bytes = old[from as usize..(from + len) as usize].to_vec();
                    (Some(Piece::new(Source::Original, from, len)), bytes)
                }
                // Of equal length: nothing moves.
                3 | 4 => {
                    let bytes: Vec<u8> =
                        (start..end).map(|_| b'A' + chance.below(26) as u8).collect();
                    added.extend_from_slice(&bytes);
                    let offset = (added.len() - bytes.len()) as u64;
                    (Some(Piece::new(Source::Added, offset, bytes.len() as u64)), bytes)
                }
                _ => {
                    let bytes: Vec<u8> = (0..len).map(|_| b'A' + chance.below(26) as u8).collect();
                    added.extend_from_slice(&bytes);
                    let offset = (added.len() - bytes.len()) as u64;
                    (Some(Piece::new(Source::Added, offset, len)), bytes)
                }
            };
            tree.splice(start..end, piece);
            tree.assert_invariants();
            new.splice(start as usize..end as usize, bytes);
        }
        Self { tree, added, new }
    }

    fn commit(
        &self,
        storage: &SimulatedStorage,
        geometry: Geometry,
        way: Way,
        nonce: u64,
    ) -> Result<(), Failure> {
        let seen = storage.seen();
        let data = DataMap::new(seen.data_ranges(), 1);
        let old_len = seen.contents().len() as u64;
        let subject = Subject { pieces: &self.tree, old_len, data: &data, geometry };
        let (program, literals) = match way {
            Way::Journaled => None,
            Way::Snapshot => Some(subject.with_snapshot()),
            Way::Shifts => subject.by_shifts(1),
            Way::Hop => subject.by_hop(false),
        }
        .unwrap_or_else(|| subject.journaled());
        if program.is_nothing() {
            return Ok(());
        }
        let sources = Memory { original: seen.contents().to_vec(), added: &self.added };
        let literals = PieceLiterals::new(&literals, &sources);
        Engine {
            storage,
            geometry,
            watch: Watch::new(&mut |_| {}),
            // The disk in memory holds what was synced.
            verification: Verification::None,
        }
        .commit(&program, &literals, nonce, &mut || Ok(()))
    }
}

/// Copies or moves a range, of pieces and of bytes.
fn rearrange(tree: &mut PieceTree, new: &mut Vec<u8>, chance: &mut Chance) {
    let mut offset = || chance.below(new.len() as u64 + 1);
    let (one, other, to) = (offset(), offset(), offset());
    let from = one.min(other)..one.max(other);
    let copied = tree.slice(from.clone());
    let bytes = new[from.start as usize..from.end as usize].to_vec();
    tree.splice_tree(to..to, copied);
    new.splice(to as usize..to as usize, bytes);
    // Without the original the copy has been moved; copies within the range stay copies.
    if chance.below(2) == 0 && !(from.start < to && to < from.end) {
        let by = if to <= from.start { from.end - from.start } else { 0 };
        let gone = from.start + by..from.end + by;
        tree.splice(gone.clone(), []);
        new.drain(gone.start as usize..gone.end as usize);
    }
    tree.assert_invariants();
}

/// The sources of the edits, in memory.
struct Memory<'a> {
    original: Vec<u8>,
    added: &'a [u8],
}

impl Sources for Memory<'_> {
    fn read_exact_at(&self, source: Source, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let range = offset as usize..offset as usize + buffer.len();
        match source {
            Source::Original => buffer.copy_from_slice(&self.original[range]),
            Source::Added => buffer.copy_from_slice(&self.added[range]),
            Source::File(_) => return Err(io::ErrorKind::NotFound.into()),
            Source::Fill(byte) => buffer.fill(byte),
        }
        Ok(())
    }
}
