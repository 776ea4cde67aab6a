//! Threads that make work faster. The system may refuse one at any time (`ulimit -u`, `ulimit -v`, the process limit of a
//! container), also in the middle of a commit: then the same work is done without it.

use std::panic::resume_unwind;
use std::thread;

/// Runs both closures and returns their results. A thread runs `there` while the caller runs `here`; if the system refuses
/// the thread, the caller runs one after the other. Panics if one of the closures does, and never for want of a thread.
pub(crate) fn join<A, B: Send>(
    here: impl FnOnce() -> A,
    there: impl FnOnce() -> B + Send,
) -> (A, B) {
    // The thread takes the closure out of here, because a closure that is given to a refused thread is lost.
    let mut waiting = Some(there);
    let mut done = None;
    let a = thread::scope(|scope| {
        let run = || done = waiting.take().map(|there| there());
        let spawned = thread::Builder::new().spawn_scoped(scope, run);
        let a = here();
        if let Ok(Err(panic)) = spawned.map(thread::ScopedJoinHandle::join) {
            resume_unwind(panic);
        }
        a
    });
    match (done, waiting) {
        (Some(b), _) => (a, b),
        (None, Some(there)) => (a, there()),
        (None, None) => unreachable!("a closure that was taken has run or has panicked"),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn both_run_once_and_a_panic_reaches_the_caller() {
        let (mut here, mut there) = (0, 0);
        let sums = join(
            || {
                here += 1;
                "here"
            },
            || {
                there += 1;
                "there"
            },
        );
        assert_eq!((sums, here, there), (("here", "there"), 1, 1));
        assert!(catch_unwind(|| join(|| (), || panic!("there"))).is_err());
        assert!(catch_unwind(|| join(|| panic!("here"), || ())).is_err());
    }
}
