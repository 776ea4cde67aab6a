//! Integers as VCDIFF has them: base 128, the highest digit first, a high bit on every byte but the last.

/// Most bytes of an integer: 63 bits, which is as far as files go.
const MOST_BYTES: usize = 9;

/// An integer that is read byte by byte.
#[derive(Debug, Default)]
pub(super) struct Integer {
    value: u64,
    bytes: usize,
}

/// What a byte made of an integer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// More bytes follow.
    Open,
    /// This is its value.
    Done(u64),
    /// It has more than 63 bits.
    TooLarge,
}

impl Integer {
    /// Takes the next byte.
    pub fn take(&mut self, byte: u8) -> Step {
        self.bytes += 1;
        self.value = self.value << 7 | u64::from(byte & 0x7f);
        match byte & 0x80 {
            0 => Step::Done(self.value),
            _ if self.bytes == MOST_BYTES => Step::TooLarge,
            _ => Step::Open,
        }
    }
}

/// Appends `value`, which is below 2^63.
pub(super) fn write(value: u64, out: &mut Vec<u8>) {
    let bits = u64::BITS - (value | 1).leading_zeros();
    for digit in (0..bits.div_ceil(7)).rev() {
        let more = if digit > 0 { 0x80 } else { 0 };
        out.push((value >> (7 * digit)) as u8 & 0x7f | more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Step {
        let mut integer = Integer::default();
        bytes
            .iter()
            .map(|&byte| integer.take(byte))
            .find(|step| *step != Step::Open)
            .unwrap_or(Step::Open)
    }

    #[test]
    fn integers_are_as_in_the_standard() {
        let mut out = Vec::new();
        // The example of RFC 3284, section 2.
        write(123_456_789, &mut out);
        assert_eq!(out, [0xba, 0xef, 0x9a, 0x15]);
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), (1 << 63) - 1] {
            out.clear();
            write(value, &mut out);
            assert_eq!(read(&out), Step::Done(value));
            assert_eq!(read(&out[..out.len() - 1]), Step::Open);
        }
        assert_eq!(read(&[0xff; 9]), Step::TooLarge);
        assert_eq!(read(&[0x80, 0x80, 0x01]), Step::Done(1));
    }
}
