//! The part of a file that a map shows, with offsets that begin at its start.

use std::fs::File;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLockReadGuard};

use bytesplice::{Content, Error, Result, SpliceFile};
use pyo3::PyResult;
use pyo3::exceptions::{PyBufferError, PyValueError};

use crate::errors::to_python;
use crate::index::Run;
use crate::map::{Map, Stores};
use crate::process::Process;
use crate::stores::FileStores;

/// Neighbours of an extended slice that lie this close together are read and stored in one piece.
const GROUP: u64 = 64 << 10;
/// Stores of a private map are looked for in blocks of this many bytes.
const BLOCK: usize = 4 << 10;

/// A window on a file: edits inside change its length, and shift what lies behind it in the file.
///
/// At first the bytes are those of the map, and stores go there. The first edit that the map cannot take ends that: from
/// then on the bytes are those of the file with its unsaved edits, until these are saved and the file is mapped anew.
pub(crate) struct Window {
    /// The bytes, unless there are edits of the file that this map does not show. Exported views hold it too.
    map: Option<Arc<Map>>,
    /// What stores do: those to a map that refuses them wait in the file.
    stores: Stores,
    /// The file; `None` with `trackfd=False`, where nothing can change the length.
    file: Option<Tracked>,
    /// How many exported views there are; with any the length cannot change.
    exports: Arc<AtomicUsize>,
    /// The stores of this process to the file, and how many there were when the first edit was made that is not saved.
    file_stores: Arc<FileStores>,
    stores_before: u64,
    /// The process that may edit the file.
    process: Process,
    /// Where the window begins in the file.
    pub(crate) start: u64,
    /// Its length in bytes.
    pub(crate) len: u64,
    /// Where `read` and `write` go on. May lie past the end after bytes were removed.
    pub(crate) position: u64,
}

/// The file behind a window.
pub(crate) struct Tracked {
    /// The file, with the edits since the last commit.
    pub(crate) file: SpliceFile,
    /// The same file once more, to map it and to ask for the size it has on the disk.
    pub(crate) descriptor: File,
}

impl Window {
    /// Maps `len` bytes of a file from `start` on.
    ///
    /// # Errors
    /// What the system says against the map.
    pub(crate) fn new(
        file: Tracked,
        start: u64,
        len: u64,
        stores: Stores,
    ) -> std::io::Result<Self> {
        let map = mapped(&file.descriptor, start, len, stores)?;
        let (exports, process) = (Arc::default(), Process::current());
        let file_stores = if stores == Stores::Private {
            Arc::default()
        } else {
            FileStores::of(&file.descriptor)?
        };
        Ok(Self {
            map: Some(map),
            stores,
            file: Some(file),
            exports,
            file_stores,
            stores_before: 0,
            process,
            start,
            len,
            position: 0,
        })
    }

    /// The count of exported views.
    pub(crate) fn exports(&self) -> &Arc<AtomicUsize> {
        &self.exports
    }

    /// Fails in a child of the process that mapped the file: it must not write the edits of its parent a second time.
    ///
    /// # Errors
    /// `RuntimeError`.
    pub(crate) fn check_process(&self) -> PyResult<()> {
        self.process.check()
    }

    /// Whether this process mapped the file, whoever forked it.
    pub(crate) fn is_of_this_process(&self) -> bool {
        self.process.is_surely_current()
    }

    /// Fails if there are exported views.
    ///
    /// # Errors
    /// `BufferError`, in the words of `mmap.resize`.
    pub(crate) fn check_exports(&self) -> PyResult<()> {
        if self.exports.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        Err(PyBufferError::new_err("mmap can't resize with extant buffers exported."))
    }

    /// Lets go of the file: only the map is left.
    pub(crate) fn untrack(&mut self) {
        self.file = None;
    }

