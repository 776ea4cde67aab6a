use std::fmt;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytesplice::Original;

use crate::cache::{Cache, Fetch};
use crate::{Error, Store};

/// One version of an object: read where it is wanted, and never mixed with another.
#[derive(Debug)]
pub(crate) struct OriginalObject(Cache<Version>);

/// Where its bytes come from.
struct Version {
    store: Arc<dyn Store>,
    etag: String,
    /// Whether the store said that it has another version.
    is_gone: AtomicBool,
}

impl OriginalObject {
    /// The version of `len` bytes that has this ETag.
    pub fn new(store: Arc<dyn Store>, etag: String, len: u64) -> Self {
        Self(Cache::new(Version { store, etag, is_gone: AtomicBool::new(false) }, len))
    }
}

impl Original for OriginalObject {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn change(&self) -> Option<String> {
        let is_gone = self.0.origin().is_gone.load(Ordering::Relaxed);
        is_gone.then(|| "the object has other contents by now, or is gone".to_owned())
    }
}

impl Fetch for Version {
    fn fetch(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        self.store.get(range, &self.etag).map_err(|error| match error {
            Error::Changed { .. } | Error::NotFound { .. } => {
                self.is_gone.store(true, Ordering::Relaxed);
                io::Error::new(ErrorKind::UnexpectedEof, error)
            }
            error => io::Error::other(error),
        })
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Version").field("etag", &self.etag).finish_non_exhaustive()
    }
}
