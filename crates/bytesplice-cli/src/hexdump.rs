//! Bytes as lines of offset, hex and text.

use std::io::{self, Write};
use std::ops::Range;

use anstyle::{AnsiColor, Style};

/// Bytes in a line.
const LINE: usize = 16;

/// Writes a dump of the bytes it is fed. Repeated lines become one `*`, at the speed of comparing memory.
pub struct Hexdump<W> {
    out: W,
    coloured: bool,
    offset_width: usize,
    /// Offset of the first byte of `partial`.
    offset: u64,
    /// The beginning of a line whose rest is still to come.
    partial: Vec<u8>,
    /// The last whole line, and whether a `*` stands for repetitions of it already.
    previous: Option<[u8; LINE]>,
    squeezing: bool,
}

impl<W: Write> Hexdump<W> {
    /// A dump of the bytes at `range`, fed in order.
    pub fn new(out: W, range: Range<u64>, coloured: bool) -> Self {
        let offset_width = format!("{:x}", range.end).len().max(8);
        Self {
            out,
            coloured,
            offset_width,
            offset: range.start,
            partial: Vec::with_capacity(LINE),
            previous: None,
            squeezing: false,
        }
    }

    /// Writes what completes lines and keeps the rest.
    pub fn feed(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if !self.partial.is_empty() {
            let (head, tail) = bytes.split_at(bytes.len().min(LINE - self.partial.len()));
            self.partial.extend_from_slice(head);
            bytes = tail;
            if let Ok(line) = <[u8; LINE]>::try_from(self.partial.as_slice()) {
                self.partial.clear();
                self.whole_line(&line)?;
            }
        }
        while let Some((line, rest)) = bytes.split_first_chunk::<LINE>() {
            self.whole_line(line)?;
            bytes = rest;
            if self.squeezing {
                let repeated = repeated_bytes(bytes, line);
                self.offset += repeated as u64;
                bytes = &bytes[repeated..];
            }
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes the last line, and the end offset where it would not be seen otherwise.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.partial.is_empty() {
            let partial = std::mem::take(&mut self.partial);
            self.write_line(&partial)?;
        } else if self.squeezing {
            self.write_offset()?;
            writeln!(self.out)?;
        }
        Ok(self.out)
    }

    fn whole_line(&mut self, line: &[u8; LINE]) -> io::Result<()> {
        if self.previous.as_ref() == Some(line) {
            if !self.squeezing {
                writeln!(self.out, "*")?;
                self.squeezing = true;
            }
            self.offset += LINE as u64;
            return Ok(());
        }
        self.squeezing = false;
        self.previous = Some(*line);
        self.write_line(line)
    }

    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        self.write_offset()?;
        let mut colour = None;
        for column in 0..LINE {
            self.out.write_all(if column % (LINE / 2) == 0 { b"  " } else { b" " })?;
            match line.get(column) {
                Some(&byte) => {
                    self.change_colour(&mut colour, byte)?;
                    let digits = b"0123456789abcdef";
                    self.out.write_all(&[
                        digits[usize::from(byte >> 4)],
                        digits[usize::from(byte & 15)],
                    ])?;
                }
                None => self.out.write_all(b"  ")?,
            }
        }
        self.end_colour(&mut colour)?;
        self.out.write_all("  │".as_bytes())?;
        for &byte in line {
            self.change_colour(&mut colour, byte)?;
            write!(self.out, "{}", Class::of(byte).symbol(byte))?;
        }
        self.end_colour(&mut colour)?;
        self.out.write_all("│\n".as_bytes())?;
        self.offset += line.len() as u64;
        Ok(())
    }

    fn write_offset(&mut self) -> io::Result<()> {
        let (offset, width) = (self.offset, self.offset_width);
        if self.coloured {
            let style = AnsiColor::BrightBlack.on_default();
            return write!(self.out, "{style}{offset:0width$x}{style:#}");
        }
        write!(self.out, "{offset:0width$x}")
    }

    /// Switches only where the class changes: runs of one class are the rule.
    fn change_colour(&mut self, current: &mut Option<Class>, byte: u8) -> io::Result<()> {
        let class = Class::of(byte);
        if self.coloured && *current != Some(class) {
            self.end_colour(current)?;
            write!(self.out, "{}", class.style())?;
            *current = Some(class);
        }
        Ok(())
    }

