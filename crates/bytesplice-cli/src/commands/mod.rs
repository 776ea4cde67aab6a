//! One file a command.

pub mod abort;
pub mod append;
pub mod apply;
pub mod compose;
pub mod diff;
pub mod insert;
pub mod invert;
pub mod read;
pub mod recover;
pub mod remove;
pub mod replace;
pub mod show;
pub mod status;
pub mod truncate;
