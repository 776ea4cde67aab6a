use std::io::{self, ErrorKind, Read};
use std::path::PathBuf;

use super::spill::Spill;

/// Bytes kept together in memory. A chunk never grows past its first allocation, so that its bytes stay in place.
const CHUNK: usize = 1 << 20;
/// How many bytes are asked of a reader at once.
const READ_BUFFER: usize = 256 << 10;

/// The store of added bytes: append-only, addressed by `u64`, in memory up to a limit and then in an unlinked
/// temporary file.
///
/// Addresses go up by one a byte without gaps, also where memory ends and the file begins.
#[derive(Debug)]
pub(crate) struct AddedBytes {
    /// All but the last hold exactly [`CHUNK`] bytes.
    chunks: Vec<Vec<u8>>,
    /// Bytes in `chunks`. They do not change any more once `spill` exists.
    in_memory: u64,
    memory_limit: u64,
    /// Where the temporary file goes; the system's directory if `None`.
    directory: Option<PathBuf>,
    spill: Option<Spill>,
}

/// Why bytes could not be added.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// The reader of the new bytes failed.
    Read(io::Error),
    /// The temporary file cannot be made or written.
    Store(io::Error),
    /// The temporary file would pass the process's limit of file sizes.
    OverLimit {
        /// Length the temporary file needs in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

impl AddedBytes {
    /// An empty store that keeps up to `memory_limit` bytes in memory.
    pub fn new(memory_limit: u64, directory: Option<PathBuf>) -> Self {
        Self { chunks: Vec::new(), in_memory: 0, memory_limit, directory, spill: None }
    }

    /// An empty store with the same limit and directory.
    pub fn another(&self) -> Self {
        Self::new(self.memory_limit, self.directory.clone())
    }

    /// Bytes added so far; also the address of the next one.
    pub fn len(&self) -> u64 {
        self.in_memory + self.spill.as_ref().map_or(0, Spill::len)
    }

    /// Whether a temporary file is in use.
    #[cfg(test)]
    pub fn is_spilled(&self) -> bool {
        self.spill.is_some()
    }

    /// The directory of the temporary file.
    pub fn directory(&self) -> PathBuf {
        self.directory.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// Adds `bytes` and returns the address of the first. A failure adds nothing.
    pub fn append(&mut self, bytes: &[u8]) -> Result<u64, AppendError> {
        let address = self.len();
        if self.spill.is_none() && self.keep_in_memory(bytes) {
            return Ok(address);
        }
        let spill = match &mut self.spill {
            Some(spill) => spill,
            None => {
                let spill =
                    Spill::new(&self.directory(), self.memory_limit).map_err(AppendError::Store)?;
                self.spill.insert(spill)
            }
        };
        spill.append(bytes)?;
        Ok(address)
    }

    /// Adds all that `reader` gives; returns address and number of bytes. A failure adds nothing.
    pub fn append_from(&mut self, reader: &mut dyn Read) -> Result<(u64, u64), AppendError> {
        let address = self.len();
        let mut buffer = vec![0; READ_BUFFER];
        loop {
            let outcome = match reader.read(&mut buffer) {
                Ok(0) => return Ok((address, self.len() - address)),
                Ok(count) => self.append(&buffer[..count]).map(drop),
                Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
                Err(error) => Err(AppendError::Read(error)),
            };
            if let Err(error) = outcome {
                self.forget_from(address);
                return Err(error);
            }
        }
    }

    /// Puts `bytes` in the place of those from `address` on, all of which were added before. A failure may leave some of
    /// them overwritten.
    pub fn overwrite(&mut self, mut address: u64, mut bytes: &[u8]) -> Result<(), AppendError> {
        debug_assert!(address + bytes.len() as u64 <= self.len());
        while !bytes.is_empty() {
            if let Some(spill) = &mut self.spill
                && address >= self.in_memory
            {
                return spill.overwrite(address - self.in_memory, bytes);
            }
            let (chunk, at) =
                ((address / CHUNK as u64) as usize, (address % CHUNK as u64) as usize);
            let place = self.chunks.get_mut(chunk).and_then(|chunk| chunk.get_mut(at..));
            let place = place.filter(|place| !place.is_empty()).ok_or_else(not_added)?;
            let (now, later) = bytes.split_at(bytes.len().min(place.len()));
            place[..now.len()].copy_from_slice(now);
            address += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    /// Fills `buffer` with the bytes from `address` on.
    pub fn read_exact_at(&self, mut buffer: &mut [u8], mut address: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            if address >= self.in_memory {
                let spill = self.spill.as_ref().ok_or(ErrorKind::UnexpectedEof)?;
                return spill.read_exact_at(buffer, address - self.in_memory);
            }
            let bytes = self.slice_up_to(address, buffer.len() as u64);
            let (now, later) = buffer.split_at_mut(bytes.len());
            now.copy_from_slice(bytes);
            address += bytes.len() as u64;
            buffer = later;
        }
        Ok(())
    }

    /// The `len` bytes from `address` on, if they lie together in memory.
    pub fn slice(&self, address: u64, len: u64) -> Option<&[u8]> {
        let bytes = self.slice_up_to(address, len);
        (bytes.len() as u64 == len).then_some(bytes)
    }

    /// As many of the `len` bytes from `address` on as lie together in memory; empty when they are in the file.
    pub fn slice_up_to(&self, address: u64, len: u64) -> &[u8] {
        let at = (address % CHUNK as u64) as usize;
        let chunk = usize::try_from(address / CHUNK as u64).ok().and_then(|n| self.chunks.get(n));
        let rest = chunk.and_then(|chunk| chunk.get(at..)).unwrap_or_default();
        &rest[..usize::try_from(len).map_or(rest.len(), |len| len.min(rest.len()))]
    }

    /// Forgets everything, memory and temporary file.
    pub fn clear(&mut self) {
        self.forget_from(0);
    }

    /// Forgets the bytes from `address` on.
    pub fn forget_from(&mut self, address: u64) {
        match &mut self.spill {
            Some(spill) if address > self.in_memory => spill.truncate(address - self.in_memory),
            _ => {
                self.spill = None;
                let whole = (address / CHUNK as u64) as usize;
                let rest = (address % CHUNK as u64) as usize;
                self.chunks.truncate(whole + usize::from(rest > 0));
                if let Some(chunk) = self.chunks.get_mut(whole) {
                    chunk.truncate(rest);
                }
                self.in_memory = self.in_memory.min(address);
            }
        }
    }

    /// Whether `bytes` found room. Memory that the system refuses counts as none: the temporary file takes over.
    fn keep_in_memory(&mut self, mut bytes: &[u8]) -> bool {
        if bytes.len() as u64 > self.memory_limit - self.in_memory {
            return false;
        }
        let before = self.in_memory;
        while !bytes.is_empty() {
            if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
                let capacity = (self.memory_limit - self.in_memory).min(CHUNK as u64) as usize;
                let mut chunk = Vec::new();
                if chunk.try_reserve_exact(capacity).is_err() {
                    self.forget_from(before);
                    return false;
                }
                self.chunks.push(chunk);
            }
            let Some(chunk) = self.chunks.last_mut() else { return false };
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - chunk.len()));
            chunk.extend_from_slice(now);
            self.in_memory += now.len() as u64;
            bytes = later;
        }
        true
    }
}

