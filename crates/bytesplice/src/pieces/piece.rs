/// Where the bytes of a piece come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Source {
    /// The file as it was opened.
    Original,
    /// The store of added bytes.
    Added,
    /// Another file, by its number in the list of source files.
    File(u32),
    /// One byte repeated. The offset of such a piece is always 0.
    Fill(u8),
}

/// A run of bytes from one source: `len` bytes from `offset` on. Never empty inside a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Piece {
    /// Where the bytes come from.
    pub source: Source,
    /// Offset of the first byte in the source; 0 for a fill.
    pub offset: u64,
    /// Number of bytes.
    pub len: u64,
}

impl Piece {
    /// `len` bytes of `source` from `offset` on.
    pub fn new(source: Source, offset: u64, len: u64) -> Self {
        let offset = if matches!(source, Source::Fill(_)) { 0 } else { offset };
        Self { source, offset, len }
    }

    /// The bytes `start..end` of this piece, counted from its own beginning.
    pub fn slice(self, start: u64, end: u64) -> Self {
        debug_assert!(start <= end && end <= self.len);
        Self::new(self.source, self.offset + start, end - start)
    }

    /// Whether `next` goes on in the source where this piece ends, so that both can be one.
    pub fn continues_in(self, next: Self) -> bool {
        self.source == next.source
            && (matches!(self.source, Source::Fill(_)) || self.offset + self.len == next.offset)
    }
}
