//! The edits between two files.
//!
//! Both files are read from left to right, side by side, as long as they are equal. Where they differ, the place where
//! they go on together is looked for [near by](nearby) first: the longest run that a window of the one has in common
//! with a window of the other. Only a long run is believed at once; a shorter one must not be far away. In a log whose lines are alike, an inserted line
//! has short runs in common with whatever line it meets, and whoever takes the first one never gets back into step.
//! If no window has a long run, the next bytes of the new file are looked up among the [blocks] of the whole old file,
//! by the rolling hash of Karp and Rabin ("Efficient randomized pattern-matching algorithms", 1987) as rsync does
//! (Tridgell, "Efficient Algorithms for Sorting and Synchronization", 1999). The longest of all that was found is
//! taken; bytes up to there are new. Nothing is believed by its hash: all runs are compared byte by byte.
//!
//! Memory does not grow with the files: windows, half a million blocks of whatever size that takes, and 24 bytes for every
//! piece found. Time is linear: searches are paid for by the bytes that were passed.
mod blocks;
mod difference;
mod join;
mod nearby;
mod view;

use std::io::Write;

use blocks::Blocks;
pub use difference::Difference;
use nearby::Nearby;
use view::View;

use crate::pieces::{Piece, Source};
use crate::{Checks, Contents, Result, ScriptWriter, WorkOptions};

/// A run that is believed without looking further, in bytes.
const LONG: u64 = 4 << 10;
/// The shortest run that is worth an edit of its own, in its order and out of it. A line of a script is longer than the
/// first, but people read it.
const SHORTEST: u64 = 24;
const SHORTEST_COPY: u64 = 192;
/// No run is followed further while others may be longer.
const FOLLOWED: u64 = 64 << 10;
/// The windows near by, one after the other.
const WINDOWS: [usize; 3] = [512, 4 << 10, 64 << 10];
/// Bytes of windows that may be searched for every byte passed.
const CREDIT: u64 = 1;
/// Bytes without a match that count as one passed.
const UNLIKE: u64 = 16;
/// Most credit, so that it is not all spent at one place.
const MOST_CREDIT: u64 = 64 << 20;
/// Bytes that are passed before something is told of them.
const TOLD: u64 = 4 << 20;
/// Bytes that are looked up among the blocks before the windows move on.
const STRETCH: u64 = 4 << 10;
const LONGEST_STRETCH: u64 = 64 << 10;

/// Writes the script that turns the contents of `old` into those of `new`: [`Difference::find`] and
/// [`Difference::write_script`] in one.
///
/// # Errors
/// [`Error::Script`](crate::Error::Script) if it cannot be written; else as for
/// [`read_at`](crate::Contents::read_at).
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let (one, other) = (directory.path().join("one"), directory.path().join("other"));
/// use bytesplice::{Checks, ScriptWriter, SpliceFile, diff};
///
/// std::fs::write(&one, "Twelve lines, all of them long enough to be found again.")?;
/// std::fs::write(&other, "Twelve short lines, all of them long enough to be found again.")?;
/// let (old, new) = (SpliceFile::open(&one)?, SpliceFile::open(&other)?);
/// let mut script = ScriptWriter::new("edits", Vec::new());
/// diff(&old, &new, Checks::None, &mut script)?;
/// assert_eq!(
///     String::from_utf8(script.finish()?)?.lines().last(),
///     Some(r#"{"insert":7,"text":"short "}"#)
/// );
/// # Ok(())
/// # }
/// ```
pub fn diff<W: Write>(
    old: &Contents,
    new: &Contents,
    checks: Checks,
    out: &mut ScriptWriter<W>,
) -> Result<()> {
    Difference::find(old, new)?.write_script(checks, out)
}

/// Bytes that both files have.
#[derive(Debug, Clone, Copy)]
struct Run {
    old: u64,
    new: u64,
    len: u64,
}

struct Matcher<'a, 'o> {
    /// What is read from left to right.
    old: View<'a>,
    new: View<'a>,
    /// What is looked at elsewhere.
    elsewhere: Elsewhere<'a>,
    nearby: Nearby,
    /// Made when it is needed first.
    blocks: Option<Blocks>,
    credit: u64,
    pieces: Vec<Piece>,
    file: &'a Contents,
    options: WorkOptions<'o>,
    /// Where in the new file something is to be told next.
    told: u64,
}

/// Views that follow runs.
struct Elsewhere<'a> {
    old: View<'a>,
    new: View<'a>,
}

impl Elsewhere<'_> {
    /// How many bytes are equal from there on, up to `limit`.
    fn follow(&mut self, old: u64, new: u64, limit: u64) -> Result<u64> {
        view::common(&mut self.old, old, &mut self.new, new, limit)
    }
}

impl<'a, 'o> Matcher<'a, 'o> {
    fn new(old: &'a Contents, new: &'a Contents, options: WorkOptions<'o>) -> Self {
        Self {
            old: View::new(old),
            new: View::new(new),
            elsewhere: Elsewhere { old: View::new(old), new: View::new(new) },
            nearby: Nearby::default(),
            blocks: None,
            credit: MOST_CREDIT / 16,
            pieces: Vec::new(),
            file: new,
            options,
            told: 0,
        }
    }

