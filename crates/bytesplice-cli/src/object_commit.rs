//! The commit of an object.

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use bytesplice::Progress;
use bytesplice_s3::{Client, CommitOptions, Conditions, Error, ObjectFile, probe, probe_name};

use crate::cli::EditOptions;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::opened::ObjectPlace;
use crate::output::{notice, shown};
use crate::progress::WorkProgress;

/// Makes sure that the store may be committed to, before anything else is done. Probes the store if
/// that is asked for.
///
/// # Errors
/// The store does not honour conditions, or that is not known, or it refused the probe.
pub fn check_store(
    object: &mut ObjectFile,
    path: &Path,
    options: &EditOptions,
) -> Result<(), Failure> {
    if options.upload.probe_store
        && let Some(place) = ObjectPlace::of(path.as_os_str(), &options.store)?
    {
        let client = Client::new(probe_name(&place.name)?, &place.settings)?;
        object.set_conditions(probe(&client)?);
        if object.conditions() == Conditions::Honoured && !options.quiet {
            let kind = if place.profile.equal_parts { "equal-parts" } else { "compatible" };
            notice(&format!(
                "{}: the store honours If-Match: --store {kind} or BYTESPLICE_STORE={kind} says so without a probe",
                shown(path)
            ));
        }
    }
    if options.upload.unconditional {
        return Ok(());
    }
    Ok(object.conditions().check(object.store().name())?)
}

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
        unconditional: options.upload.unconditional,
        drop_tags: options.upload.drop_tags,
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
