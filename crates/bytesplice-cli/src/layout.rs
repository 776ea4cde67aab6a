//! What a commit does with the bytes of a file: what stays, moves, is new and goes away.

use std::iter::Peekable;
use std::ops::Range;

use bytesplice::{Contents, Origin, Part};
use serde_json::{Value, json};

/// Cells of the longer of both bars.
pub const BAR_WIDTH: u64 = 40;
/// Parts that are told one by one in an object.
const TOLD_PARTS: usize = 1000;

/// What becomes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// They keep their offset.
    Stays,
    /// They change it.
    Moves,
    /// They are in the file already, and come again or in another order.
    Copied,
    /// The file does not have them.
    New,
    /// They are in no part of the new contents.
    Removed,
}

pub const FATES: [Fate; 5] = [Fate::Stays, Fate::Moves, Fate::Copied, Fate::New, Fate::Removed];

/// Both files, and two bars of what is in them.
pub struct Layout {
    /// Length of the old file and of the new one.
    pub old_len: u64,
    pub new_len: u64,
    /// Bytes of each fate, in the order of [`FATES`].
    pub bytes: [u64; 5],
    /// The bars of the old and of the new file, a fate a cell.
    pub old_bar: Vec<Fate>,
    pub new_bar: Vec<Fate>,
    /// How far bytes move down and up, at the most: the least and the greatest shift.
    pub shifts: Option<(i128, i128)>,
    /// The first parts of the new contents, and how many there are.
    pub parts: Vec<Part>,
    pub part_count: u64,
    /// The first ranges of the old file that are removed, and how many there are.
    pub removed: Vec<Range<u64>>,
    pub removed_count: u64,
}

impl Layout {
    /// That of the next commit. O(pieces).
    pub fn of(file: &Contents) -> Self {
        let (old_len, new_len) = (file.old_len(), file.len());
        let longest = old_len.max(new_len);
        let (mut old, mut new) = (Bar::new(old_len, longest), Bar::new(new_len, longest));
        let mut layout = Self {
            old_len,
            new_len,
            bytes: [0; 5],
            old_bar: Vec::new(),
            new_bar: Vec::new(),
            shifts: None,
            parts: Vec::new(),
            part_count: 0,
            removed: Vec::new(),
            removed_count: 0,
        };
        let mut copied: Vec<Range<u64>> = Vec::new();
        for part in file.parts() {
            let len = part.range.end - part.range.start;
            let fate = fate(&part);
            layout.bytes[fate as usize] += len;
            new.paint(part.range.clone(), fate);
            match part.origin {
                Origin::Copied(offset) => copied.push(offset..offset + len),
                Origin::Kept(offset) if fate == Fate::Moves => {
                    let shift = i128::from(part.range.start) - i128::from(offset);
                    let (least, most) = layout.shifts.unwrap_or((shift, shift));
                    layout.shifts = Some((least.min(shift), most.max(shift)));
                }
                _ => {}
            }
            layout.part_count += 1;
            if layout.parts.len() < TOLD_PARTS {
                layout.parts.push(part);
            }
        }
        copied.sort_by_key(|range| range.start);
        let mut copied = copied.into_iter().peekable();
        let mut at = 0;
        for part in file.parts() {
            if let Origin::Kept(offset) = part.origin {
                layout.pass(at..offset, &mut copied, &mut old);
                at = offset + (part.range.end - part.range.start);
                old.paint(offset..at, fate(&part));
            }
        }
        layout.pass(at..old_len, &mut copied, &mut old);
        layout.old_bar = old.cells();
        layout.new_bar = new.cells();
        layout
    }

    /// Passes old bytes that are not kept; those of `copied`, which is in ascending order, are not gone all the same.
    fn pass(
        &mut self,
        gap: Range<u64>,
        copied: &mut Peekable<impl Iterator<Item = Range<u64>>>,
        old: &mut Bar,
    ) {
        let mut start = gap.start;
        while let Some(range) = copied.peek().filter(|range| range.start < gap.end) {
            if range.start > start {
                self.remove(start..range.start, old);
                start = range.start;
            }
            let end = range.end.min(gap.end);
            if start < end {
                old.paint(start..end, Fate::Copied);
                start = end;
            }
            if range.end > gap.end {
                break;
            }
            copied.next();
        }
        if start < gap.end {
            self.remove(start..gap.end, old);
        }
    }

    fn remove(&mut self, range: Range<u64>, old: &mut Bar) {
        old.paint(range.clone(), Fate::Removed);
        self.bytes[Fate::Removed as usize] += range.end - range.start;
        self.removed_count += 1;
        if self.removed.len() < TOLD_PARTS {
            self.removed.push(range);
        }
    }

    /// The same for programs.
    pub fn value(&self) -> Value {
        let parts: Vec<Value> = self.parts.iter().map(part_value).collect();
        let removed: Vec<Value> =
            self.removed.iter().map(|range| json!([range.start, range.end])).collect();
        json!({
            "bytes_copied": self.bytes[Fate::Copied as usize],
            "bytes_removed": self.bytes[Fate::Removed as usize],
            "part_count": self.part_count,
            "parts": parts,
            "removed_count": self.removed_count,
            "removed": removed,
        })
    }
}