/// The error for an address past the end.
pub(super) fn not_added() -> AppendError {
    AppendError::Store(ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(store: &AddedBytes) -> Vec<u8> {
        let mut bytes = vec![0; store.len() as usize];
        store.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn addresses_go_on_over_chunks_and_into_the_file() {
        let limit = 2 * CHUNK as u64 + 100;
        let mut store = AddedBytes::new(limit, None);
        let mut model = Vec::new();
        for step in 0..400_u32 {
            let bytes = vec![step as u8; 1 + (step as usize * 7919) % 20_000];
            assert_eq!(store.append(&bytes).unwrap(), model.len() as u64);
            model.extend(bytes);
        }
        assert!(store.is_spilled() && store.in_memory <= limit);
        assert!(contents(&store) == model);
        for start in (0..model.len()).step_by(9_973) {
            let mut part = vec![0; 70_000.min(model.len() - start)];
            store.read_exact_at(&mut part, start as u64).unwrap();
            assert!(part == model[start..start + part.len()]);
        }
        let last = model.len() as u64 - 1;
        assert!(store.read_exact_at(&mut [0; 2], last).is_err());
        assert!(store.read_exact_at(&mut [0; 1], last + 1).is_err());
    }

    #[test]
    fn bytes_are_overwritten_wherever_they_lie() {
        let chunk = CHUNK as u64;
        let mut store = AddedBytes::new(chunk + 1000, None);
        let mut model = vec![1; CHUNK + 1000];
        store.append(&model).unwrap();
        for _ in 0..100 {
            store.append(&[2; 1000]).unwrap();
            model.extend([2; 1000]);
        }
        let border = chunk + 1000 + store.spill.as_ref().unwrap().written();
        assert!(border > chunk + 1000 && store.len() > border);
        for (at, len) in [(0, 1), (chunk - 3, 7), (chunk + 990, 700), (border - 5, 9), (border, 2)]
        {
            let bytes: Vec<u8> = (0..len).map(|number| number as u8 ^ 0x55).collect();
            store.overwrite(at, &bytes).unwrap();
            model[at as usize..at as usize + len].copy_from_slice(&bytes);
        }
        assert!(contents(&store) == model);
    }

    #[test]
    fn only_bytes_that_lie_together_in_memory_are_borrowed() {
        let mut store = AddedBytes::new(CHUNK as u64 + 10, None);
        store.append(&vec![1; CHUNK]).unwrap();
        store.append(b"0123456789").unwrap();
        store.append(b"spilled").unwrap();
        let chunk = CHUNK as u64;
        assert_eq!(store.slice(chunk + 2, 3), Some(&b"234"[..]));
        assert_eq!(store.slice(chunk - 1, 2), None);
        assert_eq!(store.slice(chunk + 9, 2), None);
        assert_eq!(store.slice(chunk + 10, 1), None);
        assert_eq!(store.slice_up_to(chunk + 8, 5), b"89");
    }

    #[test]
    fn a_failed_reader_leaves_no_bytes_behind() {
        struct Failing(u32);
        impl Read for Failing {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                match self.0 {
                    1 => Err(ErrorKind::Interrupted.into()),
                    2..5 => {
                        buffer.fill(7);
                        Ok(buffer.len())
                    }
                    _ => Err(io::Error::other("broken")),
                }
            }
        }
        for limit in [0, 10, 300_000, 10 << 20] {
            for first in [0, 5, 100_000] {
                let mut store = AddedBytes::new(limit, None);
                store.append(&vec![1; first]).unwrap();
                assert!(matches!(store.append_from(&mut Failing(0)), Err(AppendError::Read(_))));
                assert_eq!(store.len(), first as u64);
                assert_eq!(store.append(b"after").unwrap(), first as u64);
                assert_eq!(contents(&store), [vec![1; first], b"after".to_vec()].concat());
            }
        }
    }

    #[test]
    fn readers_are_streamed() {
        let mut store = AddedBytes::new(1000, None);
        store.append(b"head").unwrap();
        let bytes: Vec<u8> = (0..700_000_u32).map(|number| number as u8).collect();
        assert_eq!(store.append_from(&mut &bytes[..]).unwrap(), (4, 700_000));
        assert!(contents(&store)[4..] == bytes);
        store.clear();
        assert_eq!((store.len(), store.is_spilled()), (0, false));
    }

    #[test]
    fn a_missing_temporary_directory_is_an_error() {
        let mut store = AddedBytes::new(1, Some("/no/such/directory".into()));
        store.append(b"a").unwrap();
        assert!(matches!(store.append(b"b"), Err(AppendError::Store(_))));
        assert_eq!(contents(&store), b"a");
    }
}
