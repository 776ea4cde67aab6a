//! The commit of an object.

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use bytesplice::Progress;
use bytesplice_s3::{CommitOptions, Error, ObjectFile};

use crate::cli::EditOptions;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{notice, shown};
use crate::progress::WorkProgress;

/// Commits, with a bar, unless a signal stops that. If the upload is to be kept and the commit fails, says how to go on with it.
///
/// # Errors
/// The store refused or failed, or a signal stopped the commit.
pub fn commit_object(
    object: &mut ObjectFile,
    path: &Path,
    options: &EditOptions,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let progress = WorkProgress::new(path, options.progress, options.quiet);
    interrupt.swap_begins(progress.bar());
    let progress = Mutex::new(progress);
    let advance = |now: Progress| {
        progress.lock().unwrap_or_else(PoisonError::into_inner).advance(now);
    };
    let upload = OnceLock::new();
    // There is one.
    let on_upload = |id: &str| drop(upload.set(id.to_owned()));
    let committed = object.commit_with(&CommitOptions {
        resume: options.upload.resume.as_deref(),
        keep_upload: options.upload.keep_upload,
        on_upload: Some(&on_upload),
        progress: Some(&advance),
        cancel: Some(interrupt.cancel()),
        ..CommitOptions::default()
    });
    interrupt.commit_ends();
    progress.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
    let Err(error) = committed else { return Ok(()) };
    // A swap whose answer was lost ends the upload in any case.
    let is_there =
        |id: &str| !matches!(object.store().list_parts(id), Err(Error::UploadGone { .. }));
    if let (true, Some(upload)) = (options.upload.keep_upload, upload.get())
        && is_there(upload)
    {
        notice(&format!("{}: to go on with the upload: --resume {upload}", shown(path)));
    }
    Err(interrupt.told(error))
}