    /// The file.
    ///
    /// # Errors
    /// `ValueError` with `trackfd=False`, in the words of `mmap.resize`.
    pub(crate) fn tracked(&mut self) -> PyResult<&mut Tracked> {
        let untracked = || PyValueError::new_err("mmap can't resize with trackfd=False.");
        self.file.as_mut().ok_or_else(untracked)
    }

    /// The file, if it is tracked.
    pub(crate) fn file(&self) -> Option<&Tracked> {
        self.file.as_ref()
    }

    /// The map, if it shows the bytes of the window.
    pub(crate) fn map(&self) -> Option<&Arc<Map>> {
        self.map.as_ref()
    }

    /// Whether the file has edits that are not saved.
    pub(crate) fn is_unsaved(&self) -> bool {
        self.map.is_none() && self.file().is_some_and(|tracked| tracked.file.is_modified())
    }

    /// Bytes from the position to the end of the window.
    pub(crate) fn remaining(&self) -> u64 {
        self.len.saturating_sub(self.position)
    }

    /// The byte at an offset inside the window.
    #[inline]
    pub(crate) fn byte(&self, offset: u64) -> PyResult<u8> {
        if let Some(byte) = self.map.as_ref().and_then(|map| map.byte(offset)) {
            return Ok(byte);
        }
        let mut byte = [0];
        self.read(&mut byte, offset).map_err(to_python)?;
        Ok(byte[0])
    }

