use std::ffi::OsString;
use std::path::Path;

use bytesplice::recover;

use crate::chance::Chance;
use crate::extents::Shape;
use crate::workload::{self, Edits};

/// What a child process does to a file until it is done, or cut short: this program again, called as `job`.
pub struct Job(Kind);

enum Kind {
    Commit { strategy: String, seed: u64 },
    Recover,
}

impl Job {
    /// The edits of a seed, committed by a strategy; by `extents` if the strategy is a shape.
    pub fn commit(strategy: &str, seed: u64) -> Self {
        Self(Kind::Commit { strategy: strategy.to_owned(), seed })
    }

    /// Recovery of what a commit left.
    pub fn recover() -> Self {
        Self(Kind::Recover)
    }

    /// The arguments of the child.
    pub fn arguments(&self, path: &Path) -> Vec<OsString> {
        let mut arguments = vec!["job".into(), path.into()];
        if let Kind::Commit { strategy, seed } = &self.0 {
            arguments.extend([strategy.into(), seed.to_string().into()]);
        }
        arguments
    }

    /// What the child does: it says when it begins, and fails if it is cut short.
    pub fn run(arguments: &[String]) -> Result<(), String> {
        let path = Path::new(arguments.first().ok_or("no file")?);
        if arguments.len() == 1 {
            println!("begin");
            return recover(path).map(drop).map_err(|error| error.to_string());
        }
        let [_, strategy, seed] = arguments else { return Err("a job has other arguments".into()) };
        let seed = seed.parse().map_err(|_| "the seed is not a number")?;
        let (strategy, edits) = match Shape::named(strategy) {
            Some(shape) => (workload::strategy("extents")?, shape.edits(seed)),
            None => {
                let len = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
                let edits = Edits::random(&mut Chance::new(seed), len as usize);
                (workload::strategy(strategy)?, edits)
            }
        };
        let mut file = edits.open(path).map_err(|error| error.to_string())?;
        println!("begin");
        let outcome = workload::commit(&mut file, strategy, bytesplice::Durability::Synced);
        if outcome.as_ref().is_err_and(workload::is_refused) {
            println!("refused");
        }
        outcome.map_err(|error| error.to_string())
    }
}
