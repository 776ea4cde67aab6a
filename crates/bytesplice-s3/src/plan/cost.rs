use super::fetches::fetches;
use super::{Origin, Part, Runs};
use crate::Profile;

/// Parts that one ListParts lists.
const PARTS_OF_A_LIST: u64 = 1000;

/// What a plan costs. Bytes are counted once, whatever has to be sent again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Bytes sent by the client.
    pub bytes_up: u64,
    /// Bytes fetched by the client, to be sent again.
    pub bytes_down: u64,
    /// Bytes that the store copies.
    pub bytes_copied: u64,
    /// Requests of the commit, without the one that looked at the object before.
    pub requests: Requests,
    /// Estimate in US dollars, by the prices of the profile: requests, and what is fetched as if it left to the internet.
    pub price: f64,
}

/// Requests by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    /// PutObject.
    pub puts: u64,
    /// CreateMultipartUpload.
    pub creates: u64,
    /// UploadPart.
    pub uploads: u64,
    /// UploadPartCopy.
    pub copies: u64,
    /// GetObject of a range.
    pub gets: u64,
    /// CompleteMultipartUpload.
    pub completes: u64,
    /// GetObjectTagging: one, unless the old object is empty or absent, or the tags are dropped.
    pub tags: u64,
    /// HeadObject, right before the swap: one if the profile has [`checks_before_swap`](Profile::checks_before_swap).
    pub heads: u64,
    /// ListParts, before the swap: one for 1,000 parts if the profile has
    /// [`checks_before_swap`](Profile::checks_before_swap) and parts are copied.
    pub lists: u64,
}

impl Requests {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.writes() + self.reads()
    }

    /// Those that are charged as writes, lists among them.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.puts + self.creates + self.uploads + self.copies + self.completes + self.lists
    }

    /// Those that are charged as reads.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.gets + self.tags + self.heads
    }
}

impl Cost {
    pub(super) fn new(
        runs: &Runs,
        parts: &[Part],
        single_put: bool,
        old_len: u64,
        profile: &Profile,
    ) -> Self {
        let prices = &profile.prices;
        let mut requests = Requests::default();
        let (mut bytes_up, mut bytes_down, mut bytes_copied) = (0, 0, 0);
        for part in parts {
            if part.origin != Origin::New {
                requests.copies += 1;
                bytes_copied += part.len;
                continue;
            }
            requests.uploads += 1;
            bytes_up += part.len;
            for fetch in fetches(runs.within(part.offset..part.end()), profile.fetched_along) {
                requests.gets += 1;
                bytes_down += fetch.range.end - fetch.range.start;
            }
        }
        requests.tags = u64::from(old_len > 0);
        requests.heads = u64::from(profile.checks_before_swap);
        if profile.checks_before_swap && requests.copies > 0 {
            requests.lists = (parts.len() as u64).div_ceil(PARTS_OF_A_LIST);
        }
        if single_put {
            requests.puts = std::mem::take(&mut requests.uploads);
        } else {
            (requests.creates, requests.completes) = (1, 1);
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let price = requests.writes() as f64 * prices.thousand_writes / 1e3
            + requests.reads() as f64 * prices.thousand_reads / 1e3
            + bytes_down as f64 * prices.gigabyte_out / 1e9;
        Self { bytes_up, bytes_down, bytes_copied, requests, price }
    }
}