    /// Fills `buffer` from `offset`.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        match (&self.map, &self.file) {
            (Some(map), _) => {
                map.read(buffer, offset);
                Ok(())
            }
            (None, Some(tracked)) => tracked.file.read_exact_at(buffer, self.start + offset),
            // Without a file there is always the map.
            (None, None) => Ok(()),
        }
    }

    /// Stores bytes over as many from `offset` on: in the file at once, if it is mapped for that.
    #[inline]
    pub(crate) fn store(&mut self, offset: u64, bytes: &[u8]) -> PyResult<()> {
        if let Some(map) = self.map.as_ref().filter(|map| map.is_writable()) {
            let _storing = self.storing()?;
            map.store(offset, bytes);
            self.file_stores.note();
            return Ok(());
        }
        self.store_in_file(offset, bytes)
    }

    /// Waits for the end of a commit by another map of the same file.
    #[inline]
    fn storing(&self) -> PyResult<Option<RwLockReadGuard<'_, ()>>> {
        // A child after fork never sees the end of a commit that was running then.
        self.process.is_current().then(|| self.file_stores.storing()).transpose()
    }

    #[cold]
    fn store_in_file(&mut self, offset: u64, bytes: &[u8]) -> PyResult<()> {
        let (start, end) = (self.start + offset, self.start + offset + bytes.len() as u64);
        self.edited()?.replace(start..end, bytes).map_err(to_python)
    }

    /// Whether a replacement of `range` by so many bytes waits for a commit. Then exported views may not be there.
    pub(crate) fn changes_length(range: &Range<u64>, len: u64) -> bool {
        range.end - range.start != len
    }

    /// Replaces `range` by bytes of any length.
    pub(crate) fn replace(&mut self, range: Range<u64>, bytes: &[u8]) -> PyResult<()> {
        if !Self::changes_length(&range, bytes.len() as u64) {
            return self.store(range.start, bytes);
        }
        self.splice(range, Content::bytes(bytes), bytes.len() as u64)
    }

    /// Replaces `range` by `len` bytes of this window itself, from `from` on.
    pub(crate) fn replace_by_own(
        &mut self,
        range: Range<u64>,
        from: u64,
        len: u64,
    ) -> PyResult<()> {
        if range == (from..from + len) {
            return Ok(());
        }
        if Self::changes_length(&range, len) {
            let from = self.start + from;
            return self.splice(range, Content::copy(from..from + len), len);
        }
        self.copy(range.start, from..from + len)
    }

    /// Makes the window `len` bytes long by cutting its end off or adding zeros.
    pub(crate) fn set_len(&mut self, len: u64) -> PyResult<()> {
        let now = self.len;
        if len <= now {
            self.splice(len..now, Content::bytes(b""), 0)
        } else {
            self.splice(now..now, Content::fill(0, len - now), len - now)
        }
    }

    fn splice(&mut self, range: Range<u64>, content: Content<'_>, len: u64) -> PyResult<()> {
        self.check_exports()?;
        let start = self.start;
        let removed = range.end - range.start;
        self.edited()?
            .splice(start + range.start..start + range.end, content)
            .map_err(to_python)?;
        self.len = self.len - removed + len;
        Ok(())
    }

    /// Copies bytes of the window over others of it; the two may overlap.
    pub(crate) fn copy(&mut self, to: u64, from: Range<u64>) -> PyResult<()> {
        if let Some(map) = self.map.as_ref().filter(|map| map.is_writable()) {
            let _storing = self.storing()?;
            map.copy(to, from);
            self.file_stores.note();
            return Ok(());
        }
        let (to, from) = (self.start + to, self.start + from.start..self.start + from.end);
        let end = to + (from.end - from.start);
        self.edited()?.splice(to..end, Content::copy(from)).map_err(to_python)
    }

    /// The file, to edit it: the bytes are from now on those of the file and its edits.
    fn edited(&mut self) -> PyResult<&mut SpliceFile> {
        if self.stores != Stores::Private {
            self.check_process()?;
        }
        let Some(map) = self.map.clone() else {
            return Ok(&mut self.tracked()?.file);
        };
        let (start, end, stores) = (self.start, self.start + self.len, self.stores);
        self.stores_before = self.file_stores.count();
        let tracked = self.tracked()?;
        // All stores so far, also those of others, are in the file already: they are its contents, not changes of it.
        tracked.file.reload().map_err(to_python)?;
        if tracked.file.len() < end {
            let path = tracked.file.path().to_path_buf();
            let what = "it was cut off inside the map".to_owned();
            return Err(to_python(Error::Changed { path, what }));
        }
        if stores == Stores::Private
            && let Err(error) = carry_over(&map, &mut tracked.file, start)
        {
            tracked.file.discard();
            return Err(to_python(error));
        }
        self.map = None;
        Ok(&mut self.tracked()?.file)
    }

    /// The file, to commit it: what other maps of this process stored meanwhile is no change by others.
    ///
    /// # Errors
    /// `ChangedError` if they did more than that.
    pub(crate) fn committable(&mut self) -> PyResult<&mut SpliceFile> {
        let stored = self.file_stores.since(self.stores_before);
        let tracked = self.tracked()?;
        if stored {
            tracked.file.accept_stores().map_err(to_python)?;
        }
        Ok(&mut tracked.file)
    }

    /// The stores of this process to the file.
    pub(crate) fn file_stores(&self) -> &Arc<FileStores> {
        &self.file_stores
    }

    /// Shows the file as it is now, without edits. Where it cannot be mapped any more, the bytes are read from it.
    pub(crate) fn map_anew(&mut self) {
        if let Some(tracked) = &self.file {
            self.map = mapped(&tracked.descriptor, self.start, self.len, self.stores).ok();
        }
    }

    /// Reads the bytes of a slice, in its order, into a buffer of as many bytes.
    pub(crate) fn read_run(&self, run: &Run, buffer: &mut [u8]) -> Result<()> {
        if run.stride == 1 {
            self.read(buffer, run.start)?;
        } else if let Some(map) = &self.map {
            for (to, nth) in buffer.iter_mut().zip(0..) {
                *to = map.byte(run.start + nth * run.stride).unwrap_or_default();
            }
        } else {
            let mut rest = &mut *buffer;
            for group in groups(run) {
                let bytes = self.read_group(&group)?;
                let (here, behind) = rest.split_at_mut(group.count as usize);
                for (to, from) in here.iter_mut().zip(bytes.iter().step_by(step(run))) {
                    *to = *from;
                }
                rest = behind;
            }
        }
        if run.reversed {
            buffer.reverse();
        }
        Ok(())
    }

    /// Stores as many bytes as the slice names, in its order.
    pub(crate) fn store_run(&mut self, run: &Run, bytes: &[u8]) -> PyResult<()> {
        let turned: Vec<u8>;
        let mut rest = if run.reversed {
            turned = bytes.iter().rev().copied().collect();
            &turned
        } else {
            bytes
        };
        if run.stride == 1 {
            return self.store(run.start, rest);
        }
        if let Some(map) = self.map.as_ref().filter(|map| map.is_writable()) {
            let _storing = self.storing()?;
            // Others may store between these bytes meanwhile.
            for (byte, nth) in rest.chunks(1).zip(0..) {
                map.store(run.start + nth * run.stride, byte);
            }
            self.file_stores.note();
            return Ok(());
        }
        for group in groups(run) {
            let mut patched = self.read_group(&group).map_err(to_python)?;
            let (here, behind) = rest.split_at(group.count as usize);
            for (to, from) in patched.iter_mut().step_by(step(run)).zip(here) {
                *to = *from;
            }
            self.store(group.start, &patched)?;
            rest = behind;
        }
        Ok(())
    }

    /// Removes the bytes of a slice.
    pub(crate) fn remove_run(&mut self, run: &Run) -> PyResult<()> {
        if run.stride == 1 {
            return self.replace(run.start..run.start + run.count, b"");
        }
        // From the highest down, so that the lower offsets stay as they are.
        for nth in (0..run.count).rev() {
            let offset = run.start + nth * run.stride;
            self.replace(offset..offset + 1, b"")?;
        }
        Ok(())
    }

    /// All bytes from the first to the last of a group.
    fn read_group(&self, group: &Run) -> Result<Vec<u8>> {
        let mut bytes = vec![0; ((group.count - 1) * group.stride + 1) as usize];
        self.read(&mut bytes, group.start)?;
        Ok(bytes)
    }
}

