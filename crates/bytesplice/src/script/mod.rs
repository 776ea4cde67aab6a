//! Edit scripts: edits as text, one JSON object a line. `docs/scripts.md` has the format.
//!
//! ```text
//! script ──► apply ──► piece tree ──► describe ──► script
//! ```
//! Everything goes through pieces. Applying turns a script into pieces over the old file, and [`describe`] turns
//! pieces over a file into a script. So the script of pending edits is one description, their undo script is the
//! description of the old file by pieces of the new one, two scripts are composed by applying both to a [`draft`] of
//! a file that need not be there, and `diff` finds its pieces in the old file and has them described.
mod apply;
mod compose;
mod describe;
mod draft;
mod edit;
mod invert;
mod json;
mod pieces;
mod problem;
mod read;
mod write;

pub use compose::compose;
pub use edit::{Checks, Offsets, OldBytes, ScriptContent, ScriptEdit, ScriptHeader};
pub use invert::invert;
pub use problem::ScriptProblem;
pub use read::Script;
pub use write::ScriptWriter;

pub(crate) use apply::Forward;
pub(crate) use describe::{Supply, describe};
