//! What the program says of the file that it was to change.

/// What a commit says when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statement {
    /// It succeeded.
    Done,
    /// It failed, and the file holds the old contents; nothing is to be recovered.
    Unchanged,
    /// It failed, and recovery decides.
    Recoverable,
    /// It failed after it had brought the new contents.
    Committed,
    /// It failed, and the file is neither old nor new.
    Damaged,
    /// It was killed, and could say nothing.
    Nothing,
}

impl Statement {
    /// What the message of a command that failed says. Messages that say nothing of the file are
    /// about a file that is unchanged (`bytesplice::Error::file_state`).
    pub fn of(message: &str) -> Self {
        let says = |words: &str| message.contains(words);
        if says("is now neither old nor new") {
            Self::Damaged
        } else if says("the file holds the new contents") {
            Self::Committed
        } else if says("bytesplice recover") || says("nothing was touched") {
            Self::Recoverable
        } else {
            Self::Unchanged
        }
    }

    /// The name in figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "said: done",
            Self::Unchanged => "said: unchanged",
            Self::Recoverable => "said: to be recovered",
            Self::Committed => "said: committed",
            Self::Damaged => "said: damaged",
            Self::Nothing => "said nothing",
        }
    }
}

/// The message and the exit code that a command which failed prints with `--json`; none if it does
/// not print them.
pub fn error_of(output: &str) -> Option<(String, i64)> {
    let object: serde_json::Value = serde_json::from_str(output).ok()?;
    let message = object.get("error")?.as_str()?.to_owned();
    Some((message, object.get("exit_code")?.as_i64()?))
}

/// The strategy that a commit with `--json` says that it took; none if it says none.
pub fn strategy_of(output: &str) -> Option<String> {
    let object: serde_json::Value = serde_json::from_str(output).ok()?;
    object.get("plan")?.get("strategy")?.as_str().map(str::to_owned)
}

/// The word that `recover --json` says; none if it says none.
pub fn recovery_of(output: &str) -> Option<String> {
    let object: serde_json::Value = serde_json::from_str(output).ok()?;
    object.get("recovery")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_told_by_its_message() {
        let path = || "data".into();
        let journal = || std::path::PathBuf::from(".data.bytesplice");
        let io = |state| bytesplice::Error::Io {
            path: path(),
            operation: "sync",
            offset: 0,
            len: 0,
            source: std::io::ErrorKind::Other.into(),
            state,
        };
        use bytesplice::FileState;
        for (error, statement) in [
            (io(FileState::Unchanged), Statement::Unchanged),
            (io(FileState::Recoverable { journal: journal() }), Statement::Recoverable),
            (io(FileState::Committed), Statement::Committed),
            (io(FileState::Damaged), Statement::Damaged),
            (bytesplice::Error::Locked { path: path() }, Statement::Unchanged),
            (
                bytesplice::Error::JournalMissing { path: path(), journal: journal() },
                Statement::Recoverable,
            ),
            (
                bytesplice::Error::NeedsRecovery { path: path(), journal: journal() },
                Statement::Recoverable,
            ),
            (
                bytesplice::Error::JournalCorrupt {
                    path: path(),
                    journal: journal(),
                    detail: "its header is damaged".into(),
                },
                Statement::Recoverable,
            ),
        ] {
            assert_eq!(Statement::of(&error.to_string()), statement, "{error}");
        }
    }
}
