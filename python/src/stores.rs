//! Stores of this process to files, through any of its maps: they are not changes by others.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The files that are mapped, by device and inode.
static FILES: Mutex<Option<Files>> = Mutex::new(None);

type Files = HashMap<(u64, u64), Weak<FileStores>>;

/// What this process stores to one file.
#[derive(Debug, Default)]
pub(crate) struct FileStores {
    /// Grows with the stores. Two at a time may count for one: what matters is that it is another number.
    count: AtomicU64,
    /// Exported views that can be written, at any time.
    views: AtomicUsize,
}

impl FileStores {
    /// Those to a file, for as long as somebody holds them.
    ///
    /// # Errors
    /// The file cannot be looked at.
    pub(crate) fn of(file: &File) -> io::Result<Arc<Self>> {
        let metadata = file.metadata()?;
        let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        let files = files.get_or_insert_default();
        let key = (metadata.dev(), metadata.ino());
        if let Some(stores) = files.get(&key).and_then(Weak::upgrade) {
            return Ok(stores);
        }
        files.retain(|_, stores| stores.strong_count() > 0);
        let stores = Arc::new(Self::default());
        files.insert(key, Arc::downgrade(&stores));
        Ok(stores)
    }

    /// Notes a store.
    #[inline]
    pub(crate) fn note(&self) {
        self.count.store(self.count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Notes a view that can be written, until [`end_view`](Self::end_view).
    pub(crate) fn begin_view(&self) {
        self.views.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes that such a view is no more.
    pub(crate) fn end_view(&self) {
        self.note();
        self.views.fetch_sub(1, Ordering::AcqRel);
    }

    /// How many stores there were.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether there may have been any since there were so many.
    pub(crate) fn since(&self, count: u64) -> bool {
        self.count() != count || self.views.load(Ordering::Acquire) > 0
    }
}
