//! What is known of the journal of a file, in words and for programs.

use std::path::Path;

use bytesplice::{JournalStatus, Status};
use serde_json::{Map, Value};

use crate::output::{bytes, insert_path, printable, shown};

/// How far the commit is, and what recovery would do; `journal` is its path as typed.
pub fn sentence(status: &Status, journal: Option<&Path>) -> String {
    let sentence = if status.is_being_written() { of_running } else { of_broken }(&status.journal);
    let journal = journal.map_or(String::new(), |journal| format!(" ({})", shown(journal)));
    format!("{sentence}{journal}")
}

/// The lengths before and after the commit, if the journal tells.
pub fn lengths(status: &Status) -> Option<String> {
    let lengths = status.commit_lengths?;
    Some(format!("old length {}, new length {}", bytes(lengths.old), bytes(lengths.new)))
}

/// The same for programs.
pub fn object(status: &Status, path: Option<&Path>) -> Map<String, Value> {
    let mut journal = Map::new();
    let state = match &status.journal {
        JournalStatus::None => "none",
        JournalStatus::Prepared { .. } => "prepared",
        JournalStatus::Committing { step, steps, .. } => {
            journal.insert("step".into(), (*step).into());
            journal.insert("steps".into(), (*steps).into());
            "committing"
        }
        JournalStatus::Finishing { .. } => "finishing",
        JournalStatus::Unusable { detail, .. } => {
            journal.insert("detail".into(), detail.as_str().into());
            "unusable"
        }
    };
    journal.insert("state".into(), state.into());
    if let Some(lengths) = status.commit_lengths {
        journal.insert("old_length".into(), lengths.old.into());
        journal.insert("new_length".into(), lengths.new.into());
    }
    if let Some(path) = path {
        insert_path(&mut journal, "path", path);
    }
    journal
}

/// While another bytesplice holds the lock and works by this journal.
fn of_running(journal: &JournalStatus) -> String {
    match journal {
        JournalStatus::None | JournalStatus::Unusable { .. } => of_broken(journal),
        JournalStatus::Prepared { .. } => "another bytesplice is preparing a commit".into(),
        JournalStatus::Committing { step, steps, .. } => {
            format!("another bytesplice is committing, at step {step} of {steps}")
        }
        JournalStatus::Finishing { .. } => "another bytesplice is finishing its commit".into(),
    }
}

fn of_broken(journal: &JournalStatus) -> String {
    match journal {
        JournalStatus::None => "none".into(),
        JournalStatus::Prepared { .. } => {
            "a commit was prepared and not begun: recovery brings back the old contents".into()
        }
        JournalStatus::Committing { step, steps, .. } => {
            format!(
                "a commit was cut short at step {step} of {steps}: recovery brings the new contents"
            )
        }
        JournalStatus::Finishing { .. } => {
            "a commit is written and not tidied up: recovery finishes it".into()
        }
        JournalStatus::Unusable { detail, .. } => format!("unusable: {}", printable(detail)),
    }
}
