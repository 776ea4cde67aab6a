//! Ctrl-C, SIGTERM and the end of a terminal session (SIGHUP) while a commit runs.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use bytesplice::{Cancel, Error, FileState};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::failure::Failure;
use crate::output::{notice, warn};
use crate::progress_bar::ProgressBar;

/// Turns SIGINT, SIGTERM and SIGHUP into requests to stop, from its making on. The first asks the commit to stop if it can still
/// keep the old contents, the second to stop wherever it is. Before, and long after, they end the process as usual.
pub struct Interrupt(Arc<Shared>);

struct Shared {
    cancel: Cancel,
    /// The first signal; 0 before.
    signal: AtomicI32,
    phase: Mutex<Phase>,
}

/// What a signal comes into.
enum Phase {
    /// A commit is made ready for, and nothing is changed yet.
    Preparing,
    /// Files are compared or copied, which draws this bar; the file is not changed.
    Working(ProgressBar),
    /// A commit runs, and draws this bar.
    Committing(ProgressBar),
    /// A store puts an object together, and swaps it at last; this bar is drawn.
    Swapping(ProgressBar),
    /// All is done but for saying so.
    Over { signals: u32 },
}

impl Interrupt {
    /// Starts to watch for those of the signals that are not ignored, as SIGINT is behind `&` in a script and
    /// SIGHUP by `nohup`.
    ///
    /// # Errors
    /// The system refuses.
    pub fn watch() -> Result<Self, Failure> {
        let ignored = ignored_signals();
        let watched =
            [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored & 1 << (signal - 1) == 0);
        let shared = Arc::new(Shared {
            cancel: Cancel::new(),
            signal: AtomicI32::new(0),
            phase: Mutex::new(Phase::Preparing),
        });
        let watcher = Arc::clone(&shared);
        let (hand_over, signals) = mpsc::channel::<Signals>();
        // The thread lives as long as the process: a handler can be taken off, but the signal would then be ignored for
        // good. So it is made before the handlers are.
        let take_all = move || {
            for mut signals in signals {
                signals.forever().for_each(|signal| watcher.take(signal));
            }
        };
        match thread::Builder::new().name("signals".into()).spawn(take_all) {
            Ok(_) => {
                let signals = Signals::new(watched).map_err(Failure::Signal)?;
                // The thread waits for them.
                drop(hand_over.send(signals));
            }
            Err(refused) => warn(&format!(
                "the system permits no thread that waits for signals ({refused}): a signal ends this process like a \
                 kill"
            )),
        }
        Ok(Self(shared))
    }

    /// What the commit is to look at.
    pub fn cancel(&self) -> &Cancel {
        &self.0.cancel
    }

    /// The first signal, if there was one.
    pub fn signal(&self) -> Option<i32> {
        Some(self.0.signal.load(Ordering::Relaxed)).filter(|&signal| signal != 0)
    }

    /// What to say of a commit that failed: that a signal stopped it, if one did.
    pub fn told(&self, error: impl Into<Failure>) -> Failure {
        match (error.into(), self.signal()) {
            (failure, Some(signal)) if failure.is_cancelled() => {
                Failure::Interrupted { error: Box::new(failure), signal }
            }
            (failure, _) => failure,
        }
    }

    /// Fails if a signal asked to stop, while the file at `path` is not changed.
    ///
    /// # Errors
    /// It did.
    pub fn check(&self, path: &Path) -> Result<(), Failure> {
        let Some(signal) = self.signal() else { return Ok(()) };
        let error = Error::Cancelled { path: path.into(), state: FileState::Unchanged };
        Err(Failure::Interrupted { error: Box::new(error.into()), signal })
    }

    /// Work begins that changes no file, and draws `bar`.
    pub fn work_begins(&self, bar: ProgressBar) {
        *self.0.phase() = Phase::Working(bar);
    }

    /// The commit begins, and draws `bar`.
    pub fn commit_begins(&self, bar: ProgressBar) {
        *self.0.phase() = Phase::Committing(bar);
    }

    /// The commit of an object begins, and draws `bar`. The second signal does not wait for the store: it ends the process.
    pub fn swap_begins(&self, bar: ProgressBar) {
        *self.0.phase() = Phase::Swapping(bar);
    }

    /// The commit is done.
    pub fn commit_ends(&self) {
        *self.0.phase() = Phase::Over { signals: 0 };
    }
}

impl Shared {
    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, signal: i32) {
        let mut phase = self.phase();
        if let Phase::Over { signals } = &mut *phase {
            // The first may have been meant for the commit: the exit code must not deny that it was made.
            *signals += 1;
            if *signals > 1 {
                let _ = emulate_default_handler(signal);
            }
            return;
        }
        let first =
            self.signal.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if first {
            self.cancel.request();
        } else {
            self.cancel.request_at_once();
        }
        let message = match (&*phase, first, self.cancel.is_past_commit_point()) {
            (Phase::Swapping(_), true, false) => {
                "interrupted: stopping when the requests under way are answered (once more to leave the upload)"
            }
            (Phase::Swapping(_), true, true) => {
                "interrupted while the object is swapped: waiting for the answer (once more to leave)"
            }
            (Phase::Swapping(_), false, false) => {
                "interrupted again: the object is unchanged, its upload is left to `bytesplice recover`"
            }
            (Phase::Swapping(_), false, true) => {
                "interrupted again: whether the object has the new contents is not known"
            }
            (Phase::Working(_), true, _) => "interrupted: stopping",
            (_, true, false) => "interrupted: stopping, the old contents stay",
            (_, true, true) => {
                "interrupted past the point of no return: finishing (once more to leave the rest to recovery)"
            }
            (_, false, true) => "interrupted again: leaving the rest to recovery",
            (_, false, false) => return,
        };
        match &*phase {
            Phase::Committing(bar) | Phase::Working(bar) | Phase::Swapping(bar) => {
                bar.suspend(|| notice(message));
            }
            _ => notice(message),
        }
        if !first && matches!(*phase, Phase::Swapping(_)) {
            // A request may take minutes.
            let _ = emulate_default_handler(signal);
        }
    }
}

/// The signals that this process was started to ignore, a bit each; none where the system does not tell.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