    fn end_colour(&mut self, current: &mut Option<Class>) -> io::Result<()> {
        match current.take() {
            Some(class) => write!(self.out, "{:#}", class.style()),
            None => Ok(()),
        }
    }
}

/// How many bytes at the start of `bytes` are whole repetitions of `line`.
fn repeated_bytes(bytes: &[u8], line: &[u8; LINE]) -> usize {
    // A large block equal to itself shifted by a line is one repetition: two long comparisons.
    const BLOCK: usize = 4096;
    let mut repeated = 0;
    if bytes.starts_with(line) {
        while let Some(block) = bytes.get(repeated..repeated + BLOCK + LINE)
            && block[..BLOCK] == block[LINE..]
        {
            repeated += BLOCK;
        }
    }
    repeated + bytes[repeated..].chunks_exact(LINE).take_while(|chunk| chunk == line).count() * LINE
}

/// What a byte is to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Null,
    Printable,
    WhiteSpace,
    OtherAscii,
    NonAscii,
}

impl Class {
    fn of(byte: u8) -> Self {
        match byte {
            0 => Self::Null,
            b' ' | b'\t'..=b'\r' => Self::WhiteSpace,
            _ if byte.is_ascii_graphic() => Self::Printable,
            _ if byte.is_ascii() => Self::OtherAscii,
            _ => Self::NonAscii,
        }
    }

    fn symbol(self, byte: u8) -> char {
        match self {
            Self::Null => '⋄',
            Self::Printable => char::from(byte),
            Self::WhiteSpace if byte == b' ' => ' ',
            Self::WhiteSpace => '_',
            Self::OtherAscii => '•',
            Self::NonAscii => '×',
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Null => AnsiColor::BrightBlack,
            Self::Printable => AnsiColor::Cyan,
            Self::WhiteSpace => AnsiColor::Green,
            Self::OtherAscii => AnsiColor::Magenta,
            Self::NonAscii => AnsiColor::Yellow,
        }
        .on_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(chunks: &[&[u8]], start: u64, coloured: bool) -> String {
        let len: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        let mut hexdump = Hexdump::new(Vec::new(), start..start + len as u64, coloured);
        for chunk in chunks {
            hexdump.feed(chunk).unwrap();
        }
        String::from_utf8(hexdump.finish().unwrap()).unwrap()
    }

    #[test]
    fn lines_of_every_class() {
        assert_eq!(
            dump(&[b"AB \n\0\x7f\xff", b"0123456789"], 4, false),
            "\
00000004  41 42 20 0a 00 7f ff 30  31 32 33 34 35 36 37 38  │AB _⋄•×012345678│
00000014  39                                                │9│
"
        );
        assert_eq!(dump(&[], 0, false), "");
    }

    #[test]
    fn repeated_lines_become_a_star() {
        let zeros = [0; 48];
        assert_eq!(
            dump(&[&zeros], 0, false),
            "\
00000000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  │⋄⋄⋄⋄⋄⋄⋄⋄⋄⋄⋄⋄⋄⋄⋄⋄│
*
00000030
"
        );
    }

    #[test]
    fn the_way_bytes_are_cut_into_chunks_is_not_seen() {
        let mut bytes = vec![7; 20_000];
        bytes[9_999] = 8;
        bytes.extend(b"rest");
        let whole = dump(&[&bytes], 0, false);
        assert_eq!(whole.lines().filter(|line| *line == "*").count(), 2);
        for size in [1, 5, 16, 17, 4096, 4111] {
            assert_eq!(dump(&bytes.chunks(size).collect::<Vec<_>>(), 0, false), whole, "{size}");
        }
    }

    #[test]
    fn repetitions_are_counted_to_the_byte() {
        let line: [u8; LINE] = *b"0123456789abcdef";
        for lines in [0, 1, 2, 255, 256, 257, 512, 600] {
            let mut bytes = line.repeat(lines);
            assert_eq!(repeated_bytes(&bytes, &line), lines * LINE);
            bytes.extend(b"0123456789abcdeX0123456789abcdef");
            assert_eq!(repeated_bytes(&bytes, &line), lines * LINE);
        }
    }

    #[test]
    fn offsets_grow_wider_and_colours_change_with_the_class() {
        assert!(dump(&[b"x"], 0x1_2345_6789, false).starts_with("123456789  78"));
        let line = dump(&[b"AA\0"], 0, true);
        assert!(line.contains("\u{1b}[36m41 41 \u{1b}[0m\u{1b}[90m00"), "{line:?}");
    }
}
