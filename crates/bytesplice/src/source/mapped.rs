use std::fs::File;
use std::io::{self, ErrorKind, IoSliceMut};
use std::ops::{Range, RangeBounds};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use memmap2::{MmapOptions, MmapRaw};
use rustix::io::{Errno, preadv};

use super::Original;
use crate::identity::Identity;
use crate::pieces::Source;
use crate::{Result, SpliceFile, range};

/// The file as it was opened, or as the last commit left it: mapped, but read by `pread`.
///
/// A map of a file that others may change cannot be handed out as `&[u8]` by a safe function, and reading a page
/// that others truncated away ends the process. So the map is for callers who promise, and all else is copied by
/// the system, where truncation is an error.
#[derive(Debug)]
pub(crate) struct OriginalFile {
    file: Arc<File>,
    /// `None` for an empty file, and where the file system or the address space does not allow a map.
    map: Option<Arc<MmapRaw>>,
    /// The state of the file when these were its bytes.
    identity: Identity,
}

impl OriginalFile {
    /// Maps the bytes of `file`, which is in the state `identity`, if it can be mapped.
    pub fn new(file: Arc<File>, identity: Identity) -> Self {
        let map = match usize::try_from(identity.len) {
            Ok(len) if len > 0 => MmapOptions::new().len(len).map_raw_read_only(&*file).ok(),
            _ => None,
        };
        Self { file, map: map.map(Arc::new), identity }
    }

    /// The same file in another state.
    pub fn in_state(&self, identity: Identity) -> Self {
        let file = Arc::clone(&self.file);
        if identity.len == self.identity.len {
            return Self { file, map: self.map.clone(), identity };
        }
        Self::new(file, identity)
    }

    /// The open file.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The state of the file when these were its bytes.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The mapped bytes of `range`; `None` if they are not mapped.
    ///
    /// # Safety
    /// As for [`SpliceFile::as_slice`].
    pub unsafe fn as_slice(&self, range: Range<u64>) -> Option<&[u8]> {
        let map = self.map.as_ref()?;
        let start = usize::try_from(range.start).ok()?;
        let end = usize::try_from(range.end).ok()?;
        if start > end || end > map.len() {
            return None;
        }
        // SAFETY: `start..end` lies inside the map, which lives as long as `self` is borrowed and is readable and
        // initialized throughout. That the bytes neither change nor vanish meanwhile is the caller's promise.
        Some(unsafe { std::slice::from_raw_parts(map.as_ptr().add(start), end - start) })
    }
}

impl Original for OriginalFile {
    fn len(&self) -> u64 {
        self.identity.len
    }

    /// By `pread`: a file that others truncated gives `UnexpectedEof`.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn read_vectored_at(
        &self,
        mut buffers: &mut [IoSliceMut<'_>],
        mut offset: u64,
    ) -> io::Result<()> {
        while !buffers.is_empty() {
            match preadv(&*self.file, buffers, offset) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    offset += count as u64;
                    IoSliceMut::advance_slices(&mut buffers, count);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn change(&self) -> Option<String> {
        match Identity::of(&self.file) {
            Ok(now) => self.identity.difference(&now),
            Err(error) => Some(error.to_string()),
        }
    }

    fn is_inode(&self, device: u64, inode: u64) -> bool {
        self.identity.key() == (device, inode)
    }
}

/// Here and not beside its other methods, so that all `unsafe` around the map is in this file.
impl SpliceFile {
    /// The bytes of `range` (half-open, in bytes) without a copy.
    ///
    /// `None` unless they lie together: in one unedited stretch of a mapped file, or in one run of added bytes in
    /// memory. An empty range is always there. Use [`chunks`](crate::Contents::chunks) for the rest. O(log n).
    ///
    /// # Safety
    /// As long as the slice lives, nobody may write to, truncate or punch holes into these bytes of the file: not
    /// this process, nor another, nor the other end of a network file system. Rust takes a `&[u8]` for constant,
    /// and touching a page that was truncated away ends the process with SIGBUS. The lock of bytesplice keeps out
    /// other bytesplices only.
    ///
    /// # Errors
    /// [`OutOfRange`](crate::Error::OutOfRange), [`ReversedRange`](crate::Error::ReversedRange) and
    /// [`Poisoned`](crate::Error::Poisoned).
    ///
    /// # Examples
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("notes");
    /// std::fs::write(&path, "0123456789")?;
    /// let mut file = bytesplice::SpliceFile::open(&path)?;
    /// file.insert(5, "new")?;
    /// // SAFETY: the file is in a private directory; nobody else writes to it.
    /// unsafe {
    ///     assert_eq!(file.as_slice(1..5)?, Some(&b"1234"[..]));
    ///     assert_eq!(file.as_slice(5..8)?, Some(&b"new"[..]));
    ///     assert_eq!(file.as_slice(4..6)?, None);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub unsafe fn as_slice(&self, range: impl RangeBounds<u64>) -> Result<Option<&[u8]>> {
        self.check_usable()?;
        let range = range::resolve(range, self.len(), self.path())?;
        if range.is_empty() {
            return Ok(Some(&[]));
        }
        let Some((start, piece)) = self.tree.piece_at(range.start) else { return Ok(None) };
        if range.end > start + piece.len {
            return Ok(None);
        }
        let piece = piece.slice(range.start - start, range.end - start);
        Ok(match piece.source {
            // SAFETY: the caller promises what `OriginalFile::as_slice` asks for.
            Source::Original => unsafe {
                self.original.as_slice(piece.offset..piece.offset + piece.len)
            },
            Source::Added => self.added.slice(piece.offset, piece.len),
            Source::File(_) | Source::Fill(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_has_no_map_and_others_read_alike_both_ways() {
        let target = tempfile::NamedTempFile::new().unwrap();
        let open = || {
            let file = target.reopen().unwrap();
            let identity = Identity::of(&file).unwrap();
            OriginalFile::new(Arc::new(file), identity)
        };
        let empty = open();
        assert!(empty.map.is_none() && empty.read_exact_at(&mut [0], 0).is_err());
        std::fs::write(target.path(), "0123456789").unwrap();
        let original = open();
        let mut bytes = [0; 3];
        original.read_exact_at(&mut bytes, 4).unwrap();
        // SAFETY: nobody else knows the temporary file.
        unsafe {
            assert_eq!(original.as_slice(4..7), Some(&bytes[..]));
            assert_eq!(original.as_slice(10..10), Some(&[][..]));
            assert_eq!(original.as_slice(4..11), None);
        }
    }
}
