//! What commands are given for objects in S3-compatible stores.

use bytesplice_s3::Profile;
use clap::{Args, ValueEnum, ValueHint};

/// The heading in the help.
pub const OBJECTS: &str = "Objects, where FILE is s3://BUCKET/KEY";

/// Where the store is, and what it is like.
#[derive(Debug, Args)]
pub struct StoreOptions {
    /// Address of the store; without it AWS_ENDPOINT_URL or the AWS profile says it, else it is Amazon S3
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, help_heading = OBJECTS)]
    pub endpoint: Option<String>,
    /// What the store allows; without it BYTESPLICE_STORE says it, else its address
    #[arg(long, value_enum, value_name = "KIND", help_heading = OBJECTS)]
    pub store: Option<StoreArgument>,
}

/// Kinds of stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StoreArgument {
    /// Amazon S3, with its prices
    Aws,
    /// The rules of Amazon S3, If-Match among them, without prices; what the store makes of
    /// requests is checked
    Compatible,
    /// The same, and all parts but the last of one length, as Cloudflare R2 wants them
    EqualParts,
}

/// What becomes of the upload that puts an object together.
#[derive(Debug, Args)]
pub struct UploadOptions {
    /// Leave the upload when the commit fails, to be resumed; its parts are charged
    #[arg(long, help_heading = OBJECTS)]
    pub keep_upload: bool,
    /// Go on with the upload that the same edit left: what the store has of it is not sent again
    #[arg(long, value_name = "UPLOAD", help_heading = OBJECTS)]
    pub resume: Option<String>,
    /// Find out first whether the store honours If-Match, whatever is known of it, by writing to an
    /// object of its own in the folder of FILE, .bytesplice-probe-*, which is removed again. Not
    /// with --dry-run
    #[arg(long, help_heading = OBJECTS)]
    pub probe_store: bool,
    /// Commit also where the store does not honour If-Match, or nobody knows: what others write to
    /// the object at that moment is lost. For objects that nobody else writes
    #[arg(long, help_heading = OBJECTS)]
    pub unconditional: bool,
    /// Do not carry over the tags of the object, for credentials that may not read them
    #[arg(long, help_heading = OBJECTS)]
    pub drop_tags: bool,
}

impl StoreOptions {
    /// The option of these that is given, if any.
    pub fn given(&self) -> Option<&'static str> {
        match self {
            Self { endpoint: Some(_), .. } => Some("--endpoint"),
            Self { store: Some(_), .. } => Some("--store"),
            Self { endpoint: None, store: None } => None,
        }
    }
}

impl UploadOptions {
    /// The option of these that is given, if any.
    pub fn given(&self) -> Option<&'static str> {
        match self {
            Self { keep_upload: true, .. } => Some("--keep-upload"),
            Self { resume: Some(_), .. } => Some("--resume"),
            Self { probe_store: true, .. } => Some("--probe-store"),
            Self { unconditional: true, .. } => Some("--unconditional"),
            Self { drop_tags: true, .. } => Some("--drop-tags"),
            Self { .. } => None,
        }
    }
}

impl From<StoreArgument> for Profile {
    fn from(argument: StoreArgument) -> Self {
        match argument {
            StoreArgument::Aws => Self::AWS,
            StoreArgument::Compatible => Self::COMPATIBLE,
            StoreArgument::EqualParts => Self::EQUAL_PARTS,
        }
    }
}
