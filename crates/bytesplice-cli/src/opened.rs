//! FILE as it is opened: a file of this machine, or an object in a store.

use std::ffi::OsStr;
use std::path::Path;

use bytesplice::OpenOptions;
use bytesplice_s3::{ObjectFile, ObjectName, ObjectOptions, Opened, Profile, Settings};

use crate::cli::StoreOptions;
use crate::failure::Failure;

/// Opens FILE to be read.
///
/// # Errors
/// It cannot be opened.
pub fn open_to_read(name: &OsStr, store: &StoreOptions) -> Result<Opened, Failure> {
    open(name, &OpenOptions::new().read_only(true), store)
}

/// Opens FILE.
///
/// # Errors
/// It cannot be opened.
pub fn open(name: &OsStr, options: &OpenOptions, store: &StoreOptions) -> Result<Opened, Failure> {
    let Some(place) = ObjectPlace::of(name, store)? else {
        return Ok(options.open(Path::new(name))?.into());
    };
    let options = ObjectOptions {
        profile: Some(place.profile),
        contents: options.clone(),
        ..ObjectOptions::default()
    };
    Ok(ObjectFile::open_with(place.name, &place.settings, options)?.into())
}

/// Which object in which store.
pub struct ObjectPlace {
    pub name: ObjectName,
    pub settings: Settings,
    pub profile: Profile,
}

impl ObjectPlace {
    /// That of FILE, if it is an address.
    ///
    /// # Errors
    /// The address, the credentials or the profile of them are not valid.
    pub fn of(name: &OsStr, store: &StoreOptions) -> Result<Option<Self>, Failure> {
        let Some(name) = ObjectName::of_address(name)? else { return Ok(None) };
        let settings = Settings::from_environment(store.endpoint.as_deref())?;
        let profile = store.store.map_or_else(|| settings.profile(), Profile::from);
        Ok(Some(Self { name, settings, profile }))
    }
}