/// A map of a window. An empty one is a map too, if not of the file.
fn mapped(file: &File, start: u64, len: u64, stores: Stores) -> std::io::Result<Arc<Map>> {
    let len = usize::try_from(len).map_err(|_| std::io::ErrorKind::OutOfMemory)?;
    Map::new(file, start, len, stores).map(Arc::new)
}

/// Makes the stores to a private map edits of the file that it is a map of: wherever the two differ.
fn carry_over(map: &Map, file: &mut SpliceFile, start: u64) -> Result<()> {
    let (mut private, mut shared) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let len = map.len() as u64;
    let mut done = 0;
    while done < len {
        let count = (len - done).min(private.len() as u64) as usize;
        let (private, shared) = (&mut private[..count], &mut shared[..count]);
        map.read(private, done);
        file.read_exact_at(shared, start + done)?;
        for (nth, (mine, theirs)) in private.chunks(BLOCK).zip(shared.chunks(BLOCK)).enumerate() {
            if mine != theirs {
                let at = start + done + (nth * BLOCK) as u64;
                file.replace(at..at + mine.len() as u64, mine)?;
            }
        }
        done += count as u64;
    }
    Ok(())
}

/// The stride of a run of more than one group's bytes; larger ones make groups of one byte, which need no step.
fn step(run: &Run) -> usize {
    run.stride.min(GROUP) as usize
}

/// Cuts a run into runs that span at most [`GROUP`] bytes, lowest first.
fn groups(run: &Run) -> impl Iterator<Item = Run> {
    let run = *run;
    let per_group = (GROUP / run.stride).max(1);
    (0..run.count.div_ceil(per_group)).map(move |nth| {
        let done = nth * per_group;
        let count = per_group.min(run.count - done);
        Run { start: run.start + done * run.stride, count, ..run }
    })
}
