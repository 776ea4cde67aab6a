use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::{ScriptEdit, ScriptHeader, ScriptProblem, json};
use crate::{Error, Result, regular};

/// Longest line in bytes: one is held in memory at a time.
const LINE_LIMIT: u64 = 64 << 20;

/// An edit script that is being read: its header, then one edit after the other.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("notes");
/// use bytesplice::{Script, SpliceFile};
///
/// std::fs::write(&path, "0123456789")?;
/// let text = r#"{"bytesplice":1,"old_length":10}
/// {"insert":2,"text":"two"}
/// {"remove":[4,8],"old":{"text":"4567"}}
/// "#;
/// let mut file = SpliceFile::open(&path)?;
/// file.apply(Script::new("edits", text.as_bytes())?)?;
/// file.commit()?;
/// assert_eq!(std::fs::read(&path)?, b"01two2389");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Script<R> {
    path: PathBuf,
    reader: R,
    header: ScriptHeader,
    /// Lines read so far.
    line: u64,
    buffer: Vec<u8>,
    ended: bool,
}

impl Script<BufReader<File>> {
    /// Opens a script file and reads its header.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::NotRegular`] for a directory; else as for [`new`](Self::new).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::new(path, regular::open_stream(path)?)
    }
}

impl<R: BufRead> Script<R> {
    /// Reads the header of a script. `name` is what errors call it.
    ///
    /// # Errors
    /// [`Error::Script`].
    pub fn new(name: impl Into<PathBuf>, reader: R) -> Result<Self> {
        let mut script = Self::without_header(name, reader);
        script.header = match script.next_line() {
            Ok(true) => json::parse_header(&script.buffer),
            Ok(false) => {
                script.line = 1;
                Err(ScriptProblem::NoHeader)
            }
            Err(problem) => Err(problem),
        }
        .map_err(|problem| script.error(problem))?;
        Ok(script)
    }

    /// A script that begins with its first edit: offsets count in the old file, and lengths are not checked.
    pub fn without_header(name: impl Into<PathBuf>, reader: R) -> Self {
        let header = ScriptHeader::default();
        Self { path: name.into(), reader, header, line: 0, buffer: Vec::new(), ended: false }
    }

    /// The header.
    pub fn header(&self) -> &ScriptHeader {
        &self.header
    }

    /// An error in the line that was read last.
    pub(crate) fn error(&self, problem: ScriptProblem) -> Error {
        Error::Script { path: self.path.clone(), line: self.line, problem }
    }

    /// Reads the next line that is not blank into the buffer; false at the end.
    fn next_line(&mut self) -> Result<bool, ScriptProblem> {
        loop {
            self.buffer.clear();
            let mut limited = self.reader.by_ref().take(LINE_LIMIT + 1);
            let outcome = limited.read_until(b'\n', &mut self.buffer);
            if outcome.map_err(ScriptProblem::Read)? == 0 {
                return Ok(false);
            }
            self.line += 1;
            if self.buffer.len() as u64 > LINE_LIMIT {
                return Err(ScriptProblem::LineTooLong { limit: LINE_LIMIT });
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }
}

/// The edits in order; an error is the last item.
impl<R: BufRead> Iterator for Script<R> {
    type Item = Result<ScriptEdit>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let edit = match self.next_line() {
            Ok(true) => json::parse_edit(&self.buffer),
            Ok(false) => {
                self.ended = true;
                return None;
            }
            Err(problem) => Err(problem),
        };
        self.ended = edit.is_err();
        Some(edit.map_err(|problem| self.error(problem)))
    }
}
