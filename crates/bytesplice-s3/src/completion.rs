//! The one request that swaps the object, and what to do when its answer is lost.
//!
//! | the upload | the object's ETag | then |
//! |---|---|---|
//! | is there | any | it was not completed: again, under the same condition |
//! | is gone | another than before, and our length | it was completed |
//! | is gone | as before, or another length | others aborted it, or wrote after it: an error that says so |
//!
//! A single put has no upload: the object is read again and compared.

use crate::{Condition, Error, Head, Result, Retry, Store, Upload, UploadedPart};

/// Swaps the object, and gives its new ETag. Not before all parts are there.
pub(crate) fn complete(
    store: &dyn Store,
    upload: &Upload,
    parts: &[UploadedPart],
    len: u64,
    condition: &Condition,
) -> Result<String> {
    let unknown = |source: Error| Error::Unknown {
        object: store.name().clone(),
        upload: upload.id.clone(),
        source: Box::new(source),
    };
    let retry = store.retry();
    let mut failures = 0;
    loop {
        let failure = match store.complete(upload, parts, condition) {
            Ok(etag) => return Ok(etag),
            Err(error) => error,
        };
        let was_lost = matches!(failure, Error::Unreachable { .. } | Error::BadAnswer { .. });
        if !was_lost && failures == 0 {
            return Err(failure);
        }
        failures += 1;
        match store.list_parts(&upload.id) {
            // A final answer, and nothing happened.
            Ok(_) if !was_lost => return Err(failure),
            Ok(_) if failures >= retry.attempts => return Err(failure),
            Ok(_) => std::thread::sleep(retry.wait(failures)),
            Err(Error::UploadGone { .. }) => {
                let head = match store.head() {
                    Ok(head) => head,
                    Err(error) => return Err(unknown(error)),
                };
                let is_old = matches!(condition, Condition::Matches(old) if *old == head.etag);
                return match head.len == len {
                    _ if is_old => Err(Error::UploadGone {
                        object: store.name().clone(),
                        upload: upload.id.clone(),
                    }),
                    true => Ok(head.etag),
                    false => Err(unknown(failure)),
                };
            }
            Err(error) => return Err(unknown(error)),
        }
    }
}

/// Puts the object whole, and gives its new ETag.
pub(crate) fn put(
    store: &dyn Store,
    body: &[u8],
    like: Option<&Head>,
    condition: &Condition,
) -> Result<String> {
    let unknown = |source: Error| Error::Unknown {
        object: store.name().clone(),
        upload: String::new(),
        source: Box::new(source),
    };
    let retry: Retry = store.retry();
    let mut failures = 0;
    loop {
        let failure = match store.put(body, like, condition) {
            Ok(etag) => return Ok(etag),
            Err(error) => error,
        };
        let was_lost = matches!(failure, Error::Unreachable { .. } | Error::BadAnswer { .. });
        if !was_lost && failures == 0 {
            return Err(failure);
        }
        failures += 1;
        let now = match store.head() {
            Ok(head) => Some(head),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(unknown(error)),
        };
        let is_old = match (condition, &now) {
            (Condition::Matches(old), Some(head)) => *old == head.etag,
            (Condition::Absent, None) => true,
            _ => false,
        };
        if is_old {
            if !was_lost || failures >= retry.attempts {
                return Err(failure);
            }
            std::thread::sleep(retry.wait(failures));
            continue;
        }
        let Some(head) = now else { return Err(failure) };
        let is_ours = head.len == body.len() as u64
            && store.get(0..head.len, &head.etag).map_err(unknown)? == body;
        let (object, operation) = (store.name().clone(), crate::Operation::Put);
        return if is_ours { Ok(head.etag) } else { Err(Error::Changed { object, operation }) };
    }
}
