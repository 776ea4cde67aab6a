use crate::{Error, ObjectName, Result};

/// What a store allows, and what it costs. Lengths are in bytes.
///
/// ```
/// use bytesplice_s3::Profile;
/// let small_bodies = Profile { preferred_upload: 16 << 20, ..Profile::AWS };
/// assert_eq!(small_bodies.smallest_part, 5 << 20);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Every part but the last has at least this length.
    pub smallest_part: u64,
    /// No part is longer; at least three times the smallest one.
    pub largest_part: u64,
    /// A part that is sent is no longer, as long as the number of parts allows: it is held in memory, and sent again
    /// when the connection breaks. Between three times the smallest part and the largest.
    pub preferred_upload: u64,
    /// Bytes between two kept ranges that are fetched along, in place of another request.
    pub fetched_along: u64,
    /// Most parts of an upload.
    pub most_parts: u64,
    /// Longest object.
    pub largest_object: u64,
    /// Whether all parts but the last must be of one length.
    pub equal_parts: bool,
    /// What the store does with a write whose condition does not hold. A commit needs a store that
    /// refuses it, unless the caller asks for an
    /// [unconditional](crate::CommitOptions::unconditional) one.
    pub conditions: Conditions,
    /// Whether a commit checks what the store made of its requests: right before the swap it looks
    /// at the object's ETag once more, and if parts were copied, at the length of every part. One
    /// HeadObject, and one ListParts for 1,000 parts.
    pub checks_before_swap: bool,
    /// What is asked for requests and traffic.
    pub prices: Prices,
}

/// What a store does with a write under a condition (`If-Match`, `If-None-Match`) that does not
/// hold.
///
/// A commit writes under the condition that the object has the ETag of the version that was opened.
/// A store that carries the write out anyway loses what others wrote in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conditions {
    /// It refuses the write, whether by PutObject or by CompleteMultipartUpload.
    Honoured,
    /// It ignores the condition, or has no writes under conditions at all.
    Unsupported,
    /// Nobody has told. [`probe`](crate::probe) tries it.
    Unknown,
}

impl Conditions {
    /// Fails unless the store of `object` honours conditions.
    ///
    /// # Errors
    /// [`Error::NoConditions`](crate::Error::NoConditions).
    pub fn check(self, object: &ObjectName) -> Result<()> {
        match self {
            Self::Honoured => Ok(()),
            conditions => Err(Error::NoConditions { object: object.clone(), conditions }),
        }
    }
}

/// Domains of stores, and their profiles. Those that say in their documentation, for PutObject and
/// for CompleteMultipartUpload, what they do with `If-Match`.
const STORES: [(&[&str], Profile); 6] = [
    // Amazon S3 User Guide, "How to prevent object overwrites with conditional writes" (November
    // 2024).
    (&["amazonaws.com"], Profile::AWS),
    // The same in China, for other prices.
    (&["amazonaws.com.cn"], Profile { checks_before_swap: false, ..Profile::COMPATIBLE }),
    // Cloudflare R2 docs, "Conditional operations".
    (&["r2.cloudflarestorage.com"], Profile::EQUAL_PARTS),
    // OVHcloud guides, "Object Storage - Conditional writes" (June 2026).
    (&["io.cloud.ovh.net", "io.cloud.ovh.us"], Profile::COMPATIBLE),
    // Selectel docs, "Conditional requests".
    (&["storage.selcloud.ru"], Profile::COMPATIBLE),
    // Backblaze B2 answers 501 NotImplemented to a PutObject with If-Match or If-None-Match
    // (sathinduga/obsidian-s3-sync-and-backup, pull request 84 of July 2026).
    (&["backblazeb2.com"], Profile { conditions: Conditions::Unsupported, ..Profile::COMPATIBLE }),
];

/// Prices in US dollars, for an estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prices {
    /// For 1,000 requests that write or list (PUT, COPY, POST, LIST).
    pub thousand_writes: f64,
    /// For 1,000 requests that read (GET, HEAD).
    pub thousand_reads: f64,
    /// For 10^9 bytes that leave the store to the internet.
    pub gigabyte_out: f64,
}

