//! Finding and replacing bytes in the contents as edited.
//!
//! The contents are not in memory, and a match may lie anywhere: across pieces, across whatever is read at a time, and,
//! for a regular expression, over gigabytes. So all engines work on a [`Window`](window::Window), a stretch of the contents
//! that is read by `pread` and moved on:
//! - [`literals`]: one needle by memmem, many by Aho-Corasick. As many bytes as the longest needle has, less one, are
//!   carried from one window to the next, so that each match lies wholly in some window.
//! - [`regex`]: a lazy DFA is fed byte by byte. Its state is all that it knows of what came before, so that nothing need
//!   be carried, however long the match is; a second one goes backwards from the end of a match to find its start.
//!
//! [`searcher`] makes a sequence of matches of either; [`replacing`] makes the pieces of the new contents while that
//! sequence runs, in one pass.

mod face;
mod literals;
mod matches;
mod options;
mod pattern;
mod regex;
mod replacement;
mod replacing;
mod searcher;
mod window;

#[cfg(test)]
mod tests;

pub use matches::{Match, Matches, ReverseMatches};
pub use options::SearchOptions;
pub use pattern::{Pattern, PatternError};
pub use replacement::Replacement;
