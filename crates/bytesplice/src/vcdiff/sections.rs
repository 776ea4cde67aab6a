use super::VcdiffProblem;
use super::integer::{Integer, Step};

/// A problem and the offset in the delta where it is.
#[derive(Debug)]
pub(super) struct Fault {
    pub offset: u64,
    pub problem: VcdiffProblem,
}

/// One of the three sections of a window, as far as it is not used up.
pub(super) struct Section<'a> {
    what: &'static str,
    rest: &'a [u8],
    /// Offset of the rest in the delta.
    offset: u64,
}

impl<'a> Section<'a> {
    pub fn new(what: &'static str, bytes: &'a [u8], offset: u64) -> Self {
        Self { what, rest: bytes, offset }
    }

    /// Where the next byte is in the delta.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: u64) -> Result<&'a [u8], Fault> {
        let ends = || self.fault(VcdiffProblem::SectionEnds { what: self.what });
        let split = usize::try_from(count).ok().and_then(|count| self.rest.split_at_checked(count));
        let (now, later) = split.ok_or_else(ends)?;
        self.rest = later;
        self.offset += count;
        Ok(now)
    }

    pub fn byte(&mut self) -> Result<u8, Fault> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub fn integer(&mut self) -> Result<u64, Fault> {
        let mut integer = Integer::default();
        loop {
            match integer.take(self.byte()?) {
                Step::Open => {}
                Step::Done(value) => return Ok(value),
                Step::TooLarge => return Err(self.fault(VcdiffProblem::IntegerTooLarge)),
            }
        }
    }

    /// Fails if there is something left.
    pub fn end(&self) -> Result<(), Fault> {
        match self.rest.len() as u64 {
            0 => Ok(()),
            len => Err(self.fault(VcdiffProblem::LeftOver { what: self.what, len })),
        }
    }

    fn fault(&self, problem: VcdiffProblem) -> Fault {
        Fault { offset: self.offset, problem }
    }
}
