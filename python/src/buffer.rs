//! The buffer protocol: views of a map, for `memoryview`, `numpy`, `re`, `hashlib` and all others.

use std::os::raw::c_int;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::errors::to_python;
use crate::map::Map;
use crate::mmap::Mmap;
use crate::reading::in_memory;
use crate::stores::FileStores;

/// Longest contents with unsaved edits that are copied for a view.
const LONGEST_COPY: u64 = 64 << 20;

/// What a view keeps alive, whatever becomes of the map.
enum Viewed {
    /// The mapped bytes themselves, and the stores to their file, if there can be any.
    Map(Arc<Map>, Option<Arc<FileStores>>),
    /// A copy of bytes that do not lie together.
    Copy(Vec<u8>),
}

impl Viewed {
    fn memory(&self) -> (*mut u8, usize) {
        match self {
            Self::Map(map, _) => (map.as_ptr(), map.len()),
            Self::Copy(bytes) => (bytes.as_ptr().cast_mut(), bytes.len()),
        }
    }

    fn is_writable(&self) -> bool {
        matches!(self, Self::Map(map, _) if map.is_writable())
    }
}

impl Drop for Viewed {
    fn drop(&mut self) {
        if let Self::Map(_, Some(stores)) = self {
            stores.end_view();
        }
    }
}

#[pymethods]
impl Mmap {
    /// A view of all bytes: of the mapped ones, or, with unsaved edits, of a copy that cannot be written.
    ///
    /// # Safety
    /// `view` is a place for a view, as Python gives it.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("NULL view in getbuffer"));
        }
        // SAFETY: not null, so the caller's place for a view.
        unsafe { (*view).obj = ptr::null_mut() };
        let (py, shared) = (slf.py(), &slf.get().shared);
        let viewed = shared.with(py, |window| {
            let viewed = if let Some(map) = window.map() {
                let stores = map.is_writable().then(|| Arc::clone(window.file_stores()));
                stores.iter().for_each(|stores| stores.begin_view());
                Viewed::Map(Arc::clone(map), stores)
            } else {
                if window.len > LONGEST_COPY {
                    return Err(PyBufferError::new_err(format!(
                        "the map has edits that are not saved, and its {} bytes are too many for a copy: call flush first",
                        window.len
                    )));
                }
                if flags & ffi::PyBUF_WRITABLE != 0 {
                    return Err(PyBufferError::new_err(
                        "the map has edits that are not saved, so that only a copy could be written: call flush first",
                    ));
                }
                let mut bytes = vec![0; in_memory(window.len)?];
                py.detach(|| window.read(&mut bytes, 0)).map_err(to_python)?;
                Viewed::Copy(bytes)
            };
            // Under the lock: the length cannot change any more.
            shared.exports().fetch_add(1, Ordering::AcqRel);
            Ok(Box::new(viewed))
        })?;
        let ((start, len), readonly) = (viewed.memory(), c_int::from(!viewed.is_writable()));
        // SAFETY: the memory is valid for so many bytes until `viewed` is dropped, which is when the view is released;
        // the view is the caller's place for one. A writable view is one of a writable map.
        let failed = unsafe {
            ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start.cast(), len as isize, readonly, flags)
        } < 0;
        if failed {
            shared.exports().fetch_sub(1, Ordering::AcqRel);
            return Err(PyErr::fetch(py));
        }
        // SAFETY: as above; the field is ours, and read in `__releasebuffer__` only.
        unsafe { (*view).internal = Box::into_raw(viewed).cast() };
        Ok(())
    }

    /// Lets go of a view.
    ///
    /// # Safety
    /// `view` was filled by `__getbuffer__`.
    unsafe fn __releasebuffer__(&self, view: *mut ffi::Py_buffer) {
        // SAFETY: `__getbuffer__` put a box there, and Python releases a view once.
        drop(unsafe { Box::from_raw((*view).internal.cast::<Viewed>()) });
        self.shared.exports().fetch_sub(1, Ordering::AcqRel);
    }
}
