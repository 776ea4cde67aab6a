use std::fmt;
use std::io;

use crate::{Conditions, ObjectName, PlanError};

/// What every fallible function of this crate returns, but for planning.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong with an object, with its name, and what to do next.
///
/// Unless the text says otherwise the object is unchanged. [`Error::object_state`] tells it to programs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This is no name of an object.
    #[error("{name:?} is not the name of an object: {why}")]
    Name {
        /// As given.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The store's address or the bucket's name cannot be used.
    #[error("{endpoint:?} cannot be the address of a store: {why}")]
    Endpoint {
        /// As given.
        endpoint: String,
        /// What is wrong.
        why: String,
    },
    /// There is no kind of store of this name.
    #[error("there is no kind of store {name:?}: use aws, compatible or equal-parts")]
    StoreKind {
        /// As given.
        name: String,
    },
    /// There are no credentials, or they are of a kind that is not supported.
    #[error("no credentials for the store: {why}")]
    Credentials {
        /// What was found, and what to do.
        why: String,
    },
    /// The edits themselves: an expectation that was not met, a source that changed, an earlier commit that failed.
    #[error(transparent)]
    Edits(#[from] bytesplice::Error),
    /// The new contents cannot be put together.
    #[error("{object}: {source}")]
    Plan {
        /// The object.
        object: ObjectName,
        /// Why.
        source: PlanError,
    },
    /// There is no such object, or no such bucket.
    #[error("{object}: there is no such object or bucket ({operation})")]
    NotFound {
        /// The object.
        object: ObjectName,
        /// What was asked for.
        operation: Operation,
    },
    /// The object is another one by now, or there is one where none was to be.
    #[error(
        "{object}: changed by others since it was opened ({operation}); nothing was changed: open it again and repeat the edits"
    )]
    Changed {
        /// The object.
        object: ObjectName,
        /// What noticed it.
        operation: Operation,
    },
    /// The upload does not exist any more: somebody aborted it, or a rule of the bucket.
    #[error("{object}: the upload {upload} is gone; the object is unchanged: commit again")]
    UploadGone {
        /// The object.
        object: ObjectName,
        /// The upload's identifier.
        upload: String,
    },
    /// The store said no.
    #[error(
        "{object}: the store refused {operation}: {}; the object is unchanged{}",
        Answer(*status, code, message), advice(*operation, *status, code)
    )]
    Refused {
        /// The object.
        object: ObjectName,
        /// What was asked for.
        operation: Operation,
        /// HTTP status.
        status: u16,
        /// The store's code, such as `AccessDenied`; empty for HeadObject, whose answers have no text.
        code: String,
        /// The store's words; empty as well.
        message: String,
    },
    /// The tags of the object cannot be read, and would be lost.
    #[error(
        "{object}: its tags cannot be read, and would be lost ({source}): get the permission s3:GetObjectTagging, or drop the tags"
    )]
    Tags {
        /// The object.
        object: ObjectName,
        /// The answer to GetObjectTagging.
        source: Box<Error>,
    },
    /// The store may carry out a write whose condition does not hold, so that a commit could lose
    /// what others write.
    #[error(
        "{object}: {}: a commit could lose what others write to the object at the same time; nothing was changed: {}",
        no_conditions(*conditions), without_conditions(*conditions)
    )]
    NoConditions {
        /// The object.
        object: ObjectName,
        /// What is known of the store: [`Unsupported`](Conditions::Unsupported) or
        /// [`Unknown`](Conditions::Unknown).
        conditions: Conditions,
    },
    /// A part of the upload has another length than was asked for: the store did not copy the
    /// range.
    #[error(
        "{object}: part {number} has {} in the place of {expected}: the store does not copy ranges (x-amz-copy-source-range); the object is unchanged, and cannot be spliced there",
        found.map_or_else(|| "a length that the store does not tell".to_owned(), |len| format!("{len} bytes"))
    )]
    WrongPart {
        /// The object.
        object: ObjectName,
        /// Number of the part, from 1 on.
        number: u16,
        /// Length that was asked for, in bytes.
        expected: u64,
        /// Length that the store lists, in bytes; `None` if it lists none.
        found: Option<u64>,
    },
    /// The store could not be reached, or was too busy, as often as it was tried.
    #[error(
        "{object}: {operation} failed{}: {why}; the object is unchanged: try again later",
        if *attempts == 1 { String::new() } else { format!(" {attempts} times, at last") }
    )]
    Unreachable {
        /// The object.
        object: ObjectName,
        /// What was asked for.
        operation: Operation,
        /// How often.
        attempts: u32,
        /// Whether nothing was done for sure: each time the store said so, or could not even be
        /// connected to.
        undone: bool,
        /// The last failure.
        why: String,
    },
    /// The store's certificate comes from nobody who is trusted.
    #[error(
        "{object}: {operation} was not sent: {why}: if this is the store, name a file with its certificates in AWS_CA_BUNDLE"
    )]
    Untrusted {
        /// The object.
        object: ObjectName,
        /// What was to be asked for.
        operation: Operation,
        /// What is wrong with the certificate.
        why: String,
    },
    /// The store answered something else than was asked for.
    #[error(
        "{object}: the store's answer to {operation} makes no sense: {why}; the object is unchanged"
    )]
    BadAnswer {
        /// The object.
        object: ObjectName,
        /// What was asked for.
        operation: Operation,
        /// What is wrong.
        why: String,
    },
    /// New bytes could not be read.
    #[error(
        "{object}: cannot read the new bytes at offset {offset}: {source}; the object is unchanged"
    )]
    Read {
        /// The object.
        object: ObjectName,
        /// Offset in the new contents.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The commit was asked to stop.
    #[error("{object}: the commit was stopped; the object is unchanged")]
    Cancelled {
        /// The object.
        object: ObjectName,
    },
    /// The last request was sent, its answer did not arrive, and the object did not tell. Others may have written over it.
    #[error(
        "{object}: whether it has the new contents, or had them before others wrote it, is not known ({}): look at it before the edits are repeated{}",
        cause(source),
        upload_left(upload)
    )]
    Unknown {
        /// The object.
        object: ObjectName,
        /// The upload's identifier; empty for a single put.
        upload: String,
        /// The last failure.
        source: Box<Error>,
    },
    /// A commit failed, and its upload could not be aborted either.
    #[error(
        "{source}; the upload {upload} was not aborted ({abort}), and its parts are charged until it is: recover the object, or resume the upload"
    )]
    LeftOver {
        /// The upload's identifier.
        upload: String,
        /// Why it was not aborted.
        abort: Box<Error>,
        /// Why the commit failed.
        source: Box<Error>,
    },
}