    fn run(&mut self) -> Result<()> {
        let (mut old, mut new) = (0, 0);
        while new < self.new.len() {
            let len = view::common(&mut self.old, old, &mut self.new, new, TOLD)?;
            self.push(Piece::new(Source::Original, old, len));
            (old, new) = (old + len, new + len);
            self.earn(len);
            self.tell(new)?;
            if new == self.new.len() || len == TOLD {
                continue;
            }
            let found = self.find(old, new)?;
            let end = found.map_or(self.new.len(), |run| run.new);
            self.push(Piece::new(Source::Added, new, end - new));
            match found {
                Some(run) => {
                    self.push(Piece::new(Source::Original, run.old, run.len));
                    (old, new) = (run.old + run.len, run.new + run.len);
                }
                None => new = end,
            }
        }
        self.told = 0;
        self.tell(new)
    }

    /// Tells how far the new file is compared, from time to time.
    fn tell(&mut self, new: u64) -> Result<()> {
        if new < self.told {
            return Ok(());
        }
        self.told = new + TOLD;
        self.options.advance(self.file, new, self.file.len())
    }

    fn push(&mut self, piece: Piece) {
        match self.pieces.last_mut() {
            _ if piece.len == 0 => {}
            Some(last) if last.continues_in(piece) => last.len += piece.len,
            _ => self.pieces.push(piece),
        }
    }

    fn earn(&mut self, passed: u64) {
        self.credit = passed.saturating_mul(CREDIT).saturating_add(self.credit).min(MOST_CREDIT);
    }

    fn spend(&mut self, cost: u64) -> bool {
        let rest = self.credit.checked_sub(cost);
        self.credit = rest.unwrap_or(self.credit);
        rest.is_some()
    }

    /// Where both go on together, after they differ at `old` and `new`.
    fn find(&mut self, old: u64, new: u64) -> Result<Option<Run>> {
        let mut from = new;
        let mut stretch = STRETCH;
        while from < self.new.len() {
            let mut best: Option<Run> = None;
            for window in WINDOWS {
                let is_free = window == WINDOWS[0];
                if !is_free && !self.spend(2 * window as u64) {
                    break;
                }
                let ours = self.old.from(old, window)?;
                let theirs = self.new.from(from, window)?;
                let last = ours.len() < window && theirs.len() < window;
                let starts = (old, from);
                let run = self.nearby.longest(
                    &ours[..ours.len().min(window)],
                    &theirs[..theirs.len().min(window)],
                    starts,
                    &mut self.elsewhere,
                )?;
                best = better(best, run, old, new);
                let enough = (window as u64).min(LONG);
                if last || best.is_some_and(|run| run.len >= enough) {
                    break;
                }
            }
            if best.is_none_or(|run| run.len < LONG && run.len < WINDOWS[0] as u64) {
                let blocks = match &mut self.blocks {
                    Some(blocks) => blocks,
                    none => {
                        let mut check = || self.options.advance(self.file, from, self.file.len());
                        none.insert(Blocks::of(&mut self.elsewhere.old, &mut check)?)
                    }
                };
                let expected = old + (from - new);
                let run = blocks.find(from..from + stretch, expected, &mut self.elsewhere)?;
                best = better(best, run, old, new);
            }
            if let Some(run) = best {
                return self.extend_back(run, old, new).map(Some);
            }
            // Near by nothing was found, and the further it goes the less will be.
            self.earn(stretch / UNLIKE);
            from += stretch;
            self.tell(from.min(self.new.len()))?;
            stretch = (stretch * 2).min(LONGEST_STRETCH);
        }
        Ok(None)
    }

    /// The same run from where it begins.
    fn extend_back(&mut self, run: Run, old: u64, new: u64) -> Result<Run> {
        // What is behind stays in its order, so that it need not be copied.
        let floor = if run.old >= old { old } else { 0 };
        let most = (run.old - floor).min(run.new - new);
        let back = view::common_before(
            &mut self.elsewhere.old,
            run.old,
            &mut self.elsewhere.new,
            run.new,
            most,
        )?;
        Ok(Run { old: run.old - back, new: run.new - back, len: run.len + back })
    }
}

/// The longer run, where what is passed over to get there counts against it: the bytes of the new file are then new,
/// and those of the old one removed.
fn better(one: Option<Run>, other: Option<Run>, old: u64, new: u64) -> Option<Run> {
    let worth = |run: Run| {
        let skipped = (run.new - new) + run.old.abs_diff(old).min(LONG);
        i128::from(run.len) - i128::from(skipped / 2)
    };
    let shortest = |run: &Run| if run.old < old { SHORTEST_COPY } else { SHORTEST };
    match (one, other.filter(|run| run.len >= shortest(run))) {
        (Some(one), Some(other)) if worth(one) < worth(other) => Some(other),
        (None, other) => other,
        (one, _) => one,
    }
}
