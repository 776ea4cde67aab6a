//! One file a command.

pub mod abort;
pub mod append;
pub mod apply;
pub mod compose;
pub mod copy;
pub mod diff;
pub mod find;
pub mod forget;
pub mod generate;
pub mod insert;
pub mod invert;
pub mod r#move;
pub mod read;
pub mod recover;
pub mod remove;
pub mod replace;
pub mod replace_all;
pub mod show;
pub mod status;
pub mod truncate;
