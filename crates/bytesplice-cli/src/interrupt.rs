//! Ctrl-C while a commit runs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::{self, JoinHandle};

use bytesplice::Cancel;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::failure::Failure;
use crate::output::notice;

/// Turns SIGINT and SIGTERM into requests to stop, for as long as it lives. The first asks the commit to stop if it can
/// still keep the old contents, the second to stop wherever it is.
pub struct Interrupt {
    cancel: Cancel,
    /// The first signal; 0 before.
    signal: Arc<AtomicI32>,
    handle: Handle,
    watcher: Option<JoinHandle<()>>,
}

impl Interrupt {
    /// Starts to watch.
    ///
    /// # Errors
    /// The system refuses.
    pub fn watch() -> Result<Self, Failure> {
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(Failure::Signal)?;
        let cancel = Cancel::new();
        let signal = Arc::new(AtomicI32::new(0));
        let handle = signals.handle();
        let watcher = {
            let (cancel, signal) = (cancel.clone(), Arc::clone(&signal));
            move || {
                for number in signals.forever() {
                    if signal
                        .compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed)
                        .is_ok()
                    {
                        cancel.request();
                        notice(
                            "interrupted: stopping, or finishing if the commit can no longer be taken back; once more \
                             leaves the rest to recovery",
                        );
                    } else {
                        cancel.request_at_once();
                    }
                }
            }
        };
        let spawned = thread::Builder::new().name("signals".into()).spawn(watcher);
        let watcher = Some(spawned.map_err(|error: io::Error| Failure::Signal(error))?);
        Ok(Self { cancel, signal, handle, watcher })
    }

    /// What the commit is to look at.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// The first signal, if there was one.
    pub fn signal(&self) -> Option<i32> {
        Some(self.signal.load(Ordering::Relaxed)).filter(|&signal| signal != 0)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(watcher) = self.watcher.take() {
            // It only loops over signals, and has nothing to say.
            let _ = watcher.join();
        }
    }
}
