use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::integer::{Integer, Step};
use super::sections::Fault;
use super::{
    APPLICATION_HEADER, CHECKSUM, CODE_TABLE, FROM_SOURCE, FROM_TARGET, MAGIC, SECONDARY,
    VcdiffProblem,
};
use crate::range::MAX_LEN;
use crate::{Error, Result, regular};

/// Most bytes that a window may make, and most bytes of its sections. xdelta3 makes windows of up to 16 MiB, open-vcdiff
/// of up to 64 MiB.
const MOST_TARGET: u64 = 64 << 20;
const MOST_SECTIONS: u64 = 128 << 20;
/// Secondary compressors by their numbers in xdelta3.
const COMPRESSORS: [(u8, &str); 3] = [(1, "djw"), (2, "lzma"), (16, "fgk")];

/// A VCDIFF delta (RFC 3284) that is being read: its header, then one window after the other.
///
/// The default code table only, and no secondary compression. The application header of xdelta3 is skipped, its
/// checksums are verified.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("notes");
/// use bytesplice::{SpliceFile, Vcdiff, VcdiffWriter};
///
/// std::fs::write(&path, "0123456789")?;
/// let mut file = SpliceFile::open(&path)?;
/// file.insert(4, "new")?;
/// let mut delta = VcdiffWriter::new("delta", Vec::new());
/// file.write_vcdiff(&mut delta)?;
/// let delta = delta.finish()?;
///
/// file.discard();
/// file.apply_vcdiff(Vcdiff::new("delta", &delta[..])?)?;
/// file.commit()?;
/// assert_eq!(std::fs::read(&path)?, b"0123new456789");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Vcdiff<R> {
    path: PathBuf,
    reader: R,
    /// Bytes read so far.
    offset: u64,
    /// The number of the secondary compressor, should a window use it.
    compressor: Option<u8>,
}

/// A window as it was read.
pub(super) struct Window {
    /// Where the source segment is, and whether it is in the new contents.
    pub source: Option<(Range<u64>, bool)>,
    /// Bytes that the window makes.
    pub target_len: u64,
    /// Their Adler-32.
    pub checksum: Option<u32>,
    pub data: Vec<u8>,
    pub instructions: Vec<u8>,
    pub addresses: Vec<u8>,
    /// Where it begins in the delta.
    pub offset: u64,
    /// Where its sections begin there.
    pub sections: u64,
}

impl Vcdiff<BufReader<File>> {
    /// Opens a delta and reads its header.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::NotRegular`] for a directory; else as for [`new`](Self::new).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::new(path, regular::open_stream(path)?)
    }
}

impl<R: BufRead> Vcdiff<R> {
    /// The first bytes of every delta.
    pub const MAGIC: [u8; 3] = MAGIC;

    /// Reads the header of a delta. `name` is what errors call it.
    ///
    /// # Errors
    /// [`Error::Vcdiff`].
    pub fn new(name: impl Into<PathBuf>, reader: R) -> Result<Self> {
        let mut delta = Self { path: name.into(), reader, offset: 0, compressor: None };
        delta.read_header().map_err(|fault| delta.error(fault))?;
        Ok(delta)
    }

    /// What a fault is to others.
    pub(super) fn error(&self, Fault { offset, problem }: Fault) -> Error {
        Error::Vcdiff { path: self.path.clone(), offset, problem }
    }

    fn read_header(&mut self) -> Result<(), Fault> {
        for expected in MAGIC {
            if self.next_byte()? != Some(expected) {
                return Err(Fault { offset: 0, problem: VcdiffProblem::NotVcdiff });
            }
        }
        let found = self.byte("the header")?;
        if found != 0 {
            return Err(self.fault_before(1, VcdiffProblem::Version { found }));
        }
        let found = self.byte("the header")?;
        if found & !(SECONDARY | CODE_TABLE | APPLICATION_HEADER) != 0 {
            let what = "the indicator of the header";
            return Err(self.fault_before(1, VcdiffProblem::UnknownBits { what, found }));
        }
        if found & CODE_TABLE != 0 {
            return Err(self.fault_before(1, VcdiffProblem::CodeTable));
        }
        if found & SECONDARY != 0 {
            // A window may still do without.
            self.compressor = Some(self.byte("the header")?);
        }
        if found & APPLICATION_HEADER != 0 {
            let len = self.integer("the header")?;
            let skipped = io::copy(&mut self.reader.by_ref().take(len), &mut io::sink());
            let skipped = skipped.map_err(|source| self.fault(VcdiffProblem::Read(source)))?;
            self.offset += skipped;
            if skipped < len {
                return Err(self.fault(VcdiffProblem::Truncated { what: "the application header" }));
            }
        }
        Ok(())
    }