fn part_value(part: &Part) -> Value {
    let mut value = json!({ "range": [part.range.start, part.range.end] });
    let (name, from) = match (fate(part), part.origin) {
        (Fate::Stays, _) => ("stays", None),
        (_, Origin::Kept(from)) => ("moves", Some(from)),
        (_, Origin::Copied(from)) => ("copied", Some(from)),
        (_, Origin::New) => ("new", None),
    };
    value["fate"] = name.into();
    if let Some(from) = from {
        value["from"] = from.into();
    }
    value
}

/// What becomes of a part.
pub fn fate(part: &Part) -> Fate {
    match part.origin {
        Origin::Kept(offset) if offset == part.range.start => Fate::Stays,
        Origin::Kept(_) => Fate::Moves,
        Origin::Copied(_) => Fate::Copied,
        Origin::New => Fate::New,
    }
}

/// How much of each fate is in each cell of a bar.
struct Bar {
    /// Length that the whole width stands for.
    longest: u128,
    cells: Vec<[u128; 5]>,
}

impl Bar {
    fn new(len: u64, longest: u64) -> Self {
        let longest = u128::from(longest.max(1));
        let count = (u128::from(len) * u128::from(BAR_WIDTH)).div_ceil(longest) as usize;
        Self { longest, cells: vec![[0; 5]; count] }
    }

    fn paint(&mut self, range: Range<u64>, fate: Fate) {
        // In units of which a byte has BAR_WIDTH and a cell has `longest`.
        let [start, end] =
            [range.start, range.end].map(|at| u128::from(at) * u128::from(BAR_WIDTH));
        let first = (start / self.longest) as usize;
        for (cell, shares) in self.cells.iter_mut().enumerate().skip(first) {
            let begin = cell as u128 * self.longest;
            if begin >= end {
                break;
            }
            shares[fate as usize] += end.min(begin + self.longest) - start.max(begin);
        }
    }

    /// Each cell is what most of it is; but what is there at all has a cell.
    fn cells(self) -> Vec<Fate> {
        let most = |shares: &[u128; 5]| {
            let most = (0..FATES.len()).max_by_key(|&fate| shares[fate]).unwrap_or(0);
            FATES[most]
        };
        let mut chosen: Vec<Fate> = self.cells.iter().map(most).collect();
        for fate in FATES {
            if chosen.contains(&fate) {
                continue;
            }
            let alone = |cell: usize| chosen.iter().filter(|it| **it == chosen[cell]).count() == 1;
            let candidates = (0..chosen.len()).filter(|&cell| self.cells[cell][fate as usize] > 0);
            // Not the only cell of another one, if that can be had.
            let best =
                candidates.max_by_key(|&cell| (!alone(cell), self.cells[cell][fate as usize]));
            if let Some(cell) = best {
                chosen[cell] = fate;
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use bytesplice::{Content, SpliceFile};

    use super::*;

    fn layout(old: &str, edit: impl FnOnce(&mut SpliceFile)) -> Layout {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data");
        std::fs::write(&path, old).unwrap();
        let mut file = SpliceFile::open(&path).unwrap();
        edit(&mut file);
        Layout::of(&file)
    }

    fn bar(cells: &[Fate]) -> String {
        cells.iter().map(|&fate| ['=', '>', '*', '+', '-'][fate as usize]).collect()
    }

    #[test]
    fn bars_are_in_proportion() {
        let found = layout("0123456789", |file| file.replace(2..4, "abcd").unwrap());
        assert_eq!(bar(&found.old_bar), "=======------>>>>>>>>>>>>>>>>>>>>>");
        assert_eq!(bar(&found.new_bar), "=======+++++++++++++>>>>>>>>>>>>>>>>>>>>");
        assert_eq!(found.bytes, [2, 6, 0, 4, 2]);
        assert_eq!(found.shifts, Some((2, 2)));
        assert_eq!((found.removed.len(), &found.removed[0]), (1, &(2..4)));
    }

    #[test]
    fn what_is_there_at_all_is_seen() {
        let old = "x".repeat(100_000);
        let found = layout(&old, |file| {
            file.remove(70_000..70_001).unwrap();
            file.insert(5, "abc").unwrap();
        });
        let (old, new) = (bar(&found.old_bar), bar(&found.new_bar));
        assert_eq!((old.matches('-').count(), old.matches('=').count()), (1, 1), "{old}");
        assert!(new.contains('+') && new.contains('>'), "{new}");
        assert_eq!(found.shifts, Some((2, 3)));
    }

    #[test]
    fn what_is_copied_is_not_gone() {
        let found = layout("0123456789", |file| file.move_range(0..2, 8).unwrap());
        assert_eq!(found.bytes, [2, 6, 2, 0, 0]);
        assert_eq!(found.removed, []);
        let found = layout("0123456789", |file| {
            file.splice(.., Content::copy(4..6)).unwrap();
            file.copy_range(0..2, 0).unwrap();
        });
        assert_eq!(found.bytes, [0, 2, 2, 0, 8], "{}", bar(&found.old_bar));
        assert_eq!(found.removed, [0..4, 6..10]);
        let found = layout("", |file| file.append("x").unwrap());
        assert_eq!((bar(&found.old_bar), found.new_bar.len()), (String::new(), 40));
    }

    #[test]
    fn all_bytes_of_both_files_are_counted() {
        let found = layout("0123456789", |file| {
            file.copy_range(2..7, 9).unwrap();
            file.move_range(0..3, 12).unwrap();
            file.remove(4..6).unwrap();
        });
        let [stays, moves, copied, new, _] = found.bytes;
        assert_eq!(stays + moves + copied + new, 13);
    }
}
