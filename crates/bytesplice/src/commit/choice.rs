use std::path::Path;

use super::candidate::{Candidate, SMALL, Surroundings, cheapest};
use super::order;
use super::plan::Geometry;
use super::program::Subject;
use super::report::StrategyCost;
use super::shift::DataMap;
use crate::pieces::{PieceTree, Source};
use crate::source::Original;
use crate::storage::capabilities::{self, Capabilities};
use crate::storage::os_file::file_size_limit;
use crate::storage::{extents, writers};
use crate::{Error, Result, SpliceFile, Strategy};

/// The way that a commit takes, and why.
pub(super) struct Choice {
    /// None if there is nothing to do.
    pub candidate: Option<Candidate>,
    /// Why this one.
    pub reason: String,
    /// The costs of everything that was looked at.
    pub costs: Vec<StrategyCost>,
}

/// Which strategies to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Survey {
    /// As many as the choice needs.
    Enough,
    /// All, for a report.
    All,
}

const CRASH_SAFE: [Strategy; 3] = [Strategy::Journaled, Strategy::Snapshot, Strategy::Extents];

impl SpliceFile {
    /// Works out how these pieces get into the file.
    ///
    /// # Errors
    /// [`Error::StrategyUnsupported`], if a strategy asked for by name cannot be had.
    pub(super) fn choose(
        &self,
        pieces: &PieceTree,
        strategy: Strategy,
        synced: bool,
        survey: Survey,
        allow_writers: bool,
    ) -> Result<Choice> {
        let old_len = self.original.len();
        let data = extents_of(self, pieces)?;
        let subject = Subject { pieces, old_len, data: &data, geometry: Geometry::REAL };
        let mut surroundings = Surroundings {
            capabilities: Err("not looked at".into()),
            free_space: u64::MAX,
            cached_share: 1.0,
            size_limit: file_size_limit(),
            named: !self.unlinked,
            synced,
            preallocated: true,
            // Only what is cut off can be lost.
            writers: if allow_writers || pieces.len() >= old_len {
                None
            } else {
                self.other_writers()?
            },
        };
        let journaled = subject.journaled();
        let bytes_to_write = journaled.0.plan.bytes_to_write();
        if journaled.0.is_nothing() {
            return Ok(Choice {
                candidate: None,
                reason: "the file holds these contents".into(),
                costs: Vec::new(),
            });
        }
        let little = bytes_to_write <= SMALL;
        let wanted: &[Strategy] = match strategy {
            Strategy::Auto if self.unlinked => &[Strategy::Direct],
            Strategy::Auto if little && surroundings.writers.is_none() => &[Strategy::Journaled],
            Strategy::Auto => &CRASH_SAFE,
            ref named => std::slice::from_ref(named),
        };
        if survey == Survey::All || wanted.iter().any(|&strategy| is_particular(strategy)) {
            self.look_around(pieces, &mut surroundings);
        }

        let looked_at: Vec<Strategy> = match survey {
            Survey::All => CRASH_SAFE.into_iter().chain([Strategy::Direct]).collect(),
            Survey::Enough => wanted.to_vec(),
        };
        // What was worked out already, unless that is to make room.
        let mut journaled = Some(journaled).filter(|_| looked_at[0] == Strategy::Journaled);
        let mut costs: Vec<StrategyCost> = Vec::new();
        let mut refusal = String::new();
        let candidate = cheapest(looked_at, |looked_at| {
            let candidate = match journaled.take() {
                Some((program, literals))
                    if surroundings.named && surroundings.writers.is_none() =>
                {
                    Ok(subject.priced(looked_at, program, literals, &surroundings))
                }
                _ => subject.candidate(looked_at, &surroundings),
            };
            let cost = match &candidate {
                Ok(candidate) => candidate.cost.clone(),
                Err(reason) => StrategyCost::unavailable(looked_at, reason.clone()),
            };
            if !costs.iter().any(|known| known.strategy == cost.strategy) {
                costs.push(cost);
            }
            if let Err(reason) = &candidate
                && strategy == looked_at
            {
                refusal.clone_from(reason);
            }
            candidate.ok().filter(|_| wanted.contains(&looked_at))
        });
        if candidate.is_none()
            && let Some(writers) = surroundings.writers
        {
            return Err(Error::OpenForWriting { path: self.path.clone(), writers });
        }
        if candidate.is_none() {
            return Err(Error::StrategyUnsupported {
                path: self.path.clone(),
                strategy,
                reason: refusal,
            });
        }
        let reason = match strategy {
            Strategy::Auto if self.unlinked => {
                "the file has no name beside which a journal could lie"
            }
            Strategy::Auto if little => "little is written",
            Strategy::Auto => "it is the cheapest one that is crash-safe and keeps the inode",
            _ => "it was asked for",
        };
        Ok(Choice { candidate, reason: reason.into(), costs })
    }

    /// The other processes that have the file open for writing, as far as they can be seen; none while nobody but this process
    /// has it open.
    pub(super) fn other_writers(&self) -> Result<Option<String>> {
        let found = writers::that_stay(self.original.file());
        let found =
            found.map_err(|source| self.io_error("look for writers of the file", source))?;
        Ok((!found.is_empty()).then(|| writers::listed(&found)))
    }

    /// Finds out what a choice among strategies depends on.
    fn look_around(&self, pieces: &PieceTree, surroundings: &mut Surroundings) {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        // A write past the limit would kill the process.
        if surroundings.size_limit.is_some_and(|limit| limit < 8 * Geometry::REAL.block) {
            surroundings.capabilities = Err("files may not be so long as to try it".into());
            return;
        }
        surroundings.capabilities = Capabilities::of(directory, Geometry::REAL.block);
        let file = self.original.file();
        // Where the system does not tell, there may be some.
        surroundings.preallocated =
            extents::has_preallocated(file, first_change(pieces)..self.original.len())
                .unwrap_or(true);
        surroundings.free_space = capabilities::free_space(file).unwrap_or(u64::MAX);
        surroundings.cached_share =
            capabilities::cached_share(file, first_change(pieces), self.original.len());
    }
}

/// Whether a strategy is only for some file systems.
fn is_particular(strategy: Strategy) -> bool {
    matches!(strategy, Strategy::Snapshot | Strategy::Extents)
}

/// Where the old file has data; all of it, if no byte of it moves.
fn extents_of(file: &SpliceFile, pieces: &PieceTree) -> Result<DataMap> {
    let old_len = file.original.len();
    let everything = || DataMap::new(std::iter::once(0..old_len), 1);
    let start = first_change(pieces);
    if start >= old_len {
        return Ok(everything());
    }
    let found = extents::data_ranges(file.original.file(), start);
    let found = found.map_err(|source| file.io_error("list the holes of the file", source))?;
    Ok(DataMap::new(std::iter::once(0..start).chain(found), 1))
}

/// The offset of the first byte that does not stay.
fn first_change(pieces: &PieceTree) -> u64 {
    let mut destination = 0;
    for (piece, kept) in pieces.iter().zip(order::kept_in_order(pieces.iter())) {
        if !kept || piece.source != Source::Original || piece.offset != destination {
            break;
        }
        destination += piece.len;
    }
    destination
}
