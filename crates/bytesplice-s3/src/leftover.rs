use std::time::{Duration, SystemTime};

use crate::{Error, LeftoverUpload, Result, Store};

/// Aborts the uploads of the object that were begun `age` ago or earlier, and returns them. Their parts are charged until then.
///
/// An upload does not say who began it: others' uploads of the same object are aborted as well, if they are that old.
/// [`Store::list_uploads`] lists them first. Choose an age that no commit takes; an object that others never write can do with
/// zero. The object itself is not touched: it is wholly old or new at any time.
///
/// # Errors
/// Whatever the store refuses; uploads aborted by then are gone.
///
/// ```no_run
/// use std::time::Duration;
/// use bytesplice_s3::{Client, Settings, recover};
/// let client = Client::new("s3://bucket/key".parse()?, &Settings::from_environment(None)?)?;
/// let aborted = recover(&client, Duration::from_secs(24 * 60 * 60))?;
/// # Ok::<(), bytesplice_s3::Error>(())
/// ```
pub fn recover(store: &dyn Store, age: Duration) -> Result<Vec<LeftoverUpload>> {
    let now = SystemTime::now();
    let is_old = |upload: &LeftoverUpload| {
        // One from the future, by another clock, is not older than anything but zero.
        now.duration_since(upload.initiated).unwrap_or(Duration::ZERO) >= age
    };
    let uploads: Vec<_> = store.list_uploads()?.into_iter().filter(is_old).collect();
    for upload in &uploads {
        match store.abort(&upload.id) {
            // By others, in between.
            Ok(()) | Err(Error::UploadGone { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(uploads)
}
