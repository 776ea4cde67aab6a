//! How far commits, backups, searches and comparisons are: a bar on a terminal, lines elsewhere.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use bytesplice::Progress;
use clap::ValueEnum;

use crate::output::shown;
use crate::progress_bar::ProgressBar;
use crate::size::approximate;

/// Work shorter than this shows nothing, unless it is always to be shown; and the time between two lines.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two drawings of the bar.
const REDRAWN: Duration = Duration::from_millis(50);
/// Columns of the bar.
const BAR_WIDTH: usize = 14;
/// Columns of the name in front of the bar.
const NAME_WIDTH: usize = 16;

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
    bar: ProgressBar,
    /// When something was shown last.
    last_shown: Option<Instant>,
    last: Option<Progress>,
}

impl WorkProgress {
    /// Starts the clock of work on the file at `path`.
    pub fn new(path: &Path, wanted: ProgressArgument, quiet: bool) -> Self {
        let name = shortened(&shown(path));
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
        let (started, bar) = (Instant::now(), ProgressBar::default());
        Self { name, started, form, patience, bar, last_shown: None, last: None }
    }

    /// Shows how far the work is, once it takes long.
    pub fn advance(&mut self, now: Progress) {
        self.last = Some(now);
        let (patience, interval) = match self.form {
            Form::Nothing => return,
            Form::Bar => (self.patience, REDRAWN),
            Form::Lines => (PATIENCE, PATIENCE),
        };
        let lately = self.last_shown.is_some_and(|last| last.elapsed() < interval);
        if lately || self.started.elapsed() < patience {
            return;
        }
        self.last_shown = Some(Instant::now());
        match self.form {
            Form::Bar => self.bar.draw(&self.drawn(now)),
            _ => self.line(now),
        }
    }

    /// The bar, to be moved out of the way of what others print.
    pub fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// Wipes the bar; or says how far it came.
    pub fn finish(&self) {
        self.bar.wipe();
        if let (Form::Lines, Some(last)) = (self.form, self.last) {
            self.line(last);
        }
    }

    fn line(&self, now: Progress) {
        let (rate, left) = self.rate_and_rest(now);
        let share = now.bytes_done as f64 / now.bytes_total.max(1) as f64 * 100.0;
        // The work goes on, whether anybody reads this or not.
        let _ = writeln!(
            io::stderr(),
            "{}: {share:.0}% of {}, {rate}/s, {} left",
            self.name,
            approximate(now.bytes_total),
            time(left),
        );
    }

    fn drawn(&self, now: Progress) -> String {
        let (rate, left) = self.rate_and_rest(now);
        let share = now.bytes_done as f64 / now.bytes_total.max(1) as f64;
        let full = ((share * BAR_WIDTH as f64) as usize).min(BAR_WIDTH);
        let (full, head) = if full < BAR_WIDTH { (full, ">") } else { (full, "") };
        let bar = format!("{}{head}", "=".repeat(full));
        let (done, total) = (approximate(now.bytes_done), approximate(now.bytes_total));
        format!("{} [{bar:BAR_WIDTH$}] {done} of {total}, {rate}/s, {} left", self.name, time(left))
    }

    /// Bytes a second so far, and the seconds that the rest takes at that.
    fn rate_and_rest(&self, now: Progress) -> (String, f64) {
        let rate = now.bytes_done as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        let left = now.bytes_total.saturating_sub(now.bytes_done) as f64 / rate.max(1.0);
        (approximate(rate as u64), left)
    }
}

/// Seconds in a unit of which there are not too many.
fn time(seconds: f64) -> String {
    match seconds {
        ..100.0 => format!("{seconds:.0} s"),
        100.0..6000.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.0} h", seconds / 3600.0),
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
    use super::{shortened, time};

    #[test]
    fn times_are_told_in_a_unit_that_fits() {
        for (seconds, text) in
            [(0.2, "0 s"), (99.0, "99 s"), (150.0, "2 min"), (6100.0, "2 h"), (f64::MAX, "h")]
        {
            assert!(time(seconds).ends_with(text), "{}", time(seconds));
        }
    }

    #[test]
    fn long_names_are_cut_at_their_beginning() {
        assert_eq!(shortened("data"), "data");
        assert_eq!(shortened("/a/very/long/path/to/the/file"), "…ath/to/the/file");
    }
}
