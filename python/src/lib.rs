//! The extension module behind the Python package `bytesplice`.

mod buffer;
mod caller;
mod commit;
mod content;
mod descriptor;
mod edited;
mod errors;
mod index;
mod interruptible_store;
mod items;
mod length;
mod map;
mod matches;
mod mmap;
mod new_bytes;
mod offset;
mod pattern;
mod place;
mod plan;
mod process;
mod protection;
mod reading;
mod saving;
mod scripts;
mod search;
mod shared;
mod splice_file;
mod status;
mod stores;
mod stream;
mod unsaved;
mod view;
mod window;

use std::ffi::OsString;
use std::path::PathBuf;

use bytesplice::Recovery;
use pyo3::prelude::*;

/// Beginnings of the names of constants that are the standard library's own, so that either module's can be passed to
/// either class.
const SHARED_CONSTANTS: [&str; 7] =
    ["ACCESS_", "ALLOCATIONGRANULARITY", "MADV_", "MAP_", "MS_", "PAGESIZE", "PROT_"];

/// Take back a commit that was cut short, so that the file at path holds the old contents again.
///
/// Returns "clean" if there was nothing to take back, "rolled-back" if there was, and "completed" if the commit was done
/// and only had to be tidied up. RecoveryError says that the commit is past its commit point and can only be finished,
/// which mapping the file does; nothing is touched then. An object has nothing to take back: ValueError.
#[pyfunction]
#[pyo3(signature = (path, /))]
fn abort(py: Python<'_>, path: PathBuf) -> PyResult<&'static str> {
    place::check_no_address(
        &path,
        "a commit of an object that was cut short changed nothing, and nothing is to be taken back; recover aborts the \
         uploads that it left",
    )?;
    py.detach(|| bytesplice::abort(path)).map(name_of).map_err(errors::to_python)
}

/// What recovery did, in the words of the command line.
fn name_of(recovery: Recovery) -> &'static str {
    match recovery {
        Recovery::Clean => "clean",
        Recovery::RolledBack => "rolled-back",
        Recovery::Completed => "completed",
    }
}

/// Runs the command line with these arguments, of which the first is the name of the program, and returns its exit code.
#[pyfunction]
fn _run(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| bytesplice_cli::run(arguments))
}

/// Memory-mapped files whose slices can take any length.
#[pymodule]
fn _bytesplice(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add_class::<mmap::Mmap>()?;
    module.add_function(wrap_pyfunction!(abort, module)?)?;
    module.add_function(wrap_pyfunction!(_run, module)?)?;
    errors::load(py)?;
    splice_file::add_to(module)?;
    let standard = py.import("mmap")?;
    for name in standard.dir()? {
        let name: String = name.extract()?;
        if SHARED_CONSTANTS.iter().any(|begins| name.starts_with(begins)) {
            module.add(name.as_str(), standard.getattr(name.as_str())?)?;
        }
    }
    process::count_forks(module)?;
    unsaved::save_at_exit(module)
}
