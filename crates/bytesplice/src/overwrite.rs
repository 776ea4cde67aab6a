//! Overwrites that do not make a piece each.
//!
//! Ten million one-byte stores as pieces would be twenty million of them. So an overwrite looks first whether its bytes
//! are new ones that nothing else refers to: these are overwritten where they are, in the store of added bytes. Of the
//! others the first [`EXACT`] become pieces of their own, so that a few edits cost no more than their bytes. After that
//! an overwrite takes the whole block around it along into the store, where later ones find it: no more than one piece
//! a block.

use std::ops::Range;

use crate::pieces::{Piece, Source};
use crate::{Contents, Result};

/// Bytes that an overwrite takes along; also the longest overwrite that does. Tiny under test, so that short files have
/// many.
const BLOCK: u64 = if cfg!(test) { 16 } else { 4096 };
/// How many overwrites become pieces of their own before the first takes its block along.
const EXACT: u32 = if cfg!(test) { 3 } else { 1000 };

/// What overwrites may do with the added bytes of one file.
#[derive(Debug)]
pub(crate) struct Overwrites {
    /// Added bytes from this address on are either in one place of the contents or in one undo step, and nowhere else:
    /// neither in a copy nor in a snapshot.
    owned_from: u64,
    /// How many overwrites may still become pieces of their own.
    exact_left: u32,
}

impl Default for Overwrites {
    fn default() -> Self {
        Self { owned_from: 0, exact_left: EXACT }
    }
}

impl Overwrites {
    /// The added bytes below `address` belong to others already.
    pub fn above(address: u64) -> Self {
        Self { owned_from: address, ..Self::default() }
    }

    /// Added bytes below `address` belong to others from now on, too.
    pub fn share(&mut self, address: u64) {
        self.owned_from = self.owned_from.max(address);
    }

    fn owns(&self, piece: Piece) -> bool {
        piece.source == Source::Added && piece.offset >= self.owned_from
    }
}

impl Contents {
    /// Replaces `range` by `bytes`, if that is a small overwrite for which there is a better way than a new piece.
    /// Whether it was done.
    pub(crate) fn overwrite(&mut self, range: Range<u64>, bytes: &[u8]) -> Result<bool> {
        let len = range.end - range.start;
        if len == 0 || len > BLOCK || len != bytes.len() as u64 {
            return Ok(false);
        }
        if let Some(address) = self.owned_address(&range) {
            self.put_at_address(range.start, address, bytes)?;
            return Ok(true);
        }
        if self.is_owned(range.clone()) {
            self.put_in_place(range, bytes)?;
            return Ok(true);
        }
        if let Some(left) = self.overwrites.exact_left.checked_sub(1) {
            self.overwrites.exact_left = left;
            return Ok(false);
        }
        self.take_block_along(range, bytes)?;
        Ok(true)
    }

    /// The same with `count` times `byte`.
    pub(crate) fn overwrite_by_fill(
        &mut self,
        range: Range<u64>,
        byte: u8,
        count: u64,
    ) -> Result<bool> {
        let small = count <= BLOCK && count == range.end - range.start;
        Ok(small && self.overwrite(range, &vec![byte; count as usize])?)
    }

    /// Where the added bytes of `range` lie, if they are of one piece and nothing else refers to them.
    pub(crate) fn owned_address(&self, range: &Range<u64>) -> Option<u64> {
        let (start, piece) = self.tree.piece_at(range.start)?;
        let inside = self.overwrites.owns(piece) && range.end <= start + piece.len;
        inside.then(|| piece.offset + (range.start - start))
    }

    /// Whether `range` consists of added bytes that nothing else refers to.
    pub(crate) fn is_owned(&self, range: Range<u64>) -> bool {
        self.tree.range(range).all(|piece| self.overwrites.owns(piece))
    }

    fn take_block_along(&mut self, range: Range<u64>, bytes: &[u8]) -> Result<()> {
        let block = self.block_around(range.clone());
        let mut whole = vec![0; (block.end - block.start) as usize];
        self.read_exact_at(&mut whole, block.start)?;
        let at = (range.start - block.start) as usize;
        whole[at..at + bytes.len()].copy_from_slice(bytes);
        let address = self.added.append(&whole).map_err(|error| self.not_added(error))?;
        self.put(block, [Piece::new(Source::Added, address, whole.len() as u64)]);
        Ok(())
    }

