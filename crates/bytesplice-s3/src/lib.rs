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

#![warn(missing_docs)]

mod client;
mod commit;
mod completion;
mod credentials;
mod error;
mod leftover;
mod name;
mod plan;
mod profile;
mod retry;
mod settings;
mod store;

pub use client::{Addressing, Client};
pub use commit::{CommitOptions, ReadNew, commit};
pub use credentials::Credentials;
pub use error::{Error, ObjectState, Operation, Result};
pub use leftover::recover;
pub use name::ObjectName;
pub use plan::{Cost, Origin, Part, Piece, Plan, PlanError, Requests, Segment};
pub use profile::{Prices, Profile};
pub use retry::Retry;
pub use settings::Settings;
pub use store::{Condition, Head, LeftoverUpload, Store, Upload, UploadedPart};
