//! Little-endian fields, and the checksum at the end of them.

/// Puts the checksum of all bytes before it into the last four.
pub(super) fn seal(bytes: &mut [u8]) {
    let (body, checksum) = bytes.split_at_mut(bytes.len() - 4);
    checksum.copy_from_slice(&crc32fast::hash(body).to_le_bytes());
}

/// Whether the last four bytes are the checksum of all bytes before them.
pub(super) fn is_sealed(bytes: &[u8]) -> bool {
    let (body, checksum) = bytes.split_at(bytes.len() - 4);
    checksum == crc32fast::hash(body).to_le_bytes()
}

pub(super) struct Encoder<'a> {
    pub bytes: &'a mut [u8],
    pub at: usize,
}

impl Encoder<'_> {
    pub fn put(&mut self, field: &[u8]) {
        self.bytes[self.at..self.at + field.len()].copy_from_slice(field);
        self.at += field.len();
    }
}

pub(super) struct Decoder<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl Decoder<'_> {
    pub fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&self.bytes[self.at..self.at + N]);
        self.at += N;
        field
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}
