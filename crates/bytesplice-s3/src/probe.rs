//! Whether a store honours conditions, found out by writes to a key that nobody else uses.

use crate::{Condition, Conditions, Error, ObjectName, Result, Store, Upload};

/// The key for a [`probe`] of the store of `object`: in the same bucket and folder,
/// `.bytesplice-probe-` with 16 random digits.
///
/// # Errors
/// [`Error::Name`], for a name that is too long.
///
/// ```
/// use bytesplice_s3::probe_name;
/// let name = probe_name(&"s3://bucket/folder/key".parse()?)?;
/// assert!(name.to_string().starts_with("s3://bucket/folder/.bytesplice-probe-"));
/// # Ok::<(), bytesplice_s3::Error>(())
/// ```
pub fn probe_name(object: &ObjectName) -> Result<ObjectName> {
    let folder = object.key().rfind('/').map_or("", |end| &object.key()[..=end]);
    // Without random numbers: If-None-Match keeps the probe from overwriting an object.
    let random = getrandom::u64().unwrap_or(0);
    ObjectName::new(object.bucket(), format!("{folder}.bytesplice-probe-{random:016x}"))
}

/// Finds out whether a store honours conditions: `If-None-Match: *` and `If-Match` of PutObject,
/// and `If-Match` of CompleteMultipartUpload. `store` is that of a key of our own ([`probe_name`]),
/// which is made (unless there is such an object), written to and removed. Ten requests of a few
/// bytes.
///
/// Two writes at the same instant are not tried: whether the store looks and writes in one step is
/// not found out.
///
/// [`Conditions::Unknown`] if the credentials do not allow to write there.
///
/// # Errors
/// What the store refuses otherwise; also if it does not let the key be removed.
///
/// ```no_run
/// use bytesplice_s3::{Client, Conditions, Settings, probe, probe_name};
/// let settings = Settings::from_environment(None)?;
/// let name = probe_name(&"s3://bucket/key".parse()?)?;
/// let found = probe(&Client::new(name, &settings)?)?;
/// assert_eq!(found, Conditions::Honoured);
/// # Ok::<(), bytesplice_s3::Error>(())
/// ```
pub fn probe(store: &dyn Store) -> Result<Conditions> {
    let first = match store.put(b"bytesplice probes this store", &[], &Condition::Absent) {
        Ok(etag) => etag,
        // Somebody's own object is left alone.
        Err(Error::Changed { .. }) => return Ok(Conditions::Unknown),
        Err(error) => {
            if matches!(error, Error::Unreachable { undone: false, .. } | Error::BadAnswer { .. }) {
                // It may be there nevertheless. The first error counts.
                let _ = store.delete();
            }
            return told_by(error);
        }
    };
    let found = try_conditions(store, &first);
    // Also after an error.
    let removed = store.delete();
    let found = found?;
    removed?;
    Ok(found)
}

/// Tries the conditions on an object that has the ETag `first`.
fn try_conditions(store: &dyn Store, first: &str) -> Result<Conditions> {
    let refuses = |written: Result<String>| match written {
        Ok(_) => Ok(Conditions::Unsupported),
        Err(Error::Changed { .. }) => Ok(Conditions::Honoured),
        Err(error) => told_by(error),
    };
    let again = refuses(store.put(b"written over", &[], &Condition::Absent))?;
    if again != Conditions::Honoured {
        return Ok(again);
    }
    let second = match store.put(b"second", &[], &Condition::Matches(first.to_owned())) {
        Ok(etag) => etag,
        // A condition that holds is refused as well: whatever this store looks at, it is not the
        // ETag.
        Err(Error::Changed { .. }) => return Ok(Conditions::Unsupported),
        Err(error) => return told_by(error),
    };
    let stale = Condition::Matches(first.to_owned());
    let put = refuses(store.put(b"written over", &[], &stale))?;
    if put != Conditions::Honoured {
        return Ok(put);
    }
    let upload = match store.create_upload(&[]) {
        Ok(upload) => upload,
        Err(error) => return told_by(error),
    };
    let completed = complete(store, &upload, &stale, &Condition::Matches(second));
    if let Ok((conditions, true)) = completed {
        // The upload is over, and some stores refuse to abort it then.
        return Ok(conditions);
    }
    match store.abort(&upload.id) {
        Ok(()) | Err(Error::UploadGone { .. }) => completed.map(|(conditions, _)| conditions),
        Err(error) => completed.and(Err(error)),
    }
}

/// Tries the conditions on the completion of an upload: what they are, and whether the upload is over.
fn complete(
    store: &dyn Store,
    upload: &Upload,
    stale: &Condition,
    valid: &Condition,
) -> Result<(Conditions, bool)> {
    let part = [store.upload_part(upload, 1, b"written over")?];
    match store.complete(upload, &part, stale) {
        Ok(_) => return Ok((Conditions::Unsupported, true)),
        Err(Error::Changed { .. }) => {}
        Err(error) => return told_by(error).map(|conditions| (conditions, false)),
    }
    match store.complete(upload, &part, valid) {
        // Some stores end the upload by the refusal.
        Ok(_) | Err(Error::UploadGone { .. }) => Ok((Conditions::Honoured, true)),
        // A condition that holds is refused as well.
        Err(Error::Changed { .. }) => Ok((Conditions::Unsupported, false)),
        Err(error) => told_by(error).map(|conditions| (conditions, false)),
    }
}

/// What an error says of conditions.
fn told_by(error: Error) -> Result<Conditions> {
    match error {
        Error::Refused { status: 401 | 403, .. } => Ok(Conditions::Unknown),
        Error::Refused { status: 405 | 501, .. } => Ok(Conditions::Unsupported),
        Error::Refused { code, .. } if code == "NotImplemented" => Ok(Conditions::Unsupported),
        error => Err(error),
    }
}
