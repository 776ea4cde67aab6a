//! The one request that swaps the object, and what to do when its answer is lost.
//!
//! | the object's ETag | the upload | then |
//! |---|---|---|
//! | as before | is there | it was not completed: again, under the same condition; at last the upload is aborted, so that a request still under way cannot complete it |
//! | as before | is gone | others aborted it |
//! | another one | is gone | it was completed, if the length is ours |
//! | another one | is there, with parts | others wrote the object |
//!
//! Whatever else comes is not known, and said to be. A single put has no upload: the object is read again and compared.

use crate::{Condition, Error, Head, Operation, Result, Store, Upload, UploadedPart};

/// Swaps the object, and gives its new ETag. Not before all parts are there.
pub(crate) fn complete(
    store: &dyn Store,
    upload: &Upload,
    parts: &[UploadedPart],
    len: u64,
    condition: &Condition,
) -> Result<String> {
    let unknown = |source| unknown(store, &upload.id, source);
    let changed =
        || Error::Changed { object: store.name().clone(), operation: Operation::Complete };
    let gone = || Error::UploadGone { object: store.name().clone(), upload: upload.id.clone() };
    let completed = |now: Option<Head>, failure| match now {
        Some(head) if head.len == len => Ok(head.etag),
        _ => Err(unknown(failure)),
    };
    let retry = store.retry();
    let mut failures = 0;
    loop {
        let failure = match store.complete(upload, parts, condition) {
            Ok(etag) => return Ok(etag),
            Err(error) => error,
        };
        if failures == 0 && !was_lost(&failure) {
            return Err(failure);
        }
        failures += 1;
        let now = look(store).map_err(unknown)?;
        match (is_old(now.as_ref(), condition), store.list_parts(&upload.id)) {
            (true, Err(Error::UploadGone { .. })) => return Err(gone()),
            (true, _) if was_lost(&failure) && failures < retry.attempts => {
                std::thread::sleep(retry.wait(failures));
            }
            (true, _) => {
                let aborted = store.abort(&upload.id);
                let now = look(store).map_err(unknown)?;
                return match (is_old(now.as_ref(), condition), aborted) {
                    (true, Ok(())) => Err(failure),
                    (true, Err(Error::UploadGone { .. })) => Err(gone()),
                    (false, Err(Error::UploadGone { .. })) => completed(now, failure),
                    _ => Err(unknown(failure)),
                };
            }
            (false, Err(Error::UploadGone { .. })) => return completed(now, failure),
            (false, Ok(there)) if !there.is_empty() => return Err(changed()),
            (false, _) => return Err(unknown(failure)),
        }
    }
}

fn unknown(store: &dyn Store, upload: &str, source: Error) -> Error {
    let (object, upload) = (store.name().clone(), upload.to_owned());
    Error::Unknown { object, upload, source: Box::new(source) }
}

/// Whether the request may have been carried out all the same.
fn was_lost(failure: &Error) -> bool {
    matches!(failure, Error::Unreachable { .. } | Error::BadAnswer { .. })
}

/// The object as it is now, if there is one.
fn look(store: &dyn Store) -> Result<Option<Head>> {
    match store.head() {
        Ok(head) => Ok(Some(head)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the condition for the swap still holds.
fn is_old(now: Option<&Head>, condition: &Condition) -> bool {
    match (condition, now) {
        (Condition::Matches(old), Some(head)) => *old == head.etag,
        (Condition::Absent, None) => true,
        _ => false,
    }
}

/// Puts the object whole, and gives its new ETag.
pub(crate) fn put(
    store: &dyn Store,
    body: &[u8],
    like: Option<&Head>,
    condition: &Condition,
) -> Result<String> {
    let unknown = |source| unknown(store, "", source);
    let retry = store.retry();
    let mut failures = 0;
    loop {
        let failure = match store.put(body, like, condition) {
            Ok(etag) => return Ok(etag),
            Err(error) => error,
        };
        if failures == 0 && !was_lost(&failure) {
            return Err(failure);
        }
        failures += 1;
        let now = look(store).map_err(unknown)?;
        if is_old(now.as_ref(), condition) {
            if !was_lost(&failure) {
                return Err(failure);
            }
            if failures >= retry.attempts {
                return Err(unknown(failure));
            }
            std::thread::sleep(retry.wait(failures));
            continue;
        }
        let Some(head) = now else { return Err(unknown(failure)) };
        let is_ours = head.len == body.len() as u64
            && store.get(0..head.len, &head.etag).map_err(unknown)? == body;
        let (object, operation) = (store.name().clone(), Operation::Put);
        return if is_ours { Ok(head.etag) } else { Err(Error::Changed { object, operation }) };
    }
}
