use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytesplice::{Contents, FileState, OpenOptions};

use crate::original::OriginalObject;
use crate::{
    Client, CommitOptions, Conditions, Error, Head, ObjectName, ObjectState, Piece, Plan, Profile,
    Result, Settings, Store, commit,
};

/// An object whose bytes `0..len` can be spliced like those of a file.
///
/// It edits and reads as its [`Contents`] do, to which it dereferences. What is read is fetched, and kept for a while; edits
/// fetch nothing. [`commit`](Self::commit) lets the store put the new contents together, and swaps the object whole. Nothing
/// reaches the store before, and nothing locks the object: who commits first wins, and the other one is told.
///
/// # Examples
/// ```no_run
/// use bytesplice_s3::ObjectFile;
///
/// let mut object = ObjectFile::open("s3://bucket/log")?;
/// object.remove(object.lines(..1_000)?)?;
/// object.commit()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ObjectFile {
    contents: Contents,
    store: Arc<dyn Store>,
    /// What the contents are edits of; `None` for an object that is not there yet.
    head: Option<Head>,
    profile: Profile,
    fetched_history: u64,
}

bytesplice::owns_contents!(ObjectFile);

/// How to open an object.
#[derive(Debug, Clone, Default)]
pub struct ObjectOptions {
    /// Begin with empty contents where there is no object, to be made by the commit.
    pub create: bool,
    /// What the store allows; none: told by the [settings](Settings::profile), and
    /// [`Profile::UNKNOWN`] for a store that was made without settings.
    pub profile: Option<Profile>,
    /// How many bytes a commit may fetch so that what it removes can be brought back by an undo after it: none, unless
    /// this is set.
    pub fetched_history: u64,
    /// Memory for new bytes and for the history. What these options say of files means nothing here.
    pub contents: OpenOptions,
}

impl ObjectFile {
    /// Opens an object by its address, `s3://BUCKET/KEY`, with the settings of the
    /// [environment](Settings::from_environment). One request.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Credentials`], [`Error::Endpoint`], [`Error::NotFound`]; what the store refuses.
    pub fn open(address: &str) -> Result<Self> {
        let settings = Settings::from_environment(None)?;
        Self::open_with(address.parse()?, &settings, ObjectOptions::default())
    }

    /// Opens an object of the store that the settings name. One request.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_with(
        name: ObjectName,
        settings: &Settings,
        options: ObjectOptions,
    ) -> Result<Self> {
        let profile = options.profile.clone().unwrap_or_else(|| settings.profile());
        let store = Arc::new(Client::new(name, settings)?);
        Self::of_store(store, ObjectOptions { profile: Some(profile), ..options })
    }

    /// Opens the object of `store`.
    ///
    /// # Errors
    /// [`Error::NotFound`] unless it is to be made; what the store refuses.
    pub fn of_store(store: Arc<dyn Store>, options: ObjectOptions) -> Result<Self> {
        let head = match store.head() {
            Ok(head) => Some(head),
            Err(Error::NotFound { .. }) if options.create => None,
            Err(error) => return Err(error),
        };
        let original = original(&store, head.as_ref());
        let path = PathBuf::from(store.name().to_string());
        Ok(Self {
            contents: Contents::new(path, Arc::new(original), &options.contents),
            store,
            head,
            profile: options.profile.unwrap_or(Profile::UNKNOWN),
            fetched_history: options.fetched_history,
        })
    }

    /// The store, as this object sees it.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What the store said of the object when it was opened, or of the one that the last commit made; none if there is none.
    #[must_use]
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// What the store does with a write whose condition does not hold, by the profile, or as it was
    /// [set](Self::set_conditions).
    #[must_use]
    pub fn conditions(&self) -> Conditions {
        self.profile.conditions
    }

    /// Sets what the store does with a write whose condition does not hold, such as a
    /// [`probe`](crate::probe()) found out.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.profile.conditions = conditions;
    }

    /// What a commit would ask of the store, and what it costs. O(n log n) in the pieces; no request.
    ///
    /// # Errors
    /// [`Error::Plan`], what the store does not allow.
    pub fn plan(&self) -> Result<Plan> {
        let pieces = self.parts().map(|part| {
            let len = part.range.end - part.range.start;
            match part.origin {
                bytesplice::Origin::Kept(offset) | bytesplice::Origin::Copied(offset) => {
                    Piece::Kept { offset, len }
                }
                bytesplice::Origin::New => Piece::New { len },
            }
        });
        Plan::new(pieces, self.old_len(), &self.profile)
            .map_err(|error| error.of(self.store.name()))
    }

    /// Lets the store bring the object to the current contents: see [`commit_with`](Self::commit_with).
    ///
    /// # Errors
    /// As there.
    pub fn commit(&mut self) -> Result<()> {
        self.commit_with(&CommitOptions::default())
    }

    /// Lets the store bring the object to the current contents, and swaps it whole: whoever reads it sees the old or the
    /// new ones. Without edits nothing is asked for; an object that is not there yet is made in any case.
    ///
    /// # Errors
    /// Those of [`commit`](crate::commit()), and [`Error::Edits`]. The edits are still there, to be committed again, unless
    /// it is not known what the object holds.
    pub fn commit_with(&mut self, options: &CommitOptions<'_>) -> Result<()> {
        let kept = self.contents.begin_commit(self.fetched_history)?;
        if !self.is_modified() && self.head.is_some() {
            return Ok(());
        }
        let plan = self.plan()?;
        let contents = &self.contents;
        let new = |offset: u64, buffer: &mut [u8]| {
            contents.read_exact_at(buffer, offset).map_err(io::Error::other)
        };
        let committed = commit(&*self.store, self.head.as_ref(), &plan, &new, options);
        let etag = committed.inspect_err(|error| {
            if error.object_state() == ObjectState::OldOrNew {
                self.contents.poison(FileState::OldOrNew);
            }
        })?;
        // The new object has the attributes of the old one.
        let old = self.head.take();
        let attributes = old.map_or(Vec::new(), |old| old.attributes);
        // Asked for again by the next commit.
        let tags = None;
        self.head = Some(Head { len: plan.len(), etag, checksum: None, attributes, tags });
        let original = original(&self.store, self.head.as_ref());
        self.contents.end_commit(Arc::new(original), kept);
        Ok(())
    }
}

fn original(store: &Arc<dyn Store>, head: Option<&Head>) -> OriginalObject {
    let (etag, len) = head.map_or((String::new(), 0), |head| (head.etag.clone(), head.len));
    OriginalObject::new(Arc::clone(store), etag, len)
}

impl fmt::Debug for ObjectFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ObjectFile")
            .field("contents", &self.contents)
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}
