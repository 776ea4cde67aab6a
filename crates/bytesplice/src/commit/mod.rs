//! From pieces to a file that holds them: the plan, the order of its moves, the journal and its recovery.

pub(crate) mod candidate;
mod checksum;
mod choice;
mod closing;
pub(crate) mod direct;
pub(crate) mod engine;
mod face;
pub(crate) mod failure;
pub(crate) mod journal;
pub(crate) mod literals;
pub(crate) mod locate;
mod nearby;
pub(crate) mod order;
pub(crate) mod part;
pub(crate) mod payload;
pub(crate) mod plan;
mod prepare;
pub(crate) mod program;
pub(crate) mod recover;
mod rehearsal;
pub(crate) mod replace;
mod replace_face;
#[cfg(test)]
mod replace_tests;
pub(crate) mod report;
mod roll_back;
#[cfg(any(test, feature = "simulation"))]
pub(crate) mod sabotage;
mod samples;
mod saving;
pub(crate) mod shift;
pub(crate) mod watch;

pub use recover::Recovery;
pub use report::{ChosenStrategy, CommitPlan, StrategyCost};