    /// The next window; `None` at the end.
    pub(super) fn next_window(&mut self) -> Result<Option<Window>, Fault> {
        const HEAD: &str = "the head of a window";
        let offset = self.offset;
        let Some(indicator) = self.next_byte()? else { return Ok(None) };
        let sources = FROM_SOURCE | FROM_TARGET;
        if indicator & !(sources | CHECKSUM) != 0 || indicator & sources == sources {
            let what = "the indicator of a window";
            let problem = VcdiffProblem::UnknownBits { what, found: indicator };
            return Err(Fault { offset, problem });
        }
        let source = match indicator & sources {
            0 => None,
            origin => {
                let (len, start) = (self.integer(HEAD)?, self.integer(HEAD)?);
                let end = start.checked_add(len).filter(|&end| end <= MAX_LEN);
                let end = end.ok_or_else(|| self.fault(VcdiffProblem::IntegerTooLarge))?;
                Some((start..end, origin == FROM_TARGET))
            }
        };
        let declared = self.integer(HEAD)?;
        let counted_from = self.offset;
        let target_len = self.integer(HEAD)?;
        let compressed = self.byte(HEAD)?;
        if compressed & !7 != 0 {
            let what = "the indicator of the sections";
            let problem = VcdiffProblem::UnknownBits { what, found: compressed };
            return Err(self.fault_before(1, problem));
        }
        if compressed != 0 {
            let known = COMPRESSORS.iter().find(|(number, _)| Some(*number) == self.compressor);
            let compressor = known.map_or("unknown", |(_, name)| name);
            let problem = VcdiffProblem::SecondaryCompression { compressor };
            return Err(self.fault_before(1, problem));
        }
        let lens = [self.integer(HEAD)?, self.integer(HEAD)?, self.integer(HEAD)?];
        let checksum = match indicator & CHECKSUM {
            0 => None,
            _ => {
                let mut bytes = [0; 4];
                for byte in &mut bytes {
                    *byte = self.byte(HEAD)?;
                }
                Some(u32::from_be_bytes(bytes))
            }
        };
        let sections = self.offset;
        let too_large = |what, len, limit| {
            let problem = VcdiffProblem::WindowTooLarge { what, len, limit };
            Err(Fault { offset, problem })
        };
        if target_len > MOST_TARGET {
            return too_large("what the window makes", target_len, MOST_TARGET);
        }
        // Three integers of 63 bits fit into 64 bits no more, so they are looked at one by one.
        let sum = lens.iter().fold(0_u64, |sum, &len| sum.saturating_add(len));
        if sum > MOST_SECTIONS {
            return too_large("the window", sum, MOST_SECTIONS);
        }
        let found = sections - counted_from + sum;
        if found != declared {
            return Err(Fault { offset, problem: VcdiffProblem::Lengths { declared, found } });
        }
        let [data, instructions, addresses] = lens;
        Ok(Some(Window {
            source,
            target_len,
            checksum,
            data: self.section(data)?,
            instructions: self.section(instructions)?,
            addresses: self.section(addresses)?,
            offset,
            sections,
        }))
    }

    /// Memory grows with what is there, not with what is declared.
    fn section(&mut self, len: u64) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        let outcome = self.reader.by_ref().take(len).read_to_end(&mut bytes);
        outcome.map_err(|source| self.fault(VcdiffProblem::Read(source)))?;
        self.offset += bytes.len() as u64;
        if (bytes.len() as u64) < len {
            return Err(self.fault(VcdiffProblem::Truncated { what: "a window" }));
        }
        Ok(bytes)
    }

    fn next_byte(&mut self) -> Result<Option<u8>, Fault> {
        let mut byte = [0];
        match self.reader.read_exact(&mut byte) {
            Ok(()) => {
                self.offset += 1;
                Ok(Some(byte[0]))
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(source) => Err(self.fault(VcdiffProblem::Read(source))),
        }
    }

    fn byte(&mut self, what: &'static str) -> Result<u8, Fault> {
        self.next_byte()?.ok_or_else(|| self.fault(VcdiffProblem::Truncated { what }))
    }

    fn integer(&mut self, what: &'static str) -> Result<u64, Fault> {
        let mut integer = Integer::default();
        loop {
            match integer.take(self.byte(what)?) {
                Step::Open => {}
                Step::Done(value) => return Ok(value),
                Step::TooLarge => return Err(self.fault(VcdiffProblem::IntegerTooLarge)),
            }
        }
    }

    fn fault(&self, problem: VcdiffProblem) -> Fault {
        self.fault_before(0, problem)
    }

    /// A fault in what was read `bytes` ago.
    fn fault_before(&self, bytes: u64, problem: VcdiffProblem) -> Fault {
        Fault { offset: self.offset - bytes, problem }
    }
}
