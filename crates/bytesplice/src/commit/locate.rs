//! Which journal belongs to a file.
//!
//! A journal lies beside its file, and the mark on the inode names it by nonce and path, so that it is found after a rename
//! and through another hard link. Neither a path nor an inode number alone says enough: a snapshot of a subvolume, the
//! copy of an image and a restored virtual machine have the same inode numbers, births, marks and paths as their originals.
//! Only the device tells them apart. So the journal beside the opened file comes first, and the mark's path counts only on the
//! device of the file, and only for a journal that names this very inode.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use super::journal::header::{Header, HeaderState};
use super::plan::Geometry;
use crate::storage::StorageFile;
use crate::storage::mark::{self, FileMark};
use crate::storage::os::{JournalPlace, OsStorage};
use crate::storage::os_file::OsFile;

/// The storage of the file at `path`, which has no symlinks, with the journal that belongs to the file. Without `synced` no
/// call waits for the disk.
///
/// # Errors
/// If the mark or a journal cannot be read.
pub(crate) fn storage_of(file: Arc<File>, path: &Path, synced: bool) -> io::Result<OsStorage> {
    let place = match mark::read(&file)? {
        FileMark::Present { nonce, journal } => place_of_marked(&file, path, nonce, &journal)?,
        FileMark::Absent | FileMark::Unsupported => JournalPlace::beside(path),
    };
    Ok(OsStorage::new(file, place, synced))
}

fn place_of_marked(
    file: &Arc<File>,
    path: &Path,
    nonce: u64,
    named: &Path,
) -> io::Result<JournalPlace> {
    let beside = JournalPlace::beside(path);
    // The file may have got another name, or its directory another path, with the journal in it.
    let renamed = named.file_name().map(|name| JournalPlace::at(&path.with_file_name(name)));
    let target = OsFile::new(Arc::clone(file), true);
    let mut taken = None;
    for place in [Some(beside), renamed].into_iter().flatten() {
        // What cannot be opened as a journal is judged by recovery, if nothing better is found.
        let found = place.open_read_only();
        if let Ok(Some(journal)) = &found
            && names(journal, &target, nonce)?
        {
            return Ok(place);
        }
        if !matches!(found, Ok(None)) {
            taken = taken.or(Some(place));
        }
    }
    let mut named = JournalPlace::at(named);
    let same_device = named
        .directory
        .device()
        .is_ok_and(|device| file.metadata().is_ok_and(|metadata| metadata.dev() == device));
    if same_device
        && let Ok(Some(journal)) = named.open_read_only()
        && names(&journal, &target, nonce)?
    {
        return Ok(named);
    }
    named.foreign = true;
    Ok(taken.unwrap_or(named))
}

/// The places, except the one beside the file, of journals of the commit with this nonce to this very inode. The mark of the
/// file says `named`.
///
/// # Errors
/// If a journal cannot be read.
pub(crate) fn places_of_named(
    file: &Arc<File>,
    path: &Path,
    nonce: u64,
    named: &Path,
) -> io::Result<Vec<JournalPlace>> {
    let target = OsFile::new(Arc::clone(file), true);
    let device = file.metadata()?.dev();
    let renamed = named.file_name().map(|name| JournalPlace::at(&path.with_file_name(name)));
    let mut places = Vec::new();
    for place in renamed.into_iter().chain([JournalPlace::at(named)]) {
        let same_device = place.directory.device().is_ok_and(|there| there == device);
        if same_device
            && let Ok(Some(journal)) = place.open_read_only()
            && names(&journal, &target, nonce)?
        {
            places.push(place);
        }
    }
    Ok(places)
}

/// Whether a journal is of the commit with this nonce, to this very inode.
fn names(journal: &OsFile, target: &OsFile, nonce: u64) -> io::Result<bool> {
    Ok(match Header::read(journal, Geometry::REAL.page)? {
        HeaderState::Valid(header) | HeaderState::Elsewhere(header) => {
            header.nonce == nonce && header.inode == target.inode()?
        }
        HeaderState::OtherVersion(_) | HeaderState::OtherKind(_) | HeaderState::Invalid => false,
    })
}
