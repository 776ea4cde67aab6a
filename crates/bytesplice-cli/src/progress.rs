//! A progress bar on a terminal for commits and comparisons that take over a second.

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
    started: Instant,
    wanted: bool,
    /// Hidden at first, but fed from the beginning, so that rate and remaining time are right once it is drawn.
    bar: ProgressBar,
}

impl CommitProgress {
    /// Starts the clock. Nothing is drawn if `quiet`, or if standard error is no terminal.
    pub fn new(path: &Path, quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
            .with_message(shown(path));
        let bar = match ProgressStyle::with_template(TEMPLATE) {
            Ok(style) => bar.with_style(style.progress_chars("=> ")),
            Err(_) => bar,
        };
        Self { started: Instant::now(), wanted: !quiet && io::stderr().is_terminal(), bar }
    }

    /// Draws how far the commit is, once it takes long.
    pub fn advance(&mut self, now: Progress) {
        if self.wanted && self.bar.is_hidden() && self.started.elapsed() >= PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_length(now.bytes_total);
        self.bar.set_position(now.bytes_done);
    }

    /// The bar, to be moved out of the way of what others print.
    pub fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// Wipes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
