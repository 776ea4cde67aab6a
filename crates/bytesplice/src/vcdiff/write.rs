use std::io::Write;
use std::path::PathBuf;

use super::{MAGIC, VcdiffProblem};
use crate::{Error, Result};

/// Writes a VCDIFF delta (RFC 3284): with the default code table, xdelta3's checksums, and no secondary compression.
///
/// # Examples
/// See [`Vcdiff`](crate::Vcdiff).
#[derive(Debug)]
pub struct VcdiffWriter<W> {
    path: PathBuf,
    writer: W,
    /// Bytes written so far.
    offset: u64,
    windows: u64,
}

impl<W: Write> VcdiffWriter<W> {
    /// A delta that goes to `writer`, which should have a buffer. `name` is what errors call it.
    pub fn new(name: impl Into<PathBuf>, writer: W) -> Self {
        Self { path: name.into(), writer, offset: 0, windows: 0 }
    }

    /// How many windows were written.
    pub fn windows(&self) -> u64 {
        self.windows
    }

    /// How many bytes were written.
    pub fn bytes(&self) -> u64 {
        self.offset
    }

    /// Flushes, and gives the writer back.
    ///
    /// # Errors
    /// [`Error::Vcdiff`] with [`VcdiffProblem::Write`].
    pub fn finish(mut self) -> Result<W> {
        let flushed = self.writer.flush();
        flushed.map_err(|source| self.error(source))?;
        Ok(self.writer)
    }

    pub(super) fn header(&mut self) -> Result<()> {
        self.put(&MAGIC)?;
        // Version 0, and nothing that is optional.
        self.put(&[0, 0])
    }

    pub(super) fn window(&mut self, parts: [&[u8]; 5]) -> Result<()> {
        self.windows += 1;
        parts.into_iter().try_for_each(|part| self.put(part))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.writer.write_all(bytes);
        written.map_err(|source| self.error(source))?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    fn error(&self, source: std::io::Error) -> Error {
        let problem = VcdiffProblem::Write(source);
        Error::Vcdiff { path: self.path.clone(), offset: self.offset, problem }
    }
}
