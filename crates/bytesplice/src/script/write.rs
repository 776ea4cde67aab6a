use std::io::Write;
use std::path::PathBuf;

use super::{ScriptContent, ScriptEdit, ScriptHeader, ScriptProblem, json};
use crate::{Error, Result};

/// Writes an edit script: the header first, then edits.
///
/// # Examples
/// ```
/// # fn main() -> bytesplice::Result<()> {
/// use bytesplice::{ScriptContent, ScriptEdit, ScriptHeader, ScriptWriter};
///
/// let mut script = ScriptWriter::new("edits", Vec::new());
/// script.header(&ScriptHeader::default())?;
/// script.edit(&ScriptEdit { range: 4..4, content: ScriptContent::Bytes(b"new".to_vec()), old: None })?;
/// assert_eq!(script.finish()?, b"{\"bytesplice\":1}\n{\"insert\":4,\"text\":\"new\"}\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ScriptWriter<W> {
    path: PathBuf,
    writer: W,
    line: String,
    header: ScriptHeader,
    edits: u64,
    /// Bytes written so far.
    bytes: u64,
}

impl<W: Write> ScriptWriter<W> {
    /// A script that goes to `writer`, which should have a buffer. `name` is what errors call it.
    pub fn new(name: impl Into<PathBuf>, writer: W) -> Self {
        let (path, header) = (name.into(), ScriptHeader::default());
        Self { path, writer, line: String::new(), header, edits: 0, bytes: 0 }
    }

    /// Writes the header, once and first.
    ///
    /// # Errors
    /// [`Error::Script`] with [`ScriptProblem::Write`].
    pub fn header(&mut self, header: &ScriptHeader) -> Result<()> {
        self.header = header.clone();
        self.line.clear();
        json::write_header(header, &mut self.line);
        self.put()
    }

    /// Writes an edit.
    ///
    /// # Errors
    /// [`Error::Script`] with [`ScriptProblem::Write`], or [`ScriptProblem::PathNotUtf8`] if the edit names another file
    /// whose path a script cannot hold; nothing of the edit was written then.
    pub fn edit(&mut self, edit: &ScriptEdit) -> Result<()> {
        if let ScriptContent::File(path, _) = &edit.content
            && path.to_str().is_none()
        {
            return Err(self.error(ScriptProblem::PathNotUtf8 { path: path.clone() }));
        }
        self.edits += 1;
        self.line.clear();
        json::write_edit(edit, &mut self.line);
        self.put()
    }

    /// The header that was written; the default one before.
    pub fn written_header(&self) -> &ScriptHeader {
        &self.header
    }

    /// How many edits were written.
    pub fn edits(&self) -> u64 {
        self.edits
    }

    /// How many bytes were written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Flushes, and gives the writer back.
    ///
    /// # Errors
    /// [`Error::Script`] with [`ScriptProblem::Write`].
    pub fn finish(mut self) -> Result<W> {
        let flushed = self.writer.flush();
        flushed.map_err(|source| self.error(ScriptProblem::Write(source)))?;
        Ok(self.writer)
    }

    fn put(&mut self) -> Result<()> {
        let written = self.writer.write_all(self.line.as_bytes());
        written.map_err(|source| self.error(ScriptProblem::Write(source)))?;
        self.bytes += self.line.len() as u64;
        Ok(())
    }

    fn error(&self, problem: ScriptProblem) -> Error {
        Error::Script { path: self.path.clone(), line: 0, problem }
    }
}
