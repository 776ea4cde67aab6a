//! What the trials commit: edits of every shape that plans have.

use bytesplice_s3::{Client, CommitOptions, Head, Piece, Plan, Profile, Result, commit};

use crate::servers::Kind;
use crate::{expected, noise};

/// An edit of an object, and what must come of it.
pub struct Job {
    pub name: &'static str,
    pub pieces: Vec<Piece>,
    pub old: Vec<u8>,
    /// New bytes, by their offset in the contents.
    pub added: Vec<u8>,
    pub new: Vec<u8>,
    /// What others write in between, as long as the new contents.
    pub others: Vec<u8>,
}

impl Job {
    pub fn plan(&self) -> Plan {
        let pieces = self.pieces.iter().copied();
        Plan::new(pieces, self.old.len() as u64, &PROFILE).unwrap()
    }

    pub fn commit(
        &self,
        client: &Client,
        old: &Head,
        options: &CommitOptions<'_>,
    ) -> Result<String> {
        let read = |offset: u64, buffer: &mut [u8]| {
            buffer.copy_from_slice(&self.added[offset as usize..][..buffer.len()]);
            Ok(())
        };
        commit(client, Some(old), &self.plan(), &read, options)
    }
}

/// The shortest part but the last, for both servers.
const UNIT: u64 = 5 << 20;

/// Short parts, so that there are many; and all checks.
const PROFILE: Profile =
    Profile { largest_part: 3 * UNIT, preferred_upload: 3 * UNIT, ..Profile::COMPATIBLE };

/// How many of the jobs and of the trials a server goes through unless more is asked for: s3s-fs 0.14 moves 100 MB a second, takes
/// five times as long as SeaweedFS, and cannot list what is left.
pub fn usual(kind: Kind, trials: u64) -> (usize, u64) {
    match kind {
        Kind::SeaweedFs => (usize::MAX, trials),
        Kind::S3sFs => (3, 1),
    }
}

/// One put; copied and sent parts; fetched bytes that are joined with new ones; parts in another order.
pub fn jobs() -> impl Iterator<Item = Job> {
    let kept = |range: std::ops::Range<u64>| Piece::Kept {
        offset: range.start,
        len: range.end - range.start,
    };
    let len = UNIT + UNIT / 100;
    let shapes = [
        ("put", 1000, vec![kept(0..500), Piece::New { len: 7 }, kept(600..1000)]),
        ("append", len, vec![kept(0..len), Piece::New { len: 9 }]),
        ("join", len, vec![Piece::New { len: 9 }, kept(0..len)]),
        (
            "order",
            2 * UNIT + UNIT / 100,
            vec![
                kept(UNIT..2 * UNIT + UNIT / 100),
                Piece::New { len: UNIT / 4 },
                kept(0..UNIT + 1),
            ],
        ),
    ];
    let job = |(name, len, pieces): (_, u64, Vec<Piece>)| {
        let new_len = pieces.iter().map(|piece| match piece {
            Piece::Kept { len, .. } | Piece::New { len } => len,
        });
        let (old, added) = (noise(len, 1), noise(new_len.sum(), 2));
        let new = expected(&old, &pieces, &added);
        let others = noise(new.len() as u64, 3);
        Job { name, pieces, old, added, new, others }
    };
    shapes.into_iter().map(job)
}
