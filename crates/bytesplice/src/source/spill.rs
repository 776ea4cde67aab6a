use std::collections::HashMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::process::{Resource, getrlimit};

use super::added::{AppendError, not_added};

/// Bytes are written to the temporary file in units of this size. What is written at a time, ext4 also keeps together in
/// its cache, and overwriting one byte of it later takes 1.6 µs with 16 KiB, 3.8 with 64 KiB, and 29 with 1 MiB.
const WRITE_BUFFER: usize = 16 << 10;
/// Overwrites are put off by blocks of this size.
const BLOCK: u64 = 4096;
/// Longer overwrites are not put off: they are worth a write of their own.
const MOST_LATE: usize = 16;

/// The part of the store beyond the memory limit: a temporary file without a name, and the bytes not yet in it.
///
/// Overwrites of a few bytes in the file are put off until there are many, and then made block by block in the order of
/// the file: ten million of them in random places, one by one, take twice as long.
#[derive(Debug)]
pub(super) struct Spill {
    file: File,
    /// Bytes in the file.
    written: u64,
    /// The bytes after those, at most [`WRITE_BUFFER`].
    buffer: Vec<u8>,
    /// By number of the block: which of its bytes are others than in the file, in the order of the overwrites.
    late: HashMap<u64, Vec<(u16, u8)>>,
    /// Bytes in `late`.
    late_bytes: usize,
    /// Most of them.
    most_late_bytes: usize,
}

impl Spill {
    /// An empty one. Overwrites that are put off take up to a quarter of `memory_limit`, and 32 MiB.
    pub fn new(directory: &Path, memory_limit: u64) -> io::Result<Self> {
        // With its share of a block's entry each takes up to 64 bytes, in places that nothing else shares.
        let most_late_bytes = (memory_limit / 4 / 64).min(1 << 20) as usize;
        Ok(Self {
            file: tempfile::tempfile_in(directory)?,
            written: 0,
            buffer: Vec::with_capacity(WRITE_BUFFER),
            late: HashMap::new(),
            late_bytes: 0,
            most_late_bytes,
        })
    }

    /// Bytes in the file and in the buffer.
    pub fn len(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Bytes in the file.
    #[cfg(test)]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Adds `bytes` at the end. A failure adds nothing.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), AppendError> {
        if self.buffer.len() + bytes.len() > WRITE_BUFFER {
            write_at(&self.file, &self.buffer, self.written)?;
            self.written += self.buffer.len() as u64;
            self.buffer.clear();
        }
        let mut units = bytes.chunks_exact(WRITE_BUFFER);
        let before = self.written;
        for unit in units.by_ref() {
            if let Err(error) = write_at(&self.file, unit, self.written) {
                self.written = before;
                return Err(error);
            }
            self.written += WRITE_BUFFER as u64;
        }
        self.buffer.extend_from_slice(units.remainder());
        Ok(())
    }

    /// Puts `bytes` in the place of those from `offset` on.
    pub fn overwrite(&mut self, offset: u64, bytes: &[u8]) -> Result<(), AppendError> {
        let in_file = self.written.saturating_sub(offset).min(bytes.len() as u64) as usize;
        let (to_file, to_buffer) = bytes.split_at(in_file);
        let at = offset.saturating_sub(self.written) as usize;
        let place = self.buffer.get_mut(at..).and_then(|rest| rest.get_mut(..to_buffer.len()));
        place.ok_or_else(not_added)?.copy_from_slice(to_buffer);
        if to_file.len() <= MOST_LATE.min(self.most_late_bytes) {
            return self.overwrite_later(offset, to_file);
        }
        if self.touches_late(offset, to_file.len()) {
            self.catch_up()?;
        }
        // Within the file's length, so that its limit is no matter.
        self.file.write_all_at(to_file, offset).map_err(AppendError::Store)
    }