/// What was asked of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// HeadObject.
    Head,
    /// GetObject.
    Get,
    /// GetObjectTagging.
    GetTags,
    /// PutObject.
    Put,
    /// CreateMultipartUpload.
    CreateUpload,
    /// UploadPart.
    UploadPart,
    /// UploadPartCopy.
    CopyPart,
    /// CompleteMultipartUpload.
    Complete,
    /// AbortMultipartUpload.
    Abort,
    /// ListParts.
    ListParts,
    /// ListMultipartUploads.
    ListUploads,
    /// DeleteObject, of the key that a probe wrote.
    Delete,
}

impl fmt::Display for Operation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Head => "HeadObject",
            Self::Get => "GetObject",
            Self::GetTags => "GetObjectTagging",
            Self::Put => "PutObject",
            Self::CreateUpload => "CreateMultipartUpload",
            Self::UploadPart => "UploadPart",
            Self::CopyPart => "UploadPartCopy",
            Self::Complete => "CompleteMultipartUpload",
            Self::Abort => "AbortMultipartUpload",
            Self::ListParts => "ListParts",
            Self::ListUploads => "ListMultipartUploads",
            Self::Delete => "DeleteObject",
        })
    }
}

/// What an object holds after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectState {
    /// What it held before.
    Unchanged,
    /// The old or the new contents, each whole.
    OldOrNew,
}

impl Error {
    /// What the object holds after this error.
    ///
    /// ```
    /// use bytesplice_s3::{ObjectName, ObjectState};
    /// let error = "s3://bucket".parse::<ObjectName>().unwrap_err();
    /// assert_eq!(error.object_state(), ObjectState::Unchanged);
    /// ```
    #[must_use]
    pub fn object_state(&self) -> ObjectState {
        match self {
            Self::Unknown { .. } => ObjectState::OldOrNew,
            Self::LeftOver { source, .. } => source.object_state(),
            _ => ObjectState::Unchanged,
        }
    }
}

/// What a store answered, in its own words as far as there are any.
struct Answer<'a>(u16, &'a str, &'a str);

impl fmt::Display for Answer<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(status, code, message) = self;
        match (code.is_empty(), message.is_empty()) {
            (true, true) => write!(out, "{status}"),
            (_, true) => write!(out, "{status} {code}"),
            (true, _) => write!(out, "{status}: {message}"),
            (false, false) => write!(out, "{status} {code}: {message}"),
        }
    }
}

/// Why nobody knows what an object holds: without what the error says of the object otherwise.
fn cause(error: &Error) -> String {
    match error {
        Error::Unreachable { operation, why, .. } | Error::BadAnswer { operation, why, .. } => {
            format!("{operation}: {why}")
        }
        error => error.to_string(),
    }
}

fn upload_left(upload: &str) -> String {
    let or_abort = format!("; if it has its old ETag, commit again or abort the upload {upload}");
    if upload.is_empty() { String::new() } else { or_abort }
}

fn no_conditions(conditions: Conditions) -> &'static str {
    match conditions {
        Conditions::Unknown => "whether the store honours If-Match is not known",
        _ => "the store does not honour If-Match",
    }
}

fn without_conditions(conditions: Conditions) -> &'static str {
    match conditions {
        Conditions::Unknown => {
            "probe the store, or say what it is; or commit unconditionally if nobody else writes the object"
        }
        _ => "commit unconditionally if nobody else writes the object",
    }
}

/// What to do about some answers.
fn advice(operation: Operation, status: u16, code: &str) -> &'static str {
    match code {
        "AccessDenied" if operation == Operation::ListParts => {
            ": the credentials need s3:ListMultipartUploadParts, so that the lengths of the parts can be checked before the swap"
        }
        "AccessDenied" if operation == Operation::Delete => {
            ": remove this key of a probe, or give the credentials s3:DeleteObject"
        }
        "NotImplemented" if matches!(operation, Operation::Put | Operation::Complete) => {
            ": a store without conditional writes takes unconditional commits only"
        }
        "" if status == 403 => {
            ": check the credentials and the region, and whether they may read the object"
        }
        "" if status == 400 || (301..=308).contains(&status) => {
            ": the bucket may be in another region, set AWS_REGION"
        }
        "AccessDenied" => {
            ": the credentials need s3:GetObject, s3:PutObject, s3:AbortMultipartUpload and s3:GetObjectTagging on it"
        }
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" => ": check the credentials, and the region",
        "ExpiredToken" => ": get new credentials",
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "TemporaryRedirect" => {
            ": the bucket is in another region, set AWS_REGION"
        }
        "EntityTooSmall" => ": the store has another smallest part, choose its profile",
        "RequestTimeTooSkewed" => ": set this machine's clock",
        _ => "",
    }
}
