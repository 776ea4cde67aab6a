//! The one request that swaps the object, and what to do when its answer is lost.
//!
//! | the object | the upload | then |
//! |---|---|---|
//! | is made of our parts, by its ETag or its checksum | | it was completed |
//! | has its old ETag | is there | it was not completed: again, under the same condition; at last the upload is aborted, so that a request still under way cannot complete it |
//! | has its old ETag | is gone | others aborted it |
//! | is another one | is there, with parts | others wrote the object, and ours cannot be completed |
//! | is another one | is gone | not known: others wrote it, before ours was completed or after |
//!
//! Whatever else comes is not known, and said to be. It matters: edits that are repeated upon an object that has them already
//! would be made twice. A single put has no upload: the object is read again and compared. Where the store said that it did
//! nothing, as it was too busy, nothing is in doubt, and the request is made again.
//!
//! Stores other than Amazon S3 may ignore the condition. So the object is looked at right before
//! each attempt as well ([`Rules::looks_first`]): it has its old ETag then, and had it while the
//! parts were copied, so that they are of one version.

use crate::composite::{Composite, bare};
use crate::{Attribute, Condition, Error, Head, Operation, Result, Store, Upload, UploadedPart};

/// How the object is swapped.
pub(crate) struct Rules {
    /// What must hold for the swap.
    pub condition: Condition,
    /// Whether the object is looked at right before the swap, as the store may ignore the
    /// condition.
    pub looks_first: bool,
    /// Whether the swap goes without a condition at a store that has none.
    pub unconditional: bool,
}

/// Swaps the object, and gives its new ETag. Not before all parts are there.
pub(crate) fn complete(
    store: &dyn Store,
    upload: &Upload,
    parts: &[UploadedPart],
    len: u64,
    rules: &Rules,
) -> Result<String> {
    let composite = Composite::of(parts, len);
    let etag_of_ours = |now: Option<Head>| now.filter(|now| composite.is(now)).map(|now| now.etag);
    let changed =
        || Error::Changed { object: store.name().clone(), operation: Operation::Complete };
    let gone = || Error::UploadGone { object: store.name().clone(), upload: upload.id.clone() };
    let mut swap = Swap::new(store, rules, &upload.id);
    loop {
        let (failure, now) =
            match swap.attempt(|condition| store.complete(upload, parts, condition))? {
                Attempt::Swapped(etag) => return Ok(etag),
                Attempt::Undone => continue,
                Attempt::Lost(failure, now) => (failure, now),
            };
        if !swap.is_old(now.as_ref()) {
            if let Some(etag) = etag_of_ours(now) {
                return Ok(etag);
            }
            return Err(match store.list_parts(&upload.id) {
                Ok(there) if !there.is_empty() => changed(),
                _ => swap.unknown(failure),
            });
        }
        let is_gone = matches!(store.list_parts(&upload.id), Err(Error::UploadGone { .. }));
        if !is_gone && swap.waits_after(&failure) {
            continue;
        }
        let aborted = if is_gone { Err(gone()) } else { store.abort(&upload.id) };
        // Now it cannot be completed any more, but may have been since the last look.
        let now = swap.look()?;
        return match (swap.is_old(now.as_ref()), aborted) {
            (true, Ok(())) => Err(failure),
            // Completed to the same bytes again, or aborted by others.
            (true, Err(Error::UploadGone { .. })) => etag_of_ours(now).ok_or_else(gone),
            (true, _) => Err(swap.unknown(failure)),
            (false, _) => etag_of_ours(now).ok_or_else(|| swap.unknown(failure)),
        };
    }
}

/// Puts the object whole, and gives its new ETag.
pub(crate) fn put(
    store: &dyn Store,
    body: &[u8],
    attributes: &[Attribute],
    rules: &Rules,
) -> Result<String> {
    let mut swap = Swap::new(store, rules, "");
    loop {
        let (failure, now) =
            match swap.attempt(|condition| store.put(body, attributes, condition))? {
                Attempt::Swapped(etag) => return Ok(etag),
                Attempt::Undone => continue,
                Attempt::Lost(failure, now) => (failure, now),
            };
        if swap.is_old(now.as_ref()) && swap.waits_after(&failure) {
            continue;
        }
        let same_len = now.filter(|now| now.len == body.len() as u64);
        let Some(head) = same_len else { return Err(swap.unknown(failure)) };
        let found = store.get(0..head.len, &head.etag).map_err(|error| swap.unknown(error))?;
        return if found == body { Ok(head.etag) } else { Err(swap.unknown(failure)) };
    }
}

