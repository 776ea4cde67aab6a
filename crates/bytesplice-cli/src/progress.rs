//! A progress bar on a terminal for commits that take over a second.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::{Duration, Instant};

use bytesplice::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::shown;

/// Commits shorter than this show nothing.
const PATIENCE: Duration = Duration::from_secs(1);
const TEMPLATE: &str =
    "{msg} [{wide_bar}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";

/// The bar of one commit.
pub struct CommitProgress {
    name: String,
    started: Instant,
    wanted: bool,
    bar: Option<ProgressBar>,
}

impl CommitProgress {
    /// Starts the clock. Nothing is drawn if `quiet`, or if standard error is no terminal.
    pub fn new(path: &Path, quiet: bool) -> Self {
        let wanted = !quiet && io::stderr().is_terminal();
        Self { name: shown(path), started: Instant::now(), wanted, bar: None }
    }

    /// Draws how far the commit is, once it takes long.
    pub fn advance(&mut self, now: Progress) {
        if !self.wanted || self.started.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
                .with_message(self.name.clone())
                .with_elapsed(self.started.elapsed());
            match ProgressStyle::with_template(TEMPLATE) {
                Ok(style) => bar.with_style(style.progress_chars("=> ")),
                Err(_) => bar,
            }
        });
        bar.set_length(now.bytes_total);
        bar.set_position(now.bytes_done);
    }

    /// Wipes the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