    /// `range`, widened to whole blocks of the sources that its first and its last byte come from. Overwrites in one stretch
    /// of a source then find the same borders.
    fn block_around(&self, range: Range<u64>) -> Range<u64> {
        let in_block = |offset: u64| match self.tree.piece_at(offset) {
            Some((start, piece)) => (piece.offset + (offset - start)) % BLOCK,
            None => 0,
        };
        let start = range.start.saturating_sub(in_block(range.start));
        let last = range.end - 1;
        start..self.len().min(last + (BLOCK - in_block(last)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use crate::{CommitOptions, Content, Durability, OpenOptions, SpliceFile};

    fn opened(contents: &[u8], memory_limit: u64) -> (tempfile::NamedTempFile, SpliceFile) {
        let target = tempfile::NamedTempFile::new().unwrap();
        fs::write(target.path(), contents).unwrap();
        let file = OpenOptions::new().memory_limit(memory_limit).open(target.path()).unwrap();
        (target, file)
    }

    fn contents(file: &SpliceFile) -> Vec<u8> {
        let mut bytes = vec![0; file.len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    #[derive(Debug, Clone)]
    enum Op {
        Overwrite(u16, Vec<u8>),
        Insert(u16, Vec<u8>),
        Remove(u16, u16),
        Copy(u16, u16, u16),
        Fill(u16, u16),
    }

    fn op() -> impl Strategy<Value = Op> {
        let bytes = |most| prop::collection::vec(any::<u8>(), 1..most);
        prop_oneof![
            8 => (any::<u16>(), bytes(4)).prop_map(|(at, bytes)| Op::Overwrite(at, bytes)),
            2 => (any::<u16>(), bytes(20)).prop_map(|(at, bytes)| Op::Overwrite(at, bytes)),
            1 => (any::<u16>(), bytes(9)).prop_map(|(at, bytes)| Op::Insert(at, bytes)),
            1 => (any::<u16>(), 0..9u16).prop_map(|(at, len)| Op::Remove(at, len)),
            1 => (any::<u16>(), any::<u16>(), any::<u16>()).prop_map(|(a, b, c)| Op::Copy(a, b, c)),
            1 => (any::<u16>(), 0..40u16).prop_map(|(at, len)| Op::Fill(at, len)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]

        #[test]
        fn overwrites_do_what_a_vector_does(
            len in 0..300usize, memory_limit in 0..200u64, ops in prop::collection::vec(op(), 1..60),
        ) {
            let mut model: Vec<u8> = (0..len).map(|number| number as u8).collect();
            let (_target, mut file) = opened(&model, memory_limit);
            for op in ops {
                let place = |at: u16| usize::from(at) % (model.len() + 1);
                match op {
                    Op::Overwrite(at, bytes) => {
                        let at = place(at);
                        let len = bytes.len().min(model.len() - at);
                        file.replace(at as u64..(at + len) as u64, &bytes[..len]).unwrap();
                        model[at..at + len].copy_from_slice(&bytes[..len]);
                    }
                    Op::Insert(at, bytes) => {
                        let at = place(at);
                        file.insert(at as u64, &bytes).unwrap();
                        model.splice(at..at, bytes);
                    }
                    Op::Remove(at, len) => {
                        let at = place(at);
                        let end = model.len().min(at + usize::from(len));
                        file.remove(at as u64..end as u64).unwrap();
                        model.drain(at..end);
                    }
                    Op::Copy(one, other, to) => {
                        let (one, other, to) = (place(one), place(other), place(to));
                        let from = one.min(other)..one.max(other).min(one.min(other) + 50);
                        let content = Content::copy(from.start as u64..from.end as u64);
                        file.splice(to as u64..to as u64, content).unwrap();
                        let copied = model[from].to_vec();
                        model.splice(to..to, copied);
                    }
                    Op::Fill(at, len) => {
                        let at = place(at);
                        let end = if len % 2 == 0 { at } else { model.len().min(at + usize::from(len)) };
                        let fill = Content::fill(b'-', len.into());
                        file.splice(at as u64..end as u64, fill).unwrap();
                        model.splice(at..end, vec![b'-'; len.into()]);
                    }
                }
                file.tree.assert_invariants();
            }
            prop_assert_eq!(contents(&file), &model[..]);
            file.commit_with(CommitOptions::new().durability(Durability::Unsynced)).unwrap();
            prop_assert_eq!(contents(&file), model);
        }
    }

    #[test]
    fn no_more_than_a_piece_a_block() {
        let mut model = vec![b'a'; 1600];
        let (_target, mut file) = opened(&model, u64::MAX);
        for step in 0..16_000_usize {
            let at = step * 7919 % 1600;
            file.replace(at as u64..at as u64 + 1, [step as u8]).unwrap();
            model[at] = step as u8;
        }
        assert!(file.piece_count() <= 100, "{}", file.piece_count());
        assert_eq!(contents(&file), model);
        assert!(file.added.len() <= 2 * 1600, "{}", file.added.len());
    }

    #[test]
    fn a_few_overwrites_take_nothing_along() {
        let (_target, mut file) = opened(&[b'a'; 1600], u64::MAX);
        for at in [0, 100, 200] {
            file.replace(at..at + 1, "b").unwrap();
        }
        assert_eq!(file.added.len(), 3);
        file.replace(300..301, "b").unwrap();
        assert_eq!(file.added.len(), 19);
    }

    #[test]
    fn a_copy_does_not_change_with_what_it_was_copied_from() {
        let (_target, mut file) = opened(b"", u64::MAX);
        file.insert(0, "new bytes").unwrap();
        file.splice(0..0, Content::copy(..)).unwrap();
        file.replace(0..3, "NEW").unwrap();
        assert_eq!(contents(&file), b"NEW bytesnew bytes");
        file.replace(2..5, "...").unwrap();
        assert_eq!(contents(&file), b"NE...ytesnew bytes");
    }
}