/// What is known while an object is being swapped.
struct Swap<'a> {
    store: &'a dyn Store,
    rules: &'a Rules,
    /// Empty for a single put.
    upload: &'a str,
    failures: u32,
    /// Whether a request may have been carried out without an answer.
    is_in_doubt: bool,
}

/// What came of an attempt that was not refused.
enum Attempt {
    /// With this ETag.
    Swapped(String),
    /// The store did nothing, and it is time for another attempt.
    Undone,
    /// Nobody knows yet; what the object is now.
    Lost(Error, Option<Head>),
}

impl<'a> Swap<'a> {
    fn new(store: &'a dyn Store, rules: &'a Rules, upload: &'a str) -> Self {
        Self { store, rules, upload, failures: 0, is_in_doubt: false }
    }

    /// Makes a request under the condition.
    fn attempt(&mut self, request: impl Fn(&Condition) -> Result<String>) -> Result<Attempt> {
        if self.rules.looks_first
            && let Some(attempt) = self.look_first()?
        {
            return Ok(attempt);
        }
        let mut result = request(&self.rules.condition);
        if self.rules.unconditional && result.as_ref().is_err_and(is_not_implemented) {
            result = request(&Condition::Always);
        }
        let failure = match result {
            Ok(etag) => return Ok(Attempt::Swapped(etag)),
            Err(failure) => failure,
        };
        self.failures += 1;
        self.is_in_doubt |= match failure {
            Error::Unreachable { undone, .. } => !undone,
            Error::BadAnswer { .. } => true,
            _ => false,
        };
        if self.is_in_doubt {
            let now = self.look()?;
            Ok(Attempt::Lost(failure, now))
        } else if self.waits_after(&failure) {
            Ok(Attempt::Undone)
        } else {
            Err(failure)
        }
    }

    /// Looks whether the object is still the old one. If it is not, an attempt in doubt may have
    /// made it what it is.
    fn look_first(&self) -> Result<Option<Attempt>> {
        let object = || self.store.name().clone();
        let now = match self.store.head() {
            Ok(head) => Some(head),
            Err(Error::NotFound { .. }) => None,
            Err(error) if self.is_in_doubt => return Err(self.unknown(error)),
            Err(error) => return Err(error),
        };
        if self.is_old(now.as_ref()) {
            return Ok(None);
        }
        if !self.is_in_doubt {
            return Err(Error::Changed { object: object(), operation: Operation::Head });
        }
        let lost = Error::Unreachable {
            object: object(),
            operation: if self.upload.is_empty() { Operation::Put } else { Operation::Complete },
            attempts: self.failures,
            undone: false,
            why: "its answer was lost".to_owned(),
        };
        Ok(Some(Attempt::Lost(lost, now)))
    }

    /// Waits if there is to be another attempt.
    fn waits_after(&self, failure: &Error) -> bool {
        let retry = self.store.retry();
        let may_pass = matches!(failure, Error::Unreachable { .. } | Error::BadAnswer { .. });
        let waits = may_pass && self.failures < retry.attempts;
        if waits {
            std::thread::sleep(retry.wait(self.failures));
        }
        waits
    }

    /// The object as it is now, if there is one.
    fn look(&self) -> Result<Option<Head>> {
        match self.store.head() {
            Ok(head) => Ok(Some(head)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.unknown(error)),
        }
    }

    /// Whether the condition for the swap still holds.
    fn is_old(&self, now: Option<&Head>) -> bool {
        match (&self.rules.condition, now) {
            // Some stores leave the quotes out of the header.
            (Condition::Matches(old), Some(head)) => bare(old) == bare(&head.etag),
            (Condition::Absent, None) => true,
            _ => false,
        }
    }

    fn unknown(&self, source: Error) -> Error {
        let (object, upload) = (self.store.name().clone(), self.upload.to_owned());
        Error::Unknown { object, upload, source: Box::new(source) }
    }
}

/// Whether a store says that it has no writes under conditions.
fn is_not_implemented(error: &Error) -> bool {
    match error {
        Error::Refused { status: 501, .. } => true,
        Error::Refused { code, .. } => code == "NotImplemented",
        _ => false,
    }
}
