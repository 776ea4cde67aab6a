//! How far commits, backups, searches and comparisons are: a bar on a terminal, lines elsewhere.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use bytesplice::Progress;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::shown;
use crate::size::approximate;

/// Work shorter than this shows nothing, unless it is always to be shown; and the time between two lines.
const PATIENCE: Duration = Duration::from_secs(1);
/// The cursor goes back a little from the last column, so that the `^C` that terminals show does not wrap the line, which
/// could not be wiped then.
const TEMPLATE: &str =
    "{msg} [{wide_bar}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}   \x1b[3D";
/// Columns of the name in front of the bar.
const NAME_WIDTH: usize = 24;

/// When progress is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressArgument {
    /// On a terminal, when it takes over a second; not with --quiet
    #[default]
    Auto,
    /// From the beginning; where standard error is no terminal, a line a second
    Always,
    /// Never
    Never,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Nothing,
    Bar,
    Lines,
}

/// The progress of one piece of work.
pub struct WorkProgress {
    name: String,
    started: Instant,
    form: Form,
    patience: Duration,
    /// Hidden at first, but fed from the beginning, so that rate and remaining time are right once it is drawn.
    bar: ProgressBar,
    last_line: Instant,
    last: Option<Progress>,
}

impl WorkProgress {
    /// Starts the clock of work on the file at `path`.
    pub fn new(path: &Path, wanted: ProgressArgument, quiet: bool) -> Self {
        let name = shortened(&shown(path));
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
            .with_message(name.clone());
        let bar = match ProgressStyle::with_template(TEMPLATE) {
            Ok(style) => bar.with_style(style.progress_chars("=> ")),
            Err(_) => bar,
        };
        let form = match (wanted, io::stderr().is_terminal()) {
            (ProgressArgument::Never, _) => Form::Nothing,
            (ProgressArgument::Auto, true) if !quiet => Form::Bar,
            (ProgressArgument::Auto, _) => Form::Nothing,
            (ProgressArgument::Always, true) => Form::Bar,
            (ProgressArgument::Always, false) => Form::Lines,
        };
        let patience = match wanted {
            ProgressArgument::Always => Duration::ZERO,
            _ => PATIENCE,
        };
        let started = Instant::now();
        Self { name, started, form, patience, bar, last_line: started, last: None }
    }

    /// Shows how far the work is, once it takes long.
    pub fn advance(&mut self, now: Progress) {
        if self.form == Form::Bar && self.bar.is_hidden() && self.started.elapsed() >= self.patience
        {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_length(now.bytes_total);
        self.bar.set_position(now.bytes_done);
        self.last = Some(now);
        if self.form == Form::Lines && self.last_line.elapsed() >= PATIENCE {
            self.last_line = Instant::now();
            self.line(now);
        }
    }

    /// The bar, to be moved out of the way of what others print.
    pub fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// Wipes the bar; or says how far it came.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
        if let (Form::Lines, Some(last)) = (self.form, self.last) {
            self.line(last);
        }
    }

    fn line(&self, now: Progress) {
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        let rate = now.bytes_done as f64 / seconds;
        let left = (now.bytes_total - now.bytes_done) as f64 / rate.max(1.0);
        let share = now.bytes_done as f64 / now.bytes_total.max(1) as f64 * 100.0;
        // The work goes on, whether anybody reads this or not.
        let _ = writeln!(
            io::stderr(),
            "{}: {share:.0}% of {}, {}/s, {left:.0} s left",
            self.name,
            approximate(now.bytes_total),
            approximate(rate as u64),
        );
    }
}

/// The end of a long name, which tells more than its beginning.
fn shortened(name: &str) -> String {
    let length = name.chars().count();
    if length <= NAME_WIDTH {
        return name.into();
    }
    std::iter::once('…').chain(name.chars().skip(length - NAME_WIDTH + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn long_names_are_cut_at_their_beginning() {
        assert_eq!(shortened("data"), "data");
        assert_eq!(shortened("/a/very/long/path/to/the/file"), "…y/long/path/to/the/file");
    }
}