    /// Fills `buffer` with the bytes from `offset` on.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let in_file = self.written.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let (from_file, from_buffer) = buffer.split_at_mut(in_file);
        self.file.read_exact_at(from_file, offset)?;
        if self.touches_late(offset, from_file.len()) {
            for block in offset / BLOCK..(offset + from_file.len() as u64).div_ceil(BLOCK) {
                for &(at, byte) in self.late.get(&block).into_iter().flatten() {
                    let place = (block * BLOCK + u64::from(at)).checked_sub(offset);
                    if let Some(place) = place.and_then(|at| from_file.get_mut(at as usize)) {
                        *place = byte;
                    }
                }
            }
        }
        let at = offset.saturating_sub(self.written) as usize;
        let bytes = self.buffer.get(at..).and_then(|rest| rest.get(..from_buffer.len()));
        from_buffer.copy_from_slice(bytes.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    /// Forgets the bytes from `len` on.
    pub fn truncate(&mut self, len: u64) {
        self.buffer.truncate(len.saturating_sub(self.written) as usize);
        self.written = self.written.min(len);
        let mut late_bytes = 0;
        self.late.retain(|&block, bytes| {
            bytes.retain(|&(at, _)| block * BLOCK + u64::from(at) < len);
            late_bytes += bytes.len();
            !bytes.is_empty()
        });
        self.late_bytes = late_bytes;
    }

    fn overwrite_later(&mut self, offset: u64, bytes: &[u8]) -> Result<(), AppendError> {
        if self.late_bytes + bytes.len() > self.most_late_bytes {
            self.catch_up()?;
        }
        for (at, &byte) in (offset..).zip(bytes) {
            self.late.entry(at / BLOCK).or_default().push(((at % BLOCK) as u16, byte));
        }
        self.late_bytes += bytes.len();
        Ok(())
    }

    fn touches_late(&self, offset: u64, len: usize) -> bool {
        let mut blocks = offset / BLOCK..(offset + len as u64).div_ceil(BLOCK);
        self.late_bytes > 0 && blocks.any(|block| self.late.contains_key(&block))
    }

    /// Makes the overwrites that were put off. After a failure they are still to be made.
    fn catch_up(&mut self) -> Result<(), AppendError> {
        let mut blocks: Vec<u64> = self.late.keys().copied().collect();
        blocks.sort_unstable();
        let mut buffer = [0; BLOCK as usize];
        for block in blocks {
            let offset = block * BLOCK;
            let bytes = &mut buffer[..(self.written - offset).min(BLOCK) as usize];
            self.read_exact_at(bytes, offset).map_err(AppendError::Store)?;
            self.file.write_all_at(bytes, offset).map_err(AppendError::Store)?;
        }
        self.late.clear();
        self.late_bytes = 0;
        Ok(())
    }
}

fn write_at(file: &File, bytes: &[u8], offset: u64) -> Result<(), AppendError> {
    let len = offset + bytes.len() as u64;
    // A write past the limit would not only fail: its signal ends the process.
    match getrlimit(Resource::Fsize).current {
        Some(limit) if len > limit => Err(AppendError::OverLimit { len, limit }),
        _ => file.write_all_at(bytes, offset).map_err(AppendError::Store),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Op {
        Append(usize, u8),
        Overwrite(u32, Vec<u8>),
        Read(u32, usize),
        Truncate(u32),
    }

    fn op() -> impl Strategy<Value = Op> {
        let bytes = || prop::collection::vec(any::<u8>(), 1..24);
        prop_oneof![
            2 => (0..20_000_usize, any::<u8>()).prop_map(|(len, byte)| Op::Append(len, byte)),
            12 => (any::<u32>(), bytes()).prop_map(|(at, bytes)| Op::Overwrite(at, bytes)),
            3 => (any::<u32>(), 0..10_000_usize).prop_map(|(at, len)| Op::Read(at, len)),
            1 => any::<u32>().prop_map(Op::Truncate),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn late_overwrites_are_never_seen_to_be_late(
            memory_limit in prop_oneof![Just(0), 2_000..20_000_u64],
            ops in prop::collection::vec(op(), 1..80),
        ) {
            let mut spill = Spill::new(&std::env::temp_dir(), memory_limit).unwrap();
            let mut model: Vec<u8> = (0..40_000).map(|number| number as u8).collect();
            spill.append(&model).unwrap();
            for op in ops {
                let place = |at: u32| at as usize % (model.len() + 1);
                match op {
                    Op::Append(len, byte) => {
                        spill.append(&vec![byte; len]).unwrap();
                        model.extend(vec![byte; len]);
                    }
                    Op::Overwrite(at, bytes) => {
                        let at = place(at);
                        let bytes = &bytes[..bytes.len().min(model.len() - at)];
                        spill.overwrite(at as u64, bytes).unwrap();
                        model[at..at + bytes.len()].copy_from_slice(bytes);
                    }
                    Op::Read(at, len) => {
                        let at = place(at);
                        let mut bytes = vec![0; len.min(model.len() - at)];
                        spill.read_exact_at(&mut bytes, at as u64).unwrap();
                        prop_assert_eq!(&bytes, &model[at..at + bytes.len()]);
                    }
                    Op::Truncate(at) => {
                        let at = model.len() - place(at) / 4;
                        spill.truncate(at as u64);
                        model.truncate(at);
                    }
                }
                prop_assert_eq!(spill.len(), model.len() as u64);
            }
            let mut bytes = vec![0; model.len()];
            spill.read_exact_at(&mut bytes, 0).unwrap();
            prop_assert_eq!(bytes, model);
        }
    }
}
