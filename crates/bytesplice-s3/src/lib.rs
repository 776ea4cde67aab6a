//! Splices of objects in S3-compatible stores.
//!
//! An object cannot be changed in the middle, but a store can copy ranges of it by itself. So the new contents are put
//! together by a multipart upload: what stays becomes parts that the store copies (`UploadPartCopy`), what is new
//! becomes parts that are sent (`UploadPart`), and `CompleteMultipartUpload` swaps the object whole. [`Plan`] finds the
//! parts that send the fewest bytes through the client; it does no I/O:
//!
//! ```
//! use bytesplice_s3::{Piece, Plan, Profile};
//!
//! // One byte is inserted in the middle of a TiB.
//! let (old_len, half) = (1 << 40, 1 << 39);
//! let pieces = [
//!     Piece::Kept { offset: 0, len: half },
//!     Piece::New { len: 1 },
//!     Piece::Kept { offset: half, len: half },
//! ];
//! let plan = Plan::new(pieces, old_len, &Profile::AWS)?;
//! assert_eq!(plan.cost().bytes_up, 5 << 20);
//! assert_eq!(plan.cost().bytes_down, (5 << 20) - 1);
//! assert_eq!(plan.cost().bytes_copied, old_len + 1 - (5 << 20));
//! # Ok::<(), bytesplice_s3::PlanError>(())
//! ```

//!
//! [`ObjectFile`] is an object with the edits and reads of a `SpliceFile`, which are those of
//! [`Contents`](bytesplice::Contents):
//!
//! ```no_run
//! use bytesplice_s3::ObjectFile;
//!
//! let mut object = ObjectFile::open("s3://bucket/key")?;
//! object.insert(0, "a header\n")?;
//! println!("{} bytes are to be sent", object.plan()?.cost().bytes_up);
//! object.commit()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_docs)]

mod cache;
mod client;
mod commit;
mod completion;
mod composite;
mod credentials;
mod error;
mod leftover;
mod name;
mod object_file;
mod opened;
mod original;
mod plan;
mod probe;
mod profile;
mod retry;
mod settings;
mod store;

pub use client::{Addressing, Client, Traffic};
pub use commit::{CommitOptions, ReadNew, commit};
pub use credentials::Credentials;
pub use error::{Error, ObjectState, Operation, Result};
pub use leftover::recover;
pub use name::ObjectName;
pub use object_file::{ObjectFile, ObjectOptions};
pub use opened::Opened;
pub use plan::{Cost, Origin, Part, Piece, Plan, PlanError, Requests, Segment};
pub use probe::{probe, probe_name};
pub use profile::{Conditions, Prices, Profile};
pub use retry::Retry;
pub use settings::Settings;
pub use store::{Attribute, Condition, Head, LeftoverUpload, Store, Upload, UploadedPart};