impl Profile {
    /// Amazon S3: parts of 5 MiB to 5 GiB, 10,000 of them, and so 48.8 TiB (5 TiB until December 2025).
    ///
    /// Prices are those of S3 Standard in us-east-1, the first 10 TB a month to the internet. Within a region traffic is
    /// free. Limits: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
    pub const AWS: Self = Self {
        smallest_part: 5 << 20,
        largest_part: 5 << 30,
        preferred_upload: 64 << 20,
        // A request takes as long as the transfer of some 100 KiB.
        fetched_along: 64 << 10,
        most_parts: 10_000,
        largest_object: 10_000 * (5 << 30),
        equal_parts: false,
        conditions: Conditions::Honoured,
        checks_before_swap: false,
        prices: Prices { thousand_writes: 0.005, thousand_reads: 0.0004, gigabyte_out: 0.09 },
    };

    /// Other stores with the rules of Amazon S3, conditional writes among them, but with objects of
    /// 5 TiB at most. What they make of requests is checked. Nothing is known of prices.
    pub const COMPATIBLE: Self = Self {
        largest_object: 5 << 40,
        checks_before_swap: true,
        prices: Prices { thousand_writes: 0.0, thousand_reads: 0.0, gigabyte_out: 0.0 },
        ..Self::AWS
    };

    /// Stores of which nobody knows whether they honour conditions: otherwise as
    /// [`COMPATIBLE`](Self::COMPATIBLE).
    pub const UNKNOWN: Self = Self { conditions: Conditions::Unknown, ..Self::COMPATIBLE };

    /// Stores that want all parts but the last of one length, such as Cloudflare R2 (whose prices
    /// these are: traffic is free). They honour conditions. An edit then costs about one such part,
    /// and from 48.8 GiB on more, as parts must grow with the object.
    pub const EQUAL_PARTS: Self = Self {
        equal_parts: true,
        prices: Prices { thousand_writes: 0.0045, thousand_reads: 0.00036, gigabyte_out: 0.0 },
        ..Self::COMPATIBLE
    };

    /// The profile of a name: `aws`, `compatible` or `equal-parts`.
    ///
    /// # Errors
    /// [`Error::StoreKind`] for any other name.
    ///
    /// ```
    /// use bytesplice_s3::Profile;
    /// assert_eq!(Profile::named("compatible")?, Profile::COMPATIBLE);
    /// # Ok::<(), bytesplice_s3::Error>(())
    /// ```
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "aws" => Ok(Self::AWS),
            "compatible" => Ok(Self::COMPATIBLE),
            "equal-parts" => Ok(Self::EQUAL_PARTS),
            _ => Err(Error::StoreKind { name: name.to_owned() }),
        }
    }

    /// The profile for a store at this address, or for Amazon's own without one, by a table of the
    /// stores whose documentation tells what they do with conditions. [`UNKNOWN`](Self::UNKNOWN)
    /// for all others.
    ///
    /// ```
    /// use bytesplice_s3::Profile;
    /// assert_eq!(Profile::of(None), Profile::AWS);
    /// assert!(Profile::of(Some("https://account.r2.cloudflarestorage.com")).equal_parts);
    /// assert_eq!(Profile::of(Some("http://localhost:9000")), Profile::UNKNOWN);
    /// ```
    #[must_use]
    pub fn of(endpoint: Option<&str>) -> Self {
        let Some(endpoint) = endpoint else { return Self::AWS };
        let host = endpoint.split("://").last().and_then(|rest| rest.split(['/', ':']).next());
        let host = host.unwrap_or_default().to_ascii_lowercase();
        let is_at =
            |domain: &&str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        let row = STORES.iter().find(|(domains, _)| domains.iter().any(is_at));
        row.map_or(Self::UNKNOWN, |(_, profile)| profile.clone())
    }

    /// The rule that these numbers break, if any.
    pub(crate) fn broken_rule(&self) -> Option<&'static str> {
        if self.smallest_part == 0 || self.most_parts == 0 {
            Some("the smallest part and the number of parts must not be 0")
        } else if self.largest_part / 3 < self.smallest_part {
            Some("the largest part must be at least three times as long as the smallest one")
        } else if self.preferred_upload / 3 < self.smallest_part
            || self.preferred_upload > self.largest_part
        {
            Some(
                "the preferred upload must lie between three times the smallest part and the largest part",
            )
        } else if self.most_parts > 10_000 {
            Some("part numbers end at 10,000")
        } else {
            None
        }
    }
}
