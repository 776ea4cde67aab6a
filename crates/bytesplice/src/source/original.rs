use std::fmt;
use std::io::{self, IoSliceMut};

/// What contents are edits of: bytes somewhere that stay as they are until a commit.
///
/// Ranges are half-open, offsets and lengths are bytes. The library never asks for bytes behind the end.
pub trait Original: fmt::Debug + Send + Sync {
    /// Length in bytes. It stays the same.
    fn len(&self) -> u64;

    /// Whether there is no byte.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    /// `UnexpectedEof` if the bytes are gone, which [`change`](Self::change) may explain; else what prevents reading.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Fills all buffers in turn with the bytes from `offset` on: at most 1024 buffers, in one call where that can be had.
    ///
    /// # Errors
    /// As for [`read_exact_at`](Self::read_exact_at).
    fn read_vectored_at(&self, buffers: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<()> {
        let mut at = offset;
        for buffer in buffers {
            self.read_exact_at(buffer, at)?;
            at += buffer.len() as u64;
        }
        Ok(())
    }

    /// How the bytes are not those any more that they were, in words; `None` if no change can be seen.
    fn change(&self) -> Option<String>;

    /// Whether these are the bytes of this inode on this device: then
    /// [`Content::file`](crate::Content::file) of it means them.
    fn is_inode(&self, _device: u64, _inode: u64) -> bool {
        false
    }
}
