//! A line on a terminal that is drawn again and again.

use std::io::{self, StderrLock, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Columns where the width cannot be told.
const USUAL_WIDTH: usize = 80;
/// Columns that stay free: terminals show a `^C` behind the cursor, and a row that is wrapped cannot be wiped.
const FREE: usize = 3;

/// The line, on standard error. Clones draw the same one.
///
/// Ours, because indicatif fills it with spaces up to the last column, and a terminal that is made narrower then wraps it.
#[derive(Debug, Clone, Default)]
pub struct ProgressBar {
    is_drawn: Arc<AtomicBool>,
}

impl ProgressBar {
    /// Draws the line anew.
    pub fn draw(&self, text: &str) {
        let mut out = io::stderr().lock();
        let width = rustix::termios::tcgetwinsize(&out).map_or(0, |size| usize::from(size.ws_col));
        let width = if width == 0 { USUAL_WIDTH } else { width };
        let text: String = text.chars().take(width.saturating_sub(FREE)).collect();
        self.is_drawn.store(true, Ordering::Relaxed);
        // The work goes on, whether anybody sees this or not.
        let _ = write!(out, "\r{text}\x1b[K");
    }

    /// Takes the line away.
    pub fn wipe(&self) {
        self.wipe_from(&mut io::stderr().lock());
    }

    /// Takes the line away while `print` writes others.
    pub fn suspend(&self, print: impl FnOnce()) {
        // Held, so that nobody draws in between; who holds it already may lock it again.
        let mut out = io::stderr().lock();
        self.wipe_from(&mut out);
        print();
    }

    fn wipe_from(&self, out: &mut StderrLock<'_>) {
        if self.is_drawn.swap(false, Ordering::Relaxed) {
            let _ = write!(out, "\r\x1b[K");
        }
    }
}
