//! The extension module behind the Python package `bytesplice`.

mod abandoned;
mod content;
mod descriptor;
mod errors;
mod index;
mod mmap;
mod protection;
mod reading;
mod search;
mod window;

use pyo3::prelude::*;

/// Constants that are the standard library's own, so that either module's can be passed to either class.
const SHARED_CONSTANTS: [&str; 10] = [
    "ACCESS_DEFAULT",
    "ACCESS_READ",
    "ACCESS_WRITE",
    "ACCESS_COPY",
    "PROT_READ",
    "PROT_WRITE",
    "MAP_SHARED",
    "MAP_PRIVATE",
    "PAGESIZE",
    "ALLOCATIONGRANULARITY",
];

/// Memory-mapped files whose slices can take any length.
#[pymodule]
fn _bytesplice(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add_class::<mmap::Mmap>()?;
    module.add("ChangedError", py.get_type::<errors::ChangedError>())?;
    module.add("RecoveryError", py.get_type::<errors::RecoveryError>())?;
    let standard = py.import("mmap")?;
    for name in SHARED_CONSTANTS {
        module.add(name, standard.getattr(name)?)?;
    }
    Ok(())
}
