//! What a path leads to: a file of this machine, or an object in a store.

use std::path::PathBuf;
use std::sync::Arc;

use bytesplice::OpenOptions;
use bytesplice_s3::{
    Client, Error, ObjectFile, ObjectName, ObjectOptions, Opened, Profile, Settings, Store, probe,
    probe_name,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::to_python;
use crate::interruptible_store::InterruptibleStore;

/// A path as it was given.
pub(crate) enum Place {
    File(PathBuf),
    /// `s3://BUCKET/KEY`.
    Object(ObjectName),
}

impl<'py> FromPyObject<'_, 'py> for Place {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let path: PathBuf = object.extract()?;
        let name = ObjectName::of_address(&path).map_err(to_python)?;
        Ok(name.map_or_else(|| Self::File(path), Self::Object))
    }
}

/// The address of an object as it is written. The name's own text has its control characters escaped.
pub(crate) fn address(name: &ObjectName) -> String {
    format!("s3://{}/{}", name.bucket(), name.key())
}

/// The path of a file alone.
///
/// # Errors
/// `ValueError` for an address of an object, with what to do instead.
pub(crate) fn check_no_address(path: &PathBuf, instead: &str) -> PyResult<()> {
    if ObjectName::is_address(path) {
        return Err(PyValueError::new_err(format!("{}: {instead}", path.display())));
    }
    Ok(())
}

/// Where the store of objects is, and what it allows: arguments of the same names.
pub(crate) struct StoreOptions {
    endpoint: Option<String>,
    profile: Option<Profile>,
    writes: WriteOptions,
}

/// What is done where a store may not honour conditions, or does not let tags be read: arguments of
/// the same names.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WriteOptions {
    pub(crate) probe_store: bool,
    pub(crate) unconditional: bool,
    pub(crate) drop_tags: bool,
}

impl StoreOptions {
    /// Reads them.
    ///
    /// # Errors
    /// `ValueError` for a kind of store that is none.
    pub(crate) fn read(endpoint: Option<String>, store: Option<&str>) -> PyResult<Self> {
        let profile = store.map(Profile::named).transpose();
        let profile = profile.map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self { endpoint, profile, writes: WriteOptions::default() })
    }

    /// The same for an object that is to be committed.
    pub(crate) fn with_writes(self, writes: WriteOptions) -> Self {
        Self { writes, ..self }
    }

    /// Fails if there are any, as files are in no store.
    ///
    /// # Errors
    /// `ValueError`.
    pub(crate) fn check_file(&self) -> PyResult<()> {
        let given = [
            ("endpoint", self.endpoint.is_some()),
            ("store", self.profile.is_some()),
            ("probe_store", self.writes.probe_store),
            ("unconditional", self.writes.unconditional),
            ("drop_tags", self.writes.drop_tags),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((name, _)) => Err(only_for_objects(name)),
            None => Ok(()),
        }
    }

    /// What the environment says besides. Attached to Python, so that no other thread changes the environment meanwhile.
    ///
    /// # Errors
    /// `AccessError`: there are no credentials.
    pub(crate) fn settings(&self, _py: Python<'_>) -> PyResult<Settings> {
        Settings::from_environment(self.endpoint.as_deref()).map_err(to_python)
    }
}

/// An argument that files do not have.
pub(crate) fn only_for_objects(name: &str) -> PyErr {
    PyValueError::new_err(format!("{name} is for objects, whose paths are s3://BUCKET/KEY"))
}

/// Opens an object.
///
/// # Errors
/// What the store refuses.
pub(crate) fn open_object(
    py: Python<'_>,
    name: ObjectName,
    store: &StoreOptions,
    options: ObjectOptions,
) -> PyResult<ObjectFile> {
    let settings = store.settings(py)?;
    let profile = store.profile.clone().unwrap_or_else(|| settings.profile());
    let probed = if store.writes.probe_store {
        Some(client(probe_name(&name).map_err(to_python)?, &settings)?)
    } else {
        None
    };
    let client = client(name, &settings)?;
    let options = ObjectOptions { profile: Some(profile), ..options };
    let open = || {
        let mut object = ObjectFile::of_store(client, options)?;
        if let Some(probed) = probed {
            object.set_conditions(probe(&*probed)?);
            if !store.writes.unconditional {
                object.conditions().check(object.store().name())?;
            }
        }
        Ok::<_, Error>(object)
    };
    py.detach(open).map_err(to_python)
}

/// Opens what is at a place.
///
/// # Errors
/// It cannot be opened.
pub(crate) fn open_place(
    py: Python<'_>,
    place: Place,
    store: &StoreOptions,
    options: OpenOptions,
) -> PyResult<Opened> {
    match place {
        Place::File(path) => py.detach(|| options.open(path)).map(Opened::from).map_err(to_python),
        Place::Object(name) => {
            let options = ObjectOptions { contents: options, ..ObjectOptions::default() };
            open_object(py, name, store, options).map(Opened::from)
        }
    }
}

/// The object as its store sees it.
///
/// # Errors
/// The store cannot be at its address.
pub(crate) fn client(name: ObjectName, settings: &Settings) -> PyResult<Arc<dyn Store>> {
    let client = Client::new(name, settings).map_err(to_python)?;
    Ok(Arc::new(InterruptibleStore::new(client)))
}
