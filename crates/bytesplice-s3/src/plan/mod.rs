//! Pieces of the new contents → parts of an upload. Pure: no I/O.

mod cost;
mod cuts;
mod equal;
mod fetches;
mod runs;

pub use cost::{Cost, Requests};

use std::ops::Range;

use crate::{Conditions, Error, ObjectName, Profile};
pub(crate) use fetches::Fetch;
use fetches::fetches;
use runs::Runs;

/// A piece of the new contents, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of the old object.
    Kept {
        /// Offset in the old object.
        offset: u64,
        /// Number of bytes.
        len: u64,
    },
    /// Bytes that the client has.
    New {
        /// Number of bytes.
        len: u64,
    },
}

/// Where a part or a segment comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From this offset of the old object.
    Kept(u64),
    /// From the client. For a part: sent by it, though some of the bytes may be fetched first.
    New,
}

/// A part of the upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Offset in the new contents.
    pub offset: u64,
    /// Number of bytes.
    pub len: u64,
    /// `Kept`: copied by the store; `New`: sent.
    pub origin: Origin,
}

impl Part {
    /// Offset after the last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + self.len
    }
}

/// Bytes of a sent part that come from one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Offset in the new contents.
    pub offset: u64,
    /// Number of bytes.
    pub len: u64,
    /// `Kept`: fetched first; `New`: read from the client.
    pub origin: Origin,
}

/// Why there is no plan. Nothing was sent, and the object is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The new contents would be longer than the store's largest object.
    #[error(
        "the new contents would be {len} bytes long, and the store's largest object is {largest}; nothing was changed"
    )]
    TooLarge {
        /// Length in bytes.
        len: u64,
        /// Longest object in bytes.
        largest: u64,
    },
    /// No division needs so few parts.
    #[error(
        "the new contents need {parts} parts or more, and the store allows {most}; nothing was changed: remove or insert less at a time"
    )]
    TooManyParts {
        /// Parts of the best division found.
        parts: u64,
        /// Most parts of an upload.
        most: u64,
    },
    /// A kept piece lies past the end of the old object.
    #[error(
        "bytes {start}..{end} are kept, but the old object is {old_len} bytes long; nothing was changed"
    )]
    OutOfRange {
        /// First byte of the piece.
        start: u64,
        /// The byte after the last one; saturated.
        end: u64,
        /// Length of the old object in bytes.
        old_len: u64,
    },
    /// The profile contradicts itself.
    #[error("the profile of the store cannot be: {rule}; nothing was changed")]
    Profile {
        /// The rule that it breaks.
        rule: &'static str,
    },
}

impl PlanError {
    /// This error as one of an object.
    #[must_use]
    pub fn of(self, object: &ObjectName) -> Error {
        Error::Plan { object: object.clone(), source: self }
    }
}

/// How the new contents are put together.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    runs: Runs,
    parts: Vec<Part>,
    single_put: bool,
    fetched_along: u64,
    conditions: Conditions,
    checks_before_swap: bool,
    cost: Cost,
}

impl Plan {
    /// Plans the way from an object of `old_len` bytes to `pieces`.
    ///
    /// The fewest bytes go through the client (those fetched, to be joined with new ones, and those sent), and with that
    /// the fewest requests (but for one at a cut between two sent parts); `plan/cuts.rs` says how. Ranges that are fetched
    /// for one part and lie near each other are then fetched together, with what is between them
    /// ([`Profile::fetched_along`]). Contents shorter than a part, or of which nothing is worth copying, are sent by one put. Where that takes more parts than the store has, the shortest kept ranges are sent as well,
    /// which is near the optimum and no more. Stores with equal parts: the best of some lengths.
    ///
    /// O(pieces) in time, as long as the parts suffice, O(pieces · log pieces) otherwise.
    ///
    /// # Errors
    /// [`PlanError`]: what the store does not allow is refused before anything is sent.
    pub fn new(
        pieces: impl IntoIterator<Item = Piece>,
        old_len: u64,
        profile: &Profile,
    ) -> Result<Self, PlanError> {
        if let Some(rule) = profile.broken_rule() {
            return Err(PlanError::Profile { rule });
        }
        let runs = Runs::new(pieces, old_len, profile.largest_object)?;
        let parts = if runs.len() < profile.smallest_part {
            None
        } else if profile.equal_parts {
            equal::divide(&runs, profile)?
        } else {
            cuts::divide(&runs, old_len, profile)?
        };
        let parts = parts.filter(|parts| {
            let has_copies = parts.iter().any(|part| part.origin != Origin::New);
            has_copies || runs.len() > profile.preferred_upload
        });
        let single_put = parts.is_none();
        let parts =
            parts.unwrap_or_else(|| vec![Part { offset: 0, len: runs.len(), origin: Origin::New }]);
        let cost = Cost::new(&runs, &parts, single_put, old_len, profile);
        let fetched_along = profile.fetched_along;
        let (conditions, checks_before_swap) = (profile.conditions, profile.checks_before_swap);
        Ok(Self { runs, parts, single_put, fetched_along, conditions, checks_before_swap, cost })
    }

    /// Length of the new contents in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.runs.len()
    }

    /// Whether the new contents are empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the contents are sent whole, by one put, instead of an upload in parts.
    #[must_use]
    pub fn is_single_put(&self) -> bool {
        self.single_put
    }

    /// The parts, in order; number 1 is the first. A single put has one, which may be empty.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What the store does with a write whose condition does not hold, by its profile.
    #[must_use]
    pub fn conditions(&self) -> Conditions {
        self.conditions
    }

    /// Whether the commit checks the object and its parts right before the swap, by the profile.
    #[must_use]
    pub fn checks_before_swap(&self) -> bool {
        self.checks_before_swap
    }

    /// Whether the store copies any part.
    #[must_use]
    pub fn has_copies(&self) -> bool {
        self.parts.iter().any(|part| part.origin != Origin::New)
    }

    /// Where the bytes of `range` of the new contents come from, in order. O(log pieces) and O(1) a segment.
    pub fn segments(&self, range: Range<u64>) -> impl Iterator<Item = Segment> + '_ {
        self.runs.within(range)
    }

    /// The requests that fetch what is kept of `range` of the new contents.
    pub(crate) fn fetches(&self, range: Range<u64>) -> Vec<Fetch> {
        fetches(self.segments(range), self.fetched_along)
    }

    /// How many of the bytes of a part are fetched, before they are sent: none of one that the store copies.
    #[must_use]
    pub fn bytes_fetched(&self, part: &Part) -> u64 {
        if part.origin != Origin::New {
            return 0;
        }
        let segments = self.segments(part.offset..part.end());
        segments.filter(|segment| segment.origin != Origin::New).map(|segment| segment.len).sum()
    }

    /// What it costs.
    #[must_use]
    pub fn cost(&self) -> &Cost {
        &self.cost
    }
}
